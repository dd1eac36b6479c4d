"""Two ways to the same numbers, to the bit: planned and interpreted, optimised and declared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from conftest import batch, net
from effort import some, tries
from hypothesis import assume, given, settings
from random_graphs import graphs, laned, nets, values_of
from runner import same_bits

import verigrad as vg
from verigrad.passes.scheduling.schedule import ScheduleBuffers
from verigrad.runtime.execution.executor import Executor
from verigrad.runtime.planning.plan import Plan
from verigrad.runtime.state import packed

pytestmark = pytest.mark.numpy_bits

OPTIONAL = [
    "fold_constants",
    "simplify",
    "eliminate_common",
    "fuse_linear_relu",
    "fuse_softmax_nll",
    "add_in_place",
]
OPTIMIZERS = [
    vg.SGD(0.1),
    vg.Momentum(0.1),
    vg.Nesterov(0.1),
    vg.AdaGrad(0.1),
    vg.RMSProp(0.01),
    vg.Adam(0.01),
    vg.Adam(0.01, bias_correction=False),
    vg.AdamW(0.01),
]


def different(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> list[str]:
    """The names under which two results differ in a bit, or that only one has."""
    return [k for k in a.keys() | b.keys() if k not in a or k not in b or not same_bits(a[k], b[k])]


def held(program: vg.Program) -> dict[str, np.ndarray]:
    return {**program.parameters, **program.state}


@pytest.fixture(params=[16_384, 8, 3], ids="tiles of {}".format)
def tile(request: pytest.FixtureRequest) -> Iterator[int]:
    """So many elements run at a time: few enough that small graphs have loops and remainders."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("verigrad.runtime.planning.tiling.TILE", request.param)
        yield request.param


# ---- planned and interpreted ----------------------------------------------------------------


@settings(max_examples=tries(33))
@given(graphs(), st.sampled_from([0, 1, 3, 7, 20]))
@pytest.mark.usefixtures("tile")
def test_a_planned_graph_gives_what_the_interpreter_gives(g: vg.Graph, size: int) -> None:
    g = g.but(updates={})
    values = values_of(g, size)
    expected = vg.interpret(g, values)
    scheduled = ScheduleBuffers().apply(g)
    executor = Executor(Plan(scheduled, {"N": size}, g), values)
    feeds = [values[g.names[n]] for n in scheduled.inputs]
    kept = [a.copy() for a in feeds]
    for _ in range(2):  # the second time on what the first has left
        executor.compute([a.copy() for a in feeds])
        found = {k: executor.output(k) for k in g.outputs}
        assert not different(found, expected.outputs)
    executor.compute(feeds)
    assert all(map(same_bits, feeds, kept))


@settings(max_examples=tries(33))
@given(st.one_of(graphs(), laned()), st.sampled_from([1, 3, 20]))
@pytest.mark.usefixtures("tile")
def test_a_planned_step_updates_what_the_interpreter_updates(g: vg.Graph, size: int) -> None:
    values = values_of(g, size)
    expected = vg.interpret(g, values)
    assume(all(np.isfinite(a).all() for a in expected.values.values()))
    scheduled = ScheduleBuffers().apply(g)
    state = packed(scheduled, {g.names[n]: n for n in (*g.parameters, *g.state)})
    for k, a in state.items():
        np.copyto(a, values[k])
    executor = Executor(Plan(scheduled, {"N": size}, g), state)
    for turn in range(3):
        fresh = values_of(g, size, turn)
        values.update({g.names[n]: fresh[g.names[n]] for n in g.inputs})
        expected = vg.interpret(g, {**values, **{k: state[k].copy() for k in expected.updates}})
        if not all(np.isfinite(a).all() for a in expected.values.values()):
            return
        executor.step([values[g.names[n]] for n in scheduled.inputs])
        assert not different({k: state[k] for k in expected.updates}, expected.updates)
        assert not different({k: executor.output(k) for k in g.outputs}, expected.outputs)


