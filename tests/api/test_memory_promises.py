"""The memory that a step takes: nothing once it is warm, and the arena that the plan states."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from api_nets import rows, two_layer

import verigrad as vg


def three_layer() -> vg.Graph:
    """The net of section 7: 3072-100-100-10."""
    x = vg.input("x", ("N", 3072))
    y = vg.input("y", ("N",), dtype="i64")
    scores = vg.mlp(x, [100, 100, 10])
    return vg.Graph("three_layer", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def peak_of_steps(program: vg.Program, feeds: dict[str, np.ndarray]) -> int:
    """tracemalloc's peak over 40 steps, above what there was: the least of three, as another
    thread of the process may allocate meanwhile."""
    for _ in range(5):
        program.step(feeds)
    peaks = []
    for _ in range(3):
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for _ in range(40):
            program.step(feeds)
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
        tracemalloc.stop()
    return min(peaks)


OPTIMIZERS = [vg.SGD(lr=1e-3), vg.Momentum(lr=1e-3), vg.Adam(lr=1e-3)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["sgd", "momentum", "adam"])
def test_a_warm_step_allocates_nothing(optimizer: vg.Optimizer) -> None:
    program = vg.compile(two_layer(64, 32, 10), optimizer=optimizer, regularizer=vg.L2(1e-4))
    assert peak_of_steps(program, rows(512, 64, 10)) < 4_000


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["sgd", "momentum", "adam"])
def test_a_warm_step_with_dropout_allocates_one_piece_of_words(optimizer: vg.Optimizer) -> None:
    program = vg.compile(
        two_layer(64, 128, 10),
        optimizer=optimizer,
        regularizer=vg.ElasticNet(1e-4, 1e-4),
        dropout=vg.Dropout(keep=0.5, input=0.9),
    )
    assert peak_of_steps(program, rows(512, 64, 10)) < 16_000


def test_the_three_layer_step_allocates_nothing() -> None:
    program = vg.compile(three_layer(), optimizer=vg.Momentum(lr=1e-3))
    assert peak_of_steps(program, rows(16, 3072, 10)) < 4_000


def test_feeds_that_are_cast_allocate_nothing_either() -> None:
    feeds = rows(512, 64, 10)
    cast = {"x": feeds["x"].astype(np.float64), "y": feeds["y"].astype(np.int32)}
    program = vg.compile(two_layer(64, 32, 10), optimizer=vg.SGD(lr=1e-3))
    assert peak_of_steps(program, cast) < 4_000


@pytest.mark.parametrize("n", [1, 100, 128])
@pytest.mark.parametrize("dropout", [None, vg.Dropout(keep=0.5)], ids=["plain", "dropout"])
def test_the_arena_is_at_most_60_percent_of_unplanned(n: int, dropout: vg.Dropout | None) -> None:
    program = vg.compile(
        three_layer(),
        optimizer=vg.Momentum(lr=1e-2),
        regularizer=vg.L2(1e-4),
        dropout=dropout,
    )
    plan = program.plan(N=n)
    assert plan.nbytes <= 0.6 * plan.unplanned_nbytes


def test_unplanned_is_the_sum_of_every_result_of_the_unoptimised_graph() -> None:
    program = vg.compile(three_layer(), optimizer=vg.Momentum(lr=1e-2), regularizer=vg.L2(1e-4))
    size = {"f32": 4, "f64": 8, "i64": 8, "bool": 1}
    total = sum(
        size[n.type.dtype] * int(np.prod([100 if d == "N" else d for d in n.type.shape]))
        for n in program.stages["attach_optimizer"].order
    )
    assert program.plan(N=100).unplanned_nbytes == total


@pytest.mark.parametrize("n", [1, 7, 128])
def test_the_first_step_allocates_the_arena_that_the_plan_states(n: int) -> None:
    program = vg.compile(two_layer(256, 128, 10), optimizer=vg.Momentum(lr=1e-3))
    nbytes = program.plan(N=n).nbytes
    feeds = rows(n, 256, 10)
    tracemalloc.start()
    program.step(feeds)
    sizes = [t.size for t in tracemalloc.take_snapshot().traces]
    tracemalloc.stop()
    assert any(nbytes <= size <= nbytes + 128 for size in sizes)


def test_every_batch_size_has_its_plan() -> None:
    program = vg.compile(two_layer(), optimizer=vg.SGD(lr=0.1))
    plans = [program.plan(N=n) for n in (1, 8, 64)]
    assert plans[0].nbytes < plans[1].nbytes < plans[2].nbytes
    assert program.plan(N=8).nbytes == plans[1].nbytes
    assert str(program.plan(N=8)) == str(plans[1])


def test_many_batch_sizes_do_not_pile_up() -> None:
    program = vg.compile(two_layer(64, 32, 10), optimizer=vg.SGD(lr=1e-3))
    whole = rows(400, 64, 10)
    tracemalloc.start()
    for n in range(300, 400):
        program.step({name: value[:n] for name, value in whole.items()})
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 40 * program.plan(N=400).nbytes
