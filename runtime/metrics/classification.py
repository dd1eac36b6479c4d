"""How good scores of classes are: counts of right and wrong rows, and what is made of them.

Labels are whole numbers [N] from 0. Scores are [N,C], whose softmax are the classes'
probabilities: logits, or logarithms of probabilities; or [N] or [N,1] for two classes, the
log-odds of class 1. The chosen class is that of the largest score, the first where several are.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from ...graph import Array, RunError

_LOG_ODDS: Final = "scores [N,C], or log-odds of class 1 [N]"


class ByClass(NamedTuple):
    """Precision, recall and F1 of each class f64[C], and how many rows are of it, i64[C].

    A ratio of 0 to 0 is 0. Source: van Rijsbergen 1979; `precision_recall_fscore_support` of
    scikit-learn with zero_division=0.
    """

    precision: Array
    recall: Array
    f1: Array
    rows: Array


def accuracy(true: Array, scores: Array) -> float:
    """The share of rows whose largest score is the label's."""
    true, scores = _checked(true, scores)
    return float(np.mean(scores.argmax(axis=1) == true))


def balanced_accuracy(true: Array, scores: Array) -> float:
    """The mean, over the classes of which there are rows, of the share of them that is right.

    Source: Brodersen et al. 2010; `balanced_accuracy_score` of scikit-learn.
    """
    found = by_class(confusion(true, scores))
    return float(found.recall[found.rows > 0].mean())


def precision(true: Array, scores: Array) -> float:
    """The mean over classes of the share of the rows given to it that are of it (macro)."""
    return _macro(true, scores, "precision")


def recall(true: Array, scores: Array) -> float:
    """The mean over classes of the share of its rows that were given to it (macro)."""
    return _macro(true, scores, "recall")


def f1(true: Array, scores: Array) -> float:
    """The mean over classes of 2 P R / (P + R), for precision P and recall R (macro)."""
    return _macro(true, scores, "f1")


def log_loss(true: Array, scores: Array) -> float:
    """The mean over rows of -ln softmax(scores)[label]."""
    true, scores = _checked(true, scores)
    shifted = scores - scores.max(axis=1, keepdims=True)
    normalizers = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(normalizers - shifted[np.arange(len(true)), true]))


def auc(true: Array, scores: Array) -> float:
    """The area under the ROC curve: of two classes that of class 1, else the mean over classes.

    A class of which no row is, or every row, has none, and is left out; NaN where none is left.
    """
    areas = auc_by_class(true, scores)
    if len(areas) == 2:
        return float(areas[1])
    known = areas[~np.isnan(areas)]
    return float(known.mean()) if known.size else float("nan")


def auc_by_class(true: Array, scores: Array) -> Array:
    """The area under each class's ROC curve against all others, f64[C]; NaN where it has none.

    It is the chance that a row of the class has a larger probability of it than one of another
    class, ties counted half. Of two classes rows are ordered by log-odds, which do not round to 1
    as probabilities do. Source: Hanley and McNeil 1982; `roc_auc_score` of scikit-learn with
    multi_class="ovr".
    """
    true, scores = _checked(true, scores)
    odds = scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else None
    rated = probabilities(scores) if odds is None else np.stack([-odds, odds], axis=1)
    return np.array([_area(true == c, column) for c, column in enumerate(rated.T)])


def confusion(true: Array, scores: Array) -> Array:
    """How many rows of each class (rows) were given to each class (columns), i64[C,C]."""
    true, scores = _checked(true, scores)
    classes = scores.shape[1]
    pairs = true * classes + scores.argmax(axis=1)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def by_class(counts: Array) -> ByClass:
    """Precision, recall and F1 of each class, of what `confusion` counts."""
    right = np.diag(counts).astype(np.float64)
    given, rows = counts.sum(axis=0), counts.sum(axis=1)
    return ByClass(_share(right, given), _share(right, rows), _share(2 * right, given + rows), rows)


def probabilities(scores: Array) -> Array:
    """The softmax of the scores, f64[N,C]."""
    scores = _columns(np.asarray(scores))
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def _macro(true: Array, scores: Array, which: str) -> float:
    """The mean over the classes that are there, as labels or as predictions."""
    counts = confusion(true, scores)
    there = counts.sum(axis=0) + counts.sum(axis=1) > 0
    values: Array = getattr(by_class(counts), which)
    return float(values[there].mean())


def _share(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def _area(positive: Array, values: Array) -> float:
    """The area under the ROC curve, by the sum of the ranks of what is positive."""
    ones = int(positive.sum())
    zeros = len(positive) - ones
    if not ones or not zeros:
        return float("nan")
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(count) - (count - 1) / 2  # ties share the mean of their ranks
    return float((ranks[place][positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def _checked(true: Array, scores: Array) -> tuple[Array, Array]:
    """Labels i64[N] and scores f64[N,C] that belong together; RunError for others."""
    true, scores = np.asarray(true), _columns(np.asarray(scores))
    if true.shape != scores.shape[:1] or true.dtype.kind not in "iub":
        raise RunError(
            f"the labels are {true.dtype}{list(true.shape)}, where whole numbers "
            f"[{len(scores)}] are expected, one for each row of the scores"
        )
    if not len(true):
        raise RunError("there are no rows to measure")
    wrong = np.flatnonzero((true < 0) | (true >= scores.shape[1]))
    if wrong.size:
        raise RunError(
            f"the label {true[wrong[0]]} in row {wrong[0]} is of no class, where 0 to "
            f"{scores.shape[1] - 1} are expected"
        )
    return true.astype(np.int64), scores


def _columns(scores: Array) -> Array:
    """The scores as f64, a column a class."""
    if scores.dtype.kind not in "fiub" or scores.ndim not in (1, 2) or 0 in scores.shape[1:]:
        raise RunError(
            f"the scores are {scores.dtype}{list(scores.shape)}, where {_LOG_ODDS} are expected"
        )
    scores = scores.astype(np.float64)
    if scores.ndim == 1 or scores.shape[1] == 1:
        ones = scores.reshape(-1)
        return np.stack([np.zeros_like(ones), ones], axis=1)
    return scores
