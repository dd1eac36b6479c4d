"""What one thread sees while another steps: one step's values, whole; and a fork of it all."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from api_nets import says

import verigrad as vg

LAYERS = 6


def counting() -> vg.Program:
    """A program each of whose steps adds 1 to every parameter."""
    x = vg.input("x", ("N", 300))
    weights = [vg.parameter(f"w{k}", (300, 40), init="zeros") for k in range(LAYERS)]
    first, *rest = [vg.sum(vg.mean(vg.matmul(x, w), axes=[0])) for w in weights]
    loss = functools.reduce(vg.add, rest, first)
    return vg.compile(vg.Graph("counting", {"y": loss}, loss=loss), optimizer=vg.SGD(lr=1.0))


FEEDS = {"x": np.full((3, 300), -1, np.float32)}


@contextmanager
def stepping(program: vg.Program) -> Iterator[None]:
    """While it is entered, another thread steps."""
    over = threading.Event()

    def step() -> None:
        while not over.is_set():
            program.step(FEEDS)

    thread = threading.Thread(target=step)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def saved(program: vg.Program, path: Path) -> list[float]:
    program.save(path / "net.safetensors")
    return distinct(dict(vg.load(path / "net.safetensors").parameters))


def checkpointed(program: vg.Program, path: Path) -> list[float]:
    vg.fit(program, FEEDS, steps=1, batch_size=3, checkpoint=path / "run", resume=True)
    (path / "run").rename(path / "net.safetensors")
    return distinct(dict(vg.load(path / "net.safetensors").parameters))


def set_at_once(program: vg.Program, _: Path) -> list[float]:
    program.parameters.update({f"w{k}": np.zeros((300, 40)) for k in range(LAYERS)})
    return distinct(dict(program.parameters.items()))


def distinct(values: dict[str, np.ndarray]) -> list[float]:
    return sorted({float(v) for a in values.values() for v in np.unique(a)})


READS: dict[str, Callable[[vg.Program, Path], list[float]]] = {
    "one": lambda p, _: distinct({"w0": p.parameters["w0"]}),
    "items": lambda p, _: distinct(dict(p.parameters.items())),
    "values": lambda p, _: distinct(dict(enumerate(p.parameters.values()))),
    "update": set_at_once,
    "save": saved,
    "checkpoint": checkpointed,
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_read_beside_a_stepping_thread_is_of_one_step(
    read: Callable[[vg.Program, Path], list[float]], tmp_path: Path
) -> None:
    program = counting()
    with stepping(program):
        for _ in range(8):
            assert len(read(program, tmp_path)) == 1


def test_all_else_can_be_asked_for_beside_a_stepping_thread() -> None:
    program, scores = counting(), set()
    source = counting().source(N=3)
    with stepping(program):
        for _ in range(20):
            assert program.source(N=3) == source and program.plan(N=2).nbytes
            assert "step" in repr(program) and program.step_number >= 0
            scores.add(float(program.predict(FEEDS)["y"]))
            assert program.evaluate(FEEDS)["loss"] <= 0
    assert all(score % (300 * 40 * LAYERS) == 0 for score in scores)


def test_a_call_within_a_call_is_refused_where_it_would_see_half_of_it() -> None:
    """As a signal handler makes one, in the middle of a step."""
    program = counting()
    program.step(FEEDS)
    executor = program.executable.executor({"N": 3})
    commit, told = executor._commit, []

    def interrupted(*feeds: np.ndarray) -> None:
        for call in (
            lambda: program.step(FEEDS),
            lambda: program.predict(FEEDS),
            lambda: program.parameters["w0"],
            lambda: program.parameters.__setitem__("w0", np.zeros((300, 40))),
        ):
            with says("in the middle of a step or another call"):
                call()
            told.append(call)
        commit(*feeds)

    executor._commit, executor._whole = interrupted, None
    program.step(FEEDS)
    assert len(told) == 4 and distinct(dict(program.parameters)) == [2.0]


FORK = """
import os, sys, threading
import numpy as np
import verigrad as vg
x, y = vg.input("x", ("N", 256)), vg.input("y", ("N",), dtype="i64")
scores = vg.mlp(x, [256, 10])
net = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
program = vg.compile(net, optimizer=vg.SGD(0.01), backend=sys.argv[1])
feeds = {"x": np.ones((64, 256), "f4"), "y": np.zeros(64, "i8")}
program.step(feeds)
program.predict(x=feeds['x'])
program.save(sys.argv[2])
vg.load(sys.argv[2])
over, failed = [], []
def begun(hidden):
    scores = vg.mlp(x, [hidden, 10])
    net = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    return vg.compile(net, optimizer=vg.SGD(0.01), backend=sys.argv[1])
def go(call):
    while not over:
        try:
            call()
        except Exception as e:
            failed.append(e)
calls = (lambda: program.step(feeds), lambda: begun(8).step(feeds))
threads = [threading.Thread(target=go, args=(call,)) for call in calls]
for thread in threads:
    thread.start()
codes = []
for k in range(5):
    child = os.fork()
    if child == 0:
        program.save(sys.argv[2])
        before, loss = program.step_number, program.step(feeds)
        fine = np.isfinite(loss) and program.step_number == before + 1
        fine = fine and vg.load(sys.argv[2]).step_number == before
        fine = fine and program.predict(x=feeds["x"])["scores"].shape == (64, 10)
        fine = fine and np.isfinite(begun(9).step(feeds))
        os._exit(not fine)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
over.append(True)
for thread in threads:
    thread.join()
sys.exit(bool(failed or any(codes)))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_beside_a_stepping_thread_goes_on(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    backend = request.config.getoption("--backend")
    quiet = {**os.environ, "PYTHONWARNINGS": "ignore::DeprecationWarning"}
    code = [sys.executable, "-c", FORK, backend, tmp_path / "net.safetensors"]
    process = subprocess.Popen(code, stderr=subprocess.PIPE, env=quiet, start_new_session=True)
    try:
        _, errors = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == 0 and not errors
