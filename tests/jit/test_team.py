"""Helpers: they sleep and wake, come back after a fork, serve several threads, and end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from conftest import batch, net
from jit_runs import on_threads, same_bits, state_after

import verigrad as vg

pytest.importorskip("numba")

from verigrad.runtime.backends.numba.tape.threads import TEAM

OPTIONS = {"optimizer": vg.Momentum(0.01), "backend": "numba"}


def until(what: object, seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.005)
    return bool(what())


def test_helpers_sleep_when_there_is_nothing_to_do_and_wake_again(
    rng: np.random.Generator,
) -> None:
    feeds = [batch(rng, 96, 64, 6)]
    with on_threads(2):
        program = vg.compile(net(64, 96, 6), **OPTIONS)
        program.step(feeds[0])
        for _ in range(3):
            assert until(lambda: TEAM._helpers and all(h.asleep for h in TEAM._helpers))
            before = threading.active_count()
            program.step(feeds[0])
            assert threading.active_count() == before
        first = state_after(net(64, 96, 6), feeds * 4, **OPTIONS)
    assert np.array_equal(
        first["losses"][0], state_after(net(64, 96, 6), feeds, **OPTIONS)["losses"][0]
    )


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers")
def test_a_signal_handler_may_make_a_step(rng: np.random.Generator) -> None:
    """Whatever the main thread does at that moment."""
    feeds = batch(rng, 96, 64, 6)
    with on_threads(2):
        program, other = [vg.compile(net(64, 96, 6), **OPTIONS) for _ in range(2)]
        losses: list[float] = []
        before = signal.signal(signal.SIGALRM, lambda *_: losses.append(other.step(feeds)))
        end = time.monotonic() + 20
        try:
            while len(losses) < 8 and time.monotonic() < end:
                signal.setitimer(signal.ITIMER_REAL, 1e-3)  # one at a time
                for _ in range(20):
                    program.step(feeds)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    assert losses and all(np.isfinite(losses))


def test_programs_of_several_threads_do_not_disturb_each_other(rng: np.random.Generator) -> None:
    feeds = [batch(rng, 96, 64, 6) for _ in range(40)]
    n = net(64, 96, 80, 6)
    with on_threads(2):
        expected = state_after(n, feeds, **OPTIONS)
        found: list[object] = []
        threads = [
            threading.Thread(target=lambda: found.append(state_after(n, feeds, **OPTIONS)))
            for _ in range(4)
        ]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert len(found) == 4 and all(same_bits(expected, f) for f in found)


PROGRAM = """
import os, sys
import numpy as np
import verigrad as vg
from verigrad.ops import blas
from verigrad.runtime.backends.numba.tape.threads import TEAM
blas.threads = lambda: 2
x, y = vg.input("x", ("N", 64)), vg.input("y", ("N",), dtype="i64")
scores = vg.mlp(x, [96, 6])
net = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
program = vg.compile(net, optimizer=vg.SGD(0.1), backend="numba")
feeds = {"x": np.ones((128, 64), "f4"), "y": np.zeros(128, "i8")}
first = program.step(feeds)
assert len(TEAM._helpers) == 1
"""
BUSY = """
import threading
over = []
def train():
    while not over:
        program.step(feeds)
threading.Thread(target=train).start()
from verigrad.ops.blas import numpy_blas
import ctypes
told = ctypes.CFUNCTYPE(ctypes.c_int)(numpy_blas().get_threads) if numpy_blas() else None
codes = []
for _ in range(20):
    child = os.fork()
    if child == 0:
        os._exit(0 if told is None or told() == 2 else 1)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
over.append(True)
sys.exit(max(codes))
"""
LATE = """
TEAM.end()
assert program.step(feeds) < first and not TEAM._helpers
"""
FORK = """
child = os.fork()
if child == 0:
    assert not TEAM._helpers
    second = program.step(feeds)
    os._exit(0 if second < first and len(TEAM._helpers) == 1 else 1)
_, status = os.waitpid(child, 0)
assert program.step(feeds) < first
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.parametrize(
    "then", ["", LATE, FORK, BUSY], ids=["ends", "steps late", "forks", "forks in a step"]
)
def test_a_process_with_helpers(then: str) -> None:
    if "fork" in then and not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    code = [sys.executable, "-c", PROGRAM + then]
    quiet = {"PYTHONWARNINGS": "ignore::DeprecationWarning"}  # of forks beside threads
    two = {**os.environ, **quiet, "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run(code, capture_output=True, text=True, timeout=120, env=two)
    assert done.returncode == 0 and not done.stderr, done.stderr
