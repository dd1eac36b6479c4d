"""A small tanh net in f64 with its gradients by hand, and minibatches that vary by step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import verigrad as vg

Values = dict[str, np.ndarray]
STEPS = 100


def net() -> vg.Graph:
    """5-6-3 with tanh and the mean squared error: smooth, so that no rounding is magnified."""
    x = vg.input("x", ("N", 5))
    y = vg.input("y", ("N", 3))
    scores = vg.dense(vg.tanh(vg.dense(x, 6, name="fc1")), 3, name="fc2")
    return vg.Graph("smooth", {"scores": scores}, loss=vg.mean_squared_error(scores, y))


def batch(step: int) -> Values:
    """The minibatch of a step: noisy rows of one problem, a shorter one now and then."""
    rng = np.random.default_rng(step % 9)
    x = rng.standard_normal((8 if step % 33 else 5, 5))
    turned = np.stack([x[:, 0] + x[:, 1], np.sin(x[:, 2]), x[:, 3] * 0.5], axis=1)
    return {"x": x, "y": turned + 0.1 * rng.standard_normal(turned.shape)}


def gradients(p: Values, feeds: Values) -> Values:
    """The gradients of the loss, written by hand."""
    x, y = feeds["x"], feeds["y"]
    h = np.tanh(x @ p["fc1.weight"] + p["fc1.bias"])
    d = 2 * (h @ p["fc2.weight"] + p["fc2.bias"] - y) / y.size
    dh = d @ p["fc2.weight"].T * (1 - h * h)
    return {
        "fc1.weight": x.T @ dh,
        "fc1.bias": dh.sum(axis=0),
        "fc2.weight": h.T @ d,
        "fc2.bias": d.sum(axis=0),
    }


def trained(optimizer: vg.Optimizer, **options: object) -> tuple[Values, list[Values]]:
    """The parameters before the first of a hundred steps, and after each."""
    program = vg.compile(net(), optimizer=optimizer, dtype="f64", seed=3, **options)
    start, after = dict(program.parameters), []
    for step in range(STEPS):
        program.step(batch(step))
        after.append(dict(program.parameters))
    return start, after


Update = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def by_hand(start: Values, make: Callable[[], Update]) -> list[Values]:
    """The parameters after each step of `update(w, g, t)`, t from 1: one update a parameter."""
    p, after = dict(start), []
    updates = {name: make() for name in p}
    for step in range(STEPS):
        g = gradients(p, batch(step))
        p = {name: updates[name](p[name], g[name], step + 1) for name in p}
        after.append(p)
    return after


def worst(found: list[Values], expected: list[Values]) -> float:
    """The largest difference at any step, relative to the largest element of the parameter."""
    assert len(found) == len(expected) == STEPS
    return max(
        float(np.abs(a[name] - b[name]).max() / np.abs(b[name]).max())
        for a, b in zip(found, expected, strict=True)
        for name in b
    )


def moved(start: Values, after: list[Values]) -> float:
    """How far the weights went from their start: a trajectory that stands still shows nothing."""
    return max(float(np.abs(after[-1][name] - start[name]).max()) for name in start)
