"""`fit`: trains a program on a data set, with validation after each epoch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from ...graph import RunError, is_number, shown, warn
from ...graph.writing import given_path
from ...passes import Optimizer
from ...passes.methods.learning_rates import Schedule
from ..arguments import check_switch, count_of
from ..program import Program, check_program
from ..ranks.connect import connected
from .bundle import Bundle
from .callback import Callback
from .checkpoint import Checkpoint, Length
from .checksum import checksum
from .dataset import Data, DataSet, labelled
from .dead_layers import DeadLayers
from .followers import GIVE_VALIDATION, followers
from .history import History
from .logged import Loggers, logging_to
from .loop import Loop
from .measure import scorer_of
from .progress import progress as progress_of
from .sampling import Sampler
from .scoring import Metrics
from .source import Drawing, Source, source_of
from .stream import Stream
from .team import AUDIT, Team, begun, reported
from .watching import OneClass, Rising, ValidationNotFinite, Watcher

__all__ = ["Callback", "fit"]

_AT_A_TIME = 65_536
"""How many steps of a schedule are looked at in one go."""


def fit(
    program: Program,
    data: Data | Stream,
    *,
    validation: Data | None = None,
    validation_split: float | None = None,
    metrics: Metrics = (),
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
    comm: Any = None,
    audit: int = AUDIT,
) -> History:
    """Trains a program on a data set, for so many epochs or so many steps more.

    `data` and `validation` are tuples in the order of the declared graph's inputs, or dicts by
    their names. Frames and series of pandas are read by the place of columns and rows; a warning
    says where their names have another order. The batches are a function of the program's seed
    and step number: a run that goes on draws those of one that was never stopped. `sampler` is
    "shuffled" (each row once an epoch, the last, short batch too; a last batch of one row is
    joined to the one before it), "sequential", "replacement", "balanced" (every class as often),
    or an object of `Sampler`. A batch has 100 rows, or all where there are fewer, unless said.

    `validation_split=0.1` holds a tenth of the rows out, of each class a tenth, and validates on
    them: which, is a function of the program's seed, and a sampler of your own numbers the others
    from 0. `metrics` are measured on the validation after
    each epoch, as `vg.measure` takes them, and are columns of the history, `validation_f1`.

    `loggers` hear of each epoch: `vg.CSVLogger`, `vg.JSONLinesLogger`, `vg.TensorBoardLogger`,
    `vg.MLflowLogger`, or anything with a method `log(values)`, such as a run of wandb. One that
    cannot begin is a RunError before the first step; one that fails later is told in a warning,
    and the run goes on without it.

    Data that comes in batches is taken as it comes: an iterable of such tuples or dicts, which is
    gone over once an epoch; a function, called for each epoch with its number from 0, where it
    takes one; or an iterator, for one epoch. Its batches may have any sizes, and go by their rows
    into an epoch's loss. `steps` ends a run within an epoch; VerigradWarning says where an iterator
    ended before. What a generator raises ends the run as it is, between two steps. A run that is
    resumed reads the stream up to its place: all of an iterable, and of a function the epoch that
    it is in; RunError where the last of these batches is not the one that was trained on.

    `keep_best` puts the weights of the best epoch back at the end, however the run ends: True or
    "loss" for the lowest validation loss, "accuracy" for the highest accuracy, the name of a metric
    for its best.

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

    `comm` are the ranks that train together, MPI.COMM_WORLD of mpi4py: each calls `fit` with the
    same program, compiled with `shards`, and the same data, of which it reads its own rows. The
    bits are those of one rank, whatever their number. The first rank writes files and shows
    progress; callbacks hear in all. Every `audit` steps the ranks compare their states. What ends
    one of them ends all with its error; before they come here, `mpiexec -n 4 python -m mpi4py FILE`
    sees to that.

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
    audit = count_of("audit", audit)
    ranks = connected(comm) if comm is not None else None
    with reported(ranks):
        kept = _checkpoint(checkpoint, resume)
        if ranks is not None:
            ranks.advise(_going_on(kept))
        split = _checked_split(validation_split, validation)
        how = Drawing(sampler, batch_size, epochs, steps, split, marked=kept is not None)
        source = source_of(program, data, how)
        metadata = {**source.known, **_with_columns(program, source.columns)}
        valid = source.held_out
        if validation is not None:
            valid = _validation_set(program, validation, metadata)
        scorer = scorer_of(program, metrics)
        if scorer is not None and valid is None:
            raise RunError(f"metrics are measured on the validation; {GIVE_VALIDATION}")
        names = scorer.names if scorer is not None else ()
        heard, put_back = followers(program, callbacks, keep_best, valid, names)
        agreed = _agreed(source, valid) if kept is not None or ranks is not None else {}
        team = Team(program, ranks, audit) if ranks is not None else None
        seen = (kept, agreed, _bundle(bundle, kept), team)
        loop = Loop(program, source.opened, valid, scorer, heard, *seen)
        length, at = source.length, loop.position
        if team is not None:
            team.check_alike({**agreed, "the length of the run": list(length), **begun(program)})
        check_rates(program.options.optimizer, at.step, at.start + (length.steps or _AT_A_TIME))
        program.metadata.update({**source.known, **program.metadata})
        program.metadata.update(_with_columns(program, loop.batches.looked_at.columns))
        extent = source.extent(at.start)
        if program.parameters and not program.declared.trained:
            warn("all parameters are frozen, and nothing is trained; program.but(g.unfreeze('*'))")
        if team is not None and not team.first:
            loggers, progress = (), False
        logging = logging_to(loggers, program, at.rows, source.told())
        with (
            team.training() if team is not None else nullcontext(),
            program._stepping.verifying(verify_products),
            logging as logged,
            progress_of(progress, extent) as follower,
        ):
            loop.callbacks = (*loop.callbacks, logged)
            return _run(loop, length, follower, put_back)


