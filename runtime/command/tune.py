"""`verigrad tune`: many runs that try options, and the best of them."""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from ...graph import RunError
from ...graph.writing import reaching, write_whole
from ..data.parts import TaskData
from ..metrics.registry import METRICS, metric
from ..optional import require
from ..training.checkpoint import Checkpoint
from ..training.fit import fit
from ..training.following import MEASURES
from ..tuning.rounds import ROUND, Bars, rounds
from ..tuning.study import Asked as Facts
from ..tuning.study import Study, opened
from ..tuning.trial import Ran, Trial, Watch, one_thread, watched
from ..tuning.tune import direction_of
from ..tuning.tuning import Tuning, told
from .folder import Folder
from .groups import RUN, GroupedCommand, grouped_option
from .network import compiled
from .outputs import check_figure
from .ranged import Asked, Values, read_options, takes_ranges, typed
from .run_options import config
from .training_command import config_option
from .training_run import TrainingRun, describe, followed, steps_of_run

BY: Final = tuple(dict.fromkeys([*MEASURES, *METRICS]))
TUNING: Final = "tuning.json"
"""What the folder of the best run has of the tuning: ranges and trials."""
PICTURE: Final = "tuning.svg"


class _Trained(NamedTuple):
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
                callbacks=[*callbacks, watch],
                metrics=() if self.by in MEASURES else [self.by],
                progress=False,
                verify_products=run_options.verify_products,
            )
            return watch.values[best.epoch - 1] if best is not None and best.epoch else None

        return watched(Watch(self.by, bars), train)


@click.command("tune", cls=GroupedCommand)
@takes_ranges
@config_option
@click.option(
    "--trials", default=30, show_default=True, type=click.IntRange(min=1), help="How many runs."
)
@click.option(
    "--jobs", default=1, show_default=True, type=click.IntRange(1, 1024),
    help="Runs at the same time, each on one thread. The result is the same for any number.",
)  # fmt: skip
@click.option(
    "--by", default="loss", show_default=True, type=click.Choice(BY),
    help="The measure of the validation that is to be best.",
)  # fmt: skip
@click.option(
    "--no-prune", is_flag=True,
    help="End no run early: else one whose best so far is worse, after an epoch, than the median "
    "of the runs of earlier rounds.",
)  # fmt: skip
@click.option(
    "--round-size", default=ROUND, show_default=True, type=click.IntRange(min=1),
    help="Runs that are chosen without a look at one another: jobs share them.",
)  # fmt: skip
@click.option(
    "--study", type=click.Path(path_type=Path), metavar="FILE.db",
    help="Keep each run in this file (SQLite, of Optuna), and go on with those that it has.",
)  # fmt: skip
@click.option(
    "--svg", type=click.Path(path_type=Path), metavar="FILE",
    help="Draw the measure by each option.",
)  # fmt: skip
@grouped_option(
    "--out", group=RUN, type=click.Path(path_type=Path), metavar="DIR",
    help="Make the best run again and leave there what train leaves, and the picture.",
)  # fmt: skip
@grouped_option("--overwrite", group=RUN, is_flag=True, help="Lose a run that DIR already holds.")
@grouped_option("--json", "as_json", group=RUN, is_flag=True, help="Print one JSON object.")
@click.pass_context
def tune_command(
    ctx: click.Context,
    /,
    asked: Asked,
    study: Path | None,
    svg: Path | None,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
    **how: Any,
) -> None:
    """Try options of train, and say which are best.

    Every option of train but those of the data takes a range in place of a value: A..B, log:A..B
    for one of equal chance in each power of ten, or A:B:C for one of these, as in

    \b
      verigrad tune --lr log:1e-3..1e-1 --hidden 64,64:256,128 --keep 0.5..1

    An option on and off is --batch-norm on:off. 'A|B|C', in quotes, is A:B:C where a value may have
    a colon itself. Optuna chooses what is tried, by the runs of earlier rounds. The measure is that
    of the validation after the last epoch, or of the epoch that --keep-best keeps; the test part is
    used for the best run alone, which --out makes again.
    """
    if not asked.ranges:
        raise click.UsageError("nothing is tried: give a range, e.g. --lr log:1e-3..1e-1", ctx)
    if overwrite and out is None:
        raise click.UsageError("--overwrite has no effect without --out DIR", ctx)
    if svg is not None:
        check_figure(svg)
    settings, _ = read_options(asked.fixed)
    data = settings.load_data()
    if not len(data.validation.y):
        raise RunError(f"{data.name} has too few rows to hold a validation part out of them")
    if how["by"] != "loss":
        metric(how["by"], data.task)  # or says which there are
    tuned = _Tuned(data, asked, settings.seed, _How(**how), out)
    folder = ctx.with_resource(_folder(out, overwrite, tuned.facts)) if out is not None else None
    tuning = tuned.run(study, as_json)
    best = tuning.best
    if svg is not None:
        write_whole(svg, tuning.as_svg())
        click.echo(f"picture in {svg}", err=True)
    options = asked.fixed | typed(best.options)
    if not as_json:
        click.echo(f"best: trial {best.number}, {_line(options)}")
    if folder is not None:
        with redirect_stdout(sys.stderr if as_json else sys.stdout):
            _train_best(data, options, best, folder, tuning.by)
        folder.write(PICTURE, tuning.as_svg())
        folder.write(TUNING, json.dumps(tuned.plain(tuning)))