def steps_are_those_of_the_interpreter(
    program: vg.Program, rng: np.random.Generator, sizes: list[int]
) -> None:
    """A step at each size, on 12 features and 4 classes, and what the graph as text says of it."""
    for size in sizes:
        feeds = batch(rng, size, 12, 4)
        expected = vg.interpret(program.training, {**feeds, **held(program)})
        loss = program.loss(feeds)
        stepped = program.step(feeds)
        assert stepped == float(expected.outputs["loss"])
        if "nesterov" not in repr(program.options.optimizer).lower():
            assert stepped == loss  # the step's own loss is at the look-ahead point
        assert not different(held(program), {**held(program), **expected.updates})


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
    steps_are_those_of_the_interpreter(program, rng, [size, size, size])


REGULARIZERS = [None, vg.L1(1e-2), vg.L2(1e-2)]
CLIPS = [None, vg.ClipNorm(0.1), vg.ClipValue(0.01)]


def normalised(*sizes: int) -> vg.Graph:
    """An MLP with batch normalization before each relu."""
    h = vg.input("x", ("N", sizes[0]))
    y = vg.input("y", ("N",), dtype="i64")
    for k, size in enumerate(sizes[1:-1], 1):
        h = vg.relu(vg.batch_norm(vg.dense(h, size, name=f"fc{k}"), name=f"bn{k}"))
    scores = vg.dense(h, sizes[-1], name="last")
    return vg.Graph("normalised", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


@pytest.mark.parametrize(
    ("optimizer", "regularizer", "clip", "made"),
    some(product(OPTIMIZERS, REGULARIZERS, CLIPS, [net, normalised]), 48),
    ids=lambda value: getattr(value, "__name__", repr(value)),
)
def test_steps_in_tiles_are_those_of_the_interpreter(
    optimizer: vg.Optimizer,
    regularizer: vg.Regularizer | None,
    clip: vg.Clip | None,
    made: object,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("verigrad.runtime.planning.tiling.TILE", 50)
    program = vg.compile(
        made(12, 8, 6, 4), optimizer=optimizer, regularizer=regularizer, clip=clip,
        dropout=vg.Dropout(keep=0.75),
    )  # fmt: skip
    steps_are_those_of_the_interpreter(program, rng, [7, 2, 7, 30])


@pytest.mark.parametrize("name", [n for n in vg.TRAINING.names if n != "schedule"])
@pytest.mark.usefixtures("tile")
def test_steps_without_a_pass_are_those_of_the_interpreter(
    name: str, rng: np.random.Generator
) -> None:
    try:
        pipeline = vg.TRAINING.without(name)
        program = vg.compile(
            net(12, 8, 6, 4), optimizer=vg.Adam(0.01), regularizer=vg.L2(0.01), pipeline=pipeline
        )
    except vg.PassError:  # the passes behind it need what it gives
        assert name in ("differentiate", "attach_optimizer", "insert_regularization")
        return
    steps_are_those_of_the_interpreter(program, rng, [7, 7, 3])


@pytest.mark.usefixtures("tile")
def test_parameters_of_two_dtypes_and_groups_are_updated_as_interpreted(
    rng: np.random.Generator,
) -> None:
    for dtype in ("f32", "f64"):
        program = vg.compile(net(12, 8, 6, 4), optimizer=vg.Adam(0.01), dtype=dtype)
        for _ in range(2):
            feeds = {**batch(rng, 7, 12, 4)}
            feeds["x"] = feeds["x"].astype(program.training["x"].type.numpy)
            expected = vg.interpret(program.training, {**feeds, **held(program)})
            assert program.step(feeds) == float(expected.outputs["loss"])
            assert not different(held(program), {**held(program), **expected.updates})


# ---- what is computed once, and parameters that change all the same -------------------------


def weight_normalised() -> vg.Graph:
    """A net whose inference computes from parameters alone what it multiplies by."""
    x, y = vg.input("x", ("N", 12)), vg.input("y", ("N",), dtype="i64")
    v, g = vg.parameter("v", (12, 4)), vg.parameter("g", (4,), init="ones")
    w = v * g / vg.sqrt(vg.sum(vg.square(v), axes=[0]))
    scores = vg.matmul(x, w, name="scores")
    return vg.Graph("normed", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def predicts_as_interpreted(program: vg.Program, feeds: dict[str, np.ndarray]) -> None:
    """All that computes without an update, twice, in the order that tells most."""
    expected = vg.interpret(program.inference, {**feeds, **held(program)}).outputs
    for _ in range(2):
        assert not different(program.predict(feeds), {"scores": expected["scores"]})
        assert program.evaluate(feeds)["loss"] == float(expected["loss"])
        trained = vg.interpret(program.training, {**feeds, **held(program)}).outputs
        assert program.loss(feeds) == float(trained["loss"]) == program.gradients(feeds)[0]


@pytest.mark.usefixtures("tile")
def test_what_is_computed_once_follows_the_parameters(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    program = vg.compile(weight_normalised(), optimizer=vg.Momentum(0.1))
    assert {n.op.name for n in program.inference.schedule.once} > {"sqrt", "sum"}
    small, large = batch(rng, 3, 12, 4), batch(rng, 20, 12, 4)
    predicts_as_interpreted(program, small)
    predicts_as_interpreted(program, large)
    program.parameters["v"] = rng.standard_normal((12, 4))
    predicts_as_interpreted(program, small)
    program.step(large)
    predicts_as_interpreted(program, small)
    predicts_as_interpreted(program, large)
    program.save(tmp_path / "p.safetensors")
    again = vg.load(tmp_path / "p.safetensors")
    for one in (program, again):
        predicts_as_interpreted(one, large)
        one.step(small)
        predicts_as_interpreted(one, large)
    assert not different(held(again), held(program))
    program.state["step"] = 0
    for name in program.state:
        if name != "step":
            program.state[name] = np.zeros_like(program.state[name])
    predicts_as_interpreted(program, small)


def test_a_step_that_fails_leaves_what_is_computed_once_right(rng: np.random.Generator) -> None:
    program = vg.compile(weight_normalised(), optimizer=vg.SGD(0.1))
    feeds = batch(rng, 5, 12, 4)
    predicts_as_interpreted(program, feeds)
    bad = {**feeds, "x": np.full((5, 12), np.nan, np.float32)}
    with pytest.raises(vg.NonFiniteError):
        program.step(bad)
    predicts_as_interpreted(program, feeds)
    program.step(feeds)
    predicts_as_interpreted(program, feeds)


def test_more_batch_sizes_than_are_kept_stay_right(rng: np.random.Generator) -> None:
    program = vg.compile(weight_normalised(), optimizer=vg.Adam(0.1))
    for size in [*range(1, 12), 1, 2, 11]:
        feeds = batch(rng, size, 12, 4)
        predicts_as_interpreted(program, feeds)
        program.step(feeds)


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


def compare_with_declared(
    n: vg.Graph,
    feeds: dict[str, np.ndarray],
    passes: Sequence[str] = OPTIONAL,
    **options: object,
) -> None:
    """Loss and gradients of the program, of the graph that was differentiated and no more, and of
    programs without one of the passes each."""
    program = vg.compile(n, **options)
    loss, gradients = program.gradients(feeds)
    stage = program.stages["differentiate"]
    plain = vg.interpret(stage, {**feeds, **held(program)}).outputs
    assert same_bits(np.float32(loss), plain["loss"][()])
    found = {f"{k}.grad": v for k, v in gradients.items()}
    assert not different(found, {k: plain[k] for k in found})
    for name in passes:
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


@given(nets(), st.sampled_from([1, 3]), st.sampled_from(OPTIONAL))
def test_optimising_a_random_net_changes_no_bit(n: vg.Graph, size: int, without: str) -> None:
    names = [n.names[i] for i in n.inputs]
    feeds = {k: v for k, v in values_of(n, size).items() if k in names}
    compare_with_declared(n, feeds, [without], regularizer=vg.L2(0.1))


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
    numbers = {p.name: p.numbers for p in vg.TRAINING}
    said = {name for name in OPTIONAL if numbers[name] != "nothing"}
    assert said == {"simplify", "fuse_softmax_nll", "add_in_place"}


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
