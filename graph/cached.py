"""Values that an object computes when they are first asked for, and keeps."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import nullcontext
from typing import TypeVar

T = TypeVar("T")


class cached_property(functools.cached_property[T]):  # noqa: N801  (named as what it is)
    """That of functools as it is from Python 3.12 on: without a lock that all objects share.

    A thread that computes one would hold it for all, also for a process that is forked meanwhile,
    in which nobody is left to release it.
    """

    def __init__(self, func: Callable[..., T]) -> None:
        super().__init__(func)
        self.lock = nullcontext()
