"""What the sanity checks are of, and what each finds."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from ...graph import Graph, RunError
from ...ops import words
from ...passes import INFERENCE, TRAINING, Pipeline
from ..data.parts import Part, TaskData
from ..program import Program, compile
from .network import declare
from .settings import Settings

STEPS: Final = 12
"""How many steps are compared where two runs have to be the same."""


class Result(NamedTuple):
    """What a check found: the number, in words too, what it had to be, and whether it was."""

    name: str
    ok: bool
    found: str
    bound: str
    value: float | None = None


class Subject(NamedTuple):
    """What is checked: the net that the settings describe, on some data, and its pipelines."""

    data: TaskData
    settings: Settings
    pipeline: Pipeline = TRAINING
    inference_pipeline: Pipeline = INFERENCE

    def program(self, steps: int | None = None, **changed: Any) -> Program:
        """The program of these settings but for what is changed; the rate, over so many steps,
        or constant."""
        settings = self.settings._replace(**changed)
        if steps is None:
            settings = settings._replace(schedule="constant")
        return compile(
            self.net(settings),
            optimizer=settings.make_optimizer(steps or 1),
            regularizer=settings.make_regularizer(),
            dropout=settings.make_dropout(),
            clip=settings.make_clip(),
            seed=settings.seed,
            dtype=settings.dtype,
            pipeline=self.pipeline,
            inference_pipeline=self.inference_pipeline,
            memory_limit=settings.memory_limit,
            recompute=settings.recompute,
            backend=settings.backend,
            shards=settings.shards,
            certify=False,  # each check is to find for itself what is wrong
        )

    def untested(self) -> Subject:
        """The same with programs of which only training is asked: inference is not compiled."""
        return self._replace(inference_pipeline=Pipeline(()))

    def untrained(self) -> Subject:
        """The same with programs of which only inference is asked: training is not optimised."""
        return self._replace(pipeline=Pipeline([p for p in self.pipeline if p.defines]))

    def net(self, settings: Settings) -> Graph:
        """The net that these settings declare."""
        return declare(self.data, settings)

    def rows(self, count: int) -> Part:
        """So many rows of the training part, drawn: a file may be sorted by class. Fewer where a
        step on so many is over the memory limit."""
        while count > 1 and not self._fits(count):
            count //= 2
        order = np.argsort(words(0, "selfcheck", len(self.data.train.y)), kind="stable")[:count]
        return Part(self.data.train.x[order], self.data.train.y[order])

    def _fits(self, count: int) -> bool:
        if self.settings.memory_limit is None:
            return True
        try:
            return self.program().plan(N=count).nbytes <= self.settings.memory_limit
        except RunError:
            return False


UNLIMITED: Final[dict[str, Any]] = {"memory_limit": None, "recompute": False}
PLAIN: Final[dict[str, Any]] = {
    "keep": (1.0,),
    "keep_input": 1.0,
    "l1": 0.0,
    "l2": 0.0,
    "weight_decay": None,
}
"""Without dropout and penalties."""
