"""Training steps in C beside the program that they were exported from, on the digits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from c_library import LABEL, NOT_FINITE, OK, OVERFLOW, SIZE, Library, needs_gcc

import verigrad as vg
from verigrad.runtime.exporting.c.source import c_files
from verigrad.runtime.exporting.graphs import exported

STEPS, ROWS = 100, 16
Activation = Callable[[vg.Node], vg.Node]
pytestmark = needs_gcc


def classifier(activation: Activation = vg.tanh, norm: str = "", **loss: object) -> vg.Graph:
    """64-12-10 on the digits' pixels."""
    x, y = vg.input("x", ("N", 64)), vg.input("y", ("N",), dtype="i64")
    h = vg.dense(x, 12, name="fc1", bias=norm != "batch")  # which takes it away
    h = {"": lambda h: h, "batch": vg.batch_norm, "layer": vg.layer_norm}[norm](h)
    scores = vg.dense(activation(h), 10, name="fc2")
    return vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y, **loss))


def regression(loss: Callable[..., vg.Node]) -> vg.Graph:
    """One output, of the pixels: the label as a number, or whether it is small."""
    x, t = vg.input("x", ("N", 64)), vg.input("t", ("N", 1))
    predicted = vg.dense(vg.silu(vg.dense(x, 12, name="fc1")), 1, name="fc2")
    return vg.Graph("net", {"predicted": predicted}, loss=loss(predicted, t))


def weighted() -> vg.Graph:
    x, y = vg.input("x", ("N", 64)), vg.input("y", ("N",), dtype="i64")
    w = vg.input("w", ("N",))
    scores = vg.mlp(x, [12, 10], activation="gelu")
    loss = vg.softmax_cross_entropy(
        scores, y, class_weights={3: 2.0}, sample_weights=w, label_smoothing=0.1
    )
    return vg.Graph("net", {"scores": scores}, loss=loss)


CASES: dict[str, tuple[Callable[[], vg.Graph], dict[str, object]]] = {
    "sgd": (classifier, {"optimizer": vg.SGD(0.2, weight_decay=0.01)}),
    "momentum": (classifier, {"optimizer": vg.Momentum(0.05, dampening=0.4)}),
    "nesterov": (classifier, {"optimizer": vg.Nesterov(0.05, 0.8, dialect="torch")}),
    "nesterov ahead": (classifier, {"optimizer": vg.Nesterov(0.05, lookahead=True)}),
    "adagrad": (classifier, {"optimizer": vg.AdaGrad(0.1, start=0.3, lr_decay=0.01)}),
    "rmsprop": (classifier, {"optimizer": vg.RMSProp(0.002, centered=True, eps=1e-3)}),
    "adam": (classifier, {"optimizer": vg.Adam(0.01)}),
    "adam sklearn": (classifier, {"optimizer": vg.Adam(0.01, dialect="sklearn")}),
    "adamw": (classifier, {"optimizer": vg.AdamW(0.01)}),
    "cosine": (classifier, {"optimizer": vg.SGD(vg.schedules.cosine(0.3, steps=80))}),
    "one cycle": (classifier, {"optimizer": vg.Adam(vg.schedules.one_cycle(0.03, steps=90))}),
    "warmup": (
        classifier,
        {"optimizer": vg.SGD(vg.schedules.warmup(vg.schedules.step(0.3, every=30), steps=9))},
    ),
    "exponential": (classifier, {"optimizer": vg.SGD(vg.schedules.exponential(0.3, 0.99))}),
    "inverse": (classifier, {"optimizer": vg.SGD(vg.schedules.inverse(0.3, 0.1))}),
    "plateau": (classifier, {"optimizer": vg.SGD(vg.schedules.plateau(0.3))}),
    "relu, dropout and L2": (
        lambda: classifier(vg.relu),
        {"optimizer": vg.Momentum(0.05), "dropout": vg.Dropout(keep=0.8, input=0.9),
         "regularizer": vg.L2(1e-3), "seed": 2**64 - 1},
    ),
    "vanilla dropout and L1": (
        classifier,
        {"optimizer": vg.SGD(0.1), "dropout": vg.Dropout(keep=0.5, mode="vanilla"),
         "regularizer": vg.L1(1e-4)},
    ),
    "batch norm": (lambda: classifier(vg.tanh, "batch"), {"optimizer": vg.Adam(0.01)}),
    "layer norm": (
        lambda: classifier(vg.silu, "layer"),
        {"optimizer": vg.SGD(0.1), "clip": vg.ClipNorm(0.5),
         "regularizer": vg.ElasticNet(1e-4, 1e-3)},
    ),
    "clipped by value": (
        lambda: classifier(vg.selu), {"optimizer": vg.SGD(0.1), "clip": vg.ClipValue(0.01)}
    ),
    "weighted": (weighted, {"optimizer": vg.Momentum(0.05)}),
    "mean squared": (lambda: regression(vg.mean_squared_error), {"optimizer": vg.Adam(0.01)}),
    "huber": (lambda: regression(vg.huber), {"optimizer": vg.SGD(0.01)}),
    "poisson": (lambda: regression(vg.poisson_nll), {"optimizer": vg.SGD(0.001)}),
    "logits": (
        lambda: regression(vg.binary_cross_entropy_with_logits), {"optimizer": vg.SGD(0.1)}
    ),
}  # fmt: skip


