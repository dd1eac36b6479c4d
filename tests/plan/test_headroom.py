"""No step leaves a state that is not finite, however its updates overflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

import verigrad as vg
from verigrad.runtime.execution.executor import Executor
from verigrad.runtime.execution.headroom import SQUARES, Headroom

s = vg.schedules
OPTIMIZERS = [
    vg.SGD(0.1),
    vg.SGD(1e30),
    vg.SGD(s.exponential(0.1, decay=1e3)),
    vg.SGD(s.plateau(0.1)),
    vg.Momentum(0.1, rate_is="inside", dampening=0.1),
    vg.Momentum(1e36),
    vg.Nesterov(0.1),
    vg.Nesterov(0.1, dialect="torch", weight_decay=0.1),
    vg.AdaGrad(0.1),
    vg.AdaGrad(s.inverse(0.1, decay=0.5), dialect="optax"),
    vg.RMSProp(0.1, momentum=0.9, centered=True),
    vg.RMSProp(0.1, momentum=0.9, dialect="optax"),
    vg.Adam(0.1),
    vg.Adam(s.one_cycle(0.1, steps=9), dialect="onnx"),
    vg.Adam(s.warmup(s.cosine(0.1, steps=9), steps=3), eps_root=1e-8),
    vg.AdamW(0.1),
    vg.AdamW(1e20, weight_decay=1e15),
]


def linear(size: int = 3) -> vg.Graph:
    """The loss is the sum of w g, so that the gradient is what is fed as g."""
    w, g = vg.parameter("w", (size,), init="zeros"), vg.input("g", (size,))
    return vg.Graph("linear", loss=vg.sum(w * g))


def held(program: vg.Program) -> dict[str, bytes]:
    values = {**program.parameters, **program.state}
    assert all(np.isfinite(v).all() for v in values.values()), values
    return {k: v.tobytes() for k, v in values.items()}


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_every_state_is_finite_and_a_refused_step_changes_none(
    optimizer: vg.Optimizer, dtype: str
) -> None:
    program = vg.compile(linear(), optimizer=optimizer, dtype=dtype)
    largest = float(np.finfo(dtype.replace("f", "float")).max)
    refused = 0
    for size in (0.0, 1.0, 1e13, largest**0.49, -(largest**0.51), largest**0.9, largest / 2):
        for sign in (1, 1, -1):
            before = held(program)
            g = sign * np.array([size, 0, 1e-30], dtype.replace("f", "float"))
            try:
                program.step(g=g)
            except vg.NonFiniteError as e:
                refused += 1
                assert "the state is as it was before the step" in str(e)
                assert held(program) == before
            held(program)
    assert refused


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_what_is_proved_is_so(optimizer: vg.Optimizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that were proved are not looked at, and are finite with the largest gradients."""
    looked_at: list[int] = []
    checked = Executor._check_finite

    def noted(self: Executor) -> None:
        looked_at.append(1)
        checked(self)

    monkeypatch.setattr(Executor, "_check_finite", noted)
    program = vg.compile(linear(2), optimizer=optimizer)
    bound = 0.5 * SQUARES**0.5
    for number in range(100):
        try:
            program.step(g=np.array([bound, -bound * (-1) ** number], "f4"))
        except vg.NonFiniteError:
            assert looked_at
            break
        held(program)


def steps_looked_at(net: vg.Graph, feeds: dict[str, Any], **options: Any) -> int:
    """How many of 40 steps are looked at after they were made."""
    program = vg.compile(net, **options)
    program.step(feeds)
    (executor,) = program.executable._executors.values()
    seen: list[int] = []
    checked = executor._check_finite

    def noted() -> None:
        seen.append(1)
        checked()

    executor._check_finite = noted
    for _ in range(39):
        program.step(feeds)
    return len(seen)


ORDINARY = [o for o in OPTIMIZERS if repr(o.lr).find("decay=1000") < 0 and repr(o.lr)[:2] != "1e"]


@pytest.mark.parametrize("optimizer", ORDINARY, ids=repr)
def test_an_ordinary_step_is_proved_beforehand(
    optimizer: vg.Optimizer, three_layer: vg.Graph, rng: np.random.Generator
) -> None:
    feeds = {"x": rng.standard_normal((5, 12)), "y": np.arange(5) % 4}
    assert steps_looked_at(three_layer, feeds, optimizer=optimizer) == 0


def test_batch_norm_and_products_in_place_are_proved(rng: np.random.Generator) -> None:
    x, y = vg.input("x", ("N", 200)), vg.input("y", ("N",), dtype="i64")
    h = vg.relu(vg.batch_norm(vg.dense(x, 200, name="fc1"), name="bn"))
    net = vg.Graph("net", loss=vg.softmax_cross_entropy(vg.dense(h, 3), y))
    feeds = {"x": rng.standard_normal((6, 200)), "y": np.arange(6) % 3}
    options = {"optimizer": vg.Momentum(0.1), "regularizer": vg.L2(1e-4)}
    assert steps_looked_at(net, feeds, **options) == 0
    assert steps_looked_at(net, feeds, optimizer=vg.SGD(0.1), clip=vg.ClipNorm(1.0)) == 0


