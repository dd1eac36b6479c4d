"""The options that say what is trained and how: one row each, for every command that takes them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

import click
from click.core import ParameterSource

from ...passes import L1, L2, SGD, Adam, Dropout, ElasticNet, Momentum, Optimizer, Regularizer
from ..data.source import FORMS

P = ParamSpec("P")
R = TypeVar("R")


class OptimizerRow(NamedTuple):
    """An optimizer's name, how it is made from a rate, and the rate where none is given."""

    make: Callable[[float], Optimizer]
    lr: float


OPTIMIZERS: Final = {
    "sgd": OptimizerRow(SGD, 0.1),
    "momentum": OptimizerRow(Momentum, 0.02),
    "adam": OptimizerRow(Adam, 1e-3),
}


class Settings(NamedTuple):
    """What the options say, or what they are where nothing was said."""

    data: str = "digits"
    target: str | None = None
    hidden: tuple[int, ...] = (100, 100)
    optimizer: str = "momentum"
    lr: float | None = None
    batch_size: int = 50
    keep: float = 1.0
    l1: float = 0.0
    l2: float = 1e-4
    seed: int = 0
    dtype: str = "f32"

    @property
    def rate(self) -> float:
        """The learning rate: the optimizer's own, where none was given."""
        return OPTIMIZERS[self.optimizer].lr if self.lr is None else self.lr

    def make_optimizer(self) -> Optimizer:
        return OPTIMIZERS[self.optimizer].make(self.rate)

    def make_regularizer(self) -> Regularizer | None:
        if self.l1 and self.l2:
            return ElasticNet(self.l1, self.l2)
        if self.l1:
            return L1(self.l1)
        return L2(self.l2) if self.l2 else None

    def make_dropout(self) -> Dropout | None:
        return Dropout(keep=self.keep) if self.keep != 1 else None


def layer_sizes(text: str) -> tuple[int, ...]:
    """Layer sizes, such as 100,100; nothing for no hidden layer."""
    try:
        sizes = tuple([int(size) for size in text.split(",")]) if text.strip() else ()
    except ValueError:
        sizes = (0,)
    if any(size < 1 for size in sizes):
        raise click.BadParameter(f"{text!r} are no layer sizes; write e.g. 100,100")
    return sizes


def _option(name: str, help: str, **attributes: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    field = name.removeprefix("--").replace("-", "_")
    default = Settings._field_defaults[field]
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    shown = default is not None
    return click.option(name, default=default, show_default=shown, help=help, **attributes)


_rates = ", ".join(f"{name} {row.lr:g}" for name, row in OPTIMIZERS.items())

OPTIONS: Final = (
    _option("--data", f"What to learn: {' | '.join(FORMS)}.", metavar="DATA"),
    _option("--target", "The column of a CSV file that holds the class.", metavar="NAME"),
    _option("--hidden", "Sizes of the hidden layers.", type=layer_sizes, metavar="SIZES"),
    _option("--optimizer", "How weights are updated.", type=click.Choice(list(OPTIMIZERS))),
    _option("--lr", f"Learning rate; unsaid: {_rates}.", type=float),
    _option("--batch-size", "Rows a step.", type=click.IntRange(min=1)),
    _option("--keep", "Dropout: the probability of keeping a unit.", type=float),
    _option("--l1", "Strength of the L1 penalty.", type=float),
    _option("--l2", "Strength of the L2 penalty, with the half.", type=float),
    _option("--seed", "Weights, dropout and batches are functions of it.", type=int),
    _option("--dtype", "Width of the floats.", type=click.Choice(["f32", "f64"])),
)


def takes_settings(f: Callable[..., R]) -> Callable[..., R]:
    """A command that takes all of OPTIONS, gathered as its argument `settings`."""

    @functools.wraps(f)
    def call(**given: Any) -> R:
        return f(settings=Settings(**{k: given.pop(k) for k in Settings._fields}), **given)

    wrapped: Callable[..., R] = call
    for option in reversed(OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def refuse_settings(ctx: click.Context, because: str) -> None:
    """Raises a usage error where any of OPTIONS but the batch's size was given."""
    for field in Settings._fields:
        given = ctx.get_parameter_source(field) is ParameterSource.COMMANDLINE
        if given and field != "batch_size":
            raise click.UsageError(f"--{field.replace('_', '-')} has no effect: {because}", ctx)
