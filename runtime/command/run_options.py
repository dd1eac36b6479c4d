"""How long a run lasts and what it does on the way: options of `train`, which `resume` reads."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import click

from ...graph import RunError, shown
from ..files.told import fitting, read_json
from ..loggers.named import KINDS
from ..metrics.registry import METRICS
from ..training.following import MEASURES
from ..training.sampling import SAMPLERS
from ..training.team import AUDIT
from .amounts import names
from .groups import RUN, TRAINING, grouped_option
from .ranks import processes_option
from .settings import EPOCHS, Setting, Settings, check_choices, outranked
from .threads import threads_option

R = TypeVar("R")
Config = dict[str, dict[str, Setting]]


class RunOptions(NamedTuple):
    """What the options say of the run itself; with `steps`, `epochs` says nothing."""

    epochs: int = EPOCHS
    steps: int | None = None
    sampler: str = "shuffled"
    keep_best: str | None = None
    early_stopping: int | None = None
    threads: int | None = None
    verify_products: bool = False
    log_to: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    processes: int | None = None
    audit: int | None = None

    def length(self, steps_per_epoch: int) -> int:
        """How many steps the run makes, unless it is stopped."""
        return self.steps if self.steps is not None else self.epochs * steps_per_epoch


OPTIONS = (
    grouped_option(
        "--epochs", group=TRAINING, default=EPOCHS, show_default=True, type=click.IntRange(min=1),
        help="How often each row is trained on.",
    ),
    grouped_option(
        "--steps", group=TRAINING, type=click.IntRange(min=1),
        help="How many steps to make, in place of --epochs.",
    ),
    grouped_option(
        "--sampler", group=TRAINING, default="shuffled", show_default=True,
        type=click.Choice(SAMPLERS), help="Which rows a step takes.",
    ),
    grouped_option(
        "--keep-best", group=TRAINING, metavar="[loss|accuracy|METRIC]",
        type=click.Choice([*MEASURES, *(k for k in METRICS if k not in MEASURES)]), is_flag=False,
        flag_value="loss", help="Keep the weights of the best validation loss, accuracy or metric.",
    ),
    grouped_option(
        "--early-stopping", group=TRAINING, type=click.IntRange(min=1), metavar="EPOCHS",
        help="Stop after so many epochs without a better validation; by loss, or as --keep-best.",
    ),
    threads_option,
    processes_option,
    grouped_option(
        "--audit", group=RUN, type=click.IntRange(min=1), metavar="STEPS",
        help=f"Compare the state of all ranks after so many steps each; {AUDIT} unless said.",
    ),
    grouped_option(
        "--verify-products", group=RUN, is_flag=True,
        help="Check each product of matrices, to find a bad BLAS or memory.",
    ),
    grouped_option(
        "--metrics", group=TRAINING, type=names, default="", metavar="NAMES",
        help=f"Measure these, too, after each epoch and at the end: {','.join(METRICS)}.",
    ),
    grouped_option(
        "--log-to", group=RUN, multiple=True, metavar="LOGGER",
        help=f"Tell the numbers of each epoch to {' | '.join(KINDS)}, into DIR, or where a name "
        "behind a colon says, as csv:FILE; can be given more than once.",
    ),
)  # fmt: skip


def takes_run_options(f: Callable[..., R]) -> Callable[..., R]:
    """A command that takes all of OPTIONS, gathered as its argument `run_options`."""

    @functools.wraps(f)
    def call(**options: Any) -> R:
        context = click.get_current_context()
        outranked(context, options, "epochs", "steps", RunOptions._field_defaults)
        sources = {context.get_parameter_source(name) for name in ("epochs", "steps")}
        if options["steps"] is not None and len(sources) == 1:  # both of the line, or of a file
            raise click.UsageError("--epochs and --steps exclude each other", context)
        fields = {k: options.pop(k) for k in RunOptions._fields}
        return f(run_options=RunOptions(**fields), **options)

    wrapped: Callable[..., R] = call
    for option in reversed(OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def config(settings: Settings, run_options: RunOptions) -> Config:
    """All settings as they came out, to be read again."""
    from importlib.metadata import version

    train = {
        **settings.as_config(),
        **{k: _plain(v) for k, v in run_options._asdict().items() if v not in (None, ())},
    }
    if run_options.steps is not None:
        del train["epochs"]
    return {"verigrad": {"version": version("verigrad")}, "train": train}


def _plain(value: Any) -> Setting:
    """The value in types that TOML has."""
    return list(value) if isinstance(value, tuple) else value


def read_config(text: str) -> tuple[Settings, RunOptions, Config]:
    """What a checkpoint keeps of `config`, as JSON."""
    content = fitting(read_json(text, "its config"), dict[str, dict[str, Any]], "config")
    train = content.get("train", {})
    unknown = set(train) - {*Settings._fields, *RunOptions._fields}
    if unknown:
        begun = content.get("verigrad", {}).get("version")
        raise RunError(
            f"the run was begun with {shown(sorted(unknown))}, which this verigrad does not know; "
            f"it was begun with version {shown(begun)}"
        )
    # Runs that were begun before a number could be predicted took every label for a class.
    told = {"task": "classification", **train}
    settings = Settings.from_config({k: v for k, v in told.items() if k in Settings._fields})
    rest = {k: v for k, v in train.items() if k in RunOptions._fields}
    check_choices(OPTIONS, rest)
    return settings, fitting(rest, RunOptions, "config"), content
