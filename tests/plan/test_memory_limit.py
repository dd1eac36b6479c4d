"""A memory limit is kept or refused before anything runs; recomputation changes no bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from conftest import batch, net
from effort import tries
from hypothesis import assume, given, settings
from oracle import unsound
from random_graphs import graphs, nets, values_of
from runner import same_bits
from test_differential import different, held

import verigrad as vg
from verigrad.graph.roles import roles
from verigrad.passes.eliminate_common import EliminateCommon
from verigrad.passes.scheduling.schedule import ScheduleBuffers
from verigrad.runtime.planning.plan import Plan, live_bytes

DEEP = (12, *[16] * 24, 4)
ROWS = 256


def normed(layers: int, width: int) -> vg.Graph:
    """Layers with batch normalization and dropout."""
    h = vg.input("x", ("N", 12))
    y = vg.input("y", ("N",), dtype="i64")
    for _ in range(layers):
        h = vg.dropout(vg.relu(vg.batch_norm(vg.dense(h, width, bias=False))), keep=0.5)
    scores = vg.dense(h, 4)
    return vg.Graph("normed", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def skipping(layers: int, width: int) -> vg.Graph:
    """Layers whose inputs are added to what they give."""
    x = vg.input("x", ("N", 12))
    y = vg.input("y", ("N",), dtype="i64")
    h = vg.dense(x, width)
    for _ in range(layers):
        h = h + vg.gelu(vg.dense(h, width))
    scores = vg.dense(h, 4)
    return vg.Graph("skipping", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def smallest(n: vg.Graph, size: int, **options: object) -> int:
    """About the least that recomputation reaches for a step, as the error says it."""
    program = vg.compile(n, **options, memory_limit=1, recompute=True)
    return refused(lambda: program.plan(N=size))


def refused(call: Callable[[], object]) -> int:
    """The bytes that would do, as the error says them."""
    with pytest.raises(vg.RunError) as e:
        call()
    return int(str(e.value).rpartition("memory_limit=")[2].replace("_", ""))


NETS = {
    "deep": (net(12, *[16] * 8, 4), {"regularizer": vg.L1(0.1)}),
    "look ahead": (
        net(12, *[16] * 6, 4),
        {"optimizer": vg.Nesterov(1e-3), "dropout": vg.Dropout(keep=0.5)},
    ),
    "normed": (normed(4, 16), {"optimizer": vg.Adam(0.01)}),
    "skipping": (skipping(5, 16), {"clip": vg.ClipNorm(0.1), "optimizer": vg.SGD(0.1)}),
}


# ---- bits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NETS)
def test_recomputation_changes_no_bit(kind: str, rng: np.random.Generator) -> None:
    n, options = NETS[kind]
    options = {"optimizer": vg.Momentum(0.1), **options}
    # What `gradients` returns stays to its end: it may need more than a step does.
    least = vg.compile(n, **options, memory_limit=1, recompute=True)
    feeds = batch(rng, ROWS, 12, 4)
    limit = max(smallest(n, ROWS, **options), refused(lambda: least.gradients(feeds)))
    free = vg.compile(n, **options)
    program = vg.compile(n, **options, memory_limit=limit, recompute=True)
    plan = program.plan(N=ROWS)
    assert plan.nbytes <= limit < free.plan(N=ROWS).nbytes
    assert plan.recomputed
    assert not unsound(plan.graph, plan.sizes, plan.nbytes)
    for _ in range(3):
        feeds = batch(rng, ROWS, 12, 4)
        loss, gradients = program.gradients(feeds)
        expected_loss, expected = free.gradients(feeds)
        assert loss == expected_loss and not different(gradients, expected)
        assert program.step(feeds) == free.step(feeds)
        assert not different(held(program), held(free))


@settings(max_examples=tries(25))
@given(nets(most=20), st.sampled_from([1, 3, 40]), st.data())
def test_any_set_may_be_computed_again(n: vg.Graph, size: int, data: st.DataObject) -> None:
    program = vg.compile(n, optimizer=vg.Momentum(0.1), dropout=vg.Dropout(keep=0.5))
    g = program.training
    names = [g.names[m] for m in g.order]
    chosen = tuple(data.draw(st.lists(st.sampled_from(names), unique=True)))
    pipeline = vg.TRAINING.insert(vg.Recompute(chosen), before="schedule")
    again = vg.compile(
        n, optimizer=vg.Momentum(0.1), dropout=vg.Dropout(keep=0.5), pipeline=pipeline
    )
    plan = again.plan(N=size)
    assert not unsound(plan.graph, plan.sizes, plan.nbytes)
    assert str(vg.parse(str(plan.graph))) == str(plan.graph)
    feeds = {k: v for k, v in values_of(n, size).items() if k in ("x", "y", "z")}
    expected = vg.interpret(g, {**values_of(n, size), **held(program)})
    assume(all(np.isfinite(a).all() for a in expected.updates.values()))
    assume(np.isfinite(expected.outputs["loss"]))
    assert again.step(feeds) == program.step(feeds)
    assert not different(held(again), held(program))


@given(nets(most=20), st.sampled_from([1, 7, 64]), st.floats(0.3, 1.1), st.booleans())
def test_a_plan_is_within_the_limit_or_an_error(
    n: vg.Graph, size: int, share: float, recompute: bool
) -> None:
    free = vg.compile(n)
    limit = max(1, int(share * free.plan(N=size).nbytes))
    program = vg.compile(n, memory_limit=limit, recompute=recompute)
    feeds = {k: v for k, v in values_of(n, size).items() if k in ("x", "y", "z")}
    try:
        plan = program.plan(N=size)
    except vg.RunError as e:
        assert f"memory_limit is {limit:,}" in str(e)
        return
    assert plan.nbytes <= limit and (recompute or not plan.recomputed)
    try:
        loss, gradients = program.gradients(feeds)
    except vg.RunError as e:  # the gradients are results of their own here, and returned
        assert "memory_limit is" in str(e)
        return
    expected_loss, expected = free.gradients(feeds)
    assert not different(gradients, expected)
    assert same_bits(np.float64(loss), np.float64(expected_loss))


# ---- how little -----------------------------------------------------------------------------


def test_a_deep_net_takes_far_less() -> None:
    """At 4,096 rows gradients weigh nothing, and a chain of 24 keeps about 2 sqrt(24)."""
    n, size = net(*DEEP), 4096
    free = vg.compile(n, optimizer=vg.SGD(0.1)).plan(N=size).nbytes
    assert smallest(n, size, optimizer=vg.SGD(0.1)) < 0.45 * free


def test_what_is_cheap_is_computed_again_first() -> None:
    n = normed(3, 64)
    limit = vg.compile(n, optimizer=vg.SGD(0.1)).plan(N=ROWS).nbytes * 3 // 4
    program = vg.compile(n, optimizer=vg.SGD(0.1), memory_limit=limit, recompute=True)
    plan = program.plan(N=ROWS)
    assert plan.recomputed
    assert "matmul" not in {program.training[name].op.name for name in plan.recomputed}


def test_what_stays_inside_of_a_kernel_call_takes_no_place() -> None:
    """Two results are a tenth of what is alive, where the insides of six gelus do not count."""
    x, y = vg.input("x", ("N", 128)), vg.input("y", ("N",), dtype="i64")
    scores = vg.mlp(x, [128] * 6 + [10], activation=vg.gelu)
    n = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    free = vg.compile(n, optimizer=vg.SGD(0.1)).plan(N=512)
    limit = free.nbytes * 9 // 10
    program = vg.compile(n, optimizer=vg.SGD(0.1), memory_limit=limit, recompute=True)
    assert len(program.plan(N=512).recomputed) == 2


def test_sizes_choose_for_themselves() -> None:
    n = net(*DEEP)
    limit = vg.compile(n, optimizer=vg.SGD(0.1)).plan(N=128).nbytes
    program = vg.compile(n, optimizer=vg.SGD(0.1), memory_limit=limit, recompute=True)
    assert program.plan(N=128).recomputed == ()
    again = program.plan(N=300)
    assert again.recomputed and again.nbytes <= limit
    for name in again.recomputed:
        assert f"{name}.again" in again.graph.named
    assert not any(name.endswith(".again") for name in program.training.named)


@given(graphs(), st.sampled_from([1, 20]))
def test_the_order_for_a_size_is_legal(g: vg.Graph, size: int) -> None:
    plan = Plan(ScheduleBuffers(sizes={"N": size}).apply(g), {"N": size}, g)
    assert not unsound(plan.graph, plan.sizes, plan.nbytes)
    assert plan.lower_bound == live_bytes(plan.graph, plan.sizes)


# ---- what is said ---------------------------------------------------------------------------


def test_the_error_says_what_is_needed_and_what_helps(rng: np.random.Generator) -> None:
    options = {"optimizer": vg.Momentum(0.1)}
    needed = vg.compile(net(*DEEP), **options).plan(N=ROWS).nbytes
    limit = needed // 2
    program = vg.compile(net(*DEEP), **options, memory_limit=limit)
    state = held(program)
    with pytest.raises(vg.RunError) as e:
        program.step(batch(rng, ROWS, 12, 4))
    assert not different(held(program), state)
    first, largest, fix = str(e.value).split("\n  ")
    assert first.startswith(f"a plan of net for N={ROWS} takes ")
    assert first.endswith(f" bytes, and memory_limit is {limit:,}")
    assert largest.startswith("most is in use at call ") and "%fc1 (16,384)" in largest
    assert fix.startswith("fix: recompute=True (") and ", or a smaller batch (N=" in fix
    rows = int(fix.partition("N=")[2].partition(" ")[0])
    assert program.plan(N=rows).nbytes <= limit
    with pytest.raises(vg.RunError):
        program.plan(N=rows + 2)
    least = int(fix.rpartition("=")[2].replace("_", ""))
    assert vg.compile(net(*DEEP), **options, memory_limit=least).plan(N=ROWS).nbytes == least


def test_the_error_says_how_far_recomputation_came() -> None:
    program = vg.compile(net(*DEEP), optimizer=vg.SGD(0.1), memory_limit=60_000, recompute=True)
    with pytest.raises(vg.RunError, match=r"bytes with \d+ results computed again, and") as e:
        program.plan(N=ROWS)
    assert "recompute=True" not in str(e.value)
    rows = int(str(e.value).partition("smaller batch (N=")[2].partition(" ")[0])
    assert program.plan(N=rows).nbytes <= 60_000


def test_no_batch_is_named_where_none_fits() -> None:
    program = vg.compile(net(12, 8, 4), optimizer=vg.SGD(0.1), memory_limit=64)
    with pytest.raises(vg.RunError) as e:
        program.plan(N=32)
    assert "smaller batch" not in str(e.value)


def test_every_plan_is_held_to_the_limit(rng: np.random.Generator) -> None:
    program = vg.compile(net(12, 32, 4), memory_limit=5_000)
    feeds = batch(rng, 512, 12, 4)
    for call in (program.gradients, program.loss, program.predict, program.evaluate):
        with pytest.raises(vg.RunError, match="memory_limit is 5,000"):
            call(feeds)


def test_data_is_measured_in_parts_that_fit(rng: np.random.Generator) -> None:
    feeds = batch(rng, 700, 12, 4)
    program = vg.compile(net(12, 32, 4), memory_limit=20_000)
    rows = program.rows_at_a_time(1024)
    assert 1 < rows < 700
    program.evaluate({k: v[:rows] for k, v in feeds.items()})
    measured = vg.measure(program, feeds)
    expected = vg.measure(vg.compile(net(12, 32, 4)), feeds)
    assert measured.accuracy == expected.accuracy
    assert measured.loss == pytest.approx(expected.loss)


def test_the_plan_says_what_it_computes_again() -> None:
    free = vg.compile(net(*DEEP), optimizer=vg.SGD(0.1))
    assert free.plan(N=ROWS).recomputed == () and free.plan(N=ROWS).limit is None
    assert "limit" not in str(free.plan(N=ROWS))
    limit = smallest(net(*DEEP), ROWS, optimizer=vg.SGD(0.1))
    program = vg.compile(net(*DEEP), optimizer=vg.SGD(0.1), memory_limit=limit, recompute=True)
    plan = program.plan(N=ROWS)
    text = str(plan)
    assert f"  limit      {limit:>14,} bytes for the arena\n" in text
    assert f"  recomputed {len(plan.recomputed):>14,} results: {plan.recomputed[0]}," in text
    assert max(map(len, text.partition("\n\n")[0].splitlines())) <= 100


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "4MB", np.float32(1)])
def test_a_limit_is_a_number_of_bytes(limit: object) -> None:
    with pytest.raises(vg.PassError, match="memory_limit is"):
        vg.compile(net(3, 2), memory_limit=limit)


def test_recompute_needs_a_limit_and_a_truth_value() -> None:
    with pytest.raises(vg.PassError, match="memory_limit=64_000_000"):
        vg.compile(net(3, 2), recompute=True)
    with pytest.raises(vg.PassError, match="recompute is 'yes'"):
        vg.compile(net(3, 2), memory_limit=100, recompute="yes")


# ---- beside it ------------------------------------------------------------------------------


def test_the_options_are_saved(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    program = vg.compile(
        net(*DEEP), optimizer=vg.SGD(0.1), memory_limit=np.int64(99_000), recompute=True
    )
    program.save(tmp_path / "limited")
    options = vg.load(tmp_path / "limited").options
    assert (options.memory_limit, options.recompute) == (99_000, True)
    assert options == program.options
    vg.compile(net(*DEEP)).save(tmp_path / "free")
    options = vg.load(tmp_path / "free").options
    assert (options.memory_limit, options.recompute) == (None, False)


def test_a_run_goes_on_under_another_limit(tmp_path: Path, rng: np.random.Generator) -> None:
    pytest.importorskip("safetensors")
    data = batch(rng, 300, 12, 4)

    def programs(**options: object) -> vg.Program:
        return vg.compile(net(12, 8, 4), optimizer=vg.SGD(0.1), **options)

    def fit(program: vg.Program, steps: int, **told: object) -> None:
        vg.fit(program, data, steps=steps, batch_size=50, **told)

    whole, half = programs(), programs(memory_limit=30_000)
    fit(whole, 10)
    fit(half, 5, checkpoint=tmp_path / "c")
    rest = programs()
    fit(rest, 10, checkpoint=tmp_path / "c", resume=True)
    assert not different(held(rest), held(whole))


def test_copies_are_not_merged_again() -> None:
    with pytest.raises(vg.PassError, match="which recompute, before it, breaks"):
        vg.TRAINING.insert(vg.Recompute(), before="eliminate_common")
    assert EliminateCommon.needs == ("free of copies",)


def test_what_is_computed_again_belongs_to_the_backward_pass() -> None:
    n = vg.compile(normed(2, 8), optimizer=vg.Momentum(0.1)).training
    again = vg.Recompute(("bn1.mask", "bn1.dropout")).apply(n.but())
    role = roles(again)
    plain = roles(n.but())
    assert {role[again[f"{name}.again"]] for name in ("bn1.mask", "bn1.dropout")} == {"backward"}
    assert {name: role[again[name]] for name in n.named} == {k: plain[n[k]] for k in n.named}
