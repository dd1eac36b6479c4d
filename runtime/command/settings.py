"""The options that say what is trained and how: one field each, for every command."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final, NamedTuple, TypeVar, get_args, get_type_hints

import click
from click.core import ParameterSource

from ...graph import Initializer, RunError, cut, shown, suggest
from ...ops import MODES, Mode
from ...passes import (
    L1,
    L2,
    Clip,
    ClipNorm,
    ClipValue,
    Dropout,
    ElasticNet,
    Optimizer,
    Regularizer,
)
from ...passes.methods.optimizers import DIALECTS, Dialect
from ..backends.registry import BACKENDS, Backend
from ..data.categories import Columns
from ..data.parts import TaskData
from ..data.source import FORMS, load_data
from ..data.target import AskedTask
from ..files.told import fitting
from .amounts import MOST, byte_count, layer_sizes, shares
from .groups import DATA, NET, REGULARIZATION, RUN, TRAINING, grouped_option
from .losses import BALANCED, LOSSES, loss_name
from .named_methods import ACTIVATIONS, INITIALIZERS, OPTIMIZERS, SCHEDULES, initializer

R = TypeVar("R")

EPOCHS: Final = 30
"""How often each row is trained on, where nothing else is said."""

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
Setting = str | int | float | bool | list[int] | list[float] | list[str]


class Option:
    """What click has to know of a field beside its name and its default."""

    def __init__(self, group: str, help: str, **attributes: Any) -> None:
        self.group = group
        self.help = help
        self.attributes = attributes


_SEVERAL: Final[dict[str, Any]] = {"multiple": True, "metavar": "NAME"}
_losses = "; ".join(f"{name}: {row.words}" for name, row in LOSSES.items())
_rates = ", ".join(f"{name} {row.lr:g}" for name, row in OPTIMIZERS.items())
_shapes = "; ".join(f"{name}: {row.words}" for name, row in SCHEDULES.items())


class Settings(NamedTuple):
    """What the options say, or what they are where nothing was said."""

    data: Annotated[str, Option(DATA, f"What to learn: {' | '.join(FORMS)}.", metavar="DATA")] = (
        "digits"
    )
    target: Annotated[
        str | None, Option(DATA, "The column of a table that is to be predicted.", metavar="NAME")
    ] = None
    task: Annotated[
        AskedTask,
        Option(
            DATA,
            "Whether that is a class or a number; auto says what it takes it for, and why.",
            type=click.Choice(get_args(AskedTask)),
        ),
    ] = "auto"
    drop: Annotated[
        tuple[str, ...],
        Option(DATA, "Leave this column out; can be given more than once.", **_SEVERAL),
    ] = ()
    one_hot: Annotated[
        tuple[str, ...],
        Option(DATA, "Take this column's values for categories, numbers too.", **_SEVERAL),
    ] = ()
    ordinal: Annotated[
        tuple[str, ...],
        Option(
            DATA,
            "Take this column's texts for places in an order, that of the alphabet or a,b,c.",
            **{**_SEVERAL, "metavar": "NAME[=a,b,c]"},
        ),
    ] = ()
    na_is_a_class: Annotated[
        bool,
        Option(
            DATA, "NA, n/a, nan and ? in that column are classes, and not missing.", is_flag=True
        ),
    ] = False
    hidden: Annotated[
        tuple[int, ...],
        Option(NET, "Sizes of the hidden layers.", type=layer_sizes, metavar="SIZES"),
    ] = (100, 100)
    activation: Annotated[
        str, Option(NET, "What follows each hidden layer.", type=click.Choice(ACTIVATIONS))
    ] = "relu"
    batch_norm: Annotated[
        bool,
        Option(
            NET, "Batch normalization between each hidden layer and its activation.", is_flag=True
        ),
    ] = False
    init: Annotated[
        str, Option(NET, f"How weights begin: {' | '.join(INITIALIZERS)}.", metavar="INIT")
    ] = "he_normal"
    loss: Annotated[
        str | None,
        Option(
            TRAINING,
            f"What is made small; unsaid, softmax, or mse for a number. {_losses}.",
            type=click.Choice(list(LOSSES)),
        ),
    ] = None
    class_weight: Annotated[
        str | None,
        Option(
            TRAINING,
            "How much rows of a class count: as its rows are fewer, or NAME=W,...",
            metavar=f"{BALANCED}|NAME=W,...",
        ),
    ] = None
    optimizer: Annotated[
        str, Option(TRAINING, "How weights are updated.", type=click.Choice(list(OPTIMIZERS)))
    ] = "momentum"
    dialect: Annotated[
        Dialect,
        Option(
            TRAINING, "Whose formulas and defaults the optimizer has.", type=click.Choice(DIALECTS)
        ),
    ] = "course"
    lr: Annotated[
        float | None, Option(TRAINING, f"Learning rate; unsaid: {_rates}.", type=float)
    ] = None
    schedule: Annotated[
        str,
        Option(TRAINING, f"The rate over the run; {_shapes}.", type=click.Choice(list(SCHEDULES))),
    ] = "one-cycle"
    weight_decay: Annotated[
        float | None,
        Option(REGULARIZATION, "Added to the gradient times w; adamw decays w itself.", type=float),
    ] = None
    clip_value: Annotated[
        float | None, Option(TRAINING, "Bound of each element of the gradients.", type=float)
    ] = None
    clip_norm: Annotated[
        float | None, Option(TRAINING, "Bound of the norm of all gradients together.", type=float)
    ] = None
    batch_size: Annotated[int, Option(TRAINING, "Rows a step.", type=click.IntRange(1, MOST))] = 50
    keep: Annotated[
        tuple[float, ...],
        Option(
            REGULARIZATION,
            "Dropout: the probability of keeping a unit; one for all hidden layers, or a list.",
            type=shares,
            metavar="SHARES",
        ),
    ] = (1.0,)
    keep_input: Annotated[float, Option(REGULARIZATION, "The same for the input.")] = 1.0
    dropout_mode: Annotated[
        Mode,
        Option(
            REGULARIZATION,
            "Scale by keep in training (inverted) or after.",
            type=click.Choice(MODES),
        ),
    ] = "inverted"
    l1: Annotated[float, Option(REGULARIZATION, "Strength of the L1 penalty.")] = 0.0
    l2: Annotated[float, Option(REGULARIZATION, "Strength of the L2 penalty, with the half.")] = (
        1e-4
    )
    label_smoothing: Annotated[
        float, Option(REGULARIZATION, "Share of each label given to all classes.")
    ] = 0.0
    seed: Annotated[int, Option(RUN, "Weights, dropout and batches are functions of it.")] = 0
    split_seed: Annotated[
        int, Option(DATA, "Draws the rows to test and to validate on, where DATA does not say.")
    ] = 0
    dtype: Annotated[
        str, Option(RUN, "Width of the floats.", type=click.Choice(["f32", "f64"]))
    ] = "f32"
    backend: Annotated[
        Backend,
        Option(
            RUN,
            "What runs a step; numba needs the extra jit.",
            type=click.Choice([*BACKENDS]),
        ),
    ] = "numpy"
    memory_limit: Annotated[
        int | None,
        Option(
            RUN, "Most bytes that an arena may take, e.g. 4MB.", type=byte_count, metavar="BYTES"
        ),
    ] = None
    recompute: Annotated[
        bool, Option(RUN, "Compute activations again, where that keeps to the limit.", is_flag=True)
    ] = False
    shards: Annotated[
        int | None,
        Option(
            RUN,
            "Cut each batch into so many parts, whose sums meet in one order however many "
            "processes share them: 1, 2, 4, 8, ...",
            type=click.IntRange(1, 1024),
        ),
    ] = None

    @property
    def rate(self) -> float:
        """The learning rate: the optimizer's own, where none was given."""
        return OPTIMIZERS[self.optimizer].lr if self.lr is None else self.lr

    def load_data(self) -> TaskData:
        """The data set to learn; RunError where there is none."""
        columns = Columns(self.drop, self.one_hot, self.ordinal)
        seed, na = self.split_seed, self.na_is_a_class
        data = load_data(self.data, self.target, seed, na, self.task, columns)
        loss_name(self.loss, data.task)
        return data

    def for_rows(self, rows: int) -> Settings:
        """The settings for so many rows: a batch that was not asked for has no more."""
        return self if asks_for_batch() else self.holding(rows)

    def holding(self, rows: int) -> Settings:
        """The settings, with batches of no more rows than there are."""
        return self._replace(batch_size=min(self.batch_size, rows))

    def make_optimizer(self, steps: int) -> Optimizer:
        """The optimizer, with its rate scheduled over a run of so many steps."""
        rate = SCHEDULES[self.schedule].make(self.rate, steps)
        kind = OPTIMIZERS[self.optimizer].kind
        if self.weight_decay is None:
            return kind(rate, dialect=self.dialect)
        return kind(rate, dialect=self.dialect, weight_decay=self.weight_decay)

    def make_clip(self) -> Clip | None:
        """How gradients are bounded, if at all; RunError where it is asked for in two ways."""
        if self.clip_value is not None and self.clip_norm is not None:
            raise RunError("--clip-value and --clip-norm are both given; give one of them")
        if self.clip_value is not None:
            return ClipValue(self.clip_value)
        return ClipNorm(self.clip_norm) if self.clip_norm is not None else None

    def make_init(self) -> Initializer:
        """How the weights of the linear layers begin."""
        return initializer(self.init)

    def make_regularizer(self) -> Regularizer | None:
        """The penalty, if there is any."""
        if self.l1 and self.l2:
            return ElasticNet(self.l1, self.l2)
        if self.l1:
            return L1(self.l1)
        return L2(self.l2) if self.l2 else None

    def make_dropout(self) -> Dropout | None:
        """The dropout, if there is any; RunError where `keep` fits no layers."""
        if {*self.keep, self.keep_input} == {1.0}:
            return None
        if len(self.keep) == 1:
            return Dropout(keep=self.keep[0], input=self.keep_input, mode=self.dropout_mode)
        if len(self.keep) != len(self.hidden):
            raise RunError(
                f"--keep has {len(self.keep)} numbers, and there are {len(self.hidden)} hidden "
                "layers; give one number for all, or one for each"
            )
        layers = {f"fc{i}": keep for i, keep in enumerate(self.keep, 1)}
        return Dropout(layers=layers, input=self.keep_input, mode=self.dropout_mode)

    def as_config(self) -> dict[str, Setting]:
        """All settings as they came out, in types that TOML has."""
        values = {**self._asdict(), "lr": self.rate}
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
        return {k: v for k, v in plain.items() if v is not None}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        """The settings that `as_config` gave; RunError names a key that is none of them."""
        for k in config:
            if k not in cls._fields:
                raise RunError(f"there is no setting {shown(k)}{suggest(k, cls._fields)}")
        check_choices(_OPTIONS, config)
        return fitting(dict(config), cls, "settings")


