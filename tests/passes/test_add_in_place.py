"""What an update adds in place: the same numbers, no gradient in memory, no state lost."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from conftest import batch, net

import verigrad as vg
from verigrad.graph import Array
from verigrad.ops import blas
from verigrad.ops.updates import Descend
from verigrad.passes.add_in_place import AddInPlace

PLAIN = vg.TRAINING.without("add_in_place")
ALWAYS = PLAIN.insert(AddInPlace(smallest=1, rows=1), after="fuse_softmax_nll")
"""The pass on tensors of any size."""
OPTIMIZERS = [
    vg.SGD(0.1),
    vg.SGD(vg.schedules.cosine(0.1, steps=100)),
    vg.Momentum(0.1),
    vg.Momentum(0.1, rate_is="inside"),
    vg.Momentum(0.1, dampening=0.5),
    vg.Nesterov(0.1),
    vg.Nesterov(0.1, lookahead=False),
    vg.Adam(0.01),
]


def held(program: vg.Program) -> dict[str, np.ndarray]:
    return {**program.parameters, **program.state}


@pytest.fixture(params=["blas", "no blas"])
def with_and_without_a_blas(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if request.param == "no blas":
        monkeypatch.setattr(blas, "callable_blas", lambda dtype: None)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("regularizer", [None, vg.L1(0.01), vg.L2(0.01)], ids=repr)
@pytest.mark.usefixtures("with_and_without_a_blas")
def test_steps_are_as_near_as_rounding_with_and_without_it(
    optimizer: vg.Optimizer, regularizer: vg.Regularizer | None, rng: np.random.Generator
) -> None:
    options = {"optimizer": optimizer, "regularizer": regularizer, "dtype": "f64", "seed": 1}
    n = net(12, 8, 6, 4)
    here, there = (vg.compile(n, pipeline=p, **options) for p in (ALWAYS, PLAIN))
    for size in (5, 5, 1, 64):
        feeds = batch(rng, size, 12, 4)
        assert np.isclose(here.step(feeds), there.step(feeds), rtol=1e-12, atol=0)
    for name, value in held(there).items():
        assert np.allclose(held(here)[name], value, rtol=1e-10, atol=1e-14), name
    ops = [x.op.name for x in here.training.order]
    gradient_is_read_twice = isinstance(optimizer, vg.Adam) or "lookahead=False" in repr(optimizer)
    assert "axpy" in ops or "gemm" in ops or gradient_is_read_twice
    assert not {"gemm", "axpy"} & {x.op.name for x in there.training.order}


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_a_planned_step_is_that_of_the_interpreter(
    optimizer: vg.Optimizer, rng: np.random.Generator
) -> None:
    program = vg.compile(
        net(12, 8, 6, 4), optimizer=optimizer, regularizer=vg.L2(0.01), pipeline=ALWAYS
    )
    for size in (5, 1, 64):
        feeds = batch(rng, size, 12, 4)
        expected = vg.interpret(program.training, {**feeds, **held(program)})
        assert np.isclose(program.step(feeds), float(expected.outputs["loss"]), rtol=1e-6)
        for name, value in expected.updates.items():
            assert np.allclose(held(program)[name], value, rtol=1e-5, atol=1e-6), name


def test_gradients_of_large_weights_are_nowhere_in_memory() -> None:
    n = net(784, 512, 256, 10)
    plans = [
        vg.compile(n, optimizer=vg.Momentum(0.1), pipeline=p).plan(N=128)
        for p in (vg.TRAINING, PLAIN)
    ]
    here, there = (plan.nbytes for plan in plans)
    gradients = 4 * (784 * 512 + 512 * 256)
    assert here < there - 0.75 * gradients
    made = [x for x in plans[0].graph.order if x.op.name in ("gemm", "axpy")]
    assert len(made) == 4
    assert all(plans[0].graph.schedule.takeovers[x] in plans[0].graph.sources for x in made)


def test_several_additions_are_made_in_one_place() -> None:
    n = net(784, 512, 10)
    program = vg.compile(n, optimizer=vg.Momentum(0.1), regularizer=vg.L2(0.1))
    g = program.plan(N=128).graph
    takes = {g.names[x]: g.names[old] for x, old in g.schedule.takeovers.items()}
    assert takes["fc1.weight.velocity.1"] == "fc1.gemm"
    assert takes["fc1.gemm"] == "fc1.weight.velocity"
    assert "copyto" not in program.source(N=128).partition("def commit")[2]


# ---- a step that fails has written nothing --------------------------------------------------


def steep(size: int = 1) -> vg.Graph:
    """y = x w, whose gradient by w is x times what is fed as s; the loss at w = 0 is 0."""
    x, s = vg.input("x", ("N", size)), vg.input("s", ("N", 6))
    w = vg.parameter("w", (size, 6), init="zeros")
    return vg.Graph("steep", loss=vg.sum(vg.matmul(x, w) * s))


@pytest.mark.parametrize("optimizer", [vg.SGD(0.1), vg.Momentum(0.1)], ids=repr)
def test_a_product_that_overflows_is_found_before_it_is_added(optimizer: vg.Optimizer) -> None:
    program = vg.compile(steep(), optimizer=optimizer, pipeline=ALWAYS)
    assert "gemm" in [x.op.name for x in program.training.order]
    feeds = {"x": np.full((2, 1), 1e30, "f4"), "s": np.full((2, 6), 1e30, "f4")}
    before = held(program)
    with pytest.raises(vg.NonFiniteError, match="not finite: %w"):
        program.step(feeds)
    assert all((held(program)[k] == v).all() for k, v in before.items())
    program.step({k: a * 0 + 1 for k, a in feeds.items()})
    assert program.parameters["w"].tolist() == [[np.float32(-0.2)] * 6]


@vg.op
class Added(vg.Op):
    """c + a b, of a user's own."""

    name: ClassVar[str] = "test_added"
    inplace: ClassVar[tuple[int, ...]] = (0,)
    adds: ClassVar[tuple[int, int] | None] = (1, 2)

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0]

    def run(self, c: Array, a: Array, b: Array, *, out: Array) -> None:
        np.add(c, np.dot(a, b), out=out)

    def run_product(self, *arrays: Array, out: Array) -> None:
        np.dot(*arrays[1:], out=out)


