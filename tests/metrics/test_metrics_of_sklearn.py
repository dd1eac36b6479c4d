"""Every metric is scikit-learn's of random rows, with ties, absent classes and several outputs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from verigrad.runtime.metrics import classification as c
from verigrad.runtime.metrics.registry import METRICS


@pytest.fixture(autouse=True)
def once(request: pytest.FixtureRequest) -> None:
    """No metric depends on what runs a step."""
    if request.config.getoption("--backend") != "numpy":
        pytest.skip("metrics are the same on every backend")


def drawn(rng: np.random.Generator, classes: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which each class has two rows or more, and scores with many ties."""
    labels = np.concatenate([np.repeat(np.arange(classes), 2), rng.integers(0, classes, rows)])
    scores = rng.integers(-3, 4, (len(labels), classes)) / 2
    scores[np.arange(len(labels)), labels] += rng.integers(0, 2, len(labels))
    return labels, scores


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("rows", [0, 7, 300])
def test_metrics_of_classes(
    sklearn: Any, rng: np.random.Generator, classes: int, rows: int
) -> None:
    from sklearn import metrics as s

    for _ in range(5):
        labels, scores = drawn(rng, classes, rows)
        chosen, p = scores.argmax(axis=1), c.probabilities(scores)
        rated = p[:, 1] if classes == 2 else p
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of classes that nothing was given to
            wanted = {
                "accuracy": s.accuracy_score(labels, chosen),
                "balanced_accuracy": s.balanced_accuracy_score(labels, chosen),
                "precision": s.precision_score(labels, chosen, average="macro"),
                "recall": s.recall_score(labels, chosen, average="macro"),
                "f1": s.f1_score(labels, chosen, average="macro"),
                "auc": s.roc_auc_score(labels, rated, multi_class="ovr"),
                "log_loss": s.log_loss(labels, p),
            }
            by_class = s.precision_recall_fscore_support(labels, chosen, labels=range(classes))
        found = {m.name: m(labels, scores) for m in METRICS.values() if m.task != "regression"}
        assert found == pytest.approx(wanted, rel=1e-12)
        counts = c.confusion(labels, scores)
        assert counts.tolist() == s.confusion_matrix(labels, chosen).tolist()
        np.testing.assert_allclose(c.by_class(counts), by_class, rtol=1e-12)
        for k, area in enumerate(c.auc_by_class(labels, scores)):
            assert area == pytest.approx(s.roc_auc_score(labels == k, p[:, k]), rel=1e-12)


@pytest.mark.parametrize("shape", [(2,), (50,), (50, 1), (50, 3)])
def test_metrics_of_numbers(sklearn: Any, rng: np.random.Generator, shape: tuple[int, ...]) -> None:
    from sklearn import metrics as s

    for round in range(6):
        true = rng.standard_normal(shape) * 10.0**round
        if round == 5:
            true = np.zeros(shape)
        predictions = true + rng.standard_normal(shape)
        found = {m.name: m(true, predictions) for m in METRICS.values() if m.task == "regression"}
        wanted = {
            "rmse": s.root_mean_squared_error(true, predictions),
            "mse": s.mean_squared_error(true, predictions),
            "mae": s.mean_absolute_error(true, predictions),
            "median_error": s.median_absolute_error(true, predictions),
            "mape": s.mean_absolute_percentage_error(true, predictions),
            "r2": s.r2_score(true, predictions),
        }
        assert found == pytest.approx(wanted, rel=1e-11)


def test_a_class_without_rows_is_left_out_as_there(sklearn: Any) -> None:
    from sklearn import metrics as s

    labels, scores = np.array([0, 0, 2, 2]), np.eye(4)[[0, 2, 2, 0]]
    chosen = scores.argmax(axis=1)
    assert c.f1(labels, scores) == s.f1_score(labels, chosen, average="macro")
    assert c.balanced_accuracy(labels, scores) == s.balanced_accuracy_score(labels, chosen)
