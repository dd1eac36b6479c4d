"""First values: their distributions, arrays, text and files."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import verigrad as vg
from verigrad.ops import first_value

SHAPE = (300, 200)


def drawn(init: vg.Initializer | str, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> np.ndarray:
    """The first value of a parameter in f64."""
    n = vg.parameter("w", shape, init, dtype="f64")
    return first_value(n.op.init, n.type, seed, "w")


@pytest.mark.parametrize(
    ("name", "std"),
    [
        ("he_normal", math.sqrt(2 / 300)),
        ("he_uniform", math.sqrt(2 / 300)),
        ("xavier_normal", math.sqrt(2 / 500)),
        ("xavier_uniform", math.sqrt(2 / 500)),
        ("lecun_normal", math.sqrt(1 / 300)),
    ],
)
def test_the_spread_is_the_formulas(name: str, std: float) -> None:
    w = drawn(name)
    assert abs(w.mean()) < 0.02 * std
    assert w.std() == pytest.approx(std, rel=0.01)
    largest = abs(w).max() / std
    assert largest <= math.sqrt(3) if name.endswith("uniform") else largest > 3.5
    assert np.array_equal(w, drawn(getattr(vg.init, name)()))
    assert not np.array_equal(w, drawn(name, seed=1))


def test_normal_and_uniform_take_their_numbers() -> None:
    w = drawn(vg.init.normal(0.5, mean=2.0))
    assert w.mean() == pytest.approx(2.0, abs=0.01)
    assert w.std() == pytest.approx(0.5, rel=0.01)
    u = drawn(vg.init.uniform(-1.0, 3.0))
    assert -1 < u.min() < -0.99
    assert 2.99 < u.max() < 3
    assert u.mean() == pytest.approx(1.0, abs=0.02)


def test_fills() -> None:
    assert drawn("zeros", (2,)).tolist() == [0.0, 0.0]
    assert drawn("ones", (2,)).tolist() == [1.0, 1.0]
    assert drawn(vg.init.constant(-0.3), (2,)).tolist() == [-0.3, -0.3]


def net(weight: np.ndarray) -> vg.Graph:
    x, y = vg.input("x", ("N", weight.shape[0])), vg.input("y", ("N",), dtype="i64")
    scores = vg.dense(x, weight.shape[1], name="fc1", init=weight)
    return vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


@pytest.mark.parametrize("shape", [(3, 4), (8, 5)])
def test_an_array_is_the_first_value(
    rng: np.random.Generator, tmp_path: Path, shape: tuple[int, int]
) -> None:
    """Written out up to 16 elements; beyond, kept with the arrays of the file."""
    weight = rng.standard_normal(shape)
    g = net(weight)
    program = vg.compile(g, optimizer=vg.SGD(0.1))
    assert np.array_equal(program.parameters["fc1.weight"], weight.astype(np.float32))
    assert np.array_equal(vg.compile(g, dtype="f64").parameters["fc1.weight"], weight)
    text = str(g)
    held = g["fc1.weight"].op.init.value
    assert ("stored-" in text) == (weight.size > 16)
    again = vg.parse(text, {f"stored-{held.digest}": held.array})
    assert str(again) == text
    assert again["fc1.weight"].op == g["fc1.weight"].op
    program.step(x=np.ones((2, shape[0])), y=np.array([0, 1]))
    program.save(tmp_path / "net.safetensors")
    loaded = vg.load(tmp_path / "net.safetensors")
    assert str(loaded.declared) == text
    assert np.array_equal(loaded.parameters["fc1.weight"], program.parameters["fc1.weight"])


def test_an_array_of_no_elements_or_no_axes() -> None:
    w = vg.parameter("w", (0, 3), np.zeros((0, 3)))
    s = vg.parameter("s", (), np.array(0.5))
    t = vg.state("t", (2,), np.array([1, 2]), dtype="i64")
    g = vg.Graph("net", {"w": w, "s": s, "t": t})
    assert str(vg.parse(str(g))) == str(g)
    held = {n.name: first_value(n.op.init, n.type, 0, n.name) for n in (w, s, t)}
    assert held["w"].shape == (0, 3)
    assert held["s"] == 0.5
    assert held["t"].tolist() == [1, 2]
    assert held["t"].dtype == np.int64


def test_the_users_array_may_change_later() -> None:
    a = np.ones(3)
    n = vg.parameter("w", (3,), a)
    a[:] = 7
    assert first_value(n.op.init, n.type, 0, "w").tolist() == [1.0, 1.0, 1.0]


def test_a_text_needs_the_array_that_it_names(rng: np.random.Generator) -> None:
    g = net(rng.standard_normal((8, 5)))
    spelled = f"stored-{g['fc1.weight'].op.init.value.digest}"
    with pytest.raises(vg.GraphError, match="stored with the arrays of a file"):
        vg.parse(str(g))
    with pytest.raises(vg.GraphError, match="is another one"):
        vg.parse(str(g), {spelled: np.zeros((8, 5))})


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: vg.parameter("w", (2, 3), np.zeros((3, 2))), r"shape \[3, 2\]"),
        (lambda: vg.parameter("w", (2,), np.array(["a", "b"])), "numbers"),
        (lambda: vg.parameter("w", (2,), "uniform"), "uniform"),
        (lambda: vg.parameter("w", (2,), "glorot"), "xavier_normal"),
        (lambda: vg.parameter("w", (), "xavier_uniform"), "fan-out"),
        (lambda: vg.parameter("w", (2,), [1.0, 2.0]), "an array"),
        (lambda: vg.init.uniform(2.0, 1.0), "above high"),
        (lambda: vg.init.normal(-1.0), "std"),
        (lambda: vg.init.constant(math.nan), "finite"),
    ],
)
def test_what_cannot_be_is_an_error(build: Callable[[], object], message: str) -> None:
    with pytest.raises(vg.GraphError, match=message):
        build()
