"""How many threads the matrix products may take."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import click

from ..optional import require
from .groups import RUN, grouped_option

# A program is compiled with them as well, so that it has nothing to choose.
threads_option = grouped_option(
    "--threads",
    group=RUN,
    type=click.IntRange(1, 1024),
    help="Threads of the matrix products; unsaid, as many as take the least time.",
)


def limited(threads: int | None) -> AbstractContextManager[object]:
    """The matrix products kept to so many threads while the block lasts."""
    if threads is None:
        return nullcontext()
    limits: AbstractContextManager[object] = require("threadpoolctl", "threads").threadpool_limits(
        threads
    )
    return limits
