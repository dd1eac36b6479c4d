"""Metrics of a validation by name and by function, and validations that are a share of the rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import verigrad as vg
from verigrad.runtime.data.parts import stratified
from verigrad.runtime.metrics import classification, regression
from verigrad.runtime.metrics.registry import METRICS
from verigrad.runtime.training.batches import Place
from verigrad.runtime.training.dataset import DataSet
from verigrad.runtime.training.source import Drawing, source_of

Data = tuple[np.ndarray, np.ndarray]


@pytest.fixture
def data(rng: np.random.Generator) -> Data:
    """200 rows of 12 in four classes, the last of which is rare."""
    x = rng.standard_normal((200, 12)).astype(np.float32)
    return x, rng.choice(4, 200, p=[0.5, 0.3, 0.15, 0.05])


@pytest.fixture
def program(three_layer: vg.Graph) -> vg.Program:
    return vg.compile(three_layer, optimizer=vg.Momentum(lr=0.05), seed=3)


def squared(columns: int | None = None) -> vg.Graph:
    """A regression of one number a row, or of several."""
    x, t = vg.input("x", ("N", 3)), vg.input("t", ("N",) if columns is None else ("N", columns))
    out = vg.dense(x, columns or 1, name="fc")
    y = vg.reshape(out, ("N",)) if columns is None else out
    return vg.Graph("g", {"price": y}, loss=vg.mean_squared_error(y, t))


# ---- metrics --------------------------------------------------------------------------------


def test_all_metrics_of_classes_are_those_of_the_scores(program: vg.Program, data: Data) -> None:
    names = [k for k, m in METRICS.items() if m.task == "classification"]
    found = vg.measure(program, data, metrics=names)
    scores = program.predict(x=data[0])["scores"]
    due = {k: METRICS[k](data[1], scores) for k in names}
    assert list(found.metrics) == names
    assert found.metrics == pytest.approx(due, rel=1e-6)
    assert found.metrics["accuracy"] == found.accuracy


@pytest.mark.parametrize("columns", [None, 1, 2])
def test_all_metrics_of_numbers(columns: int | None, rng: np.random.Generator) -> None:
    names = [k for k, m in METRICS.items() if m.task == "regression"]
    x, t = rng.random((3000, 3)), rng.random(3000 if columns is None else (3000, columns)) + 1
    program = vg.compile(squared(columns))
    found = vg.measure(program, (x, t), metrics=names)
    due = {k: METRICS[k](t, program.predict(x=x)["price"]) for k in names}
    assert found.metrics == pytest.approx(due, rel=1e-5)
    assert found.metrics["mse"] == pytest.approx(found.loss, rel=1e-5)


def test_log_odds_are_scores_of_two_classes(rng: np.random.Generator) -> None:
    x, y = vg.input("x", ("N", 3)), vg.input("y", ("N", 1))
    odds = vg.dense(x, 1)
    net = vg.Graph("g", {"odds": odds}, loss=vg.binary_cross_entropy_with_logits(odds, y))
    program = vg.compile(net, optimizer=vg.SGD(lr=0.1))
    feeds = {"x": rng.random((40, 3)), "y": rng.integers(0, 2, (40, 1)).astype(float)}
    found = vg.measure(program, feeds, metrics=["accuracy", "auc", "log_loss"])
    due = ((program.predict(x=feeds["x"])["odds"] > 0) == feeds["y"]).mean()
    assert found.metrics["accuracy"] == pytest.approx(due)
    assert found.metrics["log_loss"] == pytest.approx(found.loss, rel=1e-5)
    history = vg.fit(program, feeds, validation_split=0.25, metrics="accuracy", epochs=2)
    assert history["validation_accuracy"][-1] is not None
    with pytest.raises(vg.RunError, match="auc is a metric of classes, and the target holds"):
        vg.measure(program, {**feeds, "y": feeds["y"] / 2}, metrics="auc")


def test_functions_and_names_of_their_own(program: vg.Program, data: Data) -> None:
    def hits(true: np.ndarray, scores: np.ndarray) -> int:
        return int((scores.argmax(axis=1) == true).sum())

    asked = {"right": hits, "macro": "f1"}
    found, scores = vg.measure(program, data, metrics=asked), program.predict(x=data[0])["scores"]
    assert found.accuracy is not None
    assert found.metrics["right"] == found.accuracy * 200
    assert found.metrics["macro"] == classification.f1(data[1], scores)
    assert list(vg.measure(program, data, metrics=hits).metrics) == ["hits"]
    assert list(vg.measure(program, data, metrics=(hits, "auc")).metrics) == ["hits", "auc"]
    assert vg.measure(program, data).metrics == {}


def test_they_are_columns_of_the_history(
    program: vg.Program, data: Data, capsys: pytest.CaptureFixture[str]
) -> None:
    history = vg.fit(program, data, validation=data, metrics=["f1", "auc"], epochs=3, progress=True)
    found = vg.measure(program, data, metrics=["f1", "auc"])
    assert history["validation_f1"][-1] == found.metrics["f1"]
    assert history.rows[-1].metrics == found.metrics
    assert "validation_auc" in str(history).splitlines()[0]
    assert "validation_auc" in history._repr_mimebundle_()["text/html"].replace(" ", "_")
    assert "validation f1 0." in capsys.readouterr().err
    with pytest.raises(vg.RunError, match=r"the columns are epoch, .*validation_f1.*seconds"):
        history["f1"]


def test_the_best_of_a_metric_is_kept(three_layer: vg.Graph, data: Data, tmp_path: Path) -> None:
    program = vg.compile(three_layer, optimizer=vg.SGD(lr=0.5), seed=1)
    history = vg.fit(
        program, data, validation=data, metrics="f1", epochs=8, keep_best="f1",
        callbacks=vg.EarlyStopping(8, by="f1"),
    )  # fmt: skip
    best = max(v for v in history["validation_f1"] if v is not None)
    assert vg.measure(program, data, metrics="f1").metrics["f1"] == best
    other = vg.compile(squared(), optimizer=vg.SGD(lr=0.5))
    rows = data[0][:, :3], data[0][:, 0] * 3
    history = vg.fit(
        other, rows, validation=rows, metrics="rmse", epochs=5, keep_best="rmse",
        checkpoint=tmp_path / "run",
    )  # fmt: skip
    least = min(v for v in history["validation_rmse"] if v is not None)
    assert vg.measure(other, rows, metrics="rmse").metrics["rmse"] == least
    again = vg.compile(squared(), optimizer=vg.SGD(lr=0.5))
    resumed = vg.fit(
        again, rows, validation=rows, metrics="rmse", epochs=6, keep_best="rmse",
        checkpoint=tmp_path / "run", resume=True,
    )  # fmt: skip
    assert resumed["validation_rmse"][:5] == history["validation_rmse"]


BAD: list[tuple[Callable[[vg.Program, Data], object], str]] = [
    (lambda p, d: vg.measure(p, d, metrics="f2"), "no metric 'f2'"),
    (lambda p, d: vg.measure(p, d, metrics="rmse"), "rmse is a metric of regression"),
    (lambda p, d: vg.measure(p, d, metrics=3), "metrics is 3"),
    (lambda p, d: vg.measure(p, d, metrics=[3]), "metrics has 3"),
    (lambda p, d: vg.measure(p, d, metrics=["f1", "f1"]), "called 'f1', which is taken"),
    (lambda p, d: vg.measure(p, d, metrics={"loss": "f1"}), "'loss', which is the loss"),
    (lambda p, d: vg.measure(p, d, metrics={3: "f1"}), "a metric is called 3"),
    (lambda p, d: vg.measure(p, d, metrics=lambda t, s: s), r"gives array\("),
    (lambda p, d: vg.measure(p, d, metrics=lambda t, s: "good"), "gives 'good'"),
    (lambda p, d: vg.fit(p, d, metrics="f1", epochs=1), "metrics are measured on the validation"),
    (lambda p, d: vg.fit(p, d, validation=d, keep_best="f1", epochs=1), r"give fit metrics=\['f"),
    (lambda p, d: vg.fit(p, d, validation_split=1.0, epochs=1), "validation_split is 1.0"),
    (lambda p, d: vg.fit(p, d, validation_split=0, epochs=1), "validation_split is 0"),
    (lambda p, d: vg.fit(p, d, validation_split="a", epochs=1), "validation_split is 'a'"),
    (lambda p, d: vg.fit(p, d, validation=d, validation_split=0.1, epochs=1), "give one of the"),
    (lambda p, d: vg.fit(p, d, validation_split=1e-4, epochs=1), "is no row of any class"),
    (lambda p, d: vg.fit(p, vg.data.digits(), epochs=1), r"write vg.fit\(program, data.train"),
    (lambda p, d: vg.fit(p, [d], validation_split=0.1, epochs=1), "the data comes in batches"),
]


@pytest.mark.parametrize(("call", "said"), BAD, ids=[said for _, said in BAD])
def test_what_cannot_be_measured_is_said(
    program: vg.Program, data: Data, call: Callable[[vg.Program, Data], object], said: str
) -> None:
    with pytest.raises(vg.RunError, match=said):
        call(program, data)
    assert program.step_number == 0


def test_what_is_compared_has_to_be_told() -> None:
    x, t = vg.input("x", ("N", 3)), vg.input("t", ("N",))
    a, b = vg.dense(x, 1, name="a"), vg.dense(x, 1, name="b")
    loss = vg.mean_squared_error(vg.reshape(a + b, ("N",)), t)
    rows = np.ones((2, 3)), np.ones(2)
    two = vg.compile(vg.Graph("g", {"a": a, "b": b}, loss=loss))
    with pytest.raises(vg.RunError, match="metrics are of one output, and graph g has a, b"):
        vg.measure(two, rows, metrics="rmse")
    own = vg.compile(vg.Graph("g", {"a": a}, loss=vg.mean(a)))
    with pytest.raises(vg.RunError, match=r"against the one input of its shape.*there is none"):
        vg.measure(own, rows[:1], metrics="rmse")
    assert vg.measure(own, rows[:1]).metrics == {}


def test_weights_of_rows_are_an_input_that_is_no_target(rng: np.random.Generator) -> None:
    x, y, w = vg.input("x", ("N", 3)), vg.input("y", ("N", 2)), vg.input("w", ("N",))
    out = vg.dense(x, 2)
    loss = vg.mean(vg.sum(vg.square(out - y), axes=(1,)) * w)
    program = vg.compile(vg.Graph("g", {"y": out}, loss=loss))
    feeds = {"x": rng.random((9, 3)), "y": rng.random((9, 2)), "w": np.arange(9.0)}
    found = vg.measure(program, feeds, metrics="rmse")
    due = regression.root_mean_squared_error(feeds["y"], program.predict(x=feeds["x"])["y"])
    assert found.metrics["rmse"] == pytest.approx(due, rel=1e-6)


# ---- a share of the rows --------------------------------------------------------------------


def drawn(program: vg.Program, data: Data, share: float) -> tuple[set[int], DataSet]:
    """The rows that an epoch trains on, and those that are held out."""
    made = source_of(program, data, Drawing("shuffled", 10, 1, None, share, marked=False))
    batches = made.opened(Place())
    seen: set[int] = set()
    for step in range(made.length.steps or 0):
        batch = batches.draw(step)
        assert batch is not None and batch.rows is not None
        np.testing.assert_array_equal(batch.arrays["x"], data[0][batch.rows])
        seen |= set(batch.rows.tolist())
    assert made.held_out is not None
    return seen, made.held_out


def test_each_class_gives_its_share_and_nothing_is_trained_on_twice(
    program: vg.Program, data: Data
) -> None:
    seen, others = drawn(program, data, 0.2)
    held = np.asarray(others.arrays["y"])
    for c, count in enumerate(np.bincount(data[1])):
        assert (held == c).sum() == round(0.2 * count)
    assert len(seen) == 200 - len(held)
    validated = {tuple(r) for r in np.asarray(others.arrays["x"]).tolist()}
    assert not validated & {tuple(data[0][r].tolist()) for r in seen}


def test_it_is_as_if_the_parts_were_given(three_layer: vg.Graph, data: Data) -> None:
    def compiled() -> vg.Program:
        return vg.compile(three_layer, optimizer=vg.Momentum(lr=0.05), seed=3)

    rows, held = stratified(data[1], 0.1, "validation", 3)
    one, other = compiled(), compiled()
    parts = [(data[0][part], data[1][part]) for part in (rows, held)]
    for sampler in ("shuffled", "sequential", "replacement", "balanced"):
        a = vg.fit(one, data, validation_split=0.1, epochs=2, sampler=sampler)
        b = vg.fit(other, parts[0], validation=parts[1], epochs=2, sampler=sampler)
        assert a.losses == b.losses
        assert a["validation_loss"] == b["validation_loss"]
    seeds = [vg.fit(one.but(seed=s), data, validation_split=0.1, epochs=1) for s in (1, 2)]
    assert seeds[0]["validation_loss"] != seeds[1]["validation_loss"]


def test_numbers_are_split_without_classes(rng: np.random.Generator) -> None:
    program = vg.compile(squared(), optimizer=vg.SGD(lr=0.1))
    rows = rng.random((50, 3)), rng.random(50)
    history = vg.fit(program, rows, validation_split=0.1, metrics="rmse", epochs=2)
    assert history["validation_rmse"][-1] is not None
    with pytest.raises(vg.RunError, match=r"validation_split=0\.1 of 1 rows is no row"):
        vg.fit(program, (rows[0][:1], rows[1][:1]), validation_split=0.1, epochs=1)


def test_a_run_goes_on_with_the_same_share_alone(
    three_layer: vg.Graph, data: Data, tmp_path: Path
) -> None:
    def run(steps: int, path: Path | None = None, **options: Any) -> vg.History:
        program = vg.compile(three_layer, optimizer=vg.Momentum(lr=0.05), seed=3)
        kept = {"checkpoint": path, "resume": path is not None}
        return vg.fit(program, data, steps=steps, **kept, **options)

    whole = run(9, validation_split=0.25)
    run(4, tmp_path / "run", validation_split=0.25)
    assert run(9, tmp_path / "run", validation_split=0.25).losses == whole.losses
    with pytest.raises(vg.RunError, match=r"validation_split was '0.25', where it is '0.5' now"):
        run(12, tmp_path / "run", validation_split=0.5)
    with pytest.raises(vg.RunError, match="validation data was"):
        run(12, tmp_path / "run")