def _options() -> list[Decorator]:
    """A click option for each field of Settings, in order."""
    options: list[Decorator] = []
    for field, hint in get_type_hints(Settings, include_extras=True).items():
        default = Settings._field_defaults[field]
        (described,) = hint.__metadata__
        if isinstance(default, tuple) and "multiple" not in described.attributes:
            default = ",".join([f"{v:g}" for v in default])
        options.append(
            grouped_option(
                f"--{field.replace('_', '-')}",
                group=described.group,
                default=default,
                show_default=default not in (None, "", ()) and default is not False,
                help=described.help,
                **described.attributes,
            )
        )
    return options


_OPTIONS: Final = _options()


def check_choices(options: Iterable[Decorator], values: Mapping[str, Any]) -> None:
    """Raises RunError for a value that none of the options, which choose or count, would take."""

    def command() -> None:
        """Takes the options, to be asked for them."""

    for option in options:
        option(command)
    parameters: list[click.Parameter] = getattr(command, "__click_params__", [])
    for p in parameters:
        if p.name in values and isinstance(p.type, (click.Choice, click.IntRange)):
            try:
                p.type.convert(values[p.name], None, None)
            except (click.BadParameter, TypeError, OverflowError) as e:
                raise RunError(
                    f"its {p.name} is {shown(values[p.name])}: {cut(str(e), 500)}"
                ) from None


