"""The float layer near kinks: both sides are right there, and nothing else is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import batch, net
from test_exact import ACTIVATIONS, deep

import verigrad as vg
from verigrad.ops.relu import ReluGrad
from verigrad.runtime.certificate import floats
from verigrad.runtime.certificate.floats import check_floats, probe
from verigrad.runtime.certificate.kinks import near_kinks, other_sides
from verigrad.runtime.interpreter import interpret

ROWS = 4_000
"""Of so many rows of a wide net, some values are near a kink at the first state."""


def in_f32(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {k: a.astype(np.float32) if a.dtype.kind == "f" else a for k, a in tensors.items()}


def test_a_wrong_step_is_refuted_though_values_are_near_a_kink(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    monkeypatch.setattr(floats, "_TRIES", 1)
    program, feeds = vg.compile(net(20, 300, 4), optimizer=vg.SGD(0.1)), batch(rng, ROWS, 20, 4)
    program.step(feeds)
    (found,) = program.certificate.floats
    assert found.verdict == "within bounds" and found.ratio < 0.25
    reference, state = program.stages["attach_optimizer"], {**program.parameters, **program.state}
    point = probe(reference, state, feeds)
    assert point.ties > 0
    monkeypatch.setattr(floats, "probe", lambda *_: point)
    due = point.named(point.exactly)

    def checked(tensor: str, by: float) -> floats.Floats:
        made = in_f32({**due, tensor: due[tensor] * by})
        return check_floats(reference, state, feeds, {"N": ROWS}, lambda _: made)

    for tensor, by in (("output loss", 1.001), ("the gradient for fc1.weight", 1.1)):
        assert checked(tensor, 1.0).verdict == "within bounds"
        found = checked(tensor, by)
        assert found.verdict == "refuted" and found.tensor == tensor, found


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("activation", [*ACTIVATIONS, vg.absolute], ids=lambda f: f.__name__)
def test_either_side_of_every_kink_is_within_bounds(
    activation: Any, side: int, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    """A step that has taken the other side at all values that are near one."""
    g = deep(activation)
    program = vg.compile(g, optimizer=vg.SGD(0.1), certify=False)
    reference, state = program.stages["attach_optimizer"], {**program.parameters, **program.state}
    feeds = batch(rng, 200, 5, 4)
    feeds["x"][:100] *= np.float32(1e-7)  # whose sums are near 0, where biases are
    state["fc1.bias"] = np.zeros_like(state["fc1.bias"])
    drawn = floats.draw
    monkeypatch.setattr(
        floats,
        "draw",
        lambda g, name, like, k: (
            np.full_like(like, 1e-8) if "bias" in name else drawn(g, name, like, k)
        ),
    )
    point = probe(reference, state, feeds)
    # How many states are tried hangs on time: the same is to be looked at again.
    monkeypatch.setattr(floats, "probe", lambda *_: point)
    values = point.exactly.values, point.rounded.values
    sides = list(other_sides(point.g, point.near, *values, {"N": 200}))
    assert all(n in sides[side] for n in point.g.order)

    def run(_: object) -> dict[str, np.ndarray]:
        return in_f32({tensor: sides[side][n] for tensor, n in point.nodes.items()})

    found = check_floats(reference, state, feeds, {"N": 200}, run)
    assert found.verdict == "within bounds", found


def test_a_value_that_is_moved_twice_stays_on_its_side(rng: np.random.Generator) -> None:
    """relu's gradient reads what relu made: it follows, and is not turned back."""
    x = vg.input("x", (4,))
    y = vg.relu(x)
    g = vg.Graph("relu", {"y": y, "dx": vg.apply(ReluGrad(), y, x * 0.0 + 1.0)})
    exactly = {"x": np.array([1e-9, -1e-9, 1.0, -1.0])}
    wide = vg.passes.with_dtype(g, "f64")
    values = interpret(wide, exactly).values
    rounded = interpret(g, {"x": (exactly["x"] + 1e-8).astype(np.float32)}).values
    near = near_kinks(wide, values, rounded)
    up, down = other_sides(wide, near, values, rounded, {})
    dx = wide.outputs["dx"]
    assert up[dx].tolist() == [1, 1, 1, 0] and down[dx].tolist() == [0, 0, 1, 0]
