"""How far predicted numbers are from true ones: both [N], or both [N,K] for K numbers a row."""

from __future__ import annotations

import numpy as np

from ...graph import Array, RunError


def mean_squared_error(true: Array, predictions: Array) -> float:
    """The mean of the squares of the differences."""
    return float(np.mean(_mean_squares(*_checked(true, predictions))))


def root_mean_squared_error(true: Array, predictions: Array) -> float:
    """The root of the mean of the squares of the differences, in the unit of the target; for
    several numbers a row, the mean of the roots, as scikit-learn has it."""
    return float(np.mean(np.sqrt(_mean_squares(*_checked(true, predictions)))))


def mean_absolute_error(true: Array, predictions: Array) -> float:
    """The mean of the absolute differences, in the unit of the target."""
    true, predictions = _checked(true, predictions)
    return float(np.mean(np.abs(predictions - true)))


def median_absolute_error(true: Array, predictions: Array) -> float:
    """The median of the absolute differences; for several numbers a row, the mean of theirs."""
    true, predictions = _checked(true, predictions)
    return float(np.mean(np.median(np.abs(predictions - true), axis=0)))


def mean_absolute_percentage_error(true: Array, predictions: Array) -> float:
    """The mean of |difference / true|, a share and no percentage.

    A true number of 0 counts as 2.2e-16, which makes the mean huge. Source: scikit-learn's
    function of that name.
    """
    true, predictions = _checked(true, predictions)
    size = np.maximum(np.abs(true), np.finfo(np.float64).eps)
    return float(np.mean(np.abs(predictions - true) / size))


def r2(true: Array, predictions: Array) -> float:
    """1 - (sum of squares of the differences) / (that of the differences from the mean).

    1 is perfect, and 0 no better than to predict the mean. Where all true numbers are the same,
    it is 1 if all predictions are right, and else 0; of one row it is NaN. For several numbers a
    row it is the mean of theirs. Source: `r2_score` of scikit-learn.
    """
    true, predictions = _checked(true, predictions)
    if len(true) < 2:
        return float("nan")
    missed = np.square(predictions - true).sum(axis=0)
    varies = np.square(true - true.mean(axis=0)).sum(axis=0)
    known = varies > 0
    shares = np.divide(missed, varies, out=np.ones_like(missed), where=known)
    return float(np.mean(np.where(known, 1 - shares, (missed == 0).astype(np.float64))))


def _mean_squares(true: Array, predictions: Array) -> Array:
    return np.asarray(np.square(predictions - true).mean(axis=0))


def _checked(true: Array, predictions: Array) -> tuple[Array, Array]:
    """Both as f64 [N,K]; RunError where they do not belong together."""
    pair = [np.asarray(values) for values in (true, predictions)]
    for what, values in zip(("true numbers", "predictions"), pair, strict=True):
        if values.dtype.kind not in "fiub" or values.ndim not in (1, 2):
            raise RunError(
                f"the {what} are {values.dtype}{list(values.shape)}, where numbers [N] or [N,K] "
                "are expected"
            )
    columns = [v.astype(np.float64).reshape(len(v), -1 if v.size else 1) for v in pair]
    if columns[0].shape != columns[1].shape:
        raise RunError(
            f"the true numbers are {list(pair[0].shape)}, but the predictions {list(pair[1].shape)}"
        )
    if not len(columns[0]):
        raise RunError("there are no rows to measure")
    return columns[0], columns[1]
