"""Profiles: their rows and sums, what they leave behind, and the model of the machine."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import verigrad as vg
from verigrad.graph import Product
from verigrad.passes.add_in_place import AddInPlace
from verigrad.runtime.backends.backend import CHECK, COPIES
from verigrad.runtime.backends.registry import BACKENDS, Backend
from verigrad.runtime.backends.step_text import Calls
from verigrad.runtime.backends.tracing import Call
from verigrad.runtime.figures.bars import Bar, _longest, draw_bars
from verigrad.runtime.planning.tiling import TILE
from verigrad.runtime.profiling import machine as machine_module
from verigrad.runtime.profiling.machine import Calibration, Machine
from verigrad.runtime.profiling.prediction import seconds, works
from verigrad.runtime.profiling.profile import Profile


@pytest.fixture(autouse=True)
def _few_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates are not what these tests look at."""
    monkeypatch.setattr(machine_module, "_LARGEST", 1 << 18)


def program(optimizer: vg.Optimizer | None = None, width: int = 6) -> vg.Program:
    x, y = vg.input("x", ("N", 5)), vg.input("y", ("N",), dtype="i64")
    scores = vg.mlp(x, [width, 3])
    net = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    return vg.compile(net, optimizer=optimizer)


def feeds(rows: int = 4) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "x": rng.standard_normal((rows, 5)).astype(np.float32),
        "y": rng.integers(0, 3, rows),
    }


def held(p: vg.Program) -> dict[str, bytes]:
    return {k: v.tobytes() for k, v in (*p.parameters.items(), *p.state.items())}


@pytest.fixture(scope="module")
def report() -> Profile:
    return program(vg.Adam(1e-3)).profile(feeds(), steps=7)


def test_every_group_of_a_step_is_a_row_and_so_is_the_check(report: Profile) -> None:
    p = program(vg.Adam(1e-3))
    schedule = p.plan(N=4).graph.schedule
    groups = [k.key for k in report.kernels if isinstance(k.key, int)]
    of_steps = [n for n in schedule.order if n not in schedule.once]
    assert schedule.once and groups == sorted({schedule.groups[n] for n in of_steps})
    assert [k.key for k in report.kernels if not isinstance(k.key, int)] == [CHECK]
    names = [name for k in report.kernels for name in k.nodes]
    assert sorted(names) == sorted(p.training.names[n] for n in of_steps)


def test_rows_sum_to_the_whole(report: Profile) -> None:
    cost = program(vg.Adam(1e-3)).cost(N=4)
    of_nodes = [k for k in report.kernels if k.key != CHECK]
    assert sum(k.flops for k in of_nodes) == cost.flops
    assert report.measured == pytest.approx(sum(k.measured for k in report.kernels))
    assert report.predicted == pytest.approx(sum(k.predicted for k in report.kernels))
    assert sum(map(report.share, report.kernels)) == pytest.approx(1)
    assert all(k.measured > 0 and k.predicted > 0 for k in report.kernels)
    assert report.measured > 0 and report.step > 0


def test_the_check_reads_the_loss_and_what_updates_read(report: Profile) -> None:
    (check,) = [k for k in report.kernels if k.key == CHECK]
    count = 5 * 6 + 6 + 6 * 3 + 3 + 1
    assert (check.flops, check.nbytes, check.phase) == (2 * count, 4 * count, "check")


def test_the_state_is_afterwards_what_it_was() -> None:
    p = program(vg.Adam(1e-3))
    p.step(feeds())
    before = held(p)
    p.profile(**feeds(), steps=3)
    assert held(p) == before and p.step_number == 1
    again = program(vg.Adam(1e-3))
    again.step(feeds())
    assert p.step(feeds()) == again.step(feeds())
    assert held(p) == held(again)


def test_the_state_is_put_back_where_a_step_is_not_finite() -> None:
    p = program(vg.SGD(1e30))
    before = held(p)
    with pytest.raises(vg.NonFiniteError, match="a smaller lr may help"):
        p.profile(feeds(), steps=20)
    assert held(p) == before
    assert p.loss(feeds()) == program(vg.SGD(1e30)).loss(feeds())


