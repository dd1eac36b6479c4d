"""A fit with batches: which rows are trained on, which are looked at, and how many make a batch."""

from __future__ import annotations

import warnings
from typing import Any, Final

from sklearn.model_selection import train_test_split

from ...graph import Array
from .batches import Batches, Rows
from .epochs import Epochs
from .errors import FitError
from .hooks import Hooks

_BATCH: Final = 200
"""How many rows a batch has, unless said: scikit-learn's number."""


def train(e: Any, rows: Rows, w: Array | None, incremental: bool, hooks: Hooks) -> None:
    """Goes through the rows epoch by epoch; `w` are the weights that a score of them has."""
    valid = None
    if e.early_stopping:
        rows, valid = _parted(e, rows, w)
    least = 2 if e.batch_norm else 1  # one row has no variance
    if rows.length < least:
        raise FitError("batch_norm=True needs two rows or more: one has no variance")
    rng = e._random_state if e.shuffle else None
    batches = Batches(rows, _batch_size(e.batch_size, rows.length), rng, least)
    Epochs(e, batches, rows.length, valid, hooks).go(int(e.max_iter), incremental)


def _parted(e: Any, rows: Rows, w: Array | None) -> tuple[Rows, Rows]:
    """The rows to train on, and those that early stopping looks at."""
    given = [a for a in (*rows, w) if a is not None]
    parts = train_test_split(
        *given,
        random_state=e._random_state,
        test_size=e.validation_fraction,
        stratify=rows.y if e._stratifies else None,
    )
    train, valid = parts[::2], parts[1::2]
    if valid[0].shape[0] < 2:
        raise FitError(
            f"early stopping has {valid[0].shape[0]} rows to look at, where two or more are "
            "needed; give a larger validation_fraction, or more rows"
        )
    weights = train[2] if rows.w is not None else None
    scored = valid[-1] if w is not None else None
    return Rows(train[0], train[1], weights), Rows(valid[0], valid[1], scored)


def _batch_size(asked: Any, count: int) -> int:
    """How many rows a batch has."""
    if isinstance(asked, str):
        return min(_BATCH, count)
    if asked > count:
        warnings.warn(
            f"batch_size is {asked}, and there are {count} rows: a batch has all of them",
            stacklevel=6,
        )
    return min(int(asked), count)
