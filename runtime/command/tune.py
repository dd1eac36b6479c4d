"""`verigrad tune`: many runs that try options, and the best of them."""

from __future__ import annotations

import json
import shlex
import sys
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any, Final

import click

from ...graph import RunError
from ...graph.writing import reaching, write_whole
from ..data.parts import TaskData
from ..metrics.registry import METRICS, metric
from ..optional import require
from ..training.checkpoint import Checkpoint
from ..training.following import MEASURES
from ..tuning.rounds import ROUND
from ..tuning.shared import limited_to
from ..tuning.study import Asked as Facts
from ..tuning.trial import Trial
from .folder import Folder
from .groups import RUN, GroupedCommand, grouped_option
from .jobs import takes_jobs
from .log_to import loggers_of
from .network import compiled
from .outputs import check_figure
from .ranged import FLAGS, Asked, Values, read_options, takes_ranges, typed
from .run_options import config
from .training_command import config_option
from .training_run import TrainingRun, describe, steps_of_run
from .trials import How, Trials

BY: Final = tuple(dict.fromkeys([*MEASURES, *METRICS]))
_OF_THE_LOSS: Final = ("loss", "class_weight", "label_smoothing")
"""Options by which losses cannot be compared."""
TUNING: Final = "tuning.json"
"""What the folder of the best run has of the tuning: ranges and trials."""
PICTURE: Final = "tuning.svg"
STUDY: Final = "study.db"
"""The trials, unless --study has them: what goes on with a tuning that was killed."""


@click.command("tune", cls=GroupedCommand)
@takes_ranges
@config_option
@click.option(
    "--trials", default=30, show_default=True, type=click.IntRange(min=1), help="How many runs."
)
@takes_jobs
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
    help="Keep each run in this file (SQLite, of Optuna), and go on with those that it has. "
    f"Unsaid, it is {STUDY} in DIR.",
)  # fmt: skip
@click.option(
    "--svg", type=click.Path(path_type=Path), metavar="FILE",
    help="Draw the measure by each option.",
)  # fmt: skip
@grouped_option(
    "--out", group=RUN, type=click.Path(path_type=Path), metavar="DIR",
    help="Make the best run again and leave there what train leaves, the picture, and the study.",
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
    settings, run_options = read_options(asked.fixed)
    if run_options.log_to and out is None:
        raise click.UsageError(
            "--log-to has no effect without --out DIR: it is the best run's", ctx
        )
    loggers_of(settings, run_options, out)  # or says what is none, before long work
    data = settings.load_data()
    if not len(data.validation.y):
        raise RunError(f"{data.name} has too few rows to hold a validation part out of them")
    asked = _measuring(ctx, asked, data, how["by"])
    tuned = Trials(data, asked, settings.seed, How(**how), out)
    folder = ctx.with_resource(_folder(out, overwrite, tuned.facts)) if out is not None else None
    if study is None and out is not None:
        study = out / STUDY
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


def _measuring(ctx: click.Context, asked: Asked, data: TaskData, by: str) -> Asked:
    """What is asked, and that the measure is one of the trials', of which no range is."""
    if by == "loss":
        for name in _OF_THE_LOSS:
            if name in asked.ranges:
                option = f"--{name.replace('_', '-')}"
                raise click.UsageError(
                    f"{option} changes the loss itself: judge --by another measure, such as "
                    f"{'rmse' if data.task == 'regression' else 'accuracy'}",
                    ctx,
                )
        return asked
    metric(by, data.task)  # or says which there are
    if by in MEASURES:
        return asked
    names = [name for name in [*asked.fixed.get("metrics", "").split(","), by] if name]
    return asked._replace(fixed=asked.fixed | {"metrics": ",".join(dict.fromkeys(names))})


def _folder(out: Path, overwrite: bool, facts: Facts) -> Folder:
    """The folder of the best run; what an earlier process of this tuning left there may be lost."""
    require("matplotlib", "plot")
    ours = False
    with reaching(out), suppress(ValueError, KeyError, TypeError):
        if (out / TUNING).is_file():
            text = (out / TUNING).read_text("utf-8")
            ours = json.loads(text)["asked"] == facts.as_dict()
    folder = Folder.new(out, overwrite or ours)
    if overwrite and not ours:
        (out / STUDY).unlink(missing_ok=True)
    folder.write(TUNING, json.dumps({"asked": facts.as_dict(), "trials": []}))
    return folder


def _train_best(data: TaskData, options: Values, best: Trial, folder: Folder, by: str) -> None:
    """Makes the best run again, into the folder, and says where it came to something else."""
    settings, run_options = read_options(options, len(data.train.y))
    run_options = run_options._replace(threads=1)
    click.echo(f"making trial {best.number} again", err=True)
    with limited_to(1):
        program = compiled(data, settings, steps_of_run(data, settings, run_options), 1)
        describe(data, program)
        running = TrainingRun(data, program, settings, run_options, folder)
        recorded = config(settings, run_options)
        folder.begin(recorded)
        checkpoint = Checkpoint(folder.checkpoint, notes={"config": json.dumps(recorded)})
        history = running.train(checkpoint)
        values = history[f"validation_{by}"]
        if tuple(values) != best.values:
            click.echo(
                f"Warning: the run came to {values[-1]:.6g}, and to {best.values[-1]:.6g} as trial "
                f"{best.number}, on another machine or with other versions maybe",
                err=True,
            )
        running.finish(history, as_json=False)


def _line(options: Values) -> str:
    """The command that makes a run with these options."""
    words = ["verigrad", "train"]
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if name in FLAGS:
            words += [option] if click.BOOL.convert(value, None, None) else []
        else:
            listed = value if isinstance(value, (list, tuple)) else [value]
            words += [word for one in listed for word in (option, str(one))]
    return shlex.join(words)
