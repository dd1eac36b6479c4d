"""What goes wrong without an error is warned of, once, and nothing else is."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest

import verigrad as vg
from verigrad.runtime.training.watching import Rising


def warned(call: Callable[[], object]) -> list[str]:
    """The texts of the warnings, all of them ours and of this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    assert all(w.category is vg.VerigradWarning and w.filename == __file__ for w in caught)
    return [str(w.message) for w in caught]


def net(features: int = 20, scale: Callable[[vg.Node], vg.Node] = lambda x: x) -> vg.Graph:
    x, y = vg.input("x", ("N", features)), vg.input("y", ("N",), dtype="i64")
    scores = vg.mlp(scale(x), [16, 3])
    return vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def data(rng: np.random.Generator, rows: int = 90) -> tuple[np.ndarray, np.ndarray]:
    y = np.arange(rows) % 3
    return (rng.standard_normal((rows, 20)) + 2 * np.eye(20)[y]).astype(np.float32), y


def trained(
    given: tuple[np.ndarray, np.ndarray],
    lr: float = 0.1,
    g: vg.Graph | None = None,
    epochs: int = 8,
) -> list[str]:
    program = vg.compile(g or net(), optimizer=vg.SGD(lr=lr))
    return warned(lambda: vg.fit(program, given, epochs=epochs, batch_size=10))


def test_what_is_in_order_is_not_warned_of(rng: np.random.Generator) -> None:
    x, y = data(rng)
    assert trained((x, y)) == []
    assert trained((x, y), epochs=1) == []
    assert trained((x, rng.permutation(y)), lr=0.01) == []  # nothing to learn, as well as it can be


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64])
def test_raw_pixels_that_meet_a_weight_are_warned_of(rng: np.random.Generator, dtype: type) -> None:
    x, y = rng.integers(0, 256, (90, 20)).astype(dtype), np.arange(90) % 3
    found = trained((x, y), lr=1e-9, epochs=2)
    assert len(found) == 1
    assert "input 'x' holds whole numbers from 0 to 255" in found[0]
    flat = net(20, lambda x: vg.reshape(vg.reshape(x, ("N", 4, 5)), ("N", 20)))
    assert len(trained((x, y), lr=1e-9, g=flat, epochs=2)) == 1


def test_steps_by_hand_are_warned_of_once(rng: np.random.Generator) -> None:
    program = vg.compile(net(), optimizer=vg.SGD(lr=1e-9))
    feeds = {"x": rng.integers(0, 256, (90, 20)), "y": np.arange(90) % 3}
    assert len(warned(lambda: program.step(feeds))) == 1
    half = {k: v[:40] for k, v in feeds.items()}
    assert warned(lambda: [program.step(half), program.step(feeds), program.predict(feeds)]) == []


@pytest.mark.parametrize(
    "scale",
    [lambda x: x / 255.0, lambda x: vg.batch_norm(x), lambda x: vg.layer_norm(x)],
    ids=["divided", "batch norm", "layer norm"],
)
def test_pixels_that_the_graph_scales_are_in_order(
    rng: np.random.Generator, scale: Callable[[vg.Node], vg.Node]
) -> None:
    x, y = rng.integers(0, 256, (90, 20)), np.arange(90) % 3
    assert trained((x, y), lr=1e-9, g=net(20, scale), epochs=2) == []


