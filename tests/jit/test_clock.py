"""Profiles of the jitted backend: the tape notes when each group has ended."""

from __future__ import annotations

import time

import numpy as np
import pytest
from conftest import batch, net
from jit_runs import on_threads

import verigrad as vg
from verigrad.graph import kernel_groups
from verigrad.runtime.backends.backend import CHECK
from verigrad.runtime.profiling import machine
from verigrad.runtime.profiling.profile import Stamped

pytest.importorskip("numba")

from verigrad.runtime.backends.numba.lowering.fixed_kernels import clocked
from verigrad.runtime.backends.numba.tape import clock
from verigrad.runtime.backends.numba.tape.tape import Tape

OPTIONS = {"optimizer": vg.Adam(0.01), "dropout": vg.Dropout(keep=0.5), "backend": "numba"}


def keys_of_a_step(program: vg.Program, size: int) -> list[object]:
    s = program.plan(N=size).graph.schedule
    return [s.groups[group[0]] for group in kernel_groups(s) if group[0] not in s.once]


def test_a_clock_on_the_tape_is_that_of_python() -> None:
    tape, noted = Tape([]), []
    for found in (clocked(), clocked(), clocked()):
        if found is None:
            pytest.skip("this system has no clock_gettime")
        look, at = found
        tape.add(*look)
        noted.append(at)
    before = clock.now()
    assert tape.runner(0, len(tape))()
    times = [clock.seconds(n) for n in noted]
    assert before <= times[0] <= times[1] <= times[2] <= clock.now()


@pytest.mark.parametrize("known", [True, False])
def test_each_group_and_the_check_have_a_time(
    known: bool, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the tape knows no clock, and Python looks at its own."""
    if not known:
        monkeypatch.setattr(clock, "native_clock", lambda: (0, 0))
    with on_threads(2):
        program = vg.compile(net(64, 96, 6), **OPTIONS)
        feeds = batch(rng, 96, 64, 6)
        executor, arrays = program.executable.ready(feeds)
        stamped = Stamped(executor)
        with stamped:
            start = time.perf_counter()
            executor.step(arrays)
            whole = time.perf_counter() - start
            spent = stamped.spent()
    assert [k for k in spent if k != CHECK] == keys_of_a_step(program, 96)
    assert all(t >= 0 for t in spent.values()) and 0 < sum(spent.values()) < whole


def test_a_profiled_program_steps_on_as_before(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_LARGEST", 1 << 18)
    feeds = batch(rng, 96, 64, 6)
    with on_threads(2):
        profiled, other = [vg.compile(net(64, 96, 6), **OPTIONS) for _ in range(2)]
        report = profiled.profile(feeds, steps=5)
        assert {k.key for k in report.kernels} == {*keys_of_a_step(profiled, 96), CHECK}
        assert [profiled.step(feeds) for _ in range(3)] == [other.step(feeds) for _ in range(3)]
