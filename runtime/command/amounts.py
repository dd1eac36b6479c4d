"""What options take beside single numbers: layer sizes, probabilities, names, bytes."""

from __future__ import annotations

import math
from typing import Final

import click

MOST: Final = 10**8
"""The largest size: arrays of two of them are still counted in 64 bits."""


def layer_sizes(text: str) -> tuple[int, ...]:
    """Layer sizes, such as 100,100; nothing for no hidden layer."""
    try:
        sizes = tuple([int(size) for size in text.split(",")]) if text.strip() else ()
    except ValueError:
        sizes = (0,)
    if not all(1 <= size <= MOST for size in sizes):
        raise click.BadParameter(f"{text!r} are no layer sizes; write e.g. 100,100")
    return sizes


def shares(text: str) -> tuple[float, ...]:
    """Numbers, such as 0.5 or 0.8,0.5."""
    try:
        return tuple([float(share) for share in text.split(",")])
    except ValueError:
        raise click.BadParameter(
            f"{text!r} are no probabilities; write e.g. 0.5, or 0.8,0.5 for two layers"
        ) from None


def names(text: str) -> tuple[str, ...]:
    """Names, such as f1,auc; nothing for none."""
    return tuple([name.strip() for name in text.split(",")]) if text.strip() else ()


_UNITS: Final[dict[str, int]] = {"": 1, "B": 1} | {
    f"{prefix}{end}B": base**power
    for end, base in (("", 1000), ("i", 1024))
    for power, prefix in enumerate("kMG", 1)
}


def byte_count(text: str) -> int:
    """A number of bytes, such as 4000000, 4MB or 4MiB."""
    number = text.rstrip("BGMik ")
    unit = text[len(number) :].strip()
    try:
        count = float(number) * _UNITS[unit]
    except (ValueError, KeyError):
        count = 0.0
    if not 1 <= count < math.inf:
        raise click.BadParameter(f"{text!r} is no number of bytes; write e.g. 4000000, 4MB or 4MiB")
    return round(count)
