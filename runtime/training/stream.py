"""A stream of batches: an iterable of them, an iterator, or a function that gives one an epoch."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from inspect import Parameter, signature
from typing import Any, Final

import numpy as np

from ...graph import Array, Graph, RunError, has, shown
from .batches import Place
from .bundle import Batch
from .dataset import Data, DataSet, Inputs

Stream = Iterable[Data] | Callable[..., Iterable[Data]]
"""Batches, each as `fit` takes data; a function is called for each epoch, with its number from 0
where it takes one."""

_ARRAYS: Final = ("__array__", "__dataframe__", "__arrow_c_stream__")
"""What arrays and tables have, over whose rows or columns one could go as well."""
_END: Final = object()
_BY_PLACE: Final = (
    Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.VAR_POSITIONAL
)  # fmt: skip


def is_stream(data: object) -> bool:
    """Whether data is given batch by batch, and not as one array for each input."""
    if isinstance(data, (Mapping, tuple, str, bytes)) or any(has(data, k) for k in _ARRAYS):
        return False
    if isinstance(data, list):
        return bool(data) and all(map(_is_batch, data))
    return callable(data) or isinstance(data, Iterable)


def _is_batch(item: object) -> bool:
    """Whether an item of a list is a batch: an array for each input, and not a row of one."""
    if isinstance(item, tuple):
        return any(isinstance(part, (list, tuple)) or has(part, "shape") for part in item)
    return isinstance(item, Mapping)


class StreamBatches:
    """The batches of a stream, in its order, and of any size; one is read ahead of the step.

    An epoch is one pass over the stream. Each batch is checked as a data set is. With `at`, the
    place where an earlier run ended, the stream is read up to there first; with `marked`, the last
    batch is marked with a checksum, by which a run that goes on knows the same stream.
    Raises RunError for a stream without a batch, and for a batch that does not fit.
    """

    waits = True

    def __init__(
        self,
        g: Graph,
        stream: Stream,
        metadata: Mapping[str, str],
        at: Place,
        *,
        marked: bool,
    ) -> None:
        self._g, self._inputs = g, Inputs.of(g)
        self._stream: Any = stream
        self._metadata = metadata
        self._marked = marked
        self._numbered = callable(stream) and _takes_a_number(stream)
        self.once = isinstance(stream, Iterator)
        """Whether it can be read once only."""
        self.place = Place()
        self._ahead: DataSet | None = None
        self._last: DataSet | None = None
        self._batches: Iterator[Data] | None = None  # of the present pass, once it is begun
        self._go_to(at)
        first = self._peek()
        if first is None:
            first = self._last  # of a run that goes on where all of a pass was read
        if first is None:
            raise self._empty()
        self.looked_at = first.copied()

    def draw(self, step: int) -> Batch | None:
        """The next batch; None where the stream can be read once only and is at its end."""
        if self._peek() is None and self.place.batches:
            self.turn()
        drawn = self._peek()
        if drawn is None:
            if self.once:
                return None
            raise self._empty()
        self._take(drawn)
        return Batch(drawn.whole(), None, step, drawn.count)

    def ends(self, step: int) -> bool:
        """Whether the pass that was begun has no batch more."""
        return self.place.batches > 0 and self._peek() is None

    def epoch(self, step: int) -> int:
        """Passes are counted from the beginning of the run."""
        return self.place.passes + 1

    def whole(self, batch: Batch) -> Batch:
        """A stream gives whole batches."""
        return batch

    def turn(self) -> None:
        """Begins another pass."""
        self.place = self.place._replace(passes=self.place.passes + 1, batches=0)
        if not self.once:
            self._batches = None

    def _go_to(self, at: Place) -> None:
        """Reads up to a place; RunError where the stream is not the one that was read to there.

        What a function gives for an epoch is told by its number. The order of any other stream may
        depend on all that was drawn from it, and so it is read from its beginning.
        """
        if callable(self._stream) and at.passes:
            self.place = Place(at.passes)
        while (self.place.passes, self.place.batches) < (at.passes, at.batches):
            drawn = self._peek()
            if drawn is not None:
                self._take(drawn)
            elif self.place.passes < at.passes and self.place.batches:
                self.turn()
            else:
                raise RunError(
                    f"the data ends after {self.place.batches} batches of epoch "
                    f"{self.place.passes + 1}, of which the run had made {at.batches}; a run goes "
                    "on only with what it began with"
                )
        if self.place.last and at.last and self.place.last != at.last:
            raise RunError(
                f"batch {at.batches} of epoch {at.passes + 1} is another than the one that the run "
                "was trained on; a run goes on only with what it began with: give a function of "
                "the epoch's number, or an iterable that begins with the same batches"
            )
        self.place = at

    def _opened(self) -> Iterator[Data]:
        """The batches of the present pass."""
        if not callable(self._stream):
            return iter(self._stream)
        given = self._stream(self.place.passes) if self._numbered else self._stream()
        if not isinstance(given, Iterable):
            raise RunError(
                f"the data is a function that gives {shown(given)} for an epoch, where an iterable "
                "of batches is expected"
            )
        return iter(given)

    def _peek(self) -> DataSet | None:
        """The next batch of this pass, which stays the next one."""
        if self._ahead is None:
            try:
                if self._batches is None:
                    self._batches = self._opened()
                batch = next(self._batches, _END)
            except RunError:
                raise
            except Exception as e:
                e.add_note(f"raised by the data, for {self._named()}")
                raise
            if batch is _END:
                return None
            try:
                self._ahead = DataSet(self._g, batch, self._metadata, self._inputs)  # type: ignore[arg-type]
            except RunError as e:
                raise RunError(f"{self._named()}: {e}") from None
        return self._ahead

    def _take(self, drawn: DataSet) -> None:
        last = _mark(drawn.whole()) if self._marked else ""
        self._last, self._ahead = drawn, None
        self.place = self.place._replace(batches=self.place.batches + 1, last=last)

    def _named(self) -> str:
        return self.place._replace(batches=self.place.batches + 1).named

    def _empty(self) -> RunError:
        given = "; an iterator that was read before has none left" if self.once else ""
        return RunError(f"the data gives no batch in epoch {self.place.passes + 1}{given}")


def _takes_a_number(function: Callable[..., object]) -> bool:
    """Whether a function has a place for the epoch's number."""
    try:
        places = signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(p.kind in _BY_PLACE for p in places)


def _mark(arrays: Mapping[str, Array]) -> str:
    """A checksum of a batch."""
    total = 0
    for name, array in sorted(arrays.items()):
        total = zlib.crc32(f"{name} {array.dtype} {array.shape}".encode(), total)
        total = zlib.crc32(np.ascontiguousarray(array).data, total)
    return f"{total:08x}"
