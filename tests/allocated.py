"""How much memory a call takes at its most."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable


def allocated(call: Callable[[], object]) -> int:
    """The most bytes that Python and NumPy hold at a time while it runs, beside those before."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
