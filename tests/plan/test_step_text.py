"""The step as text: its parts, its loops, and the node behind each of its lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
from conftest import batch, net
from runner import same_bits

import verigrad as vg
from verigrad.passes.scheduling.schedule import ScheduleBuffers
from verigrad.runtime.backends.numpy import splats
from verigrad.runtime.backends.tracing import Call
from verigrad.runtime.execution.executor import Executor
from verigrad.runtime.planning.plan import Plan

pytestmark = pytest.mark.numpy_bits

OPTIMIZERS = [vg.SGD(0.1), vg.Momentum(0.1), vg.Nesterov(0.1), vg.RMSProp(0.01), vg.Adam(0.01)]


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verigrad.runtime.planning.tiling.TILE", 8)


def parts(source: str) -> dict[str, list[str]]:
    """The lines of each function of the step, without their comments."""
    found: dict[str, list[str]] = {}
    for block in re.split(r"\n\n    def ", source)[1:]:
        head, *lines = block.splitlines()
        code = [line.split("  #")[0][8:] for line in lines if line.startswith(" " * 8)]
        found[head.partition("(")[0]] = code
    return found


def calls(lines: list[str]) -> list[str]:
    return [line.partition("(")[0] for line in lines]


# ---- its parts ------------------------------------------------------------------------------


def test_a_step_is_prepared_computed_checked_and_committed() -> None:
    program = vg.compile(net(12, 8, 4), optimizer=vg.SGD(0.1), dropout=vg.Dropout(keep=0.5))
    source = program.source(N=4)
    assert source.startswith("def make(objects):\n")
    assert re.findall(r"def (\w+)\((.*)\)", source)[1:] == [
        ("prepare", "feed0, feed1"),
        ("compute", "feed0, feed1"),
        ("finite", "feed0, feed1"),
        ("commit", "feed0, feed1"),
    ]
    found = parts(source)
    assert found["prepare"] and not any("feed" in line for line in found["prepare"])
    (whether,) = found["finite"]
    assert whether.startswith("return bool(") and "dot(" in whether and ".item()" in whether
    assert calls(found["compute"])[-1] != "pass"
    assert any("feed0" in line for line in found["compute"])


def test_a_maximum_with_a_number_is_one_of_two_arrays() -> None:
    """NumPy uses SIMD for these; layers of one width read the same array."""
    program = vg.compile(net(12, 8, 8, 6, 4), optimizer=vg.SGD(0.1))
    step = program.executable.executor({"N": 5}).written()
    found = [line for line in step.lines if "maximum(" in line]
    names = [re.findall(r"a\d+", line) for line in found]
    assert [read for _, read, _ in names][:2] == [names[0][1]] * 2
    for first, read, out in names:
        assert first == out
        assert step.names.objects[read].shape == step.names.objects[out].shape
        assert not step.names.objects[read].any()


@pytest.mark.parametrize(("long_row", "held"), [(8, (8,)), (9, ())])
def test_beside_a_large_result_a_number_takes_little_memory(
    long_row: int, held: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verigrad.runtime.backends.numpy.splats._LARGE", 4 * 8 * 4)
    monkeypatch.setattr("verigrad.runtime.backends.numpy.splats._LONG_ROW", long_row)
    program = vg.compile(net(12, 8, 4), optimizer=vg.SGD(0.1))
    for rows, shape in ((4, (4, 8)), (5, held)):
        step = program.executable.executor({"N": rows}).written()
        (line,) = [line for line in step.lines if "maximum(" in line]
        _, read, _ = re.findall(r"[ac]\d+", line)
        assert step.names.objects[read].shape == shape
    feeds = batch(np.random.default_rng(0), 5, 12, 4)
    assert program.step(feeds) == vg.compile(net(12, 8, 4), optimizer=vg.SGD(0.1)).step(feeds)


@pytest.mark.parametrize(
    ("shape", "held"),
    [((4, 8), (4, 8)), ((5, 8), (8,)), ((32,), (32,)), ((33,), ()), ((2, 33), ()), ((9, 4), ())],
)
def test_no_array_for_a_number_is_larger_than_the_bound(
    shape: tuple[int, ...], held: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splats, "_LARGE", 32 * 4)
    monkeypatch.setattr(splats, "_LONG_ROW", 8)
    x, number = np.ones(shape, np.float32), np.zeros((), np.float32)
    number.setflags(write=False)
    spelled = splats.Filled().spelled(Call(np.maximum, (x, number), {"out": x}))
    first, second = spelled.arguments
    assert first is x and second.shape == held


@pytest.mark.parametrize("bound", [-1.0, 0.0, 0.5])
def test_a_bound_is_a_number_only_where_it_never_changes(bound: float) -> None:
    x, most = vg.input("x", ("N", 3)), vg.input("most", ())
    low = vg.maximum(x, bound)
    program = vg.compile(vg.Graph("g", {"y": vg.minimum(low, most), "z": vg.minimum(low, 0.75)}))
    values = np.linspace(-2, 2, 12, dtype="f4").reshape(4, 3)
    for limit in (0.25, -0.5, 1.5):
        found = program.predict(x=values, most=np.float32(limit))
        assert (found["y"] == np.minimum(np.maximum(values, bound), limit)).all()
        assert (found["z"] == np.minimum(np.maximum(values, bound), 0.75)).all()


def test_inference_commits_nothing() -> None:
    program = vg.compile(vg.Graph("g", {"y": vg.dense(vg.input("x", ("N", 3)), 2)}))
    assert parts(program.source(N=4))["commit"] == ["pass"]


@pytest.mark.parametrize("regularizer", [None, vg.L2(0.01), vg.ElasticNet(0.01, 0.01)], ids=repr)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_one_call_updates_all_parameters(
    optimizer: vg.Optimizer, regularizer: vg.Regularizer | None
) -> None:
    few, many = (
        parts(vg.compile(net(*sizes), optimizer=optimizer, regularizer=regularizer).source(N=4))
        for sizes in ((12, 4), (12, 8, 6, 5, 4))
    )
    assert calls(few["commit"]) == calls(many["commit"])
    assert len(many["finite"]) == 1 and many["finite"][0].count("dot(") == 1


@pytest.mark.usefixtures("small_tiles")
def test_updates_run_in_one_loop_and_what_is_left_over_once() -> None:
    program = vg.compile(net(12, 8, 6, 5, 4), optimizer=vg.Momentum(0.1))
    count = sum(np.prod(p.shape, dtype=int) for p in program.parameters.values())
    commit = parts(program.source(N=4))["commit"]
    loops = [k for k, line in enumerate(commit) if line.startswith("for ")]
    assert len(loops) == 1 and count % 8
    behind = commit[loops[0] + 1 :]
    body = [line.strip() for line in behind if line.startswith(" ")]
    rest = behind[len(body) : 2 * len(body)]
    assert calls(rest) == calls(body), "the remainder is the body once more"


def test_a_feed_is_read_by_its_name_also_transposed() -> None:
    program = vg.compile(net(12, 4), optimizer=vg.SGD(0.1))
    text = "\n".join(parts(program.source(N=4))["compute"])
    assert "dot(feed0.T, " in text and "dot(feed0, " in text


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("size", [1, 3, 12])
def test_feeds_of_each_step_are_read_where_they_lie(
    size: int, order: str, rng: np.random.Generator
) -> None:
    x = vg.input("x", ("N", 12))
    w = vg.parameter("w", (12, 12))
    y = {"xt": vg.transpose(x), "xx": vg.matmul(x, x, transpose_a=True), "xw": vg.matmul(x, w)}
    g = vg.Graph("g", {**y, "e": vg.exp(x)})
    program = vg.compile(g)
    for _ in range(3):
        feed = np.array(rng.standard_normal((size, 12)), np.float32, order=order)
        expected = vg.interpret(program.inference, {"x": feed, **program.parameters}).outputs
        found = program.predict(x=feed)
        assert all(same_bits(found[k], expected[k]) for k in expected)


# ---- a user's ops ---------------------------------------------------------------------------


class Halves(vg.Op):
    """y = 2 x, its first half and the rest by one call each."""

    name: ClassVar[str] = "halves"
    elementwise: ClassVar[bool] = True
    traceable: ClassVar[bool] = True

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0]

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        half = x.shape[0] // 2 if x.ndim else 0
        np.add(x[:half], x[:half], out=out[:half])
        np.add(x[half:], x[half:], out=out[half:])


class Backwards(Halves):
    """y = 2 x, the last element first."""

    name: ClassVar[str] = "backwards"

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.add(x[::-1], x[::-1], out=out[::-1])


class Checked(vg.Op):
    """y = x; raises where an element is below 0."""

    name: ClassVar[str] = "checked"
    elementwise: ClassVar[bool] = True

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0]

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        if x.size and x.min() < 0:
            raise ValueError("below 0")
        np.copyto(out, x)


class CheckedStraight(Checked):
    """The same, which says that it is traceable."""

    name: ClassVar[str] = "checked_traceable"
    traceable: ClassVar[bool] = True


class Moved(vg.Op):
    """w' = w + g, in the place of w; raises where an element of g is below 0."""

    name: ClassVar[str] = "moved"
    inplace: ClassVar[tuple[int, ...]] = (0,)

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0]

    def run(self, w: np.ndarray, g: np.ndarray, *, out: np.ndarray) -> None:
        if g.min() < 0:
            raise ValueError("below 0")
        np.add(w, g, out=out)


