"""Look-ahead Nesterov: the gradient is taken at w + rho v, and all that is shown is at w."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from smooth_net import Values, batch, gradients, net, trained, worst

import verigrad as vg

RHO, LR = 0.9, 0.05


def looked_ahead(
    start: Values, steps: int, decay: float = 0.0, lr: object = LR
) -> tuple[list[Values], Values]:
    """v' = rho v - lr grad f(w + rho v); w' = w + v': the parameters after each step, and v."""
    w, v = dict(start), {name: np.zeros_like(a) for name, a in start.items()}
    after = []
    for step in range(steps):
        ahead = {name: w[name] + RHO * v[name] for name in w}
        g = gradients(ahead, batch(step))
        rate = lr(step) if callable(lr) else lr
        v = {name: RHO * v[name] - rate * (g[name] + decay * ahead[name]) for name in w}
        w = {name: w[name] + v[name] for name in w}
        after.append(w)
    return after, v


@pytest.mark.parametrize("dialect", ["course", "cs231n"])
def test_the_gradient_is_taken_at_the_look_ahead_point(dialect: str) -> None:
    start, after = trained(vg.Nesterov(LR, dialect=dialect))
    assert worst(after, looked_ahead(start, 100)[0]) < 1e-11


def test_a_decay_is_of_the_point_where_the_gradient_is_taken() -> None:
    start, after = trained(vg.Nesterov(LR, RHO, True, weight_decay=0.05))
    assert worst(after, looked_ahead(start, 100, decay=0.05)[0]) < 1e-11


def test_a_penalty_is_of_the_point_where_the_gradient_is_taken() -> None:
    start, decayed = trained(vg.Nesterov(LR, groups=[vg.Group("*.weight", weight_decay=0.05)]))
    again, penalized = trained(vg.Nesterov(LR), regularizer=vg.L2(0.05))
    assert all(np.array_equal(start[name], again[name]) for name in start)
    assert worst(penalized, decayed) < 1e-11


def test_a_schedule_is_inside_the_velocity() -> None:
    start, after = trained(vg.Nesterov(vg.schedules.exponential(0.1, 0.98)))
    assert worst(after, looked_ahead(start, 100, lr=lambda t: 0.1 * 0.98**t)[0]) < 1e-11


def test_the_form_of_the_libraries_holds_the_look_ahead_point() -> None:
    """With a constant rate, its parameter is w + rho v of the look-ahead form."""
    start, after = trained(vg.Nesterov(LR, lookahead=False))
    expected, v = looked_ahead(start, 100)
    for name, w in expected[-1].items():
        np.testing.assert_allclose(after[-1][name], w + RHO * v[name], rtol=1e-10, atol=1e-12)


def test_all_but_step_is_at_the_parameter_itself(tmp_path: Path) -> None:
    program = vg.compile(net(), optimizer=vg.Nesterov(LR), dtype="f64", seed=3)
    start = dict(program.parameters)
    for step in range(10):
        program.step(batch(step))
    expected, v = looked_ahead(start, 10)
    w, feeds = expected[-1], batch(10)
    assert all(np.abs(a).max() > 1e-3 for a in v.values())

    def scores(p: Values) -> np.ndarray:
        h = np.tanh(feeds["x"] @ p["fc1.weight"] + p["fc1.bias"])
        return h @ p["fc2.weight"] + p["fc2.bias"]

    def loss(p: Values) -> float:
        return float(((scores(p) - feeds["y"]) ** 2).mean())

    for name in w:
        np.testing.assert_allclose(program.parameters[name], w[name], rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(program.predict(x=feeds["x"])["scores"], scores(w), rtol=1e-11)
    assert program.loss(feeds) == pytest.approx(loss(w), rel=1e-11)
    assert program.evaluate(feeds)["loss"] == pytest.approx(loss(w), rel=1e-11)
    found_loss, found = program.gradients(feeds)
    assert found_loss == pytest.approx(loss(w), rel=1e-11)
    for name, g in gradients(w, feeds).items():
        np.testing.assert_allclose(found[name], g, rtol=1e-10, atol=1e-13)
    program.save(tmp_path / "run.safetensors")
    again = vg.load(tmp_path / "run.safetensors")
    for name in w:
        np.testing.assert_array_equal(again.parameters[name], program.parameters[name])
    ahead = {name: w[name] + RHO * v[name] for name in w}
    assert program.step(feeds) == pytest.approx(loss(ahead), rel=1e-11)
    assert abs(loss(ahead) - loss(w)) > 1e-5


def test_dampening_is_of_the_libraries_form_alone() -> None:
    with pytest.raises(vg.GraphError, match="lookahead=False"):
        vg.Nesterov(0.1, dampening=0.5)
    assert vg.Nesterov(0.1, lookahead=False, dampening=0.5).dampening == 0.5