class _How(NamedTuple):
    """How trials are made and judged, as the options say."""

    trials: int
    jobs: int
    by: str
    no_prune: bool
    round_size: int


class _Tuned:
    """The trials of a command, and what is printed of them."""

    def __init__(
        self, data: TaskData, asked: Asked, seed: int, how: _How, out: Path | None
    ) -> None:
        self._asked = asked
        self._seed = seed
        self._how = how
        self._out = out
        self._run = _Trained(data, asked.fixed, how.by)
        ranges = {k: repr(r.distribution) for k, r in asked.ranges.items()}
        what = {"by": how.by, "prune": not how.no_prune, "round_size": how.round_size}
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
                for trial in rounds(
                    trials, self._run, how.by, how.trials, how.jobs, how.round_size,
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


def _folder(out: Path, overwrite: bool, facts: Facts) -> Folder:
    """The folder of the best run; what an earlier process of this tuning left there may be lost."""
    require("matplotlib", "plot")
    with reaching(out):
        text = (out / TUNING).read_text("utf-8") if (out / TUNING).is_file() else ""
    try:
        ours = bool(text) and json.loads(text)["asked"] == facts.as_dict()
    except (ValueError, KeyError, TypeError):
        ours = False
    folder = Folder.new(out, overwrite or ours)
    folder.write(TUNING, json.dumps({"asked": facts.as_dict(), "trials": []}))
    return folder


def _train_best(data: TaskData, options: Values, best: Trial, folder: Folder, by: str) -> None:
    """Makes the best run again, into the folder, and says where it came to something else."""
    settings, run_options = read_options(options, len(data.train.y))
    run_options = run_options._replace(threads=1)
    click.echo(f"making trial {best.number} again", err=True)
    with one_thread():
        program = compiled(data, settings, steps_of_run(data, settings, run_options), 1)
        describe(data, program)
        running = TrainingRun(data, program, settings, run_options, folder)
        recorded = config(settings, run_options)
        folder.begin(recorded)
        checkpoint = Checkpoint(folder.checkpoint, notes={"config": json.dumps(recorded)})
        history = running.train(checkpoint)
        values = history[f"validation_{by}"] if by in MEASURES else []
        if values and tuple(values) != best.values:
            click.echo(
                f"Warning: the run came to {values[-1]:.6g}, and to {best.values[-1]:.6g} as trial "
                f"{best.number}, on another machine or with other versions maybe",
                err=True,
            )
        running.finish(history, as_json=False)


def _tell(trial: Trial, of: int, by: str) -> None:
    options = ", ".join([f"{name} {told(v)}" for name, v in trial.options.items()])
    came = f"validation {by} {trial.value:.4f}" if trial.value is not None else trial.ended
    click.echo(f"{trial.number + 1:>{len(str(of))}}/{of}  {options}: {came}", err=True)


def _line(options: Values) -> str:
    """The command that makes a run with these options."""
    words = ["verigrad", "train"]
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        for one in value if isinstance(value, (list, tuple)) else [value]:
            words += _words(option, one)
    return shlex.join(words)


def _words(option: str, value: Any) -> list[str]:
    if value in (True, False, "on", "off"):
        return [option] if value in (True, "on") else []
    return [option, str(value)]
