"""How much is tried where all cannot be: `EFFORT=20 make test` tries twenty times as much."""

from __future__ import annotations

import os
from typing import Final

EFFORT: Final = float(os.environ.get("EFFORT", "1"))


def tries(count: int) -> int:
    """How many cases are tried where `count` are at an effort of 1."""
    return max(1, round(EFFORT * count))