def test_the_product_that_an_op_of_a_user_adds_is_looked_at_before() -> None:
    w, x = vg.state("w", (2, 2), init="zeros"), vg.input("x", (2, 2))
    a = vg.exp(x)
    g = vg.Graph("own", loss=vg.sum(a), updates={w: vg.apply(Added(), w, a, a, name="grown")})
    program = vg.compile(g)
    program.step(x=np.zeros((2, 2)))
    old = program.state["w"]
    with pytest.raises(vg.NonFiniteError):
        program.step(x=np.full((2, 2), 50.0))
    np.testing.assert_array_equal(program.state["w"], old)
    assert (old == 2).all()


def test_factors_whose_squares_overflow_may_have_a_finite_product() -> None:
    program = vg.compile(steep(), optimizer=vg.SGD(0.1), pipeline=ALWAYS)
    feeds = {"x": np.full((2, 1), 1e25, "f4"), "s": np.full((2, 6), 1e-25, "f4")}
    assert program.step(feeds) == 0
    assert np.allclose(program.parameters["w"], -0.2)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["x", "s"])
def test_a_feed_that_is_not_finite_is_named(name: str, bad: float) -> None:
    program = vg.compile(steep(), optimizer=vg.SGD(0.1), pipeline=ALWAYS)
    feeds = {"x": np.ones((2, 1), "f4"), "s": np.ones((2, 6), "f4")}
    feeds[name][1, 0] = bad
    with pytest.raises(vg.NonFiniteError, match=f"input '{name}' holds"):
        program.step(feeds)
    assert (program.parameters["w"] == 0).all()


def test_a_batch_without_rows_changes_nothing_but_by_decay() -> None:
    program = vg.compile(steep(3), optimizer=vg.Momentum(0.1), pipeline=ALWAYS)
    full = {"x": np.ones((2, 3), "f4"), "s": np.ones((2, 6), "f4")}
    program.step(full)
    moved = program.parameters["w"].copy()
    program.step({k: a[:0] for k, a in full.items()})
    assert np.allclose(program.parameters["w"], moved * 1.9)


def updated(new: dict[str, str], **sources: str) -> vg.Graph:
    """A net that trains q, beside updates of states u and w as text such as `0.9 * w + p`."""
    x, y = vg.input("x", ("N", 200)), vg.input("y", ("N", 200))
    square = (200, 200)
    q = vg.parameter("q", square)
    names = {
        "vg": vg,
        "p": vg.matmul(x, y, transpose_a=True),
        "u": vg.state("u", square, init="zeros"),
        "w": vg.state("w", square, init="zeros"),
        "f": vg.input("f", square),
        "k": vg.input("k", square),
    }
    for name, text in sources.items():
        names[name] = eval(text, names)
    updates = {names[name]: eval(text, names) for name, text in new.items()}
    loss = vg.mean(vg.matmul(vg.exp(names["f"]) if "late" in sources else x, q))
    return vg.Graph("g", loss=loss, updates=updates)


