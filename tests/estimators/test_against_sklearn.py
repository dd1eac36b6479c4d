"""With the same arguments, our estimators go the way of scikit-learn's, step for step."""

from __future__ import annotations

import warnings
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

pytest.importorskip("sklearn")
import sklearn.neural_network as theirs
from scipy import sparse
from sklearn import __version__ as sklearn_version

import verigrad as vg
from verigrad.graph import Array

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.numpy_bits,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

ROWS, COLUMNS = 83, 5
CLOSE = 1e-9
"""By how much a loss may differ, of itself, over the first 20 epochs in f64."""


def features(rows: int = ROWS) -> Array:
    return np.random.default_rng(7).standard_normal((rows, COLUMNS))


def targets(kind: str, rows: int = ROWS) -> Array:
    """Targets that are learned in part, so that no epoch is like another."""
    rng, x = np.random.default_rng(8), features(rows)
    value = x[:, 0] - x[:, 1] * x[:, 2] + rng.standard_normal(rows) / 4
    if kind == "classes":
        return np.digitize(value, [-1, 0.5]) * 3 - 2
    if kind == "two":
        # The early stopping of scikit-learn 1.8 fails where classes are texts.
        names = ["yes", "no"] if sklearn_version >= "1.9" else [7, 3]
        return np.array(names)[(value > 0).astype(int)]
    if kind == "several":
        return np.stack([value > 0, x[:, 3] > 0, value > x[:, 4]], axis=1).astype(int)
    if kind == "outputs":
        return np.stack([value, 3 * x[:, 4]], axis=1)
    return np.floor(np.exp(value)) if kind == "counts" else value


KINDS = {
    "classes": "MLPClassifier",
    "two": "MLPClassifier",
    "several": "MLPClassifier",
    "numbers": "MLPRegressor",
    "outputs": "MLPRegressor",
    "counts": "MLPRegressor",
}
EQUAL = ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_")


def pair(kind: str, **asked: Any) -> tuple[Any, Any]:
    asked = {"hidden_layer_sizes": (9, 4), "max_iter": 20, "random_state": 3, **asked}
    if kind == "counts":
        asked["loss"] = "poisson"
    return tuple(getattr(m, KINDS[kind])(**asked) for m in (theirs, vg))


def check_same(a: Any, b: Any, x: Any, close: float = CLOSE) -> None:
    """All that scikit-learn's estimator learned, ours has too."""
    for name in EQUAL:
        assert getattr(a, name) == getattr(b, name), name
    learned = [k for k in vars(a) if k.endswith("_") and not k.startswith("_")]
    assert [k for k in learned if not hasattr(b, k)] == []
    curves = ("loss_curve_", "validation_scores_", "best_loss_", "best_validation_score_", "loss_")
    for name in curves:
        if getattr(a, name, None) is not None:
            np.testing.assert_allclose(
                getattr(b, name), getattr(a, name), rtol=close, atol=close / 100, err_msg=name
            )
        else:
            assert getattr(b, name, None) is None, name
    for ours, other in zip(b.coefs_ + b.intercepts_, a.coefs_ + a.intercepts_, strict=True):
        assert ours.dtype == other.dtype and ours.shape == other.shape
        np.testing.assert_allclose(ours, other, rtol=100 * close, atol=10 * close)
    ours, other = b.predict(x), a.predict(x)
    assert ours.shape == other.shape
    if other.dtype.kind == "f" and not hasattr(a, "classes_"):
        np.testing.assert_allclose(ours, other, rtol=10 * close, atol=close)
    else:
        np.testing.assert_array_equal(ours, other)
    if hasattr(a, "predict_proba"):
        for name in ("predict_proba", "predict_log_proba"):
            np.testing.assert_allclose(
                getattr(b, name)(x), getattr(a, name)(x), rtol=100 * close, atol=close
            )


def fitted(kind: str, w: Array | None = None, x: Any = None, **asked: Any) -> tuple[Any, Any, Any]:
    x, y = features() if x is None else x, targets(kind)
    a, b = pair(kind, **asked)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return a.fit(x, y, sample_weight=w), b.fit(x, y, sample_weight=w), x


WEIGHTS = np.random.default_rng(9).random(ROWS) * 3

CASES: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "adam": {"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3, "learning_rate_init": 0.02},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.05},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "momentum": 0.7},
    "all momentum": {"solver": "sgd", "momentum": 1.0},
    "no momentum": {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.3},
    "adaptive": {
        "solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.2, "tol": 0.05,
        "n_iter_no_change": 1,
    },
    "lbfgs": {"solver": "lbfgs", "max_iter": 12},
    "lbfgs, few calls": {"solver": "lbfgs", "max_fun": 4},
    "a short batch": {"batch_size": 20},
    "a batch of one left": {"batch_size": ROWS - 1},
    "batches of one": {"batch_size": 1, "max_iter": 3, "solver": "sgd"},
    "more than all": {"batch_size": 1000},
    "in order": {"shuffle": False, "batch_size": 17},
    "no penalty": {"alpha": 0.0},
    "a large penalty": {"alpha": 5.0, "batch_size": 32},
    "it converges": {"tol": 1.0, "n_iter_no_change": 2},
    "it never does": {"tol": 10.0, "n_iter_no_change": np.inf},
    "early": {"early_stopping": True, "validation_fraction": 0.25, "n_iter_no_change": 3},
    "early, adaptive": {
        "early_stopping": True, "solver": "sgd", "learning_rate": "adaptive", "tol": 0.1,
        "n_iter_no_change": 1,
    },
    "no hidden layer": {"hidden_layer_sizes": ()},
    "one number": {"hidden_layer_sizes": 6, "activation": "identity"},
    "deep": {"hidden_layer_sizes": np.array([5, 4, 3]), "activation": "tanh"},
    "logistic": {"activation": "logistic"},
}  # fmt: skip


