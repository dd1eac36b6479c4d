"""How much is tried where all cannot be: `make test-more` tries twenty times as much."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from typing import Final, TypeVar

Case = TypeVar("Case")

EFFORT: Final = float(os.environ.get("EFFORT", "1"))


def tries(count: int) -> int:
    """How many cases are tried where `count` are at an effort of 1."""
    return max(1, round(EFFORT * count))


def some(cases: Iterable[Case], count: int) -> list[Case]:
    """`count` of many cases at an effort of 1, the same every time."""
    every = list(cases)
    return random.Random(0).sample(every, min(len(every), tries(count)))
