"""NumPy calls, to time what the NumPy backend takes for them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ..backend import Probe
from ..tracing import Call


def prepared(calls: Sequence[Call]) -> Probe:
    """The calls as they are, in a function that makes them."""
    bound = [partial(c.function, *c.arguments, **c.keywords) for c in calls]
    if len(bound) == 1:
        return bound[0]

    def run_all() -> None:
        for call in bound:
            call()

    return run_all
