"""The course's sanity checks of a net: each a measured number, its bound and a verdict."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from ...graph import VerigradError
from ..checking.gradcheck import TOLERANCE, gradcheck
from ..checking.trajectories import TOLERANCE as REFERENCE
from ..checking.trajectories import departures
from ..data.parts import Part
from ..loading import load
from ..program import Program
from ..training.callback import Callback
from ..training.fit import fit
from ..training.history import Row
from ..training.measure import measure
from .same_losses import inference_passes, passes, reference
from .sanity_runs import different_values, gone_on, measured, prepared, samplers
from .subject import PLAIN, STEPS, Result, Subject

NEAR: Final = 0.05
"""How far the first loss may be from ln C."""
STRENGTHS: Final = (0.0, 0.01, 0.1, 1.0)
FEW: Final = 50
"""How many samples have to be overfitted."""
EPOCHS: Final = 200
"""In how many epochs."""


def sanity_checks(subject: Subject) -> Iterator[Result]:
    """Every check in turn; one that an error of ours ends has failed."""
    checks: tuple[tuple[str, Callable[[Subject], Iterator[Result]]], ...] = (
        ("first loss", first_loss),
        ("loss grows with strength", growing_loss),
        ("overfits a few samples", overfitting),
        ("gradients", gradients),
        ("passes", passes),
        ("inference passes", inference_passes),
        ("the reference", reference),
        ("resumed run", resumed),
        ("run from a checkpoint", gone_on),
        ("rows of samplers", samplers),
        ("parts of the data", prepared),
        ("measured behind steps", measured),
        ("reference trajectories", trajectories),
    )
    for name, check in checks:
        try:
            yield from check(subject)
        except VerigradError as e:
            yield Result(name, False, str(e).splitlines()[0], "no error")


def first_loss(subject: Subject) -> Iterator[Result]:
    """With weights of 0.01 times normal numbers every class is as likely: the loss is ln C, and
    that of margins C - 1."""
    program = subject.untested().program(**PLAIN, init="normal:0.01")
    x, y = subject.rows(200)
    loss = program.loss(x=x, y=y)
    classes = len(subject.data.classes)
    hinge = subject.settings.loss == "hinge"
    wanted = classes - 1 if hinge else math.log(classes)
    bound = f"within {NEAR:g} of {f'{classes} - 1' if hinge else f'ln {classes}'} = {wanted:.4f}"
    yield Result("first loss", abs(loss - wanted) <= NEAR, f"{loss:.4f}", bound, loss)


def growing_loss(subject: Subject) -> Iterator[Result]:
    """The same weights cost more, the stronger the penalty."""
    x, y = subject.rows(200)
    programs = [subject.untested().program(**{**PLAIN, "l2": s}) for s in STRENGTHS]
    losses = [program.loss(x=x, y=y) for program in programs]
    least = min(after - before for before, after in pairwise(losses))
    text = ", ".join(f"{loss:.4f}" for loss in losses)
    bound = f"growing at L2 {', '.join(f'{s:g}' for s in STRENGTHS)}"
    yield Result("loss grows with strength", least > 0, text, bound, least)


def overfitting(subject: Subject) -> Iterator[Result]:
    """A few samples are learned by heart, where nothing holds the net back."""
    part = subject.rows(FEW)
    program = subject.program(**PLAIN)
    until = _UntilRight(program, part)
    fit(program, part, epochs=EPOCHS, batch_size=min(10, len(part.y)), callbacks=[until])
    yield Result(
        f"overfits {len(part.y)} samples",
        until.accuracy == 1,
        f"{until.accuracy:.0%} after {until.epochs} epochs",
        f"100% within {EPOCHS} epochs",
        until.accuracy,
    )


class _UntilRight(Callback):
    """Ends a run as soon as every row is right."""

    def __init__(self, program: Program, part: Part) -> None:
        self._program = program
        self._part = part
        self.accuracy = 0.0
        self.epochs = 0

    def on_epoch(self, row: Row) -> bool:
        accuracy = measure(self._program, self._part).accuracy
        assert accuracy is not None
        self.accuracy, self.epochs = accuracy, row.epoch
        return accuracy == 1


def gradients(subject: Subject) -> Iterator[Result]:
    """Symbolic gradients against numeric ones, without a penalty and with a strong one."""
    x, y = subject.rows(5)
    settings = subject.settings
    net = subject.net(settings)
    limit = settings.memory_limit
    if limit is not None and settings.dtype == "f32":
        limit *= 2  # in f64 as much as the same numbers take
    for strength in (0.0, 0.7):
        report = gradcheck(
            net,
            {"x": x.astype(np.float64), "y": y},
            regularizer=settings._replace(l2=strength).make_regularizer(),
            dropout=settings.make_dropout(),
            seed=settings.seed,
            entries=40,
            pipeline=subject.pipeline,
            memory_limit=limit,
            recompute=settings.recompute,
            backend=settings.backend,
        )
        text = f"{report.max_relative_error:.2e}"
        bound = f"at most {TOLERANCE:.0e}, relative"
        name = f"gradients at L2 {strength:g}"
        yield Result(name, report.ok, text, bound, report.max_relative_error)


def resumed(subject: Subject) -> Iterator[Result]:
    """A run that is saved in the middle and loaded ends with the bits of one that was not."""
    part = subject.rows(100)
    subject = subject.untested()
    size = min(30, len(part.y))
    straight = subject.program(STEPS)
    fit(straight, part, steps=STEPS, batch_size=size)
    begun = subject.program(STEPS)
    fit(begun, part, steps=STEPS // 2 + 1, batch_size=size)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "middle.safetensors"
        begun.save(path)
        ended = load(path)
    different, _ = different_values(begun, ended)
    fit(ended, part, steps=STEPS - STEPS // 2 - 1, batch_size=size)
    later, count = different_values(straight, ended)
    different = max(different, later)
    text = f"{different:,} of {count:,} values differ"
    yield Result("resumed run", different == 0, text, "the same bits", float(different))


def trajectories(subject: Subject) -> Iterator[Result]:
    """Every method and loss, each first value and mask follows its formula, as it is stored."""
    cases = list(departures(subject.settings.backend))
    worst = max(cases, key=lambda d: d.off)
    wrong = sum(not d.off <= REFERENCE for d in cases)
    what = f"{worst.case[:40]} is off by {worst.off:.1e}" if wrong else f"{worst.off:.1e}"
    yield Result(
        f"{len(cases)} reference trajectories",
        not wrong,
        what,
        f"at most {REFERENCE:.0e}, relative",
        worst.off,
    )
