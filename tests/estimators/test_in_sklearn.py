"""Where scikit-learn's users put an estimator: pipelines, searches, frames, pickles, threads."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
import joblib
from sklearn import __version__ as sklearn_version
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import verigrad as vg
from verigrad.graph import Array

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.numpy_bits,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


@pytest.fixture
def data(rng: np.random.Generator) -> tuple[Array, Array]:
    x = rng.standard_normal((60, 3))
    return x, np.where(x[:, 0] + x[:, 1] > 0, "up", "down")


def small(**more: Any) -> vg.MLPClassifier:
    return vg.MLPClassifier((6,), random_state=0, max_iter=3, **more)


def test_in_one_line() -> None:
    from sklearn.datasets import load_iris

    X, y = load_iris(return_X_y=True)
    assert vg.MLPClassifier((100,), random_state=0).fit(X, y).score(X, y) > 0.95


def test_it_is_of_its_kind() -> None:
    assert is_classifier(vg.MLPClassifier()) and is_regressor(vg.MLPRegressor())
    assert repr(vg.MLPClassifier(alpha=1.0)) == "MLPClassifier(alpha=1.0)"


def test_a_clone_has_the_parameters_alone(data: tuple[Array, Array]) -> None:
    e = small(optimizer=vg.AdamW(1e-2, weight_decay=0.1), class_weight={"up": 2.0}).fit(*data)
    other = clone(e)
    assert other.get_params() == e.get_params() and not hasattr(other, "program_")
    assert not hasattr(other, "coefs_")
    np.testing.assert_array_equal(other.fit(*data).coefs_[0], e.coefs_[0])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_a_copy_predicts_and_goes_on_to_the_same_bits(copied: Any, data: Any) -> None:
    x, y = data
    rng = np.random.RandomState(3)
    e = vg.MLPClassifier((6,), random_state=rng, max_iter=3, dropout=0.5, batch_norm=True)
    e.fit(x, y)
    assert e.coefs_[0].shape == (3, 6)
    other = copied(e)
    np.testing.assert_array_equal(other.predict_proba(x), e.predict_proba(x))
    for each in (e, other):
        each.partial_fit(x, y)
    assert e.loss_curve_ == other.loss_curve_
    for a, b in zip(e.coefs_, other.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
    other.partial_fit(x, y)
    assert e.t_ < other.t_ and len(e.loss_curve_) < len(other.loss_curve_)


def test_a_pickle_is_read_by_a_process_that_imports_nothing(data: Any, tmp_path: Path) -> None:
    x, y = data
    e = small().fit(x, y)
    joblib.dump((e, x, e.predict_proba(x)), tmp_path / "e.joblib")
    code = (
        "import joblib, sys; e, x, p = joblib.load(sys.argv[1]); "
        "assert (e.predict_proba(x) == p).all(); e.partial_fit(x, e.predict(x))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "e.joblib")], check=True)


def test_processes_of_joblib(data: tuple[Array, Array]) -> None:
    scores = [cross_val_score(small(), *data, cv=3, n_jobs=n).tolist() for n in (1, 2)]
    assert scores[0] == scores[1]


def test_threads_predict_what_one_does(data: tuple[Array, Array]) -> None:
    x, y = data
    e = small().fit(x, y)
    sizes = (1, 7, 60)
    expected = {n: e.predict_proba(x[:n]) for n in sizes}
    wrong: list[int] = []

    def predict() -> None:
        for n in sizes * 10:
            same = np.array_equal(e.predict_proba(x[:n]), expected[n])
            wrong.extend([] if same else [n])

    threads = [threading.Thread(target=predict) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


def test_pipelines_searches_and_ensembles(data: tuple[Array, Array]) -> None:
    x, y = data
    pipe = make_pipeline(StandardScaler(), small())
    search = GridSearchCV(
        pipe, {"mlpclassifier__alpha": [1e-4, 1.0], "mlpclassifier__dropout": [0.0, 0.2]}, cv=2
    ).fit(x, y)
    assert set(search.best_params_) == {"mlpclassifier__alpha", "mlpclassifier__dropout"}
    assert search.predict(x).shape == (60,)
    assert cross_val_predict(small(), x, y, cv=2, method="predict_proba").shape == (60, 2)
    assert BaggingClassifier(small(), 2, random_state=0).fit(x, y).predict(x).shape == (60,)
    voting = VotingClassifier([("a", small()), ("b", small(alpha=1.0))], voting="soft")
    assert voting.fit(x, y).predict_proba(x).shape == (60, 2)
    both = MultiOutputClassifier(small()).fit(x, np.stack([y, y[::-1]], axis=1))
    assert both.predict(x).shape == (60, 2)
    regressor = vg.MLPRegressor(hidden_layer_sizes=(4,), random_state=0, max_iter=3)
    scaled = TransformedTargetRegressor(regressor, transformer=StandardScaler())
    assert scaled.fit(x, x[:, 0] * 1e6).predict(x).shape == (60,)
    assert permutation_importance(pipe.fit(x, y), x, y, n_repeats=1).importances.shape == (3, 1)


def frames() -> dict[str, Any]:
    made = {}
    columns = {"age": [1.0, 2.0, 3.0, 4.0] * 5, "city": ["Rome", "Oslo"] * 10}
    made["pandas"] = pytest.importorskip("pandas").DataFrame(columns)
    try:
        import polars
    except ImportError:
        pass
    else:
        made["polars"] = polars.DataFrame(columns)
    return made


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_frames_through_a_column_transformer(kind: str) -> None:
    if kind not in frames():
        pytest.skip(f"{kind} is not installed")
    if kind == "polars" and sklearn_version < "1.9":
        pytest.skip("its ColumnTransformer does not read the polars that is installed")
    frame = frames()[kind]
    y = [0, 1, 1, 0] * 5
    encode = ColumnTransformer([("city", OneHotEncoder(), ["city"])], remainder="passthrough")
    pipe = make_pipeline(encode, small()).fit(frame, y)
    assert pipe.predict(frame).shape == (20,)
    numbers = frame[["age"]]
    e = small().fit(numbers, y)
    assert e.feature_names_in_.tolist() == ["age"] and e.n_features_in_ == 1
    with pytest.raises(ValueError, match="feature names"):
        e.predict(frame[["age"]].rename(columns={"age": "Age"}) if kind == "pandas"
                  else frame[["age"]].rename({"age": "Age"}))  # fmt: skip


def test_a_frame_of_arrow() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"a": [1.0, 2.0, 3.0, 4.0] * 5, "b": [0.5, 1.5] * 10})
    e = small().fit(table, [0, 1, 1, 0] * 5)
    assert e.predict(table).shape == (20,) and e.n_features_in_ == 2


def test_the_html_shows_the_program_once_there_is_one(data: tuple[Array, Array]) -> None:
    e = small()
    assert "program_" not in e._repr_mimebundle_()["text/html"]
    e.fit(*data)
    for html in (e._repr_mimebundle_()["text/html"], e._repr_html_()):
        assert "program_" in html and "fc1.weight" in html and "fuse_linear_relu" in html


@pytest.mark.parametrize("name", ["coefs_", "intercepts_", "program_", "n_iter_", "loss_curve_"])
def test_nothing_is_there_before_a_fit(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(vg.MLPClassifier(), name)
    with pytest.raises(NotFittedError):
        vg.MLPRegressor().predict([[1.0]])


def test_written_weights_are_what_predicts(data: tuple[Array, Array]) -> None:
    x, y = data
    e = small().fit(x, y)
    before = e.predict_proba(x)
    held = e.coefs_
    pickle.dumps(e)  # after which they are still the estimator's
    held[0][:] = 0.0
    e.intercepts_ = [np.zeros(6), np.full(1, 2.0)]
    p = e.predict_proba(x)
    np.testing.assert_allclose(p[:, 1], 1 / (1 + np.exp(-2)))
    assert (e.program_.parameters["fc1.weight"] == 0).all()
    assert not np.array_equal(p, before)
    other = pickle.loads(pickle.dumps(e))
    np.testing.assert_array_equal(other.predict_proba(x), p)


def test_a_program_that_was_trained_further_is_what_predicts(data: tuple[Array, Array]) -> None:
    x, y = data
    e = small().fit(x, y)
    held = e.coefs_[0].copy()
    vg.fit(e.program_, {"x": x, "y": (y == "up")[:, None] * 1.0}, epochs=2)
    assert not np.array_equal(e.coefs_[0], held)
    np.testing.assert_array_equal(e.coefs_[0], e.program_.parameters["fc1.weight"])
    e.predict(x)
    assert not np.array_equal(e.program_.parameters["fc1.weight"], held)


def test_weights_of_another_shape_are_refused(data: tuple[Array, Array]) -> None:
    x, y = data
    e = small().fit(x, y)
    e.coefs_ = [np.zeros((4, 6)), np.zeros((6, 1))]
    with pytest.raises(vg.VerigradError, match=r"fc1\.weight"):
        e.predict(x)


@pytest.mark.parametrize("kind", ["classifier", "regressor", "counts"])
def test_weights_that_are_set_on_an_estimator_that_was_never_fitted(kind: str, data: Any) -> None:
    import sklearn.neural_network as theirs

    x, y = data
    more = {"loss": "poisson"} if kind == "counts" else {}
    name = "MLPClassifier" if kind == "classifier" else "MLPRegressor"
    targets = y if kind == "classifier" else np.abs(x[:, 0])
    how = {"hidden_layer_sizes": (6, 4), "random_state": 0, "max_iter": 3, **more}
    fitted = getattr(theirs, name)(**how)
    fitted.fit(x, targets)
    ours = getattr(vg, name)(**more)
    for key in ("coefs_", "intercepts_", "n_layers_", "n_outputs_", "out_activation_"):
        setattr(ours, key, getattr(fitted, key))
    if kind == "classifier":
        ours.classes_, ours._label_binarizer = fitted.classes_, fitted._label_binarizer
        np.testing.assert_allclose(ours.predict_proba(x), fitted.predict_proba(x), rtol=1e-12)
        np.testing.assert_array_equal(ours.predict(x), fitted.predict(x))
    else:
        np.testing.assert_allclose(ours.predict(x), fitted.predict(x), rtol=1e-12)
    np.testing.assert_array_equal(ours.coefs_[1], fitted.coefs_[1])
    ours.fit(x, targets)
    assert ours.n_iter_ > 3


def test_half_of_the_weights_is_not_enough(data: tuple[Array, Array]) -> None:
    e = vg.MLPRegressor()
    e.coefs_, e.out_activation_ = [np.ones((3, 1))], "identity"
    with pytest.raises(ValueError, match="coefs_ has 1 arrays and intercepts_ 0"):
        e.predict(data[0])
    e.intercepts_ = [np.ones(1)]
    np.testing.assert_allclose(e.predict(data[0]), data[0].sum(axis=1) + 1)


def test_an_interrupted_fit_keeps_what_it_has(data: tuple[Array, Array]) -> None:
    import signal

    class Interrupt(vg.Callback):
        def on_step(self, step: int, loss: float) -> None:
            if step == 2:
                signal.raise_signal(signal.SIGINT)

    with pytest.warns(UserWarning, match="Ctrl-C"):
        e = small(callbacks=[Interrupt()]).fit(*data)
    assert e.program_.step_number == 2 and e.predict(data[0]).shape == (60,)