@pytest.mark.parametrize(
    ("update", "start"),
    [
        (lambda a, x: a * a, 10.0),
        (lambda a, x: a * 1e20, 1.0),
        (lambda a, x: a / (a - 1.0), 2.0),
        (lambda a, x: vg.exp(a) * x, 3.0),
        (lambda a, x: vg.sqrt(a - 1.0), 1.5),
        (lambda a, x: vg.log(a), 1.5),
        (lambda a, x: x, 1.0),
        (lambda a, x: a + x * 3e37, 1.0),
        (lambda a, x: vg.power(a, 30.0), 10.0),
        (lambda a, x: vg.reshape(vg.transpose(vg.reshape(a * 1e13, (1, 2)), (1, 0)), (2,)), 1.0),
    ],
)
def test_an_update_of_ones_own_is_looked_at(
    update: Callable[[vg.Node, vg.Node], vg.Node], start: float
) -> None:
    a, x = vg.state("a", (2,), init=vg.init.constant(start)), vg.input("x", (2,))
    net = vg.Graph("g", loss=vg.sum(x), updates={a: update(a, x)})
    program = vg.compile(net)
    with pytest.raises(vg.NonFiniteError):
        for number in range(60):
            before = held(program)
            program.step(x=np.full(2, np.inf if number == 50 else 1.0, "f4"))
    assert held(program) == before


@vg.op
class SquareInF64(vg.Op):
    """x x as f64, which NumPy computes in f32 where x is f32."""

    name: ClassVar[str] = "square_in_f64"
    elementwise: ClassVar[bool] = True
    traceable: ClassVar[bool] = True

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return vg.TensorType("f64", types[0].shape)

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.multiply(x, x, out=out)


@vg.op
class SquareUnlessMasked(vg.Op):
    """(0 x)^2 where the mask says so, x^2 elsewhere."""

    name: ClassVar[str] = "square_unless_masked"
    elementwise: ClassVar[bool] = True
    traceable: ClassVar[bool] = True

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0]

    def run(self, x: np.ndarray, mask: np.ndarray, *, out: np.ndarray) -> None:
        np.copyto(out, x)
        np.multiply(x, 0.0, out=out, where=mask)
        np.multiply(out, out, out=out)


@vg.op
class TimesSize(vg.Op):
    """x times the number of its elements."""

    name: ClassVar[str] = "times_size"
    traceable: ClassVar[bool] = True

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0]

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.multiply(x, float(x.size), out=out)


def past(c: vg.Node, whole: int) -> vg.Node:
    return c + vg.constant(np.int64(whole))


@pytest.mark.parametrize(
    ("start", "change", "read"),
    [
        # Whole numbers that wrap around, or that no float holds.
        (1, past, lambda c: 1.0 / (vg.cast(past(c, 2**63 - 1), "f64") + 2.0**63)),
        (
            0,
            lambda c, _: past(c, 2**53 + 1),
            lambda c: 1.0 / vg.cast(past(past(c, -(2**53)), -1), "f64"),
        ),
        # The next number after a power of 2, of which log2 is that of the power.
        (np.nextafter(256, 257), lambda s, _: 256.0 - s, vg.sqrt),
        (np.nextafter(2.0**-8, 1), lambda s, _: 2.0**-8 - s, vg.sqrt),
        # Kernels whose calls, on one element, are not what they are on all.
        (np.float32(1e25), vg.maximum, lambda s: vg.apply(SquareInF64(), s)),
        (np.float32(1e30), vg.maximum, lambda s: vg.apply(SquareUnlessMasked(), s, s < 2.0)),
        (np.float32(1e36), vg.maximum, lambda s: vg.apply(TimesSize(), s)),
    ],
)
def test_what_reads_a_new_state_is_looked_at(
    start: Any, change: Callable[[vg.Node, Any], vg.Node], read: Callable[[vg.Node], vg.Node]
) -> None:
    """A state is written in its place, and another one is computed from it after that."""
    first = np.full(1000, start)
    dtype = f"{first.dtype.kind}{8 * first.itemsize}"
    s, x = vg.state("s", (1000,), init=first, dtype=dtype), vg.input("x", ("N",))
    new = change(s, 1)
    made = read(new)
    u = vg.state("u", (1000,), dtype=made.type.dtype)
    program = vg.compile(vg.Graph("g", loss=vg.mean(x), updates={s: new, u: made}))
    before = held(program)
    with pytest.raises(vg.NonFiniteError):
        program.step(x=np.ones(2, "f4"))
    assert held(program) == before


