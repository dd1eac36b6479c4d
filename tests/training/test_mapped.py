"""Memory-mapped arrays: read where they lie, and never copied as a whole."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import verigrad as vg

ROWS = 20_000


def net(features: int) -> vg.Graph:
    x, y = vg.input("x", ("N", features)), vg.input("y", ("N",), dtype="i64")
    scores = vg.mlp(x, [8, 4], activation="tanh")
    return vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def mapped(path: Path, array: np.ndarray) -> np.ndarray:
    np.save(path, array)
    found: np.ndarray = np.load(path, mmap_mode="r")
    assert isinstance(found, np.memmap)
    return found


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", "u1", ">f4"])
def test_training_is_that_on_the_same_array_in_memory(
    dtype: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    x = (10 * rng.random((90, 6))).astype(dtype)
    y = rng.integers(0, 4, 90).astype("i4")
    raw = tmp_path / "raw"
    x.tofile(raw)
    forms: list[Any] = [x, mapped(tmp_path / "x.npy", x), np.memmap(raw, dtype, "c", shape=x.shape)]
    results = []
    for form in forms:
        program = vg.compile(net(6), optimizer=vg.Adam(lr=0.01))
        history = vg.fit(
            program, (form, mapped(tmp_path / "y.npy", y)), validation_split=0.2, epochs=2,
            batch_size=7, metrics="f1",
        )  # fmt: skip
        found = vg.measure(program, {"x": form, "y": y})
        results.append((history.losses, history["validation_f1"], found.loss))
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("sampler", ["shuffled", "replacement", "sequential", "balanced"])
def test_nothing_of_the_size_of_the_file_is_allocated(
    sampler: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    """Checks, checksums, batches, validation and what looks at the run take no copy of it."""
    x = mapped(tmp_path / "x.npy", rng.random((ROWS, 256), np.float32))
    y = mapped(tmp_path / "y.npy", rng.integers(0, 4, ROWS))
    program = vg.compile(net(256), optimizer=vg.SGD(lr=0.1))
    vg.fit(program, (x[:200], y[:200]), epochs=1, batch_size=50)  # all modules are loaded
    tracemalloc.start()
    try:
        vg.fit(
            program, (x, y), validation_split=0.5, steps=20, batch_size=50, sampler=sampler,
            keep_best=True, checkpoint=tmp_path / "run",
        )  # fmt: skip
        vg.fit(program, (x, y), validation=(x, y), steps=20, batch_size=50, sampler=sampler)
        assert tracemalloc.get_traced_memory()[1] < x.nbytes / 4
    finally:
        tracemalloc.stop()


LIMITED = """
import resource, sys
import numpy as np
import verigrad as vg

resource.setrlimit(resource.RLIMIT_DATA, (400_000_000, 400_000_000))
x = np.load(sys.argv[1], mmap_mode="r")
y = np.arange(len(x)) % 10
try:
    np.array(x)
except MemoryError:
    print("too large")
a, b = vg.input("x", ("N", 784)), vg.input("y", ("N",), dtype="i64")
scores = vg.mlp(a, [8, 10], activation="tanh")
net = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, b))
program = vg.compile(net, optimizer=vg.SGD(lr=0.1))
history = vg.fit(program, (x, y), validation_split=0.01, steps=20)
print(len(history.losses), history.rows[-1].validation_accuracy)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_DATA counts so on Linux")
def test_a_file_that_is_larger_than_the_memory_is_trained_on(tmp_path: Path) -> None:
    """A sparse file of 0.5 GB, with 0.4 GB for the process; ten would do as well:
    benchmarks/larger_than_memory.py."""
    rows = 500_000_000 // (784 * 4)
    np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (rows, 784)).flush()
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "x.npy")],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["too", "large", "20", "0.1"]


def test_a_value_that_is_not_finite_is_found_wherever_it_lies(tmp_path: Path) -> None:
    x = np.ones((5000, 6), np.float32)
    x[4321, 2] = np.inf
    program = vg.compile(net(6), optimizer=vg.SGD(lr=0.1))
    with pytest.raises(vg.RunError, match="input 'x' holds inf in row 4321, column 2"):
        vg.fit(program, (mapped(tmp_path / "x.npy", x), np.zeros(5000, int)), epochs=1)
