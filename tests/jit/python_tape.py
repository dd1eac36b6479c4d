"""A tape that Python runs: kernels as the text that they are, so that nothing is compiled.

Slow for each element, but a net of its own costs no compile time: thousands can be tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from verigrad.ops.clipping import clip_factor
from verigrad.ops.dropout import DropoutMask
from verigrad.runtime.backends.numba import writer
from verigrad.runtime.backends.numba.kernels import compiled
from verigrad.runtime.backends.numba.lowering import ops, trial
from verigrad.runtime.backends.numba.lowering.fixed_kernels import Instruction
from verigrad.runtime.backends.numba.tape.tape import Tape, Task


@contextmanager
def python_tapes() -> Iterator[None]:
    """What is compiled for the jitted backend here, Python runs.

    Whatever a step has not written is NaN: memory that stands for a temporary, too.
    """
    made: list[Callable[[Sequence[Any]], None]] = []

    def kernel(text: str) -> SimpleNamespace:
        space = {**_NAMES}
        exec(text.partition("def kernel")[1] + text.partition("def kernel")[2], space)
        made.append(space["kernel"])
        return SimpleNamespace(address=len(made))

    def mask(op: DropoutMask, step: np.ndarray, out: np.ndarray, threads: int) -> Instruction:
        made.append(lambda words: op.run(step, out=words[0]))
        return Instruction([[Task(len(made), (out,))]])

    def runner(self: Tape, start: int, stop: int) -> Callable[..., bool]:
        def run(*feeds: np.ndarray) -> bool:
            for parts, refusal in self._instructions[start:stop]:
                for task in [t for part in reversed(parts) for t in part]:
                    if task.kernel:
                        made[task.kernel - 1](_fed(self, task.words, feeds))
                if refusal is not None and refusal[0]:
                    refusal[0] = 0
                    return False
            return True

        return run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "_kernel", kernel)
        patch.setattr(trial, "_TRIED", set[str]())
        patch.setattr(trial, "call", lambda k, words: made[k.address - 1](words))
        patch.setattr(ops, "mask", mask)
        patch.setattr(Tape, "runner", runner)
        patch.setattr(writer.np, "empty", _poisoned(np.empty))
        patch.setattr(writer.np, "empty_like", _poisoned(np.empty_like))
        yield


def _poisoned(make: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    def poisoned(*args: Any, **kwargs: Any) -> np.ndarray:
        array = make(*args, **kwargs)
        array.reshape(-1).view(np.uint8)[:] = 0xFF
        return array

    return poisoned


def _fed(tape: Tape, words: Sequence[Any], feeds: Sequence[np.ndarray]) -> tuple[Any, ...]:
    """The words, with what is fed in the place of what stands for it."""

    def fed(word: Any) -> Any:
        if isinstance(word, np.ndarray):
            for (start, nbytes), feed in zip(tape._feeds, feeds, strict=True):
                offset = word.ctypes.data - start
                if 0 <= offset < nbytes:
                    return np.ndarray(word.shape, word.dtype, feed, offset, word.strides)
        return word

    return tuple([fed(word) for word in words])


def _gemm(function: int, turned_a: int, turned_b: int, *rest: Any) -> None:
    a, b, out, alpha, beta = rest[3], rest[5], rest[7], rest[9], rest[10]
    out[...] = alpha * (a @ b) + (beta * out if beta else 0)


def _gemv(function: int, summed: int, *rest: Any) -> None:
    matrix, x, y = rest[2:]
    y[...] = matrix.T @ x if summed else matrix @ x


def _carray(words: Any, shape: Any, dtype: Any) -> Any:
    """The words of a kernel, or the array that one of them is."""
    return words if isinstance(words, tuple) else words.reshape(shape)


_NAMES: dict[str, Any] = {
    **{f"gemm_{t}{i}": _gemm for t in ("f32", "f64") for i in ("", "_i32")},
    **{f"gemv_{t}{i}": _gemv for t in ("f32", "f64") for i in ("", "_i32")},
    "abs": abs,
    "bool_": np.bool_,
    "carray": _carray,
    "clip_factor": clip_factor,
    "exp": np.exp,
    "exp_f32": lambda x: np.float32(np.exp(np.float64(x))),
    "float32": np.float32,
    "float64": np.float64,
    "floor": np.floor,
    "greater": np.maximum,
    "inf": math.inf,
    "inner": lambda a, b: np.sum((a * b).astype("f8")),
    "int32": np.int32,
    "int64": np.int64,
    "log": np.log,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "plus": lambda a, b: a + b,
    "pointer": lambda words: words,
    "row_sum": lambda a, i: a[i].sum(),
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "total": lambda a: np.sum(a, dtype="f8"),
}
"""What kernels call."""
