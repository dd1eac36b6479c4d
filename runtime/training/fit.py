"""`fit`: trains a program on a data set, with validation after each epoch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...graph import RunError
from ...graph.writing import given_path
from ...passes import Optimizer
from ...passes.methods.learning_rates import Schedule
from ..arguments import check_switch, count_of
from ..program import Program, check_program
from .bundle import Bundle
from .callback import Callback
from .checkpoint import Checkpoint
from .dataset import Data, DataSet, labelled
from .dead_layers import DeadLayers
from .followers import followers
from .history import History
from .identity import identity
from .logged import Loggers, logging_to
from .loop import Loop
from .progress import progress as progress_of
from .sampling import Sampler, make_sampler
from .watching import OneClass, Rising, ValidationNotFinite, Watcher

__all__ = ["Callback", "fit"]

_BATCH = 100
"""How many rows a batch has, unless said."""
_AT_A_TIME = 65_536
"""How many steps of a schedule are looked at in one go."""


def fit(
    program: Program,
    data: Data,
    *,
    validation: Data | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    callbacks: Callback | Iterable[Callback] = (),
    loggers: Loggers = (),
    sampler: str | Sampler = "shuffled",
    keep_best: bool | str = False,
    checkpoint: str | Path | Checkpoint | None = None,
    resume: bool = False,
    bundle: str | Path | None = None,
    progress: bool | None = None,
    verify_products: bool = False,
) -> History:
    """Trains a program on a data set, for so many epochs or so many steps more.

    `data` and `validation` are tuples in the order of the declared graph's inputs, or dicts by
    their names. Frames and series of pandas are read by the place of columns and rows; a warning
    says where their names have another order. The batches are a function of the program's seed
    and step number: a run that goes on draws those of one that was never stopped. `sampler` is
    "shuffled" (each row once an epoch, the last, short batch too; a last batch of one row is
    joined to the one before it), "sequential", "replacement", "balanced" (every class as often),
    or an object of `Sampler`. A batch has 100 rows, or all where there are fewer, unless said.

    `loggers` hear of each epoch: `vg.CSVLogger`, `vg.JSONLinesLogger`, `vg.TensorBoardLogger`,
    `vg.MLflowLogger`, or anything with a method `log(values)`, such as a run of wandb. One that
    cannot begin is a RunError before the first step; one that fails later is told in a warning,
    and the run goes on without it.

    `keep_best` puts the weights of the best epoch back at the end, however the run ends: True or
    "loss" for the lowest validation loss, "accuracy" for the highest accuracy.

    `checkpoint` names a file that holds the whole state of the run, written before the first step
    and after each epoch. With `resume=True` the run goes on from that file, where it exists, and
    ends with the bits of a run that was never stopped; `epochs` or `steps` count from its start.

    `bundle` names a file that a step which is not finite is written to: the program before it and
    its batch. `vg.replay(path)` and `verigrad replay PATH` make it again.

    `progress=True` shows a bar in a terminal, on stderr, or below a notebook's cell, where rich is
    installed; elsewhere a line an epoch on stderr. Unless said, a run on a terminal that has lasted
    two seconds shows a bar until it ends, and a run elsewhere nothing.

    `verify_products=True` checks each product of matrices of each step by Freivalds' test, which
    takes less time than to make it again: RunError names the first that a bad BLAS, memory or
    processor got wrong. No bit of the run depends on it.

    VerigradWarning tells, once, of inputs that meet a weight as they are and go from 0 to 255, or
    have a standard deviation above 20, of a loss that grew to ten times its first value, of a relu
    layer whose outputs are all 0, and of one class that is predicted for all rows.

    Data and the rates of a schedule are checked once, before the first step: RunError names what
    was found, what was expected and the remedy. NonFiniteError ends the run with the state before
    that step. Ctrl-C ends it with KeyboardInterrupt between two steps, a checkpoint written; the
    program can be used and saved. Handlers of your own for SIGINT, SIGTERM and SIGHUP are called
    between two steps, too; the run goes on where they return.
    """
    check_program("fit", program)
    check_switch("resume", resume)
    if progress is not None:
        check_switch("progress", progress)
    check_switch("verify_products", verify_products)
    sets = _data_sets(program, data, validation)
    batch_size = _batch_size(batch_size, sets.train.count)
    classifier = labelled(program.declared)
    chosen = make_sampler(sampler, sets.train, classifier, batch_size, program.options.seed)
    count = _count(epochs, steps, chosen.steps_per_epoch)
    heard, put_back = followers(program, callbacks, keep_best, sets.valid)
    kept = _checkpoint(checkpoint, resume)
    agreed = identity(sampler, batch_size, sets.train, sets.valid) if kept is not None else {}
    failed = _bundle(bundle, kept)
    loop = Loop(program, sets.train, sets.valid, chosen, heard, kept, agreed, failed)
    check_rates(program.options.optimizer, loop.position.step, loop.position.start + count)
    program.metadata.update(sets.metadata)
    told = {"rows": sets.train.count, "batch_size": batch_size, "steps": count}
    logging = logging_to(loggers, program, loop.position.rows, told)
    with program.executable.verifying(verify_products), logging as logged:
        loop.callbacks = (*loop.callbacks, logged)
        return _run(loop, count, progress, put_back)


def _run(loop: Loop, count: int, progress: bool | None, at_end: Callable[[], None]) -> History:
    """The run itself: so many steps, followed on a terminal and watched."""
    watchers = _watchers(loop, loop.train, loop.valid)
    with progress_of(
        progress, loop.position.start, count, loop.sampler.steps_per_epoch
    ) as follower:
        loop.callbacks = (follower, *watchers, *loop.callbacks)
        history = loop.go(count, at_end)
    for watcher in watchers:
        watcher.end()
    return history


class _DataSets(NamedTuple):
    """What a run is trained on and followed with, and the metadata that the program then has."""

    train: DataSet
    valid: DataSet | None
    metadata: Mapping[str, str]


def _data_sets(program: Program, data: Data, validation: Data | None) -> _DataSets:
    train = DataSet(program.declared, data, program.metadata)
    metadata = _with_columns(program, train.columns)
    if validation is None:
        return _DataSets(train, None, metadata)
    try:
        return _DataSets(train, DataSet(program.declared, validation, metadata), metadata)
    except RunError as e:
        raise RunError(f"validation data: {e}") from None


def _batch_size(asked: int | None, count: int) -> int:
    """How many rows a batch has of so many."""
    if asked is None:
        return min(_BATCH, count)
    return int(asked) if isinstance(asked, np.integer) else asked  # as a checkpoint tells it


def _checkpoint(checkpoint: str | Path | Checkpoint | None, resume: bool) -> Checkpoint | None:
    """The file that a run is kept in, if anywhere."""
    if checkpoint is None:
        if resume:
            raise RunError("resume=True needs checkpoint=, the file that the run goes on from")
        return None
    if isinstance(checkpoint, Checkpoint):
        return checkpoint
    return Checkpoint(checkpoint, resume=resume)


def _watchers(loop: Loop, train: DataSet, valid: DataSet | None) -> list[Watcher]:
    """What warns of a run that goes wrong without an error."""
    classifier, at = labelled(loop.program.declared), loop.position
    watchers: list[Watcher] = [
        Rising(next(iter(loop.losses), None), classifier.classes if classifier else None),
        DeadLayers(loop.program, train),
        ValidationNotFinite(),
    ]
    if classifier is not None:
        watchers.append(OneClass(loop.program, train, valid, classifier, at.start, at.rows))
    return watchers


def _bundle(bundle: str | Path | None, checkpoint: Checkpoint | None) -> Bundle | None:
    """Where a step that fails is kept, if anywhere; RunError where that is the checkpoint's."""
    if bundle is None:
        return None
    if checkpoint is not None and given_path(bundle).resolve() == checkpoint.path.resolve():
        raise RunError(f"bundle and checkpoint are both {bundle}; give each a file of its own")
    return Bundle(bundle)


