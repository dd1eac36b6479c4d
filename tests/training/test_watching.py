"""What goes wrong without an error is warned of, once, and nothing else is."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

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
    **options: Any,
) -> list[str]:
    program = vg.compile(g or net(), optimizer=vg.SGD(lr=lr))
    options = {"batch_size": 10, **options}
    return warned(lambda: vg.fit(program, given, epochs=epochs, **options))


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
    [lambda x: x - 128, lambda x: x * 10, lambda x: x + 0.5, lambda x: (x / 3.5).astype("f4")],
)
def test_other_large_numbers_are_warned_of_by_their_deviation(
    rng: np.random.Generator, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    x, y = rng.integers(0, 256, (90, 20)), np.arange(90) % 3
    (found,) = trained((change(x), y), lr=1e-9, epochs=2)
    assert found.startswith(f"input 'x' has a standard deviation of {change(x).std():.3g}"[:40])
    assert "whole numbers" not in found and "scale your inputs" in found


@pytest.mark.parametrize("change", [lambda x: x / 255, lambda x: x / 16, lambda x: x / 16 + 1000])
def test_numbers_that_vary_little_are_in_order(
    rng: np.random.Generator, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    x, y = rng.integers(0, 256, (90, 20)), np.arange(90) % 3
    assert trained((change(x), y), lr=1e-9, epochs=2) == []


def test_one_column_that_is_far_larger_is_enough(rng: np.random.Generator) -> None:
    x, y = data(rng)
    x[:, 3] *= 1e4
    program = vg.compile(net(), optimizer=vg.SGD(lr=1e-9))
    assert len(warned(lambda: program.step(x=x, y=y))) == 1
    assert warned(lambda: program.step(x=x[:40], y=y[:40])) == []
    constant = np.full((90, 20), 1e4, "f4")
    assert warned(lambda: vg.compile(net(), optimizer=vg.SGD(1e-9)).step(x=constant, y=y)) == []


def test_a_number_that_a_weight_meets_is_no_column() -> None:
    x = vg.input("x", ())
    y = vg.matmul(vg.reshape(x, (1, 1)), vg.parameter("w", (1, 1)))
    program = vg.compile(vg.Graph("net", loss=vg.sum(y)), optimizer=vg.SGD(0.1))
    assert warned(lambda: program.step(x=np.float32(3))) == []


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
    many = {"lr": 0.001, "epochs": 2, "batch_size": 1}
    assert trained((x, y), **many) == []
    (found,) = trained((np.repeat(x, 2, axis=0), np.repeat(y, 2)), **many)  # 360 steps
    assert "is predicted for all of 180 rows" in found
    rare = np.where(np.arange(90) < 85, 0, y)
    assert trained((x, rare)) == []  # the best that can be predicted, maybe


class Heard(vg.Callback):
    """Notes in which epochs warnings came."""

    def __init__(self) -> None:
        self.epochs: list[int] = []
        self._epoch = 1
        self._shown, warnings.showwarning = warnings.showwarning, self._show

    def _show(self, *_: Any) -> None:
        self.epochs.append(self._epoch)

    def on_epoch(self, row: Any) -> None:
        self._epoch = row.epoch + 1


def heard(given: Any, **options: Any) -> list[int]:
    """In which epochs of a run it is warned; one more than there are for its end."""
    program = vg.compile(net(), optimizer=vg.SGD(lr=0.1))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        listener = Heard()
        vg.fit(program, given, batch_size=10, callbacks=listener, **options)
    return listener.epochs


def test_with_a_validation_one_class_is_warned_of_at_the_end_of_an_epoch(
    rng: np.random.Generator,
) -> None:
    x, y = data(rng)
    same = np.repeat(x[:1], 90, axis=0)
    assert heard((same, y), epochs=8) == [9]
    assert heard((same, y), epochs=8, validation=(same[:30], y[:30])) == [4]
    assert heard((same, y), epochs=8, validation=(same[:31], y[:31])) == [4]
    assert heard((x, y), epochs=8, validation=(x[:3], y[:3])) == []
    assert heard((same, y), epochs=8, validation=(same[:30], 0 * y[:30])) == [9]  # no other there


def test_a_frequent_class_may_be_predicted_for_a_while(rng: np.random.Generator) -> None:
    x, y = data(rng)
    same, most = np.repeat(x[:1], 90, axis=0), np.where(np.arange(90) < 60, 0, y)
    assert trained((same, most), lr=0.01, epochs=2, batch_size=1) == []
    (found,) = trained((same, most), lr=0.01, epochs=3, batch_size=1)
    assert "class 0 is predicted for all" in found and "78%" in found
    assert trained((same, 0 * y), validation=(same, 0 * y)) == []  # no other is there


def test_a_relu_layer_that_is_dead_is_warned_of_once(rng: np.random.Generator) -> None:
    x, y = data(rng)
    program = vg.compile(net(), optimizer=vg.SGD(lr=1e-3))
    program.parameters["fc1.bias"] = np.full(16, -100.0)
    options: dict[str, Any] = {"epochs": 2, "batch_size": 10}
    for given in ((x, y), (x.astype("f8"), y.astype("u1"))):
        (found,) = warned(lambda given=given: vg.fit(program, given, **options))
        assert "all outputs of the relu layer 'fc1' are 0 on 90 rows" in found


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("norm", [False, True])
def test_all_dead_layers_are_named(rng: np.random.Generator, backend: str, norm: bool) -> None:
    x, y = vg.input("x", ("N", 20)), vg.input("y", ("N",), dtype="i64")
    h = x
    for _ in range(3):
        h = vg.dense(h, 8)
        h = vg.relu(vg.batch_norm(h) if norm else h)
    scores = vg.dense(h, 3)
    g = vg.Graph("deep", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    program = vg.compile(g, optimizer=vg.Adam(1e-4), dropout=vg.Dropout(keep=0.9), backend=backend)
    assert warned(lambda: vg.fit(program, data(rng), epochs=1, batch_size=10)) == []
    for k in (1, 3):
        name = f"{'bn' if norm else 'fc'}{k}.bias"
        program.parameters[name] = np.full(8, -100.0)
    (found,) = warned(lambda: vg.fit(program, data(rng), epochs=1, batch_size=10))
    layer = "bn" if norm else "fc"
    assert f"the relu layers '{layer}1', '{layer}3' are 0" in found


def test_a_layer_that_dies_later_is_found_at_the_end(rng: np.random.Generator) -> None:
    x, y = data(rng)
    program = vg.compile(net(), optimizer=vg.SGD(lr=1e-3))

    class Kill(vg.Callback):
        def on_epoch(self, row: Any) -> None:
            if row.epoch == 5:
                program.parameters["fc1.bias"] = np.full(16, -100.0)

    for epochs, count in ((4, 0), (7, 1)):
        fresh = {"epochs": epochs, "batch_size": 10, "callbacks": Kill()}
        program.parameters["fc1.bias"] = np.zeros(16)
        found = warned(lambda fresh=fresh: vg.fit(program, (x, y), **fresh))
        assert sum("relu layer 'fc1'" in text for text in found) == count


def test_a_relu_that_is_no_layer_may_be_0(rng: np.random.Generator) -> None:
    x, y = vg.input("x", ("N", 20)), vg.input("y", ("N",), dtype="i64")
    w = vg.parameter("shift", (20,), init=vg.init.constant(-1e6))
    h = vg.relu(vg.dense(x + vg.relu(w), 16))
    scores = vg.dense(h, 3)
    margins = vg.mean(vg.relu(vg.square(scores) - 1e9))  # of the loss, as a hinge has it
    g = vg.Graph("g", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y) + margins)
    assert trained(data(rng), lr=0.01, g=g, epochs=1) == []
    clipped = vg.relu(scores - 1e9)
    g = vg.Graph("g", {"scores": clipped}, loss=vg.softmax_cross_entropy(clipped, y))
    assert "relu" in trained(data(rng), lr=0.01, g=g, epochs=1)[0]


def test_a_look_that_fails_ends_no_run(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("verigrad.runtime.training.dead_layers.interpret", fail)
    assert trained(data(rng)) == []


def test_what_is_looked_at_changes_no_bit(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = data(rng)

    def bits() -> list[bytes]:
        program = vg.compile(net(), optimizer=vg.Adam(0.01), dropout=vg.Dropout(keep=0.8))
        history = vg.fit(program, (x, y), validation=(x, y), epochs=9, batch_size=10)
        values = [*program.parameters.values(), *program.state.values()]
        return [*(v.tobytes() for v in values), repr(history.losses).encode()]

    watched = bits()
    monkeypatch.setattr("verigrad.runtime.training.fit._watchers", lambda *_: [])
    assert bits() == watched


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


def test_a_validation_loss_that_is_not_finite_is_warned_of_once(rng: np.random.Generator) -> None:
    x, y = data(rng)
    far = x[:30].copy()
    far[4] = 3e38
    (told,) = trained((x, y), validation=(far, y[:30]))
    assert "the validation loss is nan after step 9" in told or "loss is inf after step 9" in told
