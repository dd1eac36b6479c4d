"""What is tried: ranges of numbers and lists of choices, from texts and from Python values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from ...graph import RunError, shown
from ..optional import require

Plain = str | int | float | bool | None
"""What Optuna keeps of a value."""


class Range(NamedTuple):
    """What an option is drawn from: a distribution of Optuna, and what a drawn value stands for."""

    distribution: Any
    value: Callable[[Any], Any] = lambda drawn: drawn


def distributions() -> Any:
    """The module of Optuna that has them."""
    return require("optuna.distributions", "tune")


def numbers(text: str, number: Callable[[str], Any]) -> Range:
    """The range that `A..B` or `log:A..B` says, whose ends `number` reads: whole numbers where both
    are. Raises RunError where A is not below B."""
    log = text.startswith("log:")
    low, high = [number(end) for end in text.removeprefix("log:").split("..", 1)]
    if not all(type(end) in (int, float) for end in (low, high)):
        raise RunError(f"{text!r} is no range: it takes no numbers")
    whole = isinstance(low, int) and isinstance(high, int)
    if not low < high < math.inf or low == -math.inf or (log and low <= 0):
        due = "0 < A < B is expected in log:A..B" if log else "A < B is expected in A..B"
        raise RunError(f"{text!r} is no range: {due}")
    kind = distributions().IntDistribution if whole else distributions().FloatDistribution
    return Range(kind(low, high, log=log))


def choices(values: Sequence[Any], labels: Sequence[Plain] | None = None) -> Range:
    """One of the values, which Optuna knows by their labels. Raises RunError for fewer than two,
    and for equal ones."""
    labels = [_label(v) for v in values] if labels is None else labels
    if len(labels) < 2 or len({repr(label) for label in labels}) < len(labels):
        raise RunError(
            f"{shown(list(values))} gives no choice: two values or more are expected, each once"
        )
    found = dict(zip(map(repr, labels), values, strict=True))
    kind = distributions().CategoricalDistribution
    return Range(kind(tuple(labels)), lambda label: found[repr(label)])


def ranged(name: str, given: object) -> Range:
    """What Python says of an option: "log:1e-4..1e-1", "16..128", a list of choices, or a
    distribution of Optuna. Raises RunError that names it."""
    if isinstance(given, distributions().BaseDistribution):
        return Range(given)
    try:
        if isinstance(given, str) and ".." in given:
            return numbers(given, _number)
        if isinstance(given, Sequence) and not isinstance(given, str):
            return choices(given)
    except RunError as e:
        raise RunError(f"{name}: {e}") from None
    raise RunError(
        f"{name} is {shown(given)}, where a range is expected, "
        'e.g. "log:1e-4..1e-1", "16..128" or ["relu", "tanh"]'
    )


def _number(text: str) -> int | float:
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    raise RunError(f"{text!r} is no number")


def _label(value: Any) -> Plain:
    return value if value is None or isinstance(value, (str, int, float)) else repr(value)
