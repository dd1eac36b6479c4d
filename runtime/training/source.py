"""What a run is trained on, and for how long: rows of arrays, or a stream of batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from ...graph import Array, RunError, shown
from ..arguments import count_of
from ..data.parts import Known, TaskData, stratified
from ..program import Program
from .batches import Batches, Place, RowBatches
from .checkpoint import Length
from .checksum import checksum
from .dataset import Data, DataSet, labelled
from .progress import Extent
from .sampling import Among, Sampler, make_sampler
from .stream import Stream, StreamBatches, is_stream
from .team import Team

_BATCH: Final = 100
"""How many rows a batch has, unless said."""
SHUFFLED: Final = "shuffled"


class Drawing(NamedTuple):
    """How `fit` was asked to draw batches, and for how long; `marked` are those of a stream of
    which a checkpoint is kept. `split` is the share of the rows that is held out."""

    sampler: str | Sampler
    batch_size: int | None
    epochs: int | None
    steps: int | None
    split: float | None
    marked: bool


class Source(Protocol):
    """What the batches of a run come from.

    `columns` are those of the frames that it is made of, as far as they are known before it is
    opened, and `known` what a data set of `vg.data` tells of itself. `held_out` are the rows to
    validate on, where they are a share of these; `agreed` is what a run that goes on has to have in
    common with it.
    """

    length: Length
    columns: Mapping[str, tuple[str, ...]]
    known: Mapping[str, str]
    held_out: DataSet | None

    def agreed(self) -> dict[str, str | int | None]:
        """By the names that an error gives them."""

    def told(self) -> dict[str, int]:
        """What loggers are told of it."""

    def opened(self, at: Place, team: Team | None = None) -> Batches:
        """Its batches, from that place on; a rank of a team reads its own rows."""

    def extent(self, start: int) -> Extent:
        """What is known of a run that begins at step `start`."""


def source_of(program: Program, data: Data | Stream, how: Drawing) -> Source:
    """What is given as data; RunError where it cannot be, or cannot be drawn from so."""
    if isinstance(data, TaskData):
        raise RunError(
            f"the data is all of {data.name}; write vg.fit(program, data.train, "
            "validation=data.validation), and keep data.test for vg.measure"
        )
    kind = StreamSource if is_stream(data) else RowSource
    return kind(program, data, how)


class RowSource:
    """Rows of arrays, one of each input a sample."""

    def __init__(self, program: Program, data: Any, how: Drawing) -> None:
        self._data = rows = DataSet(program.declared, data, program.metadata)
        self.columns: Mapping[str, tuple[str, ...]] = rows.columns
        self.known: Mapping[str, str] = data.told if isinstance(data, Known) else {}
        self._how = how
        asked: Any = how.batch_size
        plain = int(asked) if isinstance(asked, np.integer) else asked  # as a checkpoint tells it
        classifier, seed = labelled(program.declared), program.options.seed
        labels = np.asarray(rows.arrays[classifier.labels]) if classifier is not None else None
        self.held_out: DataSet | None = None
        chosen: Array | None = None
        self._train = rows
        if how.split is not None:
            chosen, others = _split(rows.count, labels, how.split, seed)
            self._train, self.held_out = rows.chosen(chosen), rows.chosen(others)
        self._batch_size = size = min(_BATCH, self._train.count) if asked is None else plain
        sampler = make_sampler(how.sampler, self._train, classifier, size, seed)
        self._sampler = sampler if chosen is None else Among(sampler, chosen)
        value, of_epochs = _asked(how)
        each = self._sampler.steps_per_epoch
        self.length = Length(value * each if of_epochs else value, None)

    def agreed(self) -> dict[str, str | int | None]:
        """The rows, and how they are drawn."""
        chosen = self._how.sampler
        return {
            "sampler": chosen if isinstance(chosen, str) else type(chosen).__qualname__,
            "batch_size": self._batch_size,
            "training data": checksum(self._data),
            **({"validation_split": str(self._how.split)} if self._how.split is not None else {}),
        }

    def told(self) -> dict[str, int]:
        """Its rows, and how many of them are drawn."""
        rows, steps = self._train.count, self.length.steps or 0
        return {"rows": rows, "batch_size": self._batch_size, "steps": steps}

    def opened(self, at: Place, team: Team | None = None) -> Batches:
        """Batches are a function of the step: there is nothing to be read up to."""
        return RowBatches(self._data, self._sampler, self._train, team)

    def extent(self, start: int) -> Extent:
        """Steps and epochs, counted from the program's first."""
        steps, each = self.length.steps or 0, self._sampler.steps_per_epoch
        return Extent(start, steps, start // each + 1, -(-(start + steps) // each))


class StreamSource:
    """Batches that are made by somebody else, of rows that nobody may know."""

    columns: Mapping[str, tuple[str, ...]] = {}
    known: Mapping[str, str] = {}
    held_out: DataSet | None = None

    def __init__(self, program: Program, stream: Any, how: Drawing) -> None:
        self._program = program
        self._stream = stream
        self._marked = how.marked
        for name, value, usual in (
            ("batch_size", how.batch_size, None),
            ("sampler", how.sampler, SHUFFLED),
            ("validation_split", how.split, None),
        ):  # fmt: skip
            if value != usual:
                raise RunError(
                    f"{name} is {shown(value)}, but the data comes in batches, which are taken as "
                    f"they are; leave {name} out"
                )
        value, of_epochs = _asked(how)
        if of_epochs and value > 1 and hasattr(stream, "__next__"):
            raise RunError(
                f"epochs is {value}, but the data is an iterator, which can be read once; give a "
                "function that makes one for each epoch, or steps="
            )
        self.length = Length(None, value) if of_epochs else Length(value, None)

    def agreed(self) -> dict[str, str | int | None]:
        """Whether it is the same stream is seen when it is read again."""
        return {"sampler": "stream", "batch_size": None, "training data": None}

    def told(self) -> dict[str, int]:
        """How long the run is; rows are not known before."""
        asked = {"steps": self.length.steps, "epochs": self.length.passes}
        return {k: n for k, n in asked.items() if n is not None}

    def opened(self, at: Place, team: Team | None = None) -> Batches:
        """The batches behind that place; those before it are read, and by each rank."""
        declared, metadata = self._program.declared, self._program.metadata
        return StreamBatches(declared, self._stream, metadata, at, marked=self._marked)

    def extent(self, start: int) -> Extent:
        """Steps or epochs; the other is known at the end."""
        return Extent(start, self.length.steps, 1, self.length.passes)


def _split(count: int, labels: Array | None, share: float, seed: int) -> tuple[Array, Array]:
    """The rows to train on and those that are held out: of each class, or of all, `share`."""
    strata = np.zeros(count, np.int8) if labels is None else labels
    rows, others = stratified(strata, share, "validation", seed)
    if not len(others):
        raise RunError(
            f"validation_split={share:g} of {count:,} rows is no row of any class; give a larger "
            "share, or validation=(x, y)"
        )
    return rows, others


def _asked(how: Drawing) -> tuple[int, bool]:
    """How many epochs or steps to make, and whether it is epochs."""
    if (how.epochs is None) == (how.steps is None):
        raise RunError("fit takes epochs= or steps=, one of the two, e.g. epochs=10")
    if how.epochs is not None:
        return count_of("epochs", how.epochs), True
    return count_of("steps", how.steps), False
