"""`threads=`: checked, saved and fixed; and without it a choice on which no bit depends."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from api_nets import says
from conftest import batch, net
from test_interruptions import lines
from threadpoolctl import threadpool_limits

import verigrad as vg
from verigrad.graph import SETTINGS, Array, TensorType
from verigrad.ops import blas
from verigrad.runtime.backends import choice
from verigrad.runtime.execution import blas_threads as module

BLAS = blas.numpy_blas()
SIZES = (784, 128, 10)
ROWS = 64


@pytest.fixture(autouse=True)
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if BLAS is None or not BLAS.set_threads:
        pytest.skip("this BLAS has no threads to set")
    monkeypatch.setattr(blas.os, "sched_getaffinity", lambda _: range(8), raising=False)
    with threadpool_limits(2, user_api="blas"):
        if blas.threads() != 2:
            pytest.skip("this BLAS does not take so many threads")
        yield


def state_after(feeds: list[dict[str, Array]], **options: Any) -> dict[str, bytes]:
    program = vg.compile(net(*SIZES), **{"optimizer": vg.Adam(0.01), **options})
    losses = [program.step(f) for f in feeds]
    scores = program.predict(x=feeds[0]["x"])["scores"]
    found = {**program.parameters, **program.state, "losses": np.array(losses), "scores": scores}
    return {k: v.tobytes() for k, v in found.items()}


def always(monkeypatch: pytest.MonkeyPatch, alone: bool) -> list[bool]:
    """From now on every choice is this; what was chosen."""
    chosen: list[bool] = []

    def next_alone(_: Any) -> bool:
        chosen.append(alone)
        return alone

    monkeypatch.setattr(choice, "next_alone", next_alone)
    return chosen


@pytest.mark.numpy_bits
@pytest.mark.parametrize("batch_size", [ROWS, 500])
@pytest.mark.parametrize("optimizer", [vg.SGD(0.01), vg.Momentum(0.01), vg.Adam(0.01)])
def test_no_bit_depends_on_the_choice(
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    batch_size: int,
    optimizer: vg.Optimizer,
) -> None:
    """Of sums over 784 rows and over 500, which one thread adds in another order by itself."""
    feeds = [batch(rng, batch_size, SIZES[0], SIZES[-1]) for _ in range(5)]
    options = {"optimizer": optimizer, "regularizer": vg.L2(1e-3), "clip": vg.ClipNorm(1.0)}
    chosen = always(monkeypatch, alone=True)
    one = state_after(feeds, **options)
    assert len(chosen) >= len(feeds) - 1
    always(monkeypatch, alone=False)
    several = state_after(feeds, **options)
    monkeypatch.undo()
    assert one == several == state_after(feeds, **options)


@pytest.mark.numpy_bits
def test_a_run_goes_on_to_the_same_bits_whatever_is_chosen(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    feeds = [batch(rng, ROWS, SIZES[0], SIZES[-1]) for _ in range(6)]
    whole = vg.compile(net(*SIZES), optimizer=vg.Adam(0.01))
    always(monkeypatch, alone=True)
    for f in feeds[:3]:
        whole.step(f)
    whole.save(tmp_path / "net.safetensors")
    resumed = vg.load(tmp_path / "net.safetensors")
    losses = [whole.step(f) for f in feeds[3:]]
    always(monkeypatch, alone=False)
    assert losses == [resumed.step(f) for f in feeds[3:]]


@pytest.mark.numpy_bits
def test_where_bits_would_depend_on_it_nothing_is_chosen(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    feeds = [batch(rng, ROWS, SIZES[0], SIZES[-1]) for _ in range(3)]
    expected = state_after(feeds)
    chosen = always(monkeypatch, alone=True)
    monkeypatch.setattr(module, "agreeing", lambda *_: None)
    assert state_after(feeds) == expected and not chosen


@pytest.mark.numpy_bits
@pytest.mark.parametrize(("sizes", "rows"), [((64, 32, 10), 32), ((784, 128, 10), 1)])
def test_for_small_products_nothing_is_timed(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, ...], rows: int
) -> None:
    chosen = always(monkeypatch, alone=True)
    program = vg.compile(net(*sizes), optimizer=vg.SGD(0.01))
    for _ in range(5):
        program.step(batch(rng, rows, sizes[0], sizes[-1]))
    assert not chosen


@vg.op
class Noting(vg.Op):
    """y = x, which notes how many threads the BLAS takes."""

    name = "own_noting"
    noted: ClassVar[list[int]] = []

    def infer(self, *types: TensorType) -> TensorType:
        return types[0]

    def run(self, x: Array, *, out: Array) -> None:
        with SETTINGS, blas.at_most(1_000) as told:
            self.noted.append(told)
        np.copyto(out, x)


@pytest.mark.parametrize(("limit", "told"), [(None, 2), (1, 1), (2, 2), (8, 2), (np.int64(1), 1)])
def test_threads_are_at_most_so_many_in_a_step_and_as_before_behind_it(
    limit: int | None, told: int
) -> None:
    x = vg.input("x", ("N",))
    program = vg.compile(vg.Graph("g", {"y": vg.apply(Noting(), x)}), threads=limit)
    Noting.noted.clear()
    program.predict(x=np.ones(3))
    assert Noting.noted == [told]
    assert blas.threads() == 2


def test_fixed_threads_are_kept_in_files_and_copies(tmp_path: Path) -> None:
    program = vg.compile(net(4, 3, 2), optimizer=vg.SGD(0.1), threads=1)
    program.save(tmp_path / "one.safetensors")
    assert vg.load(tmp_path / "one.safetensors").options.threads == 1
    vg.compile(net(4, 3, 2)).save(tmp_path / "none.safetensors")
    assert vg.load(tmp_path / "none.safetensors").options.threads is None


def test_a_checkpoint_is_gone_on_with_under_other_threads(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    feeds = batch(rng, 8, 4, 2)
    for steps, threads in ((2, None), (4, 1), (6, 2)):
        program = vg.compile(net(4, 3, 2), optimizer=vg.SGD(0.1), threads=threads)
        vg.fit(program, feeds, steps=steps, batch_size=4, checkpoint=tmp_path / "run", resume=True)
        assert program.step_number == steps


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2", [1]])
def test_other_threads_than_whole_numbers_from_1_are_refused(wrong: Any) -> None:
    with says("threads is", "a whole number from 1"):
        vg.compile(net(4, 3, 2), threads=wrong)


def test_who_is_interrupted_where_threads_are_set_leaves_no_lock_behind(
    rng: np.random.Generator,
) -> None:
    """At every line: another thread would wait for it for ever."""
    feeds, interrupted = batch(rng, 16, 256, 4), 0
    for n in range(1, 1_000):
        program = vg.compile(net(256, 256, 4), optimizer=vg.SGD(0.1), threads=1)
        program.step(feeds)
        if lines(partial(program.step, feeds), n) < n:
            break
        interrupted += 1
        with ThreadPoolExecutor(1) as pool:
            taken = pool.submit(SETTINGS.acquire, True, 10).result()
            if taken:
                pool.submit(SETTINGS.release).result()
        assert taken, n
    assert interrupted > 100
