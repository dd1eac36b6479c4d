"""`verigrad compare`: the same net trained in several ways, as a figure and a table."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Final

import click
from click.core import ParameterSource

from ...graph.writing import write_whole
from ..figures.curves import Curve, draw_comparison
from .amounts import shares
from .comparison import Run, Variant, compare
from .jobs import Jobs, takes_jobs
from .named_methods import OPTIMIZERS
from .outputs import check_figure
from .settings import Settings
from .training_command import training_command

SAME_RATE: Final = 1e-3
"""The rate at which optimizers are compared unless another is given."""
_SHOWN: Final = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")


def _names(text: str) -> tuple[str, ...]:
    names = tuple([name.strip() for name in text.split(",")])
    for name in names:
        if name not in OPTIMIZERS:
            raise click.BadParameter(f"{name!r} is not one of {', '.join(OPTIMIZERS)}")
    return names


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple([float(number) for number in text.split(",")])
    except ValueError:
        raise click.BadParameter(f"{text!r} are no numbers; write e.g. 0,1e-4") from None


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple([int(seed) for seed in text.split(",")])
    except ValueError:
        raise click.BadParameter(f"{text!r} are no seeds; write e.g. 1,2,3") from None


@training_command("compare")
@click.option(
    "--optimizers", type=_names, metavar="NAMES",
    help=f"Compare these; what is compared unless said otherwise: {','.join(_SHOWN)}.",
)  # fmt: skip
@click.option(
    "--lrs", type=_numbers, metavar="RATES",
    help=f"The rate of each of them; unsaid: --lr, or {SAME_RATE:g}, for all.",
)  # fmt: skip
@click.option("--keeps", type=shares, metavar="SHARES", help="Compare these --keep.")
@click.option("--l2s", type=_numbers, metavar="STRENGTHS", help="Compare these --l2.")
@click.option(
    "--seeds", type=_seeds, metavar="SEEDS",
    help="Train each with these seeds; mean and spread are shown.",
)  # fmt: skip
@click.option("--epochs", default=5, show_default=True, type=click.IntRange(min=1), help="Of each.")
@click.option(
    "--threads", default=1, show_default=True, type=click.IntRange(1, 1024),
    help="Threads of the matrix products of each run.",
)  # fmt: skip
@takes_jobs
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE.svg",
    help="Where the figure goes; none is drawn without it.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the curves as one JSON object.")
@click.pass_context
def compare_command(
    ctx: click.Context,
    settings: Settings,
    optimizers: tuple[str, ...] | None,
    lrs: tuple[float, ...] | None,
    keeps: tuple[float, ...] | None,
    l2s: tuple[float, ...] | None,
    seeds: tuple[int, ...] | None,
    epochs: int,
    threads: int,
    jobs: Jobs,
    output: Path | None,
    as_json: bool,
) -> None:
    """Train one net in several ways, from the same start and on the same batches.

    Compares optimizers, or the values of --keeps or of --l2s. Prints a table of the ends; the
    figure has the training loss and both accuracies by step, or R2 where a number is predicted.
    They are of the validation part, and of as many rows of the training part. The test part is
    not touched.
    """
    _one_thing(ctx)
    if keeps is not None:
        variants = [Variant(f"keep {k:g}", settings._replace(keep=(k,))) for k in keeps]
    elif l2s is not None:
        variants = [Variant(f"L2 {s:g}", settings._replace(l2=s)) for s in l2s]
    else:
        variants = _optimizers(settings, optimizers or _SHOWN, lrs)
    labels = [v.label for v in variants]
    for label in labels:
        if labels.count(label) > 1:
            raise click.UsageError(f"{label} is there twice: there is nothing to compare", ctx)
    if output is not None:
        check_figure(output)
    data = settings.load_data()
    variants = [Variant(v.label, v.settings.for_rows(len(data.train.y))) for v in variants]
    seeds = seeds or (settings.seed,)
    runs: list[Run] = []
    try:
        with jobs.at_work(threads):
            # Without a terminal, the end of each run is told, which is enough.
            progress = jobs.here and sys.stderr is not None and sys.stderr.isatty()
            for run in compare(
                data, variants, seeds, epochs, progress=progress, threads=threads, jobs=jobs.at_once
            ):
                runs.append(run)
                _tell(run, len(runs), len(variants) * len(seeds))
    finally:
        if runs:  # those that are finished are shown, however the rest ended
            title = f"{data.name}, {_same(settings, variants)}"
            _show(runs, title, {"data": data.name, "epochs": epochs}, output, as_json)


def _show(
    runs: list[Run], title: str, header: dict[str, object], output: Path | None, as_json: bool
) -> None:
    """Prints the runs, and draws the figure where one is wanted."""
    click.echo(json.dumps({**header, "runs": _plain(runs)}) if as_json else _table(runs))
    if output is not None:
        write_whole(output, draw_comparison(title, _curves(runs), runs[0].measure))
        click.echo(f"figure in {output}", err=True)


def _curves(runs: Sequence[Run]) -> dict[str, list[Curve]]:
    """The runs of each variant, as the figure takes them."""
    curves: dict[str, list[Curve]] = {}
    for run in runs:
        measured = run.score_steps, run.train_scores, run.validation_scores
        curves.setdefault(run.label, []).append(Curve(run.loss_steps, run.losses, *measured))
    return curves


def _one_thing(ctx: click.Context) -> None:
    """Raises a usage error for options of which one would have no effect."""

    def given(name: str) -> bool:
        return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE

    lists = [name for name in ("optimizers", "keeps", "l2s") if given(name)]
    if len(lists) > 1:
        listed = " or ".join(f"--{name}" for name in lists)
        raise click.UsageError(f"one thing is compared at a time: {listed}", ctx)
    compared = lists[0] if lists else "optimizers"
    for name in [compared, *(["seeds"] if given("seeds") else [])]:
        if given(name.removesuffix("s")):
            raise click.UsageError(
                f"--{name.removesuffix('s')} has no effect where --{name} are compared; "
                f"give --{name} alone",
                ctx,
            )
    if given("lrs") and compared != "optimizers":
        raise click.UsageError(f"--lrs goes with --optimizers; with --{compared} give --lr", ctx)
    if given("lrs") and given("lr"):
        raise click.UsageError("--lr has no effect beside --lrs", ctx)


def _optimizers(
    settings: Settings, names: tuple[str, ...], lrs: tuple[float, ...] | None
) -> list[Variant]:
    """Each optimizer with its rate; one rate is for all, and one optimizer takes each rate."""
    rates = lrs or (SAME_RATE if settings.lr is None else settings.lr,)
    if len(names) == 1:
        names = names * len(rates)
    if len(rates) == 1:
        rates = rates * len(names)
    if len(names) != len(rates):
        raise click.UsageError(
            f"--lrs has {len(rates)} rates for {len(names)} optimizers; give one for each"
        )
    same = len(set(rates)) == 1
    return [
        Variant(name if same else f"{name}, lr {lr:g}", settings._replace(optimizer=name, lr=lr))
        for name, lr in zip(names, rates, strict=True)
    ]


def _tell(run: Run, done: int, of: int) -> None:
    width = len(str(of))
    click.echo(
        f"{done:>{width}}/{of}  {run.label}, seed {run.settings.seed}: {_end(run)}", err=True
    )


def _end(run: Run) -> str:
    if run.stopped is not None:
        return f"not finite at step {run.stopped:,}"
    return (
        f"training loss {run.final_loss:.4f}, "
        f"validation {run.measure} {run.validation_scores[-1]:.4f}, {run.seconds:.1f} s"
    )


def _same(settings: Settings, variants: list[Variant]) -> str:
    """What all variants share, for the figure's title."""
    first = variants[0].settings
    shared = [f"{'-'.join(map(str, settings.hidden)) or 'no'} hidden units"]
    if len({v.settings.optimizer for v in variants}) == 1:
        shared.append(first.optimizer)
    if len({v.settings.rate for v in variants}) == 1:
        shared.append(f"lr {first.rate:g}")
    return ", ".join([*shared, f"batches of {settings.batch_size}"])


