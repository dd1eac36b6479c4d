"""Metrics on small cases that are counted by hand, at their edges, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

import verigrad as vg
from verigrad.runtime.metrics import classification as c
from verigrad.runtime.metrics import regression as r
from verigrad.runtime.metrics.registry import METRICS, metric

TRUE = np.array([0, 0, 1, 1, 2])
SCORES = np.log([[6, 3, 1], [2, 7, 1], [1, 8, 1], [3, 6, 1], [5, 3, 2]])


def test_counts_and_what_is_made_of_them() -> None:
    counts = c.confusion(TRUE, SCORES)
    assert counts.tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 0]]
    found = c.by_class(counts)
    assert found.precision.tolist() == [0.5, 2 / 3, 0] and found.recall.tolist() == [0.5, 1, 0]
    np.testing.assert_allclose(found.f1, [0.5, 0.8, 0], rtol=1e-15)
    assert found.rows.tolist() == [2, 2, 1]
    assert c.accuracy(TRUE, SCORES) == 0.6
    assert c.balanced_accuracy(TRUE, SCORES) == 0.5
    assert c.f1(TRUE, SCORES) == pytest.approx(1.3 / 3)
    assert c.log_loss(TRUE, SCORES) == pytest.approx(-np.log([0.6, 0.2, 0.8, 0.6, 0.2]).mean())
    np.testing.assert_allclose(c.probabilities(SCORES)[0], [0.6, 0.3, 0.1])


def test_a_class_that_is_in_no_row_is_in_no_mean() -> None:
    labels, scores = np.array([0, 0, 1]), np.array([[3.0, 0, 0], [2, 1, 0], [0, 1, 0]])
    assert c.f1(labels, scores) == c.precision(labels, scores) == 1
    assert c.recall(labels, scores) == c.balanced_accuracy(labels, scores) == 1
    assert c.auc(labels, scores) == 1 and math.isnan(c.auc_by_class(labels, scores)[2])


def test_ties_of_a_roc_curve_count_half() -> None:
    labels = np.array([0, 1, 0, 1])
    assert c.auc(labels, np.zeros(4)) == 0.5
    assert c.auc(labels, np.array([0.0, 0, 1, 1])) == 0.5
    assert c.auc(labels, np.array([0.0, 1, 1, 2])) == 0.875
    # Probabilities would both round to 1, and tie.
    assert c.auc(np.array([0, 1]), np.array([[0.0, 800], [0, 900]])) == 1
    assert math.isnan(c.auc(np.array([1, 1]), np.array([0.5, 1])))


def test_log_odds_alone_are_scores_of_two_classes(rng: np.random.Generator) -> None:
    labels, odds = rng.integers(0, 2, 50), rng.standard_normal(50).astype(np.float32)
    both = np.stack([odds * 0, odds], axis=1)
    for m in METRICS.values():
        if m.task == "classification":
            assert m(labels, odds) == m(labels, odds[:, None]) == m(labels, both)


def test_distances_of_numbers() -> None:
    true, predictions = np.array([1, 2, 4]), np.array([1.0, 3, 1])
    assert r.mean_squared_error(true, predictions) == pytest.approx(10 / 3)
    assert r.root_mean_squared_error(true, predictions) == pytest.approx(math.sqrt(10 / 3))
    assert r.mean_absolute_error(true, predictions) == pytest.approx(4 / 3)
    assert r.median_absolute_error(true, predictions) == 1
    assert r.mean_absolute_percentage_error(true, predictions) == pytest.approx(1.25 / 3)
    assert r.r2(true, predictions) == pytest.approx(1 - 10 / (14 / 3))
    assert r.r2(true, true) == 1 and r.r2(true, np.full(3, true.mean())) == 0


def test_numbers_that_are_all_the_same_and_one_row() -> None:
    same = np.full(3, 7.0)
    assert r.r2(same, same) == 1 and r.r2(same, same + 1) == 0
    assert math.isnan(r.r2(np.ones(1), np.ones(1)))
    assert r.mean_absolute_error(np.ones(1), np.zeros((1, 1))) == 1


def test_metrics_are_found_by_name() -> None:
    for name, found in METRICS.items():
        assert metric(name) is metric(name, found.task) is found
    with pytest.raises(vg.RunError, match="there is no metric 'acuracy'; did you mean 'accuracy'"):
        metric("acuracy")
    with pytest.raises(vg.RunError, match="r2 is a metric of regression, and this is classifica"):
        metric("r2", "classification")
    with pytest.raises(vg.RunError, match="there is no metric 3; there are accuracy"):
        metric(3)  # type: ignore[arg-type]


BAD = [
    (np.zeros(0, int), np.zeros((0, 2)), "there are no rows to measure"),
    (np.array([0, 2]), np.zeros((2, 2)), "the label 2 in row 1 is of no class, where 0 to 1 are"),
    (np.array([-1, 0]), np.zeros((2, 2)), "the label -1 in row 0"),
    (np.array([0.0, 1]), np.zeros((2, 2)), r"labels are float64\[2\], where whole numbers \[2\]"),
    (np.array([0]), np.zeros((2, 2)), r"labels are int64\[1\], where whole numbers \[2\]"),
    (np.array([0]), np.zeros((1, 2, 2)), r"scores are float64\[1, 2, 2\], where scores \[N,C\]"),
    (np.array([0]), np.zeros((1, 0)), r"scores are float64\[1, 0\]"),
    (np.array([0]), np.array(["a"]), "scores are <U1"),
]


@pytest.mark.parametrize(("true", "scores", "message"), BAD, ids=[m for *_, m in BAD])
@pytest.mark.parametrize("name", [m.name for m in METRICS.values() if m.task != "regression"])
def test_labels_and_scores_that_do_not_fit_are_named(
    name: str, true: np.ndarray, scores: np.ndarray, message: str
) -> None:
    with pytest.raises(vg.RunError, match=message):
        metric(name)(true, scores)


WRONG = [
    (np.zeros(0), np.zeros(0), "there are no rows to measure"),
    (np.zeros(3), np.zeros(2), r"true numbers are \[3\], but the predictions \[2\]"),
    (
        np.zeros((2, 2)),
        np.zeros((2, 1)),
        r"true numbers are \[2, 2\], but the predictions \[2, 1\]",
    ),
    (np.zeros(2), np.array(["a", "b"]), "predictions are <U1"),
    (np.float64(3), np.zeros(1), r"true numbers are float64\[\]"),
]


@pytest.mark.parametrize(("true", "predictions", "message"), WRONG, ids=[m for *_, m in WRONG])
@pytest.mark.parametrize("name", [m.name for m in METRICS.values() if m.task == "regression"])
def test_numbers_that_do_not_fit_are_named(
    name: str, true: np.ndarray, predictions: np.ndarray, message: str
) -> None:
    with pytest.raises(vg.RunError, match=message):
        metric(name)(true, predictions)