def test_a_step_after_a_profile_has_no_stamps() -> None:
    p = program(vg.SGD(0.1))
    p.profile(feeds(), steps=1)
    executor = p.executable.executor({"N": 4})
    assert executor._compute.__code__.co_filename == "<step of verigrad>"


def test_programs_without_updates_and_without_a_loss_are_profiled() -> None:
    x = vg.input("x", ("N", 3))
    report = vg.compile(vg.Graph("forward", {"y": vg.tanh(vg.dense(x, 2))})).profile(
        x=np.ones((4, 3), np.float32), steps=2
    )
    assert {k.phase for k in report.kernels} == {"forward", "check"}
    gradients = program().profile(feeds(), steps=2)
    assert {k.phase for k in gradients.kernels} == {"forward", "backward", "check"}


def test_new_values_that_are_copied_are_a_row() -> None:
    x, w = vg.input("x", ("N", 3)), vg.parameter("w", (3,))
    a, b = vg.state("a", (3,), init="ones"), vg.state("b", (3,), init="zeros")
    net = vg.Graph("swap", loss=vg.mean(vg.square(x * w + a - b)), updates={a: b, b: a})
    p = vg.compile(net)
    report = p.profile(x=np.ones((4, 3), np.float32), steps=2)
    (copies,) = [k for k in report.kernels if k.key == COPIES]
    assert copies.flops == 0 and copies.nbytes > 0 and copies.phase == "update"
    assert p.state["a"].tolist() == [1, 1, 1]


def test_feeds_are_checked_as_for_a_step() -> None:
    with pytest.raises(vg.RunError, match="input 'y' is not fed"):
        program(vg.SGD(0.1)).profile(x=feeds()["x"])
    with pytest.raises(vg.RunError, match="steps is 0"):
        program(vg.SGD(0.1)).profile(feeds(), steps=0)


def test_the_table_has_a_line_for_each_kernel(report: Profile) -> None:
    lines = str(report).splitlines()
    assert lines[0].startswith("profile of net, N=4")
    assert len(lines) == 2 + len(report.kernels) + 1 + 2
    assert "linear_relu fc1" in str(report) and "finite?" in str(report)
    assert "unprofiled" in lines[-2]


