"""First values are drawn at the first read: the same bits, whatever it is and whoever reads."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import verigrad as vg
from verigrad.ops import first_value

drawn: list[tuple[int, ...]] = []


class Counted(vg.Initializer):
    """Ones, slowly, and on record."""

    name: ClassVar[str] = "counted"
    random: ClassVar[bool] = False

    def sample(self, shape: tuple[int, ...], words: np.ndarray) -> np.ndarray:
        drawn.append(shape)
        time.sleep(0.02)
        return np.ones(shape)


class Flat(vg.Initializer):
    """Of another shape than it is asked for."""

    name: ClassVar[str] = "flat"

    def sample(self, shape: tuple[int, ...], words: np.ndarray) -> np.ndarray:
        return np.ones(np.prod(shape))


class Silent(vg.Initializer):
    """Without a sample."""

    name: ClassVar[str] = "silent"


def program(init: vg.Initializer | str = "he_normal") -> vg.Program:
    x, y = vg.input("x", ("N", 4)), vg.input("y", ("N",), dtype="i64")
    scores = vg.dense(vg.relu(vg.dense(x, 5, name="fc1", init=init)), 3, name="fc2", init=init)
    g = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    return vg.compile(g, optimizer=vg.Adam(lr=0.1), seed=3)


FEEDS = {"x": np.ones((2, 4), np.float32), "y": np.array([0, 2])}


@pytest.mark.parametrize(
    "read",
    [
        lambda p: p.parameters["fc1.weight"],
        lambda p: p.state["step"],
        lambda p: p.loss(FEEDS),
        lambda p: p.step(FEEDS),
        lambda p: p.predict(x=FEEDS["x"]),
        lambda p: p.parameters.__setitem__("fc1.bias", np.zeros(5)),
    ],
)
def test_they_are_drawn_once_and_when_first_needed(read: object) -> None:
    drawn.clear()
    p = program(Counted())
    list(p.parameters)
    p.plan(N=2)
    assert drawn == []
    for _ in range(3):
        read(p)
    assert sorted(drawn) == [(4, 5), (5, 3)]


def test_what_is_read_first_changes_nothing() -> None:
    p = program()
    p.step(FEEDS)
    q = program()
    for name, n in ((k, q.declared[k]) for k in q.parameters):
        assert np.array_equal(q.parameters[name], first_value(n.op.init, n.type, 3, name))
    q.step(FEEDS)
    for name in p.parameters:
        assert np.array_equal(p.parameters[name], q.parameters[name])


def test_a_parameter_that_is_set_first_keeps_its_value() -> None:
    p = program()
    p.parameters["fc1.bias"] = np.arange(5)
    assert p.parameters["fc1.bias"].tolist() == [0, 1, 2, 3, 4]
    assert np.array_equal(p.parameters["fc1.weight"], program().parameters["fc1.weight"])


def test_what_is_loaded_is_not_drawn(tmp_path: Path) -> None:
    p = program(Counted())
    p.step(FEEDS)
    p.save(tmp_path / "net.safetensors")
    drawn.clear()
    q = vg.load(tmp_path / "net.safetensors")
    assert drawn == []
    for values, loaded in ((p.parameters, q.parameters), (p.state, q.state)):
        for name in values:
            assert np.array_equal(values[name], loaded[name])
    assert p.step(FEEDS) == q.step(FEEDS)
    assert drawn == []


def test_threads_that_read_first_read_the_same() -> None:
    drawn.clear()
    p = program(Counted())
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda k: p.parameters[k], ["fc1.weight", "fc2.weight"] * 8))
    assert all((value == 1).all() for value in found)
    assert len(drawn) == 2


def test_what_cannot_be_drawn_is_an_error_of_each_read() -> None:
    p = program(Flat())
    for _ in range(2):
        with pytest.raises(
            vg.GraphError, match=r"flat gives 'fc1.weight' float64\[20\].*f32\[4,5\]"
        ):
            p.step(FEEDS)


def test_an_initializer_without_a_sample_is_an_error_where_it_is_declared() -> None:
    with pytest.raises(vg.GraphError, match="silent has no `sample`"):
        program(Silent())
