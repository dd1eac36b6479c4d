"""Training the same net in several ways, from the same start and on the same batches."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from ...graph import Array, NonFiniteError, RunError
from ...ops import words
from ..data.parts import Part, TaskData
from ..metrics.registry import Task
from ..program import Program
from ..training.dataset import DataSet
from ..training.fit import fit
from ..training.measure import measure_set, scorer_of
from ..training.sampling import ShuffledEpochs
from ..tuning.jobs import results
from ..tuning.on_dask import Wanted
from ..tuning.shared import limited_to
from .network import compiled
from .settings import Settings

POINTS: Final = 50
"""How often the scores are measured in a run."""
MEASURES: Final[dict[Task, str]] = {"classification": "accuracy", "regression": "R2"}
"""What runs are compared by, beside their losses."""
_BINS: Final = 150
"""Into how many points the losses of a run's steps are averaged."""


class Variant(NamedTuple):
    """One way to train, and what it is called."""

    label: str
    settings: Settings


class Run(NamedTuple):
    """One training run: the loss by step, and the scores of both parts at some of the steps:
    accuracies, or R2 where a number is predicted, as `measure` says.

    `losses` holds a mean over equal stretches of steps, each at its middle, penalties and dropout
    included. `stopped` is the step that was not finite, if there was one.
    """

    label: str
    settings: Settings
    measure: str
    steps: int
    loss_steps: list[float]
    losses: list[float]
    score_steps: list[int]
    train_scores: list[float]
    validation_scores: list[float]
    final_loss: float
    seconds: float
    stopped: int | None


@dataclass(frozen=True)
class Compared:
    """How a run is made, in any process; `threads` are as `compile` takes them, and a limit of all
    matrix products where they are given."""

    data: TaskData
    epochs: int
    threads: int | None
    progress: bool

    def __call__(self, variant: Variant) -> Run:
        with nullcontext() if self.threads is None else limited_to(self.threads):
            return self._trained(*variant)

    def _trained(self, label: str, settings: Settings) -> Run:
        sampler = ShuffledEpochs(len(self.data.train.y), settings.batch_size, settings.seed)
        steps = self.epochs * sampler.steps_per_epoch
        program = compiled(self.data, settings, steps, self.threads)
        recorder = _Recorder(program, self.data)
        recorder.measure(0)
        recorder.at = {round(k * steps / POINTS) for k in range(1, POINTS + 1)}
        began = time.perf_counter()
        stopped = None
        try:
            fit(
                program,
                self.data.train,
                epochs=self.epochs,
                batch_size=settings.batch_size,
                callbacks=recorder,
                progress=self.progress,
            )
        except NonFiniteError:
            stopped = program.step_number + 1
        seconds = time.perf_counter() - began
        at, losses = _binned(np.array(recorder.losses), steps)
        last = recorder.losses[-max(1, steps // self.epochs) :]
        return Run(
            label,
            settings,
            MEASURES[self.data.task],
            steps,
            at,
            losses,
            recorder.steps,
            recorder.train_scores,
            recorder.validation_scores,
            float(np.mean(last)) if last else float("nan"),
            seconds,
            stopped,
        )


def compare(
    data: TaskData,
    variants: Sequence[Variant],
    seeds: Sequence[int],
    epochs: int,
    *,
    progress: bool = False,
    threads: int | None = None,
    jobs: int | None = 1,
) -> Iterator[Run]:
    """Every variant for every seed, in this order, each run as it ends; `progress` shows it
    meanwhile, where it is made here.

    Runs of one seed begin with the same weights and draw the same batches. A run whose loss is
    not finite ends there, and the others go on. Raises RunError where no validation part is.
    """
    if not len(data.validation.y):
        raise RunError(f"{data.name} has too few rows to hold a validation part out of them")
    run = Compared(data, epochs, threads, progress)
    seeded = [Variant(v.label, v.settings._replace(seed=s)) for v in variants for s in seeds]
    yield from results(run, [(variant,) for variant in seeded], jobs)


class _Recorder(Wanted):
    """Keeps every loss, and the scores of both parts at the steps `at`."""

    def __init__(self, program: Program, data: TaskData) -> None:
        self._program = program
        regression = data.task == "regression"
        self._scorer = scorer_of(program, ["r2"]) if regression else None
        parts = _drawn(data.train, len(data.validation.y)), data.validation
        self._sets = [DataSet(program.declared, part, program.metadata) for part in parts]
        self.at: set[int] = set()
        self.losses: list[float] = []
        self.steps: list[int] = []
        self.train_scores: list[float] = []
        self.validation_scores: list[float] = []

    def on_step(self, step: int, loss: float) -> None:
        self.losses.append(loss)
        if step in self.at:
            self.measure(step)

    def measure(self, step: int) -> None:
        """Measures both parts."""
        self.steps.append(step)
        scores = self.train_scores, self.validation_scores
        for part, kept in zip(self._sets, scores, strict=True):
            found = measure_set(self._program, part, self._scorer)
            score = found.accuracy if self._scorer is None else found.metrics["r2"]
            assert score is not None
            kept.append(score)


def _drawn(part: Part, count: int) -> Part:
    """So many rows of a part: the same in every run."""
    rows = np.sort(np.argsort(words(0, "compare", len(part.y)), kind="stable")[:count])
    return Part(part.x[rows], part.y[rows])


def _binned(losses: Array, steps: int) -> tuple[list[float], list[float]]:
    """The losses averaged over equal stretches of the run, and the middle step of each."""
    edges = np.unique(np.linspace(0, steps, min(steps, _BINS) + 1).round().astype(int))
    at, means = [], []
    for start, end in pairwise(edges):
        stretch = losses[start:end]
        if len(stretch):
            at.append((2 * start + len(stretch) + 1) / 2)
            means.append(float(stretch.mean()))
    return at, means
