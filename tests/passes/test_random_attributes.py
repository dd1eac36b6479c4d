"""What every pass leaves as it is: values and gradients of random graphs over all ops."""

from __future__ import annotations

from collections.abc import Mapping

import hypothesis.strategies as st
import numpy as np
from effort import tries
from hypothesis import assume, given, settings
from random_attributes import CLASSES, NAMES, maker, varied

import verigrad as vg


def feeds_of(g: vg.Graph, size: int) -> dict[str, np.ndarray]:
    """Values for the inputs: standard normal, and labels."""
    rng, found = np.random.default_rng(0), {}
    for n in g.inputs:
        shape = n.type.bind({"N": size})
        drawn = rng.standard_normal(shape) if n.type.is_float else rng.integers(0, CLASSES, shape)
        found[g.names[n]] = drawn.astype(n.type.numpy)
    return found


def assert_close(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for k, a in expected.items():
        scale = np.abs(a).max(initial=1.0) if a.dtype.kind == "f" else 1.0
        assert np.allclose(found[k], a, rtol=1e-9, atol=1e-9 * scale, equal_nan=True), k


def held(program: vg.Program) -> dict[str, np.ndarray]:
    return {**program.parameters, **program.state}


def test_every_op_can_be_drawn() -> None:
    assert all(maker(name) is not None for name in NAMES)


@settings(max_examples=tries(40))
@given(varied(), st.sampled_from([2, 3, 5]))
def test_a_compiled_graph_computes_what_was_declared(g: vg.Graph, size: int) -> None:
    program = vg.compile(g, dtype="f64", seed=1)
    feeds = feeds_of(g, size)
    values = {**feeds, **held(program)}
    plain = vg.interpret(program.stages["differentiate"], values).outputs
    assume(all(np.isfinite(a).all() and np.abs(a).max(initial=0) < 1e8 for a in plain.values()))
    assert_close(vg.interpret(program.training, values).outputs, plain)
    loss, gradients = program.gradients(feeds)
    assert np.isclose(loss, plain["loss"], rtol=1e-9)
    assert_close(gradients, {k.removesuffix(".grad"): a for k, a in plain.items() if ".grad" in k})


@settings(max_examples=tries(25))
@given(varied(), st.sampled_from([2, 3]))
def test_inference_computes_what_was_declared(g: vg.Graph, size: int) -> None:
    program = vg.compile(g, dtype="f64", seed=1)
    feeds = feeds_of(g, size)
    expected = vg.interpret(program.declared, {**feeds, **held(program)}).outputs
    assume(all(np.isfinite(a).all() for a in expected.values()))
    assert_close(vg.interpret(program.inference, {**feeds, **held(program)}).outputs, expected)
    assert_close(program.evaluate(feeds), {k: np.asarray(a) for k, a in expected.items()})