OURS = (Halves, Backwards, Checked, CheckedStraight, Moved)


@pytest.fixture
def own_ops(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in OURS:
        monkeypatch.setitem(vg.graph.OPS, kind.name, kind)


def run(g: vg.Graph, feeds: Sequence[np.ndarray], size: int) -> tuple[Executor, dict[str, Any]]:
    scheduled = ScheduleBuffers().apply(g)
    executor = Executor(Plan(scheduled, {"N": size}, g), {})
    executor.compute(feeds)
    return executor, {k: executor.output(k) for k in g.outputs}


@pytest.mark.usefixtures("own_ops")
@pytest.mark.parametrize("size", [1, 5, 20, 24])
@pytest.mark.parametrize("kind", [Halves, Backwards], ids=lambda k: k.name)
@pytest.mark.parametrize("tile", [8, 16_384])
def test_a_kernel_that_works_in_parts_is_right_in_each_tile(
    kind: type[vg.Op],
    size: int,
    tile: int,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("verigrad.runtime.planning.tiling.TILE", tile)
    x = vg.input("x", ("N", 3))
    a = vg.log_softmax(x, name="a")
    g = vg.Graph("g", {"y": vg.tanh(vg.apply(kind(), vg.exp(a))), "z": vg.apply(kind(), a)})
    feed = rng.standard_normal((size, 3)).astype(np.float32)
    _, found = run(g, [feed], size)
    expected = vg.interpret(g, {"x": feed}).outputs
    assert all(same_bits(found[k], expected[k]) for k in expected)


@pytest.mark.usefixtures("own_ops")
def test_an_op_that_is_not_traceable_is_called_by_name() -> None:
    x = vg.input("x", ("N", 3))
    g = vg.Graph("g", {"y": vg.exp(vg.apply(Checked(), vg.exp(x)))})
    executor, _ = run(g, [np.ones((2, 3), np.float32)], 2)
    assert re.search(r"^ +k\d+\(a\d+, out=a\d+\)$", executor.source, re.M)
    assert "checked" not in executor.source, "no text of a user's"


# ---- errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize("tile", [8, 16_384])
def test_a_label_out_of_range_names_the_input(
    tile: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verigrad.runtime.planning.tiling.TILE", tile)
    program = vg.compile(net(12, 8, 4), optimizer=vg.Momentum(0.1))
    feeds = batch(rng, 20, 12, 4)
    program.step(feeds)
    before = {k: np.array(v) for k, v in {**program.parameters, **program.state}.items()}
    feeds["y"][7] = 4
    with pytest.raises(vg.RunError, match="input 'y' holds the label 4 in row 7"):
        program.step(feeds)
    after = {**program.parameters, **program.state}
    assert all(same_bits(before[k], np.array(after[k])) for k in before)


@pytest.mark.usefixtures("own_ops")
@pytest.mark.parametrize("kind", [Checked, CheckedStraight], ids=lambda k: k.name)
@pytest.mark.parametrize("tile", [8, 16_384])
def test_an_error_of_a_kernel_names_its_node(
    kind: type[vg.Op], tile: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verigrad.runtime.planning.tiling.TILE", tile)
    x = vg.input("x", ("N", 3))
    a = vg.log_softmax(x, name="a")
    b = vg.exp(a, name="b")
    c = vg.apply(kind(), b, name="c")
    g = vg.Graph("g", {"y": vg.apply(kind(), vg.negative(c, name="d"), name="e")})
    said = rf"^ValueError: below 0\n  in %e = {kind.name}\(%d\)$"
    with pytest.raises(vg.RunError, match=said):
        run(g, [np.ones((20, 3), np.float32)], 20)


@pytest.mark.usefixtures("own_ops", "small_tiles")
def test_an_error_in_the_last_tile_names_its_node() -> None:
    x = vg.input("x", ("N", 3))
    b = vg.add(vg.log_softmax(x, name="l"), vg.constant(2.0), name="b")
    c = vg.apply(CheckedStraight(), b, name="c")
    g = vg.Graph("g", {"y": vg.exp(c)})
    feed = np.zeros((21, 3), np.float32)
    run(g, [feed], 21)
    feed[20, 0] = 50
    with pytest.raises(vg.RunError, match=r"in %c = checked_traceable\(%b\)"):
        run(g, [feed], 21)


@pytest.mark.usefixtures("own_ops")
def test_an_error_in_an_update_names_its_node_and_leaves_the_program_unusable() -> None:
    x, w = vg.input("x", ("N", 3)), vg.state("w", (3,), init="zeros")
    total = vg.sum(x, axes=[0], name="total")
    moved = vg.apply(Moved(), w, total, name="moved")
    g = vg.Graph("g", loss=vg.sum(x, name="loss"), updates={w: moved})
    program = vg.compile(g)
    program.step(x=np.ones((2, 3), np.float32))
    with pytest.raises(
        vg.RunError, match=r"ValueError: below 0\n  in %moved = moved\(%w, %total\)"
    ):
        program.step(x=-np.ones((2, 3), np.float32))
    with pytest.raises(vg.RunError, match="cut off"):
        program.step(x=np.ones((2, 3), np.float32))


def test_steps_of_a_source_compile_and_name_no_user_text() -> None:
    x = vg.input("import_os", ("N", 3))
    g = vg.Graph("evil", {"system": vg.dense(x, 2, name="exec")})
    source = vg.compile(g).source(N=2)
    compile(source, "step", "exec")
    assert not re.search("import|system|evil|exec", source)
