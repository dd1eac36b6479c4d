"""What the text of a step calls the things that it reads, and what stands behind each name."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from ...graph import Array

Key = tuple[int, tuple[int, ...], tuple[int, ...], str]


class Names:
    """Names for arrays, numbers and functions; `objects` has what each stands for.

    What is fed has the name of its input, `feed0` and so on, as it lies elsewhere at each step.
    """

    def __init__(self, feeds: Sequence[Array]) -> None:
        self.objects: dict[str, Any] = {}
        self._names: dict[object, str] = {}
        # Where each begins and ends in memory, in order, and how far all up to it reach.
        self._spans = sorted((*byte_bounds(a), k) for k, a in enumerate(feeds) if a.size)
        self._lows = [low for low, _, _ in self._spans]
        self._reach = list(accumulate([high for _, high, _ in self._spans], max))
        self._feeds = {key(a): f"feed{i}" for i, a in enumerate(feeds)}

    def value(self, value: Any) -> str | None:
        """How the text says a value: a number, a feed, or the name of a bound object.

        None for a part of a feed, which only the kernel can take.
        """
        if isinstance(value, np.ndarray):
            same = key(value)
            if same in self._feeds:
                return self._feeds[same]
            turned = self._feeds.get(key(value.T))
            if turned is not None:
                return f"{turned}.T"
            return None if self.feed(value) else self.bound("a", same, value)
        if value is None or isinstance(value, (bool, int)) or _whole_numbers(value):
            return repr(value)
        return self.bound("c", id(value), value)

    def feed(self, a: Array) -> str | None:
        """The feed in whose memory an array lies."""
        if not a.size:
            return None
        low, high = byte_bounds(a)
        number: int | None = None
        at = bisect_left(self._lows, high)
        while at and self._reach[at - 1] > low:
            at -= 1
            _, end, k = self._spans[at]
            if end > low and (number is None or k < number):
                number = k
        return None if number is None else f"feed{number}"

    def function(self, function: Callable[..., Any]) -> str:
        """The name of a NumPy function, such as add, or add_reduce for np.add.reduce."""
        name = function.__name__
        ufunc = getattr(function, "__self__", None)
        if isinstance(ufunc, np.ufunc):
            name = f"{ufunc.__name__}_{name}"
        self.objects.setdefault(name, function)
        return name

    def bound(self, prefix: str, what: object, value: Any) -> str:
        """The name that `what` has; at first, one that begins so, for the value."""
        if what not in self._names:
            self._names[what] = f"{prefix}{len(self._names)}"
            self.objects[self._names[what]] = value
        return self._names[what]


def key(a: Array) -> Key:
    """What two arrays have in common that are one."""
    return a.ctypes.data, a.shape, a.strides, a.dtype.str


def _whole_numbers(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(v, int) for v in value)