def _table(runs: list[Run]) -> str:
    """A row a variant: its last values, over seeds with their spread."""
    score = runs[0].measure.replace("accuracy", "acc.")
    head = ("", "lr", "training loss", f"training {score}", f"validation {score}", "seconds")
    rows = [head]
    for label, variant in groupby(runs, key=lambda run: run.label):
        group = list(variant)
        rate = f"{group[0].settings.rate:g}"
        stopped = [run.stopped for run in group if run.stopped is not None]
        if stopped:
            rows.append((label, rate, f"not finite at step {min(stopped):,}", "", "", ""))
            continue
        ends = (
            [run.final_loss for run in group],
            [run.train_scores[-1] for run in group],
            [run.validation_scores[-1] for run in group],
        )
        seconds = f"{fmean(run.seconds for run in group):.1f}"
        rows.append((label, rate, *map(_spread, ends), seconds))
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = []
    for label, *cells in rows:
        aligned = [f"{c:>{w}}" for c, w in zip(cells, widths[1:], strict=True)]
        lines.append("  ".join([f"{label:<{widths[0]}}", *aligned]).rstrip())
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.4f}"
    return f"{fmean(values):.4f} ({min(values):.4f} to {max(values):.4f})"


def _plain(runs: list[Run]) -> list[dict[str, object]]:
    """The runs in types that JSON has."""
    plain = []
    for run in runs:
        values = {_key(k, run.measure): v for k, v in run._asdict().items() if k != "settings"}
        values["final_loss"] = run.final_loss if math.isfinite(run.final_loss) else None
        plain.append({**values, "settings": run.settings.as_config()})
    return plain


def _key(field: str, measure: str) -> str:
    """What JSON calls a field: scores are accuracies, or R2."""
    one, several = ("accuracy", "accuracies") if measure == "accuracy" else ("r2", "r2")
    return field.replace("scores", several).replace("score", one)