def test_a_profile_is_drawn(report: Profile, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    text = report.to_svg(tmp_path / "profile.svg")
    assert (tmp_path / "profile.svg").read_text(encoding="utf-8") == text
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert "linear_relu fc1" in text and "predicted" in text


def test_a_long_profile_shows_the_longest_kernels_and_sums_the_rest() -> None:
    bars = [Bar(f"k{k}", "forward", float(k % 50), 1.0) for k in range(7, 57)]
    shown, rest = _longest(bars)
    assert [bar.measured for bar in shown] == [*range(10, 50)]
    assert {bar.measured for bar in rest} == {*range(10)}
    drawn = draw_bars("50 kernels", bars)
    assert "10 others" in drawn and "k49" in drawn and "k56" not in drawn


def test_a_profile_is_plain_data(report: Profile) -> None:
    told = json.loads(json.dumps(report.as_dict()))
    assert told["sizes"] == {"N": 4} and len(told["kernels"]) == len(report.kernels)


# ---- the model -------------------------------------------------------------------------------


def made_up() -> Machine:
    """A second a call, 1/2 another, 1/4 a row, 1/100 an operation, 1/200 a square, 1/50
    an element drawn, 1/10 an element of a product, a byte 1/1000 or 1/10."""
    layouts = ((False, False), (True, False), (False, True))
    return Machine(
        *(1.0, 0.5, 0.25, 0.01, 0.005, 0.02, 0.03),
        dict.fromkeys(layouts, (1.0, 0.1, 0, 0, 0)),
        ((100, 1000.0), (10_000, 10.0)),
        ((100, 2000.0), (10_000, 200.0)),
    )


def test_a_machine_interpolates_between_footprints() -> None:
    m = made_up()
    assert m.moved(500, 1) == pytest.approx(0.5)
    assert m.moved(500, 1000) == pytest.approx(5)
    assert m.moved(500, 10**9) == pytest.approx(50)
    assert m.product(Product(2, 3, 5)) == pytest.approx(1 + 3)
    assert m.product(Product(2, 3, 5, True, True)) == pytest.approx(1 + 3)
    assert m.product(Product(1, 100, 1)) == pytest.approx(1 + 0.5)


def test_predictions_are_calls_products_and_the_longer_of_operations_and_bytes() -> None:
    x, w = vg.input("x", (2, 3)), vg.parameter("w", (3, 5))
    p = vg.compile(vg.Graph("one", {"y": vg.tanh(vg.matmul(x, w))}))
    plan = p.plan()
    done = works(plan, {0: Calls(1), 1: Calls(1)}, [])
    assert [(w.flops, w.nbytes) for w in done] == [(60, 4 * (6 + 15 + 10)), (40, 80)]
    matmul, tanh = seconds(done, plan, made_up())
    assert matmul == pytest.approx(1 + 3)  # the time of a product has that of its call in it
    assert tanh == pytest.approx(1 + 40 * 0.01)
    _, tanh = seconds(done, plan, made_up()._replace(element=1e-4))
    assert tanh == pytest.approx(1 + 80 / 1000)
    done = works(plan, {0: Calls(2), 1: Calls(3, rows=8)}, [])
    assert seconds(done, plan, made_up()) == pytest.approx([1 + 3 + 0.5, 1 + 2 * 0.5 + 8 / 4 + 0.4])


def test_what_is_drawn_at_random_has_a_rate_of_its_own() -> None:
    h = vg.relu(vg.dense(vg.input("x", (50, 4)), 10, name="fc"))
    h = vg.dense(h, 3)
    net = vg.Graph("one", loss=vg.mean(vg.sum(h, axes=(1,))))
    p = vg.compile(net, optimizer=vg.SGD(0.1), dropout=vg.Dropout(keep=0.5))
    plan = p.plan()
    s = plan.graph.schedule
    (mask,) = [n for n in plan.graph.order if n.op.name == "dropout_mask"]
    (work,) = works(plan, {s.groups[mask]: Calls(1)}, [])
    assert work.drawn == 500 and work.flops == 0
    fast = made_up()._replace(bandwidths=((1, 1e9), (2, 1e9)))
    assert seconds([work], plan, fast) == pytest.approx([1 + 500 * 0.02])


def test_what_is_written_where_it_was_read_is_in_the_cache() -> None:
    w = vg.parameter("w", (2000,))
    p = vg.compile(vg.Graph("one", loss=vg.squared_norm(w)), optimizer=vg.SGD(1.0))
    plan = p.plan()
    (key,) = {plan.graph.schedule.groups[n] for n in plan.graph.updates.values() if n.type.rank}
    (update,) = works(plan, {key: Calls(1)}, [])
    written = [place for place, _ in update.touched]
    assert len(written) > len(set(written))
    machine = made_up()._replace(element=0.0)
    (took,) = seconds([update], plan, machine)
    moved = sum(machine.moved(nbytes, update.nbytes) for _, nbytes in update.touched)
    in_cache = machine.moved(8000, 0) - machine.moved(8000, update.nbytes)
    assert took == pytest.approx(1 + moved + in_cache)


def test_what_the_blas_adds_is_no_operation_on_an_element() -> None:
    x, s, w = vg.input("x", ("N", 20)), vg.input("s", ("N", 30)), vg.parameter("w", (20, 30))
    pipeline = vg.TRAINING.without("add_in_place").insert(
        AddInPlace(smallest=1, rows=1), before="schedule"
    )
    net = vg.Graph("one", loss=vg.sum(vg.matmul(x, w) * s))
    plan = vg.compile(net, optimizer=vg.Momentum(1.0), pipeline=pipeline).plan(N=5)
    g = plan.graph
    keys = {n.op.name: g.schedule.groups[n] for n in g.schedule.order}
    done = works(plan, {keys["gemm"]: Calls(1), keys["axpy"]: Calls(1)}, [])
    gemm, axpy = done
    assert gemm.flops == 2 * 20 * 5 * 30 + 3 * 600 and axpy.flops == 2 * 600
    assert gemm.alone == axpy.alone == 0
    machine = made_up()._replace(added=((1, 1e9), (2, 1e9)))
    assert seconds(done, plan, machine) == pytest.approx([1 + 0.1 * 20 * 5 * 30, 1.0], rel=1e-4)


@pytest.mark.parametrize(
    ("function", "given", "cast"),
    [
        (np.multiply, ("f4", "f4"), 0),
        (np.multiply, ("i4", "?"), 10),
        (np.multiply, ("f4", "f8"), 10),
        (np.less_equal, ("f4", "f4"), 0),
        (np.logical_not, ("?",), 0),
    ],
)
def test_elements_that_numpy_converts_are_counted(
    function: np.ufunc, given: tuple[str, ...], cast: int
) -> None:
    call = Call(function, tuple([np.ones(10, t) for t in given]), {"out": np.empty(10)})
    assert call.cast == cast


@pytest.mark.numpy_bits
def test_a_gradient_of_relu_has_its_bools_converted() -> None:
    executor = program(vg.SGD(0.1)).executable.executor({"N": 4})
    g, calls = executor.graph, executor.written().calls
    made = [n for n in g.schedule.order if n.op.name == "relu_grad"]
    assert made
    for n in made:
        assert calls[g.schedule.groups[n]].cast == n.type.nbytes({"N": 4}) // 4


@pytest.mark.numpy_bits
def test_calls_are_counted_tile_by_tile_and_so_are_rows() -> None:
    x, w = vg.input("x", ("N", 5)), vg.parameter("w", (5, TILE))
    net = vg.Graph("wide", loss=vg.mean(vg.sum(vg.tanh(vg.matmul(x, w)), axes=(1,))))
    pipeline = vg.TRAINING.without("add_in_place")
    executor = vg.compile(net, optimizer=vg.SGD(0.1), pipeline=pipeline).executable.executor(
        {"N": 4}
    )
    g, calls = executor.graph, executor.written().calls
    of = {n.op.name: calls[g.schedule.groups[n]] for n in g.schedule.order}
    assert of["descend"] == Calls(2 * 5)
    assert of["sum"] == of["mean"] == Calls(1 + 2, rows=4)  # one group


@pytest.mark.numpy_bits
def test_a_stamped_step_is_the_step_with_stamps_between_its_kernels() -> None:
    executor = program(vg.Adam(1e-3), width=4000).executable.executor({"N": 4})
    assert "stamp" not in executor.source and " for t0" in executor.source
    lines = executor.written(stamps=[]).text().splitlines()
    kept = [line for line in lines if "stamp" not in line and "now" not in line]
    assert kept == executor.source.splitlines()


def test_what_an_elementwise_group_makes_for_itself_is_not_moved() -> None:
    x = vg.input("x", (8,))
    program = vg.compile(vg.Graph("two", {"y": vg.exp(vg.tanh(x))}))
    plan = program.plan()
    (work,) = works(plan, {0: Calls(2)}, [])
    assert work.nbytes == 64 and work.flops == 64


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_calibration_gives_rates_that_are_rates(backend: Backend, dtype: type) -> None:
    if backend == "numba":
        pytest.importorskip("numba")
    calibration = Calibration(np.dtype(dtype), 1 << 20, BACKENDS[backend].prepare())
    for _ in range(3):
        calibration.round()
    found = calibration.machine()
    assert found.call > 0 and found.element > 0
    assert found.again <= found.call and found.row >= 0 and found.squared > 0
    assert found.drawn > found.element
    assert all(rate > 0 for _, rate in found.bandwidths)
    assert all(min(c) >= 0 and max(c) > 0 for c in found.products.values())
    assert found.product(Product(64, 64, 64)) > found.product(Product(8, 8, 8)) > 0
