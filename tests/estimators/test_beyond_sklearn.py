"""What scikit-learn's estimators lack: losses, weights, norms, callbacks, programs."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

import verigrad as vg
from verigrad.graph import Array

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.numpy_bits,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


def rows(n: int = 61) -> tuple[Array, Array]:
    rng = np.random.default_rng(4)
    x = rng.standard_normal((n, 4))
    return x, np.digitize(x[:, 0] + x[:, 1] ** 2, [0.2, 1.5])


def classifier(**more: Any) -> vg.MLPClassifier:
    return vg.MLPClassifier(
        **{"hidden_layer_sizes": (7, 5), "random_state": 2, "max_iter": 4, **more}
    )


def regressor(**more: Any) -> vg.MLPRegressor:
    return vg.MLPRegressor(**{"hidden_layer_sizes": (7,), "random_state": 2, "max_iter": 4, **more})


def same(a: Any, b: Any) -> None:
    """Two fits that went the same way, bit for bit."""
    assert a.loss_curve_ == b.loss_curve_
    for name, value in a.program_.parameters.items():
        np.testing.assert_array_equal(value, b.program_.parameters[name], strict=True)


# ---- weights of classes ------------------------------------------------------------------------


@pytest.mark.parametrize("weight", ["balanced", {0: 2.0, 1: 0.5}])
def test_class_weights_are_weights_of_their_rows(weight: Any) -> None:
    x, y = rows()
    counted = {k: len(y) / (3 * n) for k, n in enumerate(np.bincount(y))}
    by_class = counted if weight == "balanced" else weight
    w = np.array([by_class.get(k, 1.0) for k in y])
    same(classifier(class_weight=weight).fit(x, y), classifier().fit(x, y, sample_weight=w))
    both = classifier(class_weight=weight).fit(x, y, sample_weight=np.arange(61.0))
    same(both, classifier().fit(x, y, sample_weight=w * np.arange(61.0)))


def test_scores_of_early_stopping_do_not_weigh_classes() -> None:
    x, y = rows()
    e = classifier(class_weight="balanced", early_stopping=True).fit(x, y)
    _, x_val, _, y_val = train_test_split(
        x, y, random_state=after_first_weights(e), test_size=e.validation_fraction
    )
    assert e.score(x_val, y_val) == max(e.validation_scores_)


def after_first_weights(e: Any) -> np.random.RandomState:
    """The generator of a fit once the first weights are drawn."""
    rng = np.random.RandomState(e.random_state)
    for w, b in zip(e.coefs_, e.intercepts_, strict=True):
        rng.uniform(size=w.shape)
        rng.uniform(size=b.shape)
    return rng


def test_balanced_is_refused_where_all_rows_are_not_seen() -> None:
    x, y = rows()
    with pytest.raises(ValueError, match="partial_fit does not"):
        classifier(class_weight="balanced").partial_fit(x, y, classes=[0, 1, 2])
    classifier(class_weight={0: 3.0}).partial_fit(x, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="class_weight"):
        classifier(class_weight="uniform").fit(x, y)


# ---- penalties, dropout, norms, optimizers -----------------------------------------------------


def test_the_penalty_is_the_mix_that_was_asked_for() -> None:
    x, y = rows()
    first = {r: classifier(alpha=0.8, l1_ratio=r, max_iter=1).fit(x, y) for r in (0.0, 0.25, 1.0)}
    plain = classifier(alpha=0.0, max_iter=1).fit(x, y)
    start = classifier(learning_rate_init=1e-300, max_iter=1).fit(x, y).coefs_
    absolute, squares = (sum(f(w).sum() for w in start) for f in (np.abs, np.square))
    for ratio, e in first.items():
        penalty = 0.8 * (ratio * absolute + (1 - ratio) * squares / 2) / len(x)
        assert e.loss_ - plain.loss_ == pytest.approx(penalty, rel=1e-12)


def test_an_l1_penalty_makes_weights_small_that_nothing_needs() -> None:
    x, y = rows(400)
    x[:, 3] = np.random.default_rng(1).standard_normal(400)
    how = {"alpha": 10.0, "max_iter": 150, "learning_rate_init": 0.01, "tol": 0.0}
    norms = [np.abs(classifier(l1_ratio=r, **how).fit(x, y).coefs_[0]).sum() for r in (0.0, 1.0)]
    assert norms[1] < norms[0] / 2


def test_dropout_is_a_function_of_the_seed_and_leaves_predictions_alone() -> None:
    x, y = rows()
    a, b = (classifier(dropout=0.5).fit(x, y) for _ in range(2))
    same(a, b)
    np.testing.assert_array_equal(a.predict_proba(x), a.predict_proba(x))
    assert a.loss_curve_ != classifier().fit(x, y).loss_curve_
    assert "dropout_mask" in str(a.program_.training)
    assert "dropout" not in str(a.program_.inference)
    same(classifier(dropout=0.0).fit(x, y), classifier().fit(x, y))
    no_activation = regressor(activation="identity", dropout=0.5).fit(x, y)
    assert "dropout_mask" in str(no_activation.program_.training)


def test_norms_keep_running_values_and_no_batch_has_one_row() -> None:
    x, y = rows(61)
    e = classifier(batch_norm=True, batch_size=20).fit(x, y)
    assert e.program_.step_number == 3 * 4, "the last row belongs to the batch before it"
    assert np.any(e.program_.state["fc1.norm.running_mean"])
    assert [b.shape for b in e.intercepts_] == [(7,), (5,), (3,)]
    np.testing.assert_allclose(e.predict_proba(x[:1]), e.predict_proba(x)[:1], rtol=1e-12)
    with pytest.raises(ValueError, match="two rows"):
        regressor(batch_norm=True).fit(x[:1], [1.0])
    early = regressor(batch_norm=True, early_stopping=True).fit(x, y * 1.0)
    assert early.score(x, y) < 1


@pytest.mark.parametrize("name", ["dropout", "batch_norm"])
def test_lbfgs_minimizes_one_function(name: str) -> None:
    with pytest.raises(ValueError, match=f"which {name} makes another"):
        classifier(solver="lbfgs", **{name: 0.5 if name == "dropout" else True}).fit(*rows())


def test_any_optimizer_takes_the_place_of_the_solver() -> None:
    x, y = rows()
    same(
        classifier(optimizer=vg.Adam(1e-3, dialect="sklearn"), solver="sgd").fit(x, y),
        classifier().fit(x, y),
    )
    rate = vg.schedules.cosine(0.1, steps=40)
    e = classifier(optimizer=vg.AdamW(rate, weight_decay=0.1), solver="lbfgs", max_iter=40)
    assert e.fit(x, y).score(x, y) > 0.8 and e.partial_fit(x, y).n_iter_ == 1
    with pytest.raises(ValueError, match="optimizer"):
        classifier(optimizer="adamw").fit(x, y)


@pytest.mark.parametrize("name", ["leaky_relu", "elu", "selu", "gelu", "silu", "softplus"])
def test_more_activations(name: str) -> None:
    x, y = rows()
    e = regressor(activation=name, max_iter=60, learning_rate_init=0.02).fit(x, y)
    assert e.loss_curve_[-1] < e.loss_curve_[0] / 2
    assert f"= {name}" in str(e.program_.declared)


# ---- losses ------------------------------------------------------------------------------------


def test_huber_is_half_a_square_near_by() -> None:
    x = rows()[0]
    y = x[:, 0] / 50
    a, b = (
        regressor(loss=k, learning_rate_init=1e-4).fit(x / 9, y) for k in ("huber", "squared_error")
    )
    np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-13)


@pytest.mark.parametrize("name", ["huber", "absolute_error", "mae"])
def test_robust_losses_pass_over_outliers(name: str) -> None:
    x, _ = rows(200)
    y = np.stack([x[:, 0], -x[:, 0]], axis=1)
    y[::10] = 1000.0
    how = {"max_iter": 300, "learning_rate_init": 0.01, "tol": 0.0}
    e = regressor(loss=name, **how).fit(x, y)
    squared = regressor(**how).fit(x, y)
    inner = np.arange(200) % 10 > 0
    errors = [np.abs(m.predict(x) - y)[inner].mean() for m in (e, squared)]
    assert errors[0] < 0.3 < errors[1]


def test_counts_are_not_negative() -> None:
    with pytest.raises(ValueError, match="from 0"):
        regressor(loss="poisson").fit(rows()[0], -np.ones(61))


# ---- what is measured, and who hears of it -----------------------------------------------------


@pytest.mark.parametrize("weighed", [False, True])
def test_the_loss_of_the_rows_set_aside(weighed: bool) -> None:
    x, y = rows()
    w = np.random.default_rng(0).random(61) if weighed else None
    e = classifier(early_stopping=True, max_iter=1, alpha=3.0).fit(x, y, sample_weight=w)
    given = [x, y] if w is None else [x, y, w]
    _, x_val, _, y_val, *more = train_test_split(
        *given, random_state=after_first_weights(e), test_size=e.validation_fraction
    )
    expected = log_loss(y_val, e.predict_proba(x_val), sample_weight=more[1] if more else None)
    assert e.validation_loss_curve_ == [pytest.approx(expected, rel=1e-12)]
    assert classifier().fit(x, y).validation_loss_curve_ is None


@pytest.mark.skipif(not hasattr(vg.MLPClassifier, "set_callbacks"), reason="scikit-learn 1.8")
@pytest.mark.parametrize(
    "how",
    [
        {"dropout": 0.3, "batch_norm": True, "batch_size": 13},
        {"early_stopping": True, "n_iter_no_change": 2},
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 1.0, "n_iter_no_change": 1},
        {"solver": "lbfgs"},
    ],
    ids=str,
)
def test_an_estimator_rebuilt_at_an_epoch_is_one_trained_so_far(how: dict[str, Any]) -> None:
    x, y = rows()
    seen: list[Any] = []
    asked: list[Any] = []

    class Keep:
        def setup(self, estimator: Any, context: Any) -> None:
            asked.append("setup")

        def teardown(self, estimator: Any, context: Any) -> None:
            asked.append("teardown")

        def on_fit_task_begin(self, estimator: Any, context: Any, *, X: Any) -> None:
            assert X.shape == x.shape

        def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any) -> bool:
            if context.parent is not None and fitted_estimator is not None:
                seen.append(fitted_estimator)
            return len(seen) == 5

    e = classifier(max_iter=9, **how).set_callbacks(Keep()).fit(x, y)
    assert asked == ["setup", "teardown"] and len(seen) >= 3
    assert len(seen) == 5 or e.n_iter_ == len(seen)
    for k, rebuilt in enumerate(seen, 1):
        trained = classifier(max_iter=k, **how).fit(x, y)
        np.testing.assert_array_equal(rebuilt.predict_proba(x), trained.predict_proba(x))
        for a, b in zip(rebuilt.coefs_, trained.coefs_, strict=True):
            np.testing.assert_array_equal(a, b)
        if how.get("solver") != "lbfgs":
            assert rebuilt.n_iter_ == trained.n_iter_ == k
            assert rebuilt.loss_curve_ == trained.loss_curve_
        if "dropout" in how:  # and goes on as it does
            rebuilt.set_callbacks().partial_fit(x, y)
            assert rebuilt.loss_curve_ == trained.partial_fit(x, y).loss_curve_
    assert e.program_ is not seen[-1].program_


@pytest.mark.skipif(not hasattr(vg.MLPClassifier, "set_callbacks"), reason="scikit-learn 1.8")
def test_scikit_learns_own_monitor_scores_each_epoch() -> None:
    from sklearn.callback import ScoringMonitor

    x, y = rows()
    monitor = ScoringMonitor(scoring="accuracy")
    e = classifier(max_iter=3).set_callbacks(monitor).fit(x, y)
    logs = monitor.get_logs()
    scores = [row["accuracy"] for row in (logs[-1] if isinstance(logs, list) else logs).data]
    assert e.score(x, y) in scores and len(scores) >= 3


def test_callbacks_of_our_own_hear_of_steps_and_epochs() -> None:
    x, y = rows()
    told: list[Any] = []

    class Told(vg.Callback):
        def on_step(self, step: int, loss: float) -> None:
            told.append(step)

        def on_epoch(self, row: Any) -> bool:
            told.append(row)
            return row.epoch == 3

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        e = classifier(callbacks=[Told()], early_stopping=True, max_iter=10, batch_size=30).fit(
            x, y
        )
    assert [str(c.message) for c in caught] == [], "a callback that ends it is no failure"
    assert e.n_iter_ == 3 and told[:2] == [1, 2] and told[2].train_loss == e.loss_curve_[0]
    assert told[-1].validation_accuracy == e.validation_scores_[-1]
    assert told[-1].validation_loss == e.validation_loss_curve_[-1]


# ---- the program -------------------------------------------------------------------------------


def test_the_program_is_there_with_all_that_programs_have(tmp_path: Path) -> None:
    x, y = rows()
    e = classifier().fit(x, y)
    assert "softmax_nll_grad" in str(e.program_.training)
    assert e.program_.plan(N=61).nbytes > 0
    e.program_.report(tmp_path / "report.txt")
    e.program_.save(tmp_path / "e.safetensors")
    scores = vg.load(tmp_path / "e.safetensors").predict(x=x)["scores"]
    np.testing.assert_array_equal(scores.argmax(axis=1), e.predict(x))


def test_the_certificate_of_a_fit_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vg.compile.__kwdefaults__, "certify", True)
    x, y = rows()
    for e in (
        classifier(early_stopping=True, alpha=0.1, l1_ratio=0.5),
        regressor(loss="huber"),
        regressor(loss="poisson"),
    ):
        e.fit(x, np.abs(y), sample_weight=np.ones(61))
        assert "exact        proved" in str(e.program_.certificate)
        assert "derivatives  proved" in str(e.program_.certificate)


def test_the_gradient_of_an_estimators_net_is_that_of_its_loss() -> None:
    x, y = rows()
    for e in (
        classifier(activation="tanh", alpha=0.3),
        regressor(loss="poisson", activation="tanh"),
    ):
        e.fit(x, y)
        targets = y if e.out_activation_ == "softmax" else y[:, None] * 1.0
        assert vg.gradcheck(e.program_.declared, {"x": x, "y": targets})


def test_backends_agree() -> None:
    pytest.importorskip("numba")
    x, y = rows()
    a, b = (classifier(backend=k, early_stopping=True).fit(x, y) for k in ("numpy", "numba"))
    assert b.program_.options.backend == "numba"
    np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-12)
    np.testing.assert_allclose(a.predict_proba(x), b.predict_proba(x), rtol=1e-10)


def test_f32_where_it_is_asked_for() -> None:
    x, y = rows()
    e = classifier(dtype="f32").fit(x, y)
    assert e.coefs_[0].dtype == np.float32 and e.predict_proba(x).dtype == np.float32
    np.testing.assert_allclose(e.loss_curve_, classifier().fit(x, y).loss_curve_, rtol=1e-5)


def test_a_limit_of_memory_holds_for_fits_and_predictions() -> None:
    x, y = rows(600)
    e = classifier(batch_size=10, memory_limit=60_000).fit(x, y)
    np.testing.assert_allclose(
        e.predict_proba(x), classifier(batch_size=10).fit(x, y).predict_proba(x), rtol=1e-12
    )
    with pytest.raises(vg.RunError, match="limit"):
        classifier(memory_limit=1000).fit(x, y)


@pytest.mark.parametrize("n", [1, 2, 3, 1023, 1024, 1025, 2500])
def test_any_number_of_rows_is_predicted_row_by_row(n: int) -> None:
    x, y = rows(2500)
    e = regressor(max_iter=1).fit(x, y)
    np.testing.assert_allclose(e.predict(x[:n]), e.predict(x)[:n], rtol=1e-12)


def test_a_fit_that_diverges_says_so_and_keeps_finite_weights() -> None:
    x, y = rows()
    e = regressor(solver="sgd", learning_rate_init=1e6, max_iter=200)
    with pytest.raises(ValueError, match="scale the inputs") as caught:
        e.fit(x * 1e100, y)
    assert isinstance(caught.value, vg.NonFiniteError)
    assert all(np.isfinite(w).all() for w in e.coefs_)


def test_a_warm_start_may_follow_something_else() -> None:
    x, y = rows()
    e = classifier(warm_start=True).fit(x, y)
    e.set_params(early_stopping=True).fit(x, y)
    assert len(e.loss_curve_) == 8 and len(e.validation_scores_) == 4 and e.best_loss_ is None
    e.set_params(early_stopping=False).fit(x, y)
    assert len(e.loss_curve_) == 12 and e.best_loss_ == min(e.loss_curve_[8:])
    e.set_params(solver="lbfgs").fit(x, y)
    assert e.set_params(solver="sgd").fit(x, y).n_iter_ == 4
    first = classifier(warm_start=True, solver="lbfgs").fit(x, y)
    assert not hasattr(first, "loss_curve_")
    assert len(first.set_params(solver="adam").fit(x, y).loss_curve_) == 4
    again = classifier(solver="adam").fit(x, y).set_params(solver="lbfgs").fit(x, y)
    assert not hasattr(again, "loss_curve_"), "nothing of a fit before is left"


def test_weights_of_a_batch_that_sum_to_0_are_named() -> None:
    x, y = rows()
    w = np.r_[np.zeros(20), np.ones(41)]
    with pytest.raises(ValueError, match="the 10 rows of a batch sum to 0"):
        classifier(batch_size=10, shuffle=False).fit(x, y, sample_weight=w)


@pytest.mark.parametrize("sizes", [(0,), (3.0,), [[3, 2]], (5, -1), (True,), ("4",)], ids=str)
def test_sizes_that_are_none(sizes: Any) -> None:
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        classifier(hidden_layer_sizes=sizes).fit(*rows())


def test_a_callback_of_another_kind_is_told_where_to_go() -> None:
    with pytest.raises(ValueError, match="set_callbacks"):
        classifier(callbacks=[object()]).fit(*rows())


def test_errors_name_no_line_of_other_libraries() -> None:
    x, y = rows()
    with pytest.raises(ValueError, match="not finite") as caught:
        regressor().fit(x * 1e200, y)
    assert "base.py" not in str(caught.value)


def test_a_warm_start_goes_on_with_the_same_layers_alone() -> None:
    x, y = rows()
    e = classifier(warm_start=True).fit(x, y)
    with pytest.raises(ValueError, match="goes on with the same"):
        e.set_params(hidden_layer_sizes=(8, 5)).fit(x, y)