@pytest.mark.parametrize(
    ("text", "feeds"),
    [
        ("0.9 * w + (p + 0.1 * f)", {"f": np.nan}),
        ("0.9 * w + (p + 1e30 * f)", {"f": 1e10}),
        ("w + -1e30 * p", {"x": 1e5, "y": 1e5}),
    ],
)
def test_what_is_added_beside_a_product_is_looked_at(text: str, feeds: dict[str, float]) -> None:
    program = vg.compile(updated({"w": text}), optimizer=vg.SGD(0.1))
    values = {"x": 1.0, "y": 1.0, "f": 1.0} | feeds
    shapes = {"x": (2, 200), "y": (2, 200), "f": (200, 200)}
    wanted = [program.training.names[n] for n in program.training.inputs]
    before = held(program)
    with pytest.raises(vg.NonFiniteError):
        program.step({k: np.full(shapes[k], values[k], "f4") for k in wanted})
    assert all((held(program)[k] == v).all() for k, v in before.items())


@pytest.mark.parametrize(
    ("scale", "factor"), [("1e25 * (1e20 * p)", 1e-13), ("1e-25 * (1e-25 * p)", 1e17)]
)
def test_scales_are_not_joined_to_what_no_number_is(scale: str, factor: float) -> None:
    n = updated({"w": f"w + {scale}"})
    feeds = {"x": np.full((2, 200), factor, "f4"), "y": np.full((2, 200), factor, "f4")}
    here, there = (vg.compile(n, optimizer=vg.SGD(0.1), pipeline=p) for p in (vg.TRAINING, PLAIN))
    assert here.step(feeds) == there.step(feeds)
    assert np.allclose(here.state["w"], there.state["w"], rtol=1e-5) and here.state["w"].all()


def test_a_factor_that_is_computed_late_is_not_looked_at_before(rng: np.random.Generator) -> None:
    new = {"u": "un", "w": "0.9 * w + vg.matmul(vg.tanh(un * 0.5), k)"}
    n = updated(new, un="u + 1.0 * p", late="0")
    values = {"x": 1e-25, "y": 1e25, "f": 57.0, "k": 1e20}
    shapes = {"x": (2, 200), "y": (2, 200), "f": (200, 200), "k": (200, 200)}
    feeds = {k: np.full(shapes[k], v, "f4") for k, v in values.items()}
    program = vg.compile(n, optimizer=vg.SGD(1e-30))
    program.step(feeds)
    assert np.isfinite(program.state["w"]).all() and program.state["w"].all()


# ---- memory ---------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [vg.SGD(0.1), vg.Momentum(0.1)], ids=repr)
def test_a_limit_can_still_be_met_by_computing_again(optimizer: vg.Optimizer) -> None:
    n = net(*[256] * 13, 10)
    limits = {"memory_limit": 10_000_000, "recompute": True}
    plans = [
        vg.compile(n, optimizer=optimizer, pipeline=p, **limits).plan(N=1000)
        for p in (vg.TRAINING, PLAIN)
    ]
    assert plans[0].nbytes <= plans[1].nbytes and plans[0].recomputed


def test_what_is_computed_again_has_the_same_bits(rng: np.random.Generator) -> None:
    n = net(*[256] * 6, 10)
    free = vg.compile(n, optimizer=vg.Momentum(0.1), regularizer=vg.L2(0.1))
    tight = vg.compile(
        n,
        optimizer=vg.Momentum(0.1),
        regularizer=vg.L2(0.1),
        memory_limit=free.plan(N=500).nbytes * 2 // 3,
        recompute=True,
    )
    plan = tight.plan(N=500)
    added = [x for x in plan.graph.order if x.op.name == "gemm"]
    assert plan.recomputed and added
    assert not any(x in plan.graph.schedule.takeovers for x in added)  # places of their own
    for _ in range(3):
        feeds = batch(rng, 500, 256, 10)
        assert free.step(feeds) == tight.step(feeds)
    assert all((held(tight)[k] == v).all() for k, v in held(free).items())


def taken(factor: float, dtype: str, smallest: int = 1) -> bool:
    """Whether the descent of 12 weights by a product and this rate is one product in place."""
    x = vg.input("x", ("N", 3), dtype=dtype)
    w = vg.parameter("w", (3, 4), dtype=dtype)
    y = vg.input("dy", ("N", 4), dtype=dtype)
    product, rate = vg.matmul(x, y, transpose_a=True), vg.constant(factor, dtype)
    g = vg.Graph("net", {"x": x}, updates={w: vg.apply(Descend(), w, product, rate)})
    return any(n.op.name == "gemm" for n in AddInPlace(smallest=smallest, rows=1).apply(g).order)


@pytest.mark.parametrize(("dtype", "least"), [("f32", 2.0**-126), ("f64", 2.0**-1022)])
def test_a_product_is_added_by_any_number_that_is_normal(dtype: str, least: float) -> None:
    assert taken(least, dtype) and taken(-least, dtype)
    assert not taken(least / 2, dtype) and not taken(-least / 2, dtype)
    assert not taken(least * (1 - 2.0**-23), dtype)


def test_a_tensor_of_just_as_many_elements_is_large_enough() -> None:
    assert taken(0.1, "f32", 12) and not taken(0.1, "f32", 13)
