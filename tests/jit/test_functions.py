"""Functions of kernels against NumPy: exponentials to the last bit or so, masks to each bit."""

from __future__ import annotations

import numpy as np
import pytest
from jit_runs import on_threads

pytest.importorskip("numba")

from numba import njit

from verigrad.ops.dropout import DropoutMask
from verigrad.ops.random import generator
from verigrad.runtime.backends.numba.kernels.kernel_math import exp_f32, half, philox
from verigrad.runtime.backends.numba.lowering import fixed_kernels
from verigrad.runtime.backends.numba.tape.tape import Tape


@njit
def _exponentials(x: np.ndarray, out: np.ndarray) -> None:
    for i in range(x.shape[0]):
        out[i] = exp_f32(x[i])


@njit
def _draw(key: int, other: int, block: int, step: int, out: np.ndarray) -> None:
    drawn = philox(key, other, block, step)
    for k in range(16):
        out[k] = half(drawn, k)


def exponentials(x: np.ndarray) -> np.ndarray:
    out = np.empty_like(x)
    _exponentials(x, out)
    return out


def test_exponentials_are_off_by_one_bit_at_most() -> None:
    x = np.linspace(-87, 88.7, 400_001).astype("f4")
    expected = np.exp(x.astype("f8")).astype("f4")
    off = np.abs(exponentials(x).view("i4") - expected.view("i4"))
    assert off.max() <= 1 and (off > 0).mean() < 0.02


def test_exponentials_of_what_is_special() -> None:
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 89.0, 1e30, -104.5, -1e30, -100.0], "f4")
    with np.errstate(over="ignore", under="ignore"):
        expected = np.exp(x.astype("f8")).astype("f4")
    found = exponentials(x)
    assert np.array_equal(found[:-1], expected[:-1], equal_nan=True)
    assert abs(int(found[-1:].view("i4")[0]) - int(expected[-1:].view("i4")[0])) <= 1  # denormal


def test_words_are_those_of_numpys_philox() -> None:
    for seed, step in ((0, 0), (5, 7), (2**64 - 1, 2**62)):
        drawn = generator(seed, "fc1", step).random_raw(16)
        key = np.array([seed, int(generator(seed, "fc1").state["state"]["key"][1])], np.uint64)
        for block in range(4):
            found = np.empty(16, "i8")
            _draw(*key.view(np.int64), block, step, found)
            halves = drawn[4 * block : 4 * block + 4].view("<u2")
            assert found.tolist() == halves.tolist()


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (4, 4), (7, 33), (50, 100)], ids=str)
@pytest.mark.parametrize("keep", [1.0, 0.5, 1 / 65536])
def test_masks_have_numpys_bits(
    threads: int, dtype: str, shape: tuple[int, int], keep: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fixed_kernels, "_DRAWN", 1e9)  # all are cut
    op = DropoutMask("fc1", keep, shape, 1 / keep, 2**63 + 11, dtype)
    expected, out = [np.full(shape, np.nan, {"f32": "f4", "f64": "f8"}[dtype]) for _ in range(2)]
    step = np.array(12)
    with on_threads(threads):
        tape = Tape([])
        drawn = fixed_kernels.mask(op, step, out, threads)
        assert len(drawn.parts) <= threads
        tape.add(*drawn)
        run = tape.runner(0, len(tape))
        for number in (12, 13):
            step[()] = number
            op.run(step, out=expected)
            assert run() and np.array_equal(out, expected)