def test_a_feed_goes_into_no_state_unlooked_at() -> None:
    mean, x, z = vg.state("mean", (2,)), vg.input("x", (2,)), vg.input("z", (2,))
    net = vg.Graph("g", loss=vg.sum(x), updates={mean: 0.9 * mean + 0.1 * z})
    program = vg.compile(net)
    program.step(x=[1.0, 1.0], z=[1.0, 2.0])
    before = held(program)
    with pytest.raises(vg.NonFiniteError, match=r"input 'z' holds nan at \[1\]"):
        program.step(x=[1.0, 1.0], z=[0.0, np.nan])
    assert held(program) == before


@pytest.mark.parametrize("factor", [np.nan, np.inf, -np.inf, 1e38])
def test_a_gradient_that_is_a_constant_is_looked_at(factor: float) -> None:
    """The gradient of the sum of 30 w is a constant of the graph."""
    w = vg.parameter("w", (2,), init="zeros")
    net = vg.Graph("g", loss=vg.sum(w * factor) * 30.0)
    program = vg.compile(net, optimizer=vg.SGD(0.1))
    with pytest.raises(vg.NonFiniteError):
        program.step()
    assert held(program) == {"w": bytes(8), "step": bytes(8)}


def test_a_loss_that_is_a_constant_is_looked_at() -> None:
    w = vg.parameter("w", (2,), init="zeros")
    net = vg.Graph("g", loss=vg.sum(w * 0.5) + vg.constant(np.nan))
    with pytest.raises(vg.NonFiniteError):
        vg.compile(net, optimizer=vg.SGD(0.1)).step()


def test_a_state_that_somebody_sets_is_looked_at_again() -> None:
    """A proof holds for the values that it began with."""
    program = vg.compile(linear(), optimizer=vg.Momentum(0.1))
    g = np.ones(3, "f4")
    for _ in range(3):
        program.step(g=g)
    program.state["w.velocity"] = np.full(3, -3.3e38, "f4")
    program.parameters["w"] = np.full(3, 3.3e38, "f4")
    before = held(program)
    with pytest.raises(vg.NonFiniteError, match=r"%w\.1 is inf at"):
        program.step(g=g * 0)
    assert held(program) == before


def test_steps_of_two_sizes_share_no_proof() -> None:
    x, w = vg.input("x", ("N", 2)), vg.parameter("w", (2, 1), init="ones")
    net = vg.Graph("g", loss=vg.sum(vg.matmul(x, w)))
    program = vg.compile(net, optimizer=vg.SGD(1e25))
    with pytest.raises(vg.NonFiniteError):
        for number in range(200):
            before = held(program)
            program.step(x=np.full((1 + number % 2, 2), 1e11 * (1 + number % 3), "f4"))
    assert held(program) == before


@pytest.mark.parametrize("kind", [vg.Adam, vg.AdamW, vg.AdaGrad, vg.RMSProp])
def test_an_eps_of_nothing_is_refused(kind: type[vg.Optimizer]) -> None:
    for eps in (0.0, 0, np.float32(0), -0.0):
        with pytest.raises(vg.GraphError, match=r"eps is .*, which is 0 in float64"):
            kind(lr=0.1, eps=eps)
    small = kind(lr=0.1, eps=1e-60)
    with pytest.raises(vg.VerigradError, match="eps is 1e-60, which is 0 in float32"):
        vg.compile(linear(), optimizer=small)
    program = vg.compile(linear(), optimizer=small, dtype="f64")
    program.step(g=np.zeros(3))
    assert (program.parameters["w"] == 0).all()


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_what_is_proved_holds_at_every_batch_size(
    backend: str,
    three_layer: vg.Graph,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Steps of other sizes between write the same state: nothing is proved anew for them."""
    if backend == "numba":
        pytest.importorskip("numba")
    proofs: list[int] = []
    steps = Headroom.steps

    def noted(self: Headroom) -> int:
        proofs.append(steps(self))
        return proofs[-1]

    monkeypatch.setattr(Headroom, "steps", noted)
    program = vg.compile(three_layer, optimizer=vg.Adam(0.01), backend=backend)
    for n in [5, 5, 3, 5, 2, 3] * 10:
        program.step(x=rng.standard_normal((n, 12)), y=np.arange(n) % 4)
    assert 0 < len(proofs) < 8


@pytest.mark.parametrize("optimizer", [vg.SGD(0.1), vg.Momentum(0.1), vg.Adam(0.01)], ids=repr)
def test_a_run_is_proved_once(
    optimizer: vg.Optimizer,
    three_layer: vg.Graph,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However long it is: the values stay within those that a proof began with."""
    followed: list[int] = []
    step = Headroom._step

    def noted(self: Headroom) -> bool:
        followed.append(1)
        return step(self)

    monkeypatch.setattr(Headroom, "_step", noted)
    program = vg.compile(three_layer, optimizer=optimizer)
    feeds = {"x": rng.standard_normal((5, 12)), "y": np.arange(5) % 4}
    for _ in range(1_000):
        program.step(feeds)
    assert len(followed) <= 2 * 128