def _run(loop: Loop, length: Length, follower: Callback, at_end: Callable[[], None]) -> History:
    """The run itself, followed on a terminal and watched."""
    watchers: list[Watcher] = []
    if loop.team is None or loop.team.first:
        watchers = _watchers(loop, loop.batches.looked_at, loop.valid)
    loop.callbacks = (follower, *watchers, *loop.callbacks)
    history = loop.go(length, at_end)
    for watcher in watchers:
        watcher.end()
    return history


def _validation_set(program: Program, data: Data, metadata: Mapping[str, str]) -> DataSet:
    try:
        return DataSet(program.declared, data, metadata)
    except RunError as e:
        raise RunError(f"validation data: {e}") from None


def _checked_split(share: float | None, validation: Data | None) -> float | None:
    """The share of the rows that is held out; RunError for what is none."""
    if share is None:
        return None
    if not is_number(share) or not 0 < share < 1:
        raise RunError(
            f"validation_split is {shown(share)}, where a share between 0 and 1 is expected, e.g. "
            "0.1"
        )
    if validation is not None:
        raise RunError("validation= and validation_split= are both given; give one of the two")
    return float(share)


def _agreed(source: Source, valid: DataSet | None) -> dict[str, str | int | None]:
    """What a run that goes on has to agree in with the one that its checkpoint is of."""
    return {
        **source.agreed(),
        "validation data": checksum(valid) if valid is not None else None,
    }


def _checkpoint(checkpoint: str | Path | Checkpoint | None, resume: bool) -> Checkpoint | None:
    """The file that a run is kept in, if anywhere."""
    if checkpoint is None:
        if resume:
            raise RunError("resume=True needs checkpoint=, the file that the run goes on from")
        return None
    if isinstance(checkpoint, Checkpoint):
        return checkpoint
    return Checkpoint(checkpoint, resume=resume)


def _going_on(kept: Checkpoint | None) -> str:
    """How a run of ranks goes on when one of them has ended."""
    if kept is None:
        return "nothing of the run is kept: vg.fit(..., checkpoint=PATH) keeps what it goes on from"
    return f"start the ranks again, with vg.fit(..., checkpoint={str(kept.path)!r}, resume=True)"


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
