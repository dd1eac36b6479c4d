"""Two ways to the same numbers, to the bit: planned and interpreted, optimised and declared."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from conftest import batch, net
from hypothesis import assume, given, settings
from random_graphs import graphs, nets, values_of
from runner import same_bits

import verigrad as vg
from verigrad.passes.schedule import ScheduleBuffers
from verigrad.runtime.executor import Executor
from verigrad.runtime.plan import Plan

OPTIONAL = ["fold_constants", "simplify", "eliminate_common", "fuse_linear_relu"]
OPTIMIZERS = [vg.SGD(0.1), vg.Momentum(0.1), vg.Adam(0.01), vg.Adam(0.01, bias_correction=False)]


def different(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> list[str]:
    """The names under which two results differ in a bit, or that only one has."""
    return [k for k in a.keys() | b.keys() if k not in a or k not in b or not same_bits(a[k], b[k])]


def held(program: vg.Program) -> dict[str, np.ndarray]:
    return {**program.parameters, **program.state}


# ---- planned and interpreted ----------------------------------------------------------------


@settings(max_examples=200)
@given(graphs(), st.sampled_from([0, 1, 3, 20]))
def test_a_planned_graph_gives_what_the_interpreter_gives(g: vg.Graph, size: int) -> None:
    g = g.but(updates={})
    values = values_of(g, size)
    expected = vg.interpret(g, values)
    scheduled = ScheduleBuffers().apply(g)
    executor = Executor(Plan(scheduled, {"N": size}, g), values)
    feeds = [values[g.names[n]] for n in scheduled.inputs]
    kept = [a.copy() for a in feeds]
    executor.compute(feeds)
    found = {k: executor.output(k) for k in g.outputs}
    assert not different(found, expected.outputs)
    assert all(map(same_bits, feeds, kept))


@given(graphs(), st.sampled_from([1, 3]))
def test_a_planned_step_updates_what_the_interpreter_updates(g: vg.Graph, size: int) -> None:
    values = values_of(g, size)
    expected = vg.interpret(g, values)
    assume(all(np.isfinite(a).all() for a in expected.values.values()))
    state = {k: v.copy() for k, v in values.items()}
    scheduled = ScheduleBuffers().apply(g)
    executor = Executor(Plan(scheduled, {"N": size}, g), state)
    executor.step([values[g.names[n]] for n in scheduled.inputs])
    assert not different({k: state[k] for k in expected.updates}, expected.updates)
    assert not different({k: executor.output(k) for k in ("y0",)}, {"y0": expected.outputs["y0"]})


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: repr(o))
@pytest.mark.parametrize("size", [1, 7, 64])
def test_steps_are_those_of_the_interpreter(
    optimizer: vg.Optimizer, size: int, rng: np.random.Generator
) -> None:
    program = vg.compile(
        net(12, 8, 6, 4),
        optimizer=optimizer,
        regularizer=vg.ElasticNet(1e-3, 1e-3),
        dropout=vg.Dropout(keep=0.75, input=0.9),
        seed=3,
    )
    for _ in range(3):
        feeds = batch(rng, size, 12, 4)
        expected = vg.interpret(program.training, {**feeds, **held(program)})
        loss = program.loss(feeds)
        assert program.step(feeds) == loss == float(expected.outputs["loss"])
        assert not different(held(program), {**held(program), **expected.updates})


@given(nets(), st.sampled_from([1, 3]))
def test_steps_of_random_nets_are_those_of_the_interpreter(n: vg.Graph, size: int) -> None:
    program = vg.compile(n, optimizer=vg.Momentum(0.1), dropout=vg.Dropout(keep=0.5))
    feeds = {k: v for k, v in values_of(n, size).items() if k in ("x", "y", "z")}
    expected = vg.interpret(program.training, {**values_of(n, size), **held(program)})
    assume(all(np.isfinite(a).all() for a in expected.updates.values()))
    assume(np.isfinite(expected.outputs["loss"]))
    assert program.step(feeds) == float(expected.outputs["loss"])
    assert not different(held(program), {**held(program), **expected.updates})


# ---- optimised and declared -----------------------------------------------------------------


def compare_with_declared(n: vg.Graph, feeds: dict[str, np.ndarray], **options: object) -> None:
    """Loss and gradients of the program, and of the graph that was differentiated and no more."""
    program = vg.compile(n, **options)
    loss, gradients = program.gradients(feeds)
    stage = program.stages["differentiate"]
    plain = vg.interpret(stage, {**feeds, **held(program)}).outputs
    assert same_bits(np.float32(loss), plain["loss"][()])
    found = {f"{k}.grad": v for k, v in gradients.items()}
    assert not different(found, {k: plain[k] for k in found})
    for name in OPTIONAL:
        other = vg.compile(n, **options, pipeline=vg.TRAINING.without(name))
        other_loss, other_gradients = other.gradients(feeds)
        assert other_loss == loss or np.isnan([other_loss, loss]).all(), name
        assert not different(other_gradients, gradients), name


@pytest.mark.parametrize("size", [1, 7, 64])
@pytest.mark.parametrize("regularizer", [None, vg.L1(0.1), vg.ElasticNet(0.1, 0.1)], ids=repr)
def test_optimising_changes_no_bit(
    size: int, regularizer: vg.Regularizer | None, rng: np.random.Generator
) -> None:
    feeds = batch(rng, size, 12, 4)
    dropout = vg.Dropout(keep=0.75, mode="vanilla")
    compare_with_declared(net(12, 8, 6, 4), feeds, regularizer=regularizer, dropout=dropout)


@given(nets(), st.sampled_from([1, 3]))
def test_optimising_a_random_net_changes_no_bit(n: vg.Graph, size: int) -> None:
    names = [n.names[i] for i in n.inputs]
    feeds = {k: v for k, v in values_of(n, size).items() if k in names}
    compare_with_declared(n, feeds, regularizer=vg.L2(0.1))


@pytest.mark.parametrize("size", [1, 7])
def test_reading_an_operand_transposed_may_add_up_in_another_order(
    size: int, rng: np.random.Generator
) -> None:
    x, w = vg.input("x", ("N", 96)), vg.parameter("w", (128, 96))
    program = vg.compile(vg.Graph("g", {"y": vg.matmul(x, vg.transpose(w))}))
    assert [n.op.name for n in program.inference.order] == ["matmul"]
    feeds = {"x": rng.standard_normal((size, 96)).astype(np.float32)}
    declared = vg.interpret(program.declared, {**feeds, **held(program)}).outputs["y"]
    assert np.allclose(program.predict(feeds)["y"], declared, rtol=1e-5, atol=1e-5)
    numbers = {p.name: p.numbers for p in vg.INFERENCE}
    assert numbers["simplify"] == "reassociate"
    assert all(numbers[name] == "nothing" for name in OPTIONAL if name != "simplify")


@given(graphs(), st.sampled_from([0, 1, 3]))
def test_inference_gives_what_was_declared(g: vg.Graph, size: int) -> None:
    g = g.but(updates={})
    program = vg.compile(g)
    values = {**values_of(g, size), **held(program)}
    feeds = {g.names[n]: values[g.names[n]] for n in g.inputs}
    assert not different(program.predict(feeds), vg.interpret(g, values).outputs)


@given(nets(), st.sampled_from([1, 3]))
def test_gradients_of_random_nets_are_right(n: vg.Graph, size: int) -> None:
    feeds = {n.names[i]: values_of(n, size)[n.names[i]] for i in n.inputs}
    program = vg.compile(n, dtype="f64")
    loss, gradients = program.gradients(feeds)
    rng = np.random.default_rng(1)
    along = {k: rng.standard_normal(v.shape) for k, v in gradients.items()}
    slope = sum(float((gradients[k] * v).sum()) for k, v in along.items())
    assume(np.isfinite(slope) and np.isfinite(loss))
    start = {k: np.array(v) for k, v in program.parameters.items()}

    def at(h: float) -> float:
        for k, v in along.items():
            program.parameters[k] = start[k] + h * v
        return program.loss(feeds)

    slopes = [(at(h) - at(-h)) / (2 * h) for h in (1e-4, 1e-5, 1e-6)]
    assert min(abs(slope - s) for s in slopes) < 1e-4 * max(1, abs(slope))
