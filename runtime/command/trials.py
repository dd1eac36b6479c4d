"""The trials of `verigrad tune`: how each is made, and what is told of them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from ...graph import RunError
from ..data.parts import TaskData
from ..training.fit import fit
from ..tuning.on_dask import Wanted
from ..tuning.rounds import Bars, rounds
from ..tuning.study import Asked as Facts
from ..tuning.study import Study, fingerprint, opened
from ..tuning.trial import Ran, Trial, Watch, watched
from ..tuning.tune import direction_of
from ..tuning.tuning import Tuning, told
from .jobs import Jobs
from .network import compiled
from .ranged import Asked, Values, read_options, typed
from .scoring import of_epochs
from .training_run import followed, steps_of_run


class Trained(NamedTuple):
    """How a trial is made, in any process: as `train` makes its run, on one thread."""

    data: TaskData
    fixed: Values
    by: str

    def __call__(self, options: Mapping[str, Any], bars: Bars) -> Ran:
        def train(watch: Watch) -> float | None:
            try:
                settings, run_options = read_options(
                    self.fixed | typed(options), len(self.data.train.y)
                )
            except click.ClickException as e:
                raise RunError(e.format_message()) from None
            steps = steps_of_run(self.data, settings, run_options)
            program = compiled(self.data, settings, steps, 1)
            best, callbacks = followed(program, run_options)
            fit(
                program,
                self.data.train,
                validation=self.data.validation,
                steps=steps,
                batch_size=settings.batch_size,
                sampler=run_options.sampler,
                callbacks=[*callbacks, watch, Wanted()],
                metrics=of_epochs(self.data.task, run_options.metrics, run_options.keep_best),
                progress=False,
                verify_products=run_options.verify_products,
            )
            return watch.values[best.epoch - 1] if best is not None and best.epoch else None

        return watched(Watch(self.by, bars), train)


class How(NamedTuple):
    """How trials are made and judged, as the options say."""

    trials: int
    jobs: Jobs
    by: str
    no_prune: bool
    round_size: int


class Trials:
    """The trials of a command, and what is printed of them."""

    def __init__(self, data: TaskData, asked: Asked, seed: int, how: How, out: Path | None) -> None:
        self._asked = asked
        self._seed = seed
        self._how = how
        self._out = out
        self._run = Trained(data, asked.fixed, how.by)
        ranges = {k: repr(r.distribution) for k, r in asked.ranges.items()}
        what = {"by": how.by, "prune": not how.no_prune, "round_size": how.round_size}
        what["rows"] = fingerprint(data.train, data.validation)
        self.facts = Facts(ranges, {**asked.fixed, **what})

    def run(self, study: Path | None, as_json: bool) -> Tuning:
        """Makes the trials that the study has not; those that are finished are printed, however the
        rest ended."""
        how, found = self._how, Tuning((), self._how.by, self._asked.ranges)
        with opened(study, self.facts, direction_of(how.by)) as kept:
            trials = Study(kept, self._asked.ranges, self._seed)
            if trials.trials:
                there = len(trials.trials[: how.trials])
                click.echo(f"{study} has {there} of {how.trials} trials", err=True)
            try:
                with how.jobs.at_work(threads=1):
                    for trial in rounds(
                        trials, self._run, how.by, how.trials, how.jobs.at_once, how.round_size,
                        not how.no_prune,
                    ):  # fmt: skip
                        _tell(trial, how.trials, how.by)
            except KeyboardInterrupt:
                if study is not None:
                    click.echo(f"the same command goes on with {study}", err=True)
                raise
            finally:
                found = Tuning(trials.trials[: how.trials], how.by, self._asked.ranges)
                if found.trials:
                    click.echo(json.dumps(self.plain(found)) if as_json else str(found))
        return found

    def plain(self, tuning: Tuning) -> dict[str, Any]:
        """The tuning in types that JSON has."""
        trials = [
            {
                **t._asdict(),
                "options": dict(t.options),
                "values": [v if math.isfinite(v) else None for v in t.values],
            }
            for t in tuning.trials
        ]
        done = any(t.value is not None for t in tuning.trials)
        return {
            "asked": self.facts.as_dict(),
            "by": tuning.by,
            "trials": trials,
            "best": tuning.best.number if done else None,
            "out": str(self._out) if self._out is not None else None,
        }


def _tell(trial: Trial, of: int, by: str) -> None:
    options = ", ".join([f"{name} {told(v)}" for name, v in trial.options.items()])
    came = f"validation {by} {trial.value:.4f}" if trial.value is not None else trial.ended
    click.echo(f"{trial.number + 1:>{len(str(of))}}/{of}  {options}: {came}", err=True)