def takes_settings(f: Callable[..., R]) -> Callable[..., R]:
    """A command that takes an option for each field, gathered as its argument `settings`."""

    @functools.wraps(f)
    def call(**options: Any) -> R:
        if {*options["keep"], options["keep_input"]} == {1.0} and options.get("keeps") is None:
            nothing = "nothing is dropped; give --keep or --keep-input"
            refuse_settings(click.get_current_context(), nothing, ["dropout_mode"])
        context, defaults = click.get_current_context(), Settings._field_defaults
        outranked(context, options, "clip_value", "clip_norm", defaults)
        return f(settings=Settings(**{k: options.pop(k) for k in Settings._fields}), **options)

    wrapped: Callable[..., R] = call
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def outranked(
    ctx: click.Context, options: dict[str, Any], one: str, other: str, defaults: Mapping[str, Any]
) -> None:
    """Of two options that exclude each other, takes back to its default the one that a file has
    where the command line has the other."""
    for asked, left in ((one, other), (other, one)):
        if (
            ctx.get_parameter_source(asked) is ParameterSource.COMMANDLINE
            and ctx.get_parameter_source(left) is ParameterSource.DEFAULT_MAP
        ):
            options[left] = defaults[left]


def asks_for_batch() -> bool:
    """Whether the command that runs was told how many rows a batch has."""
    source = click.get_current_context().get_parameter_source("batch_size")
    return source is not ParameterSource.DEFAULT


VALUES: Final = ("init", "lr", "seed", "split_seed")
"""Settings that change numbers alone: neither what is computed, nor where it lies."""


def refuse_settings(
    ctx: click.Context, because: str, fields: Iterable[str] = Settings._fields
) -> None:
    """Raises a usage error where one of these settings was given: it would have no effect."""
    for field in fields:
        if ctx.get_parameter_source(field) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{_as_given(ctx, field)} has no effect: {because}", ctx)


def _as_given(ctx: click.Context, field: str) -> str:
    """How an option is written that was given: --no-types, where that switched it off."""
    option = next(p for p in ctx.command.params if p.name == field)
    off = option.secondary_opts and not ctx.params[field]
    return next(o for o in (option.secondary_opts if off else option.opts) if o[:2] == "--")
