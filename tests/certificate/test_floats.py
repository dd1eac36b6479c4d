"""The float layer: a compiled step's numbers against the interpreter's, from a state of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from conftest import batch, net
from effort import some
from test_exact import (
    ACTIVATIONS,
    CLIPS,
    DROPOUTS,
    NORMALIZATIONS,
    OPTIMIZERS,
    REGULARIZERS,
    deep,
    repr_of,
)

import verigrad as vg
from verigrad.ops.likelihood import SoftmaxNLLGrad
from verigrad.runtime.certificate.bounds import MULTIPLE
from verigrad.runtime.certificate.floats import Floats, check_floats, check_values

BACKENDS = ("numpy", "numba")
ALL = list(product(OPTIMIZERS, ACTIVATIONS, NORMALIZATIONS, REGULARIZERS, DROPOUTS, CLIPS))
CASES = [("numpy", *case) for case in some(ALL, 50)]
CASES += [("numba", *case) for case in some(ALL[7:], 10)]  # new kernels take a second each


def requires(backend: str) -> None:
    if backend == "numba":
        pytest.importorskip("numba")


@pytest.mark.parametrize("case", CASES, ids=repr_of)
def test_sound_steps_are_far_within_their_bounds(
    case: tuple[Any, ...], rng: np.random.Generator
) -> None:
    backend, optimizer, activation, normalization, regularizer, dropout, clip = case
    requires(backend)
    program = vg.compile(
        deep(activation, normalization),
        optimizer=optimizer,
        regularizer=regularizer,
        dropout=dropout,
        clip=clip,
        backend=backend,
    )
    for rows in (7, 2, 40):
        program.step(batch(rng, rows, 5, 4))
    found = program.certificate.floats
    assert [f.sizes for f in found] == [{"N": 7}, {"N": 2}, {"N": 40}]
    for f in found:
        assert f.verdict == "within bounds", f
        made = f.compared - program.certificate.exact.compared
        assert f.ratio < 0.25 and 0 <= made <= len(program.parameters)


@pytest.mark.parametrize("clip", [None, vg.ClipValue(100.0), vg.ClipNorm(100.0)])
def test_a_gradient_is_compared_though_its_part_of_a_new_value_is_small(
    clip: vg.Clip | None, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    """The fused kernel is in the step alone: what it is compared with is made of others."""
    right = SoftmaxNLLGrad.run

    def wrong(self: SoftmaxNLLGrad, *arrays: np.ndarray, **rest: Any) -> None:
        right(self, *arrays, **rest)
        rest["out"] *= np.float32(1.001)

    def program() -> vg.Program:
        return vg.compile(net(5, 6, 4), optimizer=vg.SGD(1e-7), clip=clip)

    sound = program()
    sound.step(batch(rng, 8, 5, 4))
    assert sound.certificate.floats[0].verdict == "within bounds"
    assert sound.certificate.floats[0].compared > sound.certificate.exact.compared
    monkeypatch.setattr(SoftmaxNLLGrad, "run", wrong)
    monkeypatch.setattr(SoftmaxNLLGrad, "traceable", False)
    with pytest.raises(vg.graph.RefutedError, match=r"gradient for fc\d\.\w+ is off by"):
        program().step(batch(rng, 8, 5, 4))


def test_a_gradient_that_cancels_is_rounded_as_those_beside_it(rng: np.random.Generator) -> None:
    """That for a bias before batch normalization is 0, but for rounding."""
    for rows in (2, 3, 9):
        program = vg.compile(deep(vg.relu, vg.batch_norm), optimizer=vg.Momentum(0.1))
        program.step(batch(rng, rows, 5, 4))
        assert program.certificate.floats[0].ratio < 0.25


def test_each_plan_is_checked_once_and_the_state_is_the_users(rng: np.random.Generator) -> None:
    alone = vg.compile(net(5, 6, 4), optimizer=vg.Adam(0.01), certify=False)
    program = vg.compile(net(5, 6, 4), optimizer=vg.Adam(0.01))
    for rows in (8, 4, 8, 4, 8):
        feeds = batch(rng, rows, 5, 4)
        assert program.step(feeds) == alone.step(feeds)
    assert len(program.certificate.floats) == 2
    for name, value in {**alone.parameters, **alone.state}.items():
        assert ({**program.parameters, **program.state}[name] == value).all()


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("rows", [1, 2, 300])
def test_every_dtype_and_size(dtype: str, rows: int, rng: np.random.Generator) -> None:
    program = vg.compile(net(30, 20, 4), optimizer=vg.RMSProp(0.01), dtype=dtype)
    program.step(batch(rng, rows, 30, 4))
    program.evaluate(batch(rng, rows, 30, 4))
    (found,) = program.certificate.floats
    assert found.verdict == "within bounds" and found.ratio < 0.25, found


# ---- faults ---------------------------------------------------------------------------------


def last_row_left_out(*arrays: np.ndarray) -> None:
    arrays[-1][-1:] = 0


def shrunk(*arrays: np.ndarray) -> None:
    arrays[-1][...] *= np.float32(0.999)


@pytest.mark.parametrize("wrong", [last_row_left_out, shrunk], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", ["nll_grad", "batch_variance", "descend_scaled", "linear", "sum"])
def test_a_wrong_number_of_a_step_is_refuted(
    name: str, wrong: Callable[..., None], rng: np.random.Generator
) -> None:
    """Of a step that is like the right one but for one tensor: what a kernel makes wrong."""
    program = vg.compile(
        deep(vg.tanh, vg.batch_norm if name == "batch_variance" else None),
        optimizer=vg.Adam(0.01),
        pipeline=vg.TRAINING.without("fuse_linear_relu", "fuse_softmax_nll", "add_in_place"),
    )
    feeds = batch(rng, 8, 5, 4)
    program.step(feeds)
    reference = program.stages["attach_optimizer"]
    state = {**program.parameters, **program.state}

    def run(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return by_hand(program.training, {**values, **feeds}, name, wrong)

    found = check_floats(reference, state, feeds, {"N": 8}, run)
    assert found.verdict == "refuted" and found.ratio > 1, found
    assert re.search(r"is off by .* in norm, where rounding allows .* in f64", found.reason)
    right = check_floats(
        reference, state, feeds, {"N": 8}, lambda v: by_hand(program.training, {**v, **feeds})
    )
    assert right.verdict == "within bounds", right


def by_hand(
    g: vg.Graph,
    values: dict[str, np.ndarray],
    name: str = "",
    wrong: Callable[..., None] | None = None,
) -> dict[str, np.ndarray]:
    """All tensors of a graph, the results of one op spoilt."""
    arrays = {n: np.asarray(values[g.names[n]]) for n in g.sources if g.names[n] in values}
    arrays |= {n: n.op.array for n in g.constants}
    for n in g.order:
        arrays[n] = vg.graph.compute(n, [arrays[i] for i in n.inputs], {"N": 8})
        if n.op.name == name and wrong is not None:
            wrong(arrays[n])
    found = {f"output {k}": arrays[n] for k, n in g.outputs.items()}
    return found | {f"the new {g.names[w]}": arrays[n] for w, n in g.updates.items()}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_faulty_kernel_is_an_error_before_the_state_changes(
    backend: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    requires(backend)
    from verigrad.runtime.execution.executor import Executor

    step = Executor.step

    def faulty(self: Executor, feeds: list[np.ndarray], version: int = 0) -> None:
        step(self, feeds, version)
        for w in self.graph.updates:
            if w.type.rank == 2:
                self._arrays[w][-1, -1] *= 1.001

    monkeypatch.setattr(Executor, "step", faulty)
    program = vg.compile(net(5, 6, 4), optimizer=vg.SGD(0.1), backend=backend)
    before = {**program.parameters, **program.state}
    with pytest.raises(vg.RefutedError, match=r"the new fc\d.weight is off by .* at \[5, 3\]|\[4,"):
        program.step(batch(rng, 8, 5, 4))
    assert all((a == before[k]).all() for k, a in {**program.parameters, **program.state}.items())


def test_a_plan_whose_check_would_take_too_much_memory_is_skipped(
    rng: np.random.Generator,
) -> None:
    x = vg.input("x", ("N", 4))
    g = vg.Graph("wide", {"y": vg.relu(vg.dense(vg.relu(vg.dense(x, 300)), 300))})
    program = vg.compile(g, memory_limit=100_000_000)
    rows = rng.standard_normal((20_000, 4)).astype("f4")
    assert program.predict(x=rows)["y"].shape == (20_000, 300)
    program.predict(x=rows[:100])
    large, small = program.certificate.floats
    assert large.verdict == "skipped" and "100,000,000 bytes" in large.reason
    assert small.verdict == "within bounds"


def test_what_is_not_finite_from_a_drawn_state_is_skipped(rng: np.random.Generator) -> None:
    w = vg.parameter("w", (5, 4), "ones")
    x, y = vg.input("x", ("N", 5)), vg.input("y", ("N",), dtype="i64")
    g = vg.Graph("logs", loss=vg.softmax_cross_entropy(x @ vg.log(w * w * 0.0 + w), y))
    program = vg.compile(g, optimizer=vg.SGD(0.001))
    program.parameters["w"] = np.full((5, 4), 0.5, "f4")
    assert program.step(batch(rng, 8, 5, 4)) > 0
    (found,) = program.certificate.floats
    assert found.verdict == "skipped" and "not finite" in found.reason


def test_values_near_a_kink_are_no_reason_to_refute() -> None:
    """At 2,000 zeros, either side of |x| is right, within rounding."""
    x, w = vg.input("x", ("N", 4)), vg.parameter("w", (4,), "ones")
    near = vg.sum((x * w - x * w) * 1.0 + x * 1e-9 * w, axis=1)
    g = vg.Graph("kinks", loss=vg.mean(vg.absolute(near)))
    program = vg.compile(g, optimizer=vg.SGD(0.1))
    values = np.random.default_rng(0).choice([1.0, -1.0], (2000, 4)).astype("f4")
    assert program.step(x=values) >= 0
    (found,) = program.certificate.floats
    assert found.verdict in ("within bounds", "skipped")


def test_the_certificate_fits_a_screen(rng: np.random.Generator) -> None:
    program = vg.compile(net(5, 6, 4), optimizer=vg.SGD(0.1))
    for rows in range(1, 20):
        program.step(batch(rng, rows, 5, 4))
    assert [f.verdict for f in program.certificate.floats] == [
        *["within bounds"] * 16,
        *["skipped"] * 3,
    ]
    assert len(str(program.certificate).splitlines()) <= 24
    assert isinstance(program.certificate.floats[0], Floats) and MULTIPLE >= 16


def test_what_happens_to_cancel_may_be_off_by_the_rounding_of_what_cancelled() -> None:
    a, b = vg.input("a", ("N",)), vg.input("b", ("N",))

    def graph(y: vg.Node) -> vg.Graph:
        return vg.Graph("g", {"y": y * 1.0})

    rng = np.random.default_rng(0)
    values = {k: rng.standard_normal(50).astype(np.float32) for k in "ab"}
    nothing = graph((a + b) - (b + a))
    assert check_values(nothing, graph((a + b) - b - a), values).verdict == "within bounds"
    for wrong in (a * 1e-3, a + b - b):
        assert check_values(nothing, graph(wrong), values).verdict == "refuted"


def test_a_sum_that_is_exact_in_one_order_need_not_be_in_another() -> None:
    """Small differences of large numbers, in pairs that cancel: their sum is 0 in f64 and in f32,
    but in another order it is off by last places of what they are differences of."""
    x, large = vg.input("x", (4,)), vg.input("large", (4,))
    y = vg.sum((x + large) - large)
    values = {
        "x": np.array([3e-3, -3e-3, 1e-3, -1e-3], np.float32),
        "large": np.full(4, 3.0, np.float32),
    }

    def verdict(of: vg.Node) -> str:
        return check_values(vg.Graph("g", {"y": y}), vg.Graph("h", {"y": of}), values).verdict

    parts = vg.sum(0.3 * x + 0.3 * large) - vg.sum(0.3 * large)
    assert verdict(parts * (1 / 0.3)) == "within bounds"
    assert {verdict(y + 1e-3), verdict(vg.sum(1.001 * (x + large) - large))} == {"refuted"}


@pytest.mark.parametrize("dtype", ["i64", "bool"])
def test_truth_values_are_near_no_kink(dtype: str, rng: np.random.Generator) -> None:
    x = vg.input("x", ("N", 3))
    program = vg.compile(vg.Graph("g", {"y": vg.cast(vg.greater(x, 0.0), dtype)}))
    values = rng.standard_normal((4, 3)).astype(np.float32)
    assert (program.predict(x=values)["y"] == (values > 0)).all()
    (checked,) = program._variants.prediction.certifier.certificate.floats
    assert checked.verdict == "within bounds"


def test_what_a_user_calls_a_gradient_is_none(rng: np.random.Generator) -> None:
    """Found by random programs: an output of the user's that is named as a gradient would be."""
    a, w = vg.input("a", (2, 2)), vg.parameter("w", (2, 2), init="ones")
    mine = vg.matmul(a, a, transpose_a=True).but(name="w.grad")
    g = vg.Graph("g", {"mine": mine}, loss=vg.squared_norm(w))
    assert g.names[mine] == "w.grad"
    for optimizer in (vg.SGD(0.1), vg.Adam(0.1)):
        program = vg.compile(g, optimizer=optimizer, regularizer=vg.ElasticNet(0.01, 0.02))
        program.step(a=rng.standard_normal((2, 2)).astype(np.float32))
        (found,) = program.certificate.floats
        assert found.verdict == "within bounds", found


def test_a_step_that_is_off_nowhere_names_no_tensor(rng: np.random.Generator) -> None:
    program = vg.compile(net(5, 6, 4), optimizer=vg.SGD(0.1), dtype="f64")
    program.step(batch(rng, 7, 5, 4))
    (found,) = program.certificate.floats
    told = str(found)
    if found.ratio == 0:  # the bits of the reference, as NumPy's kernels have them
        assert "tensors, none off at all, in " in told
    assert ",  " not in told
