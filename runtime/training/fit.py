"""`fit`: trains a program on a data set, with validation after each epoch."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from ...graph import RunError, all_of
from ...graph.writing import given_path
from ...passes import Optimizer
from ...passes.methods.learning_rates import Schedule
from ...passes.methods.learning_rates.plateau import plateau_in
from ..arguments import check_switch, count_of
from ..program import Program, check_program
from .bundle import Bundle
from .callback import Callback
from .checkpoint import Checkpoint
from .dataset import Data, DataSet, labelled
from .dead_layers import DeadLayers
from .following import Following, KeepBest, ReduceRate
from .history import History
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
    if not isinstance(keep_best, str):
        check_switch("keep_best", keep_best)
    train = DataSet(program.declared, data, program.metadata)
    metadata = _with_columns(program, train.columns)
    valid = None if validation is None else _validation_set(program, validation, metadata)
    classifier = labelled(program.declared)
    batch_size = min(_BATCH, train.count) if batch_size is None else batch_size
    if isinstance(batch_size, np.integer):
        batch_size = int(batch_size)  # as a checkpoint tells it
    chosen = make_sampler(sampler, train, classifier, batch_size, program.options.seed)
    count = _count(epochs, steps, chosen.steps_per_epoch)
    all_callbacks = _callbacks(callbacks)
    followed = "loss" if keep_best is True else keep_best
    best = KeepBest(program, followed) if followed is not False else None
    if best is not None:
        all_callbacks.insert(0, best)
    plateau = plateau_in(program.options.optimizer)
    if plateau is not None:
        all_callbacks.append(ReduceRate(program, plateau))
    _check_followed(all_callbacks, valid, classifier is not None)
    if resume and checkpoint is None:
        raise RunError("resume=True needs checkpoint=, the file that the run goes on from")
    if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
        checkpoint = Checkpoint(checkpoint, resume=resume)
    identity = _identity(sampler, batch_size, train, valid) if checkpoint is not None else {}
    kept = _bundle(bundle, checkpoint)
    loop = Loop(program, train, valid, chosen, tuple(all_callbacks), checkpoint, identity, kept)
    check_rates(program.options.optimizer, loop.position.step, loop.position.start + count)
    program.metadata.update(metadata)
    watchers = _watchers(loop, train, valid)
    following = progress_of(progress, loop.position.start, count, chosen.steps_per_epoch)
    with program.executable.verifying(verify_products), following as follower:
        loop.callbacks = (follower, *watchers, *loop.callbacks)
        history = loop.go(count, best.put_back if best is not None else lambda: None)
    for watcher in watchers:
        watcher.end()
    return history


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


def _callbacks(callbacks: Callback | Iterable[Callback]) -> list[Callback]:
    """All of them; RunError for what is none, a class in the place of its object too."""
    listed = [callbacks] if isinstance(callbacks, Callback) else callbacks
    return [*all_of("callbacks", listed, Callback, "e.g. vg.EarlyStopping(2)", RunError)]


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


def _identity(
    sampler: str | Sampler, batch_size: int, train: DataSet, valid: DataSet | None
) -> dict[str, str | int | None]:
    """What a run that goes on has to agree in with the one that its checkpoint is of."""
    return {
        "sampler": sampler if isinstance(sampler, str) else type(sampler).__qualname__,
        "batch_size": batch_size,
        "training data": _checksum(train),
        "validation data": _checksum(valid) if valid is not None else None,
    }


def _with_columns(program: Program, columns: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """The metadata, with the columns of the frame that `predict` reads, if none are kept yet: the
    next frame is held to them."""
    outputs = {k: n for k, n in program.declared.outputs.items() if k != "loss"}
    g = program.declared.but(outputs=outputs, updates={})
    read = [g.names[n] for n in g.inputs if n.type.is_float]
    kept = len(read) == 1 and read[0] in columns
    return {**({"columns": json.dumps(columns[read[0]])} if kept else {}), **program.metadata}


def _check_followed(callbacks: Iterable[Callback], valid: DataSet | None, scores: bool) -> None:
    """Raises RunError where a callback follows what will not be measured."""
    for callback in callbacks:
        if not isinstance(callback, Following):
            continue
        names = {KeepBest: "keep_best", ReduceRate: "the plateau schedule"}
        name = names.get(type(callback), type(callback).__name__)
        if valid is None:
            raise RunError(f"{name} follows the validation; give fit validation=(x, y)")
        if callback.by == "accuracy" and not scores:
            raise RunError(
                f"{name} follows the accuracy, but the graph has no scores [N,C] for labels "
                'i64[N]; follow the "loss"'
            )


def _validation_set(program: Program, data: Data, metadata: Mapping[str, str]) -> DataSet:
    try:
        return DataSet(program.declared, data, metadata)
    except RunError as e:
        raise RunError(f"validation data: {e}") from None


def _count(epochs: int | None, steps: int | None, steps_per_epoch: int) -> int:
    """How many steps to make."""
    if (epochs is None) == (steps is None):
        raise RunError("fit takes epochs= or steps=, one of the two, e.g. epochs=10")
    name, value = ("epochs", epochs) if epochs is not None else ("steps", steps)
    count = count_of(name, value)
    return count * steps_per_epoch if epochs is not None else count


def _checksum(data: DataSet) -> str:
    """A checksum of a data set's rows, against going on with other data."""
    checksum = 0
    for name, array in sorted(data.arrays.items()):
        checksum = zlib.crc32(f"{name} {array.dtype} {array.shape}".encode(), checksum)
        for start in range(0, len(array), 1024):
            checksum = zlib.crc32(np.ascontiguousarray(array[start : start + 1024]).data, checksum)
    return f"{checksum:08x}"
