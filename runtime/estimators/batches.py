"""The rows of an estimator's training set, batch by batch in the order that scikit-learn draws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse

from ...graph import Array


class Rows(NamedTuple):
    """Samples: `x` [n,D], dense or CSR, targets `y`, and weights `w` [n] where there are any."""

    x: Any
    y: Array
    w: Array | None

    @property
    def length(self) -> int:
        return int(self.x.shape[0])

    def feeds(self, rows: Any) -> dict[str, Array]:
        """These rows as arrays that a program is fed with: a slice, or row numbers."""
        x = self.x[rows]
        fed = {"x": x.toarray() if issparse(x) else x, "y": self.y[rows]}
        return fed if self.w is None else {**fed, "w": self.w[rows]}


class Batches:
    """Each row once an epoch, in batches of `size` and a last, short one.

    With `shuffled` an epoch permutes the order of the one before by one draw of `rng`, as
    scikit-learn does, so that equal seeds give equal batches. `least` is what the last batch must
    have: it is joined to the one before where it has fewer.
    """

    def __init__(
        self, data: Rows, size: int, rng: np.random.RandomState | None, least: int = 1
    ) -> None:
        self._data = data
        self._rng = rng
        n = data.length
        starts = list(range(0, n, size))
        if len(starts) > 1 and n - starts[-1] < least:
            starts.pop()
        self._slices = [slice(a, b) for a, b in zip(starts, [*starts[1:], n], strict=True)]
        self._order = np.arange(n)
        self._buffers: dict[int, dict[str, Array]] = {}

    def epoch(self) -> Iterator[tuple[dict[str, Array], int]]:
        """The feeds of each batch, which hold until the next is asked for, and its rows."""
        if self._rng is None:
            for rows in self._slices:
                yield self._data.feeds(rows), rows.stop - rows.start
            return
        drawn = np.arange(len(self._order))
        self._rng.shuffle(drawn)
        self._order = self._order[drawn]
        for rows in self._slices:
            yield self._gathered(self._order[rows]), rows.stop - rows.start

    def _gathered(self, rows: Array) -> dict[str, Array]:
        x, y, w = self._data
        if issparse(x):
            return self._data.feeds(rows)
        count = len(rows)
        if count not in self._buffers:
            arrays = {"x": x, "y": y} if w is None else {"x": x, "y": y, "w": w}
            made = {k: np.empty((count, *a.shape[1:]), a.dtype) for k, a in arrays.items()}
            self._buffers[count] = made
        feeds = self._buffers[count]
        # Without mode="clip", take makes a temporary copy of what it writes to `out`.
        x.take(rows, 0, feeds["x"], "clip")
        y.take(rows, 0, feeds["y"], "clip")
        if w is not None:
            w.take(rows, 0, feeds["w"], "clip")
        return feeds