def check_rates(optimizer: Optimizer | None, start: int, end: int) -> None:
    """Raises RunError for the first step, from `start` to `end`, whose rate is no number from 0."""
    groups = optimizer.groups if optimizer is not None else ()
    for rate in (getattr(optimizer, "lr", None), *(group.lr for group in groups)):
        if not isinstance(rate, Schedule):
            continue
        for first in range(start, end, _AT_A_TIME):
            rates = rate.rates(min(_AT_A_TIME, end - first), first)
            bad = np.flatnonzero(~(np.isfinite(rates) & (rates >= 0)))
            if bad.size:
                raise RunError(
                    f"the schedule {rate.name} gives the learning rate {rates[bad[0]]:g} at step "
                    f"{first + int(bad[0])}, where a finite number from 0 is expected; fit would "
                    f"make steps {start} to {end - 1}"
                )


def _with_columns(program: Program, columns: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """The metadata, with the columns of the frame that `predict` reads, if none are kept yet: the
    next frame is held to them."""
    outputs = {k: n for k, n in program.declared.outputs.items() if k != "loss"}
    g = program.declared.but(outputs=outputs, updates={})
    read = [g.names[n] for n in g.inputs if n.type.is_float]
    kept = len(read) == 1 and read[0] in columns
    return {**({"columns": json.dumps(columns[read[0]])} if kept else {}), **program.metadata}


def _count(epochs: int | None, steps: int | None, steps_per_epoch: int) -> int:
    """How many steps to make."""
    if (epochs is None) == (steps is None):
        raise RunError("fit takes epochs= or steps=, one of the two, e.g. epochs=10")
    name, value = ("epochs", epochs) if epochs is not None else ("steps", steps)
    count = count_of(name, value)
    return count * steps_per_epoch if epochs is not None else count