@pytest.mark.parametrize(
    "change",
    [lambda x: x / 255, lambda x: x / 16, lambda x: x - 128, lambda x: x * 10, lambda x: x + 0.5],
)
def test_other_numbers_are_no_raw_pixels(
    rng: np.random.Generator, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    x, y = rng.integers(0, 256, (90, 20)), np.arange(90) % 3
    assert trained((change(x), y), lr=1e-9, epochs=2) == []


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_loss_that_grows_is_warned_of_once(epochs: int) -> None:
    x, t = vg.input("x", ("N", 4)), vg.input("t", ("N", 1))
    g = vg.Graph("line", loss=vg.mean_squared_error(vg.dense(x, 1), t))
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((100, 4)), rng.standard_normal((100, 1))
    program = vg.compile(g, optimizer=vg.SGD(lr=1.5))
    found = warned(lambda: vg.fit(program, rows, epochs=epochs, batch_size=20))
    assert len(found) == 1
    assert "times that of the first step" in found[0] and "smaller lr" in found[0]
    assert warned(lambda: vg.fit(vg.compile(g, optimizer=vg.SGD(0.1)), rows, epochs=3)) == []


@pytest.mark.parametrize(
    ("losses", "classes"),
    [
        ([1.0] + [9.9] * 40, None),
        ([1.0, *([50.0] * 9 + [1.0]) * 5], None),  # spikes
        ([1e-4] + [0.9] * 40, 3),  # better than knowing nothing: a net that was trained before
        ([-1.0] + [50.0] * 40, None),
        ([0.0] + [50.0] * 40, None),
        ([1.0, -0.1] + [50.0] * 40, None),
        ([1.0, 50.0, 50.0], None),
    ],
)
def test_a_loss_that_only_varies_is_in_order(losses: list[float], classes: int | None) -> None:
    rising = Rising(None, classes)
    for step, loss in enumerate(losses, 1):
        rising.on_step(step, loss)
    rising.end()


def test_one_class_for_all_is_warned_of(rng: np.random.Generator) -> None:
    x, y = data(rng)
    x = np.repeat(x[:1], 90, axis=0)  # every row the same
    found = trained((x, y))
    assert len(found) == 1
    assert "is predicted for all of 90 rows" in found[0] and "33%" in found[0]
    assert trained((x, y), epochs=2) == []  # too early to tell
    rare = np.where(np.arange(90) < 85, 0, y)
    assert trained((x, rare)) == []  # the best that can be predicted, maybe


def double(kind: str) -> vg.Graph:
    x, y = vg.input("x", ("N", 4)), vg.input("y", ("N",), dtype="i64")
    t = vg.input("t", ("N", 3))
    h = vg.dense(x, 3, name="fc")
    loss = {
        "softmax": lambda: vg.softmax_cross_entropy(vg.softmax(h), y),
        "smooth": lambda: vg.softmax_cross_entropy(vg.softmax(h), y, label_smoothing=0.1),
        "by hand": lambda: vg.mean(vg.nll(vg.log_softmax(vg.exp(vg.log_softmax(h))), y)),
        "sigmoid": lambda: vg.binary_cross_entropy_with_logits(vg.sigmoid(h), t),
        "scores": lambda: vg.softmax_cross_entropy(h, y),
        "logits": lambda: vg.binary_cross_entropy_with_logits(h, t),
        "softened": lambda: vg.softmax_cross_entropy(10.0 * vg.softmax(h), y),
        "gated": lambda: vg.softmax_cross_entropy(h * vg.softmax(h), y),
        "activation": lambda: vg.softmax_cross_entropy(vg.softplus(vg.sigmoid(h)), y),
    }[kind]()
    return vg.Graph("net", {"scores": h, "shares": vg.softmax(h)}, loss=loss)


@pytest.mark.parametrize("kind", ["softmax", "smooth", "by hand", "sigmoid"])
def test_a_softmax_or_sigmoid_that_is_taken_twice_is_warned_of(kind: str) -> None:
    g = double(kind)
    (declared,) = warned(lambda: vg.compile(g))
    assert "already" in declared and "test_watching.py" in declared
    (read,) = warned(lambda: vg.compile(vg.parse(str(g))))
    assert "graph net: the" in read and "already" in read


@pytest.mark.parametrize("kind", ["scores", "logits", "softened", "gated", "activation"])
def test_other_losses_are_in_order(kind: str) -> None:
    assert warned(lambda: vg.compile(double(kind))) == []