def c_of(program: vg.Program, folder: Path, most: int, *options: str) -> Library:
    """A program's C as a library; all its symbols are at most that."""
    sizes = dict.fromkeys(program.training.symbols, most)
    e = exported(program._variants, True, sizes)
    return Library(c_files(e, "net", {}), folder, "net", *options)


def digits(program: vg.Program) -> dict[str, np.ndarray]:
    """All digits as feeds for the inputs of a program."""
    train, _ = vg.digits()
    x, y = train.x / 16, train.y
    whole = {"x": x, "y": y, "t": y[:, None] / 10.0, "w": 0.5 + (y % 3)}
    g = program.declared
    return {g.names[n]: whole[g.names[n]].astype(n.type.numpy) for n in g.inputs}


def step(library: Library, feeds: dict[str, np.ndarray], rows: int) -> tuple[int, float]:
    """The status and the loss of a step."""
    status, out = library.call("step", feeds, {"N": rows}, {"loss": ()})
    return status, float(out["loss"])


def state_of(program: vg.Program) -> dict[str, np.ndarray]:
    return {**program.parameters, **program.state}


@pytest.mark.parametrize("case", CASES)
def test_a_hundred_steps_end_where_the_programs_do(case: str, tmp_path: Path) -> None:
    build, options = CASES[case]
    program = vg.compile(build(), dtype="f64", **options)
    library = c_of(program, tmp_path, ROWS)
    library.init()
    feeds = digits(program)
    for k in range(STEPS):
        rows = ROWS if k % 7 else 1 + k % (ROWS - 1) + (case == "batch norm")  # short ones too
        batch = {name: a[ROWS * k : ROWS * k + rows] for name, a in feeds.items()}
        batch = batch if len(batch["x"]) == rows else {n: a[:rows] for n, a in feeds.items()}
        status, loss = step(library, batch, rows)
        assert status == OK
        assert loss == pytest.approx(program.step(batch), rel=1e-9)
    for name, value in state_of(program).items():
        scale = max(1e-3, float(np.abs(value).max()))
        np.testing.assert_allclose(library[name], value.ravel(), atol=1e-9 * scale, err_msg=name)
    (key,) = program.inference.outputs.keys() - {"loss"}
    rows = {"x": feeds["x"][:ROWS]}
    due = program.predict(rows)[key]
    status, out = library.call("predict", rows, {"N": ROWS}, {key: due.shape})
    np.testing.assert_allclose(out[key], due, atol=1e-9 * max(1.0, np.abs(due).max()))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[vg.Program, Library, Library]:
    """A program in f32, and its C without and with a second state to roll back to."""
    program = vg.compile(
        classifier(vg.relu), optimizer=vg.AdaGrad(0.05), dropout=vg.Dropout(keep=0.9)
    )
    folders = [tmp_path_factory.mktemp(name) for name in ("plain", "rollback")]
    return (
        program,
        c_of(program, folders[0], ROWS),
        c_of(program, folders[1], ROWS, "-DNET_ROLLBACK"),
    )


def test_float_steps_are_off_by_rounding_alone(trained) -> None:
    program, library, _ = trained
    library.init()
    feeds = digits(program)
    for k in range(STEPS):
        batch = {n: a[ROWS * k : ROWS * (k + 1)] for n, a in feeds.items()}
        batch = batch if len(batch["x"]) == ROWS else {n: a[:ROWS] for n, a in feeds.items()}
        assert step(library, batch, ROWS)[0] == OK
        program.step(batch)
    for name, value in state_of(program).items():
        scale = max(1e-3, float(np.abs(value).max()))
        np.testing.assert_allclose(library[name], value.ravel(), atol=3e-5 * scale, err_msg=name)


@pytest.mark.parametrize("rolled_back", [False, True])
def test_what_does_not_fit_is_told_and_changes_nothing(trained, rolled_back: bool) -> None:
    program, library = trained[0], trained[2 if rolled_back else 1]
    library.init()
    before = {name: library[name] for name in library.fields}
    feeds = {n: a[:ROWS].copy() for n, a in digits(program).items()}

    def told(status: int, rows: int = ROWS, **changed: np.ndarray) -> None:
        assert step(library, {**feeds, **changed}, rows)[0] == status
        for name, value in before.items():
            np.testing.assert_array_equal(library[name], value, name)

    told(SIZE, rows=ROWS + 1)
    told(SIZE, rows=0)
    for label in (10, -1, 2**63 - 1, -(2**63)):
        y = feeds["y"].copy()
        y[-1] = label
        told(LABEL, y=y)
    for value in (np.nan, np.inf, -np.inf):
        x = feeds["x"].copy()
        x[3, 5] = value
        told(NOT_FINITE, x=x)
    if rolled_back:
        told(OVERFLOW, x=feeds["x"] * np.float32(1e25))
    assert step(library, feeds, ROWS)[0] == OK


def test_an_update_that_overflows_is_told(trained) -> None:
    program, library, _ = trained
    library.init()
    feeds = {n: a[:ROWS].copy() for n, a in digits(program).items()}
    feeds["x"] *= np.float32(1e25)
    assert step(library, feeds, ROWS)[0] == OVERFLOW