HALF = [(case, kind) for i, case in enumerate(CASES) for j, kind in enumerate(KINDS) if (i + j) % 2]


@pytest.mark.parametrize(("case", "kind"), HALF)
def test_every_way_to_fit(case: str, kind: str) -> None:
    weighed = HALF.index((case, kind)) % 2 == 1
    check_same(*fitted(kind, WEIGHTS if weighed else None, **CASES[case]))


asked = st.fixed_dictionaries(
    {
        "hidden_layer_sizes": st.lists(st.integers(1, 12), max_size=3).map(tuple),
        "activation": st.sampled_from(["identity", "logistic", "tanh", "relu"]),
        "solver": st.sampled_from(["sgd", "adam"]),
        "alpha": st.sampled_from([0.0, 1e-4, 0.3]),
        "batch_size": st.one_of(st.just("auto"), st.integers(1, 120)),
        "learning_rate": st.sampled_from(["constant", "invscaling", "adaptive"]),
        "learning_rate_init": st.sampled_from([1e-4, 1e-3, 1e-2]),
        "power_t": st.sampled_from([0.25, 0.5]),
        "max_iter": st.integers(1, 6),
        "shuffle": st.booleans(),
        "random_state": st.integers(0, 2**32 - 1),
        "momentum": st.sampled_from([0.0, 0.5, 0.9]),
        "nesterovs_momentum": st.booleans(),
        "early_stopping": st.booleans(),
        "n_iter_no_change": st.integers(1, 3),
        "tol": st.sampled_from([0.0, 1e-3, 0.5]),
    }
)


@given(kind=st.sampled_from([*KINDS]), weighed=st.booleans(), arguments=asked)
@settings(max_examples=25)
def test_any_arguments(kind: str, weighed: bool, arguments: dict[str, Any]) -> None:
    check_same(*fitted(kind, WEIGHTS if weighed else None, **arguments))


@pytest.mark.parametrize("kind", KINDS)
def test_in_f32_as_theirs_up_to_rounding(kind: str) -> None:
    a, b, x = fitted(kind, x=features().astype(np.float32), max_iter=5)
    assert b.program_.declared["x"].type.dtype == "f32"
    check_same(a, b, x, close=2e-4)


@pytest.mark.parametrize("form", ["csr_matrix", "csc_matrix", "csr_array"])
@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_sparse_rows(kind: str, form: str) -> None:
    x = getattr(sparse, form)(features() * (features() > 0.5))
    check_same(*fitted(kind, x=x, batch_size=30, early_stopping=True))
    check_same(*fitted(kind, x=x, solver="lbfgs", max_iter=5))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("more", [{}, {"alpha": 0.5}, {"learning_rate_init": 0.05}], ids=str)
def test_a_warm_start_goes_on(kind: str, more: dict[str, Any]) -> None:
    for solver in ("adam", "sgd"):
        a, b, x = fitted(kind, warm_start=True, solver=solver, max_iter=4, batch_size=25)
        before = b.program_
        for e in (a, b):
            e.set_params(**more).fit(x, targets(kind))
        assert (b.program_ is before) == (not more)
        check_same(a, b, x)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_partial_fits_go_on_with_the_moments(kind: str, solver: str) -> None:
    x, y = features(), targets(kind)
    pairs = pair(kind, solver=solver, learning_rate="adaptive", batch_size=20)
    for e in pairs:
        several = kind == "several"
        known = {"classes": range(3) if several else np.unique(y)}
        known = known if hasattr(e, "predict_proba") else {}
        e.partial_fit(x[:40], y[:40], **known)
        for start in (40, 10, 0):
            e.partial_fit(x[start:], y[start:], sample_weight=WEIGHTS[start:])
        e.set_params(alpha=0.7).partial_fit(x, y)
    check_same(*pairs, x)


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_a_partial_fit_behind_a_fit(kind: str) -> None:
    a, b, x = fitted(kind, early_stopping=False, max_iter=3)
    for e in (a, b):
        e.partial_fit(x[:10], targets(kind)[:10])
    check_same(a, b, x)


def test_one_class_alone() -> None:
    x = features()
    a, b = (m.MLPClassifier(max_iter=3, random_state=0).fit(x, ["a"] * ROWS) for m in (theirs, vg))
    check_same(a, b, x)


def test_a_random_state_is_drawn_from_as_theirs_is() -> None:
    a, b = (np.random.RandomState(5) for _ in range(2))
    for module, rng in ((theirs, a), (vg, b)):
        module.MLPRegressor(max_iter=2, random_state=rng).fit(features(), targets("numbers"))
    assert a.randint(2**30) == b.randint(2**30)


def test_what_it_prints_is_what_theirs_prints(capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for module in (theirs, vg):
        module.MLPClassifier(
            max_iter=9, random_state=0, verbose=True, early_stopping=True, n_iter_no_change=2,
            solver="sgd", learning_rate="adaptive", tol=0.5,
        ).fit(features(), targets("classes"))  # fmt: skip
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] and "Setting learning rate" in printed[0]


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_parameters_and_tags_are_theirs(name: str) -> None:
    ours, other = getattr(vg, name)(), getattr(theirs, name)()
    assert other.get_params().items() <= ours.get_params().items()
    assert ours.__sklearn_tags__() == other.__sklearn_tags__()
