"""Kernels: the text of a function, compiled by Numba once for all nets."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import Any, Final

import numpy as np

from .....graph import Array, RunError
from .....graph.installed import install_line

# No fast mathematics: an element has the same bits in whatever kernel it is made. (What only NumPy
# makes is made by it in each group.)
_HEAD: Final = """\
from math import inf

from numba import carray
from numpy import (
    bool_,
    exp,
    float32,
    float64,
    floor,
    int32,
    int64,
    log,
    maximum,
    minimum,
    sqrt,
    tanh,
)

from verigrad.runtime.backends.numba.kernels.c_calls import (
    call_clock,
    gemm_f32,
    gemm_f32_i32,
    gemm_f64,
    gemm_f64_i32,
    gemv_f32,
    gemv_f32_i32,
    gemv_f64,
    gemv_f64_i32,
)
from verigrad.runtime.backends.numba.kernels.kernel_math import (
    clip_factor,
    exp_f32,
    half,
    inner,
    philox,
    row_sum,
    total,
)
from verigrad.runtime.backends.numba.kernels.intrinsics import greater, plus, pointer


"""


_FLOATS: Final = {"f4": "f32", "f8": "f64"}


def compiled(text: str) -> Any:
    """The kernel of a text: a C function of the address of its words; it has an `address`.

    A kernel is compiled once for all nets, sizes and processes. Raises RunError where Numba is
    missing.
    """
    require_numba()
    return _kernel(_HEAD + text)


def prologue(arguments: Sequence[tuple[str, Array]]) -> list[str]:
    """The first lines of a kernel: its arrays, by name, from its words. An array without axes has
    one element."""
    lines: list[str] = []
    at = 0
    for name, a in arguments:
        shape = "".join([f"w[{at + 1 + k}], " for k in range(a.ndim)]) if a.ndim else "1, "
        kind = {"bool": "bool_"}.get(a.dtype.name, a.dtype.name)
        lines.append(f"    {name} = carray(pointer(w[{at}]), ({shape}), {kind})")
        at += 1 + a.ndim
    head = ["def kernel(words):", f"    w = carray(pointer(words), ({at},), int64)"]
    return [*head, *lines]


def words(arrays: Sequence[Array]) -> tuple[Array | int, ...]:
    """What the lines of `prologue` find: for each array where it lies, and its shape."""
    return tuple([word for a in arrays for word in (a, *a.shape)])


def call(kernel: Any, read: Sequence[Array | int]) -> None:
    """Calls a compiled kernel once from Python, on the words that it reads."""
    flat = [w.ctypes.data if isinstance(w, np.ndarray) else w for w in read]
    arguments = np.array(flat, np.int64)
    kernel.ctypes(arguments.ctypes.data)


def float_name(a: Array) -> str | None:
    """f32 or f64; None of what is no float as this machine has it."""
    return _FLOATS.get(a.dtype.str[1:]) if a.dtype.isnative else None


def require_numba() -> Any:
    """Numba; raises RunError that says how to install it."""
    try:
        import numba
    except ImportError as e:
        raise RunError(
            f'backend="numba" needs the extra jit: {install_line("jit")} ({e})'
        ) from None
    return numba


@cache
def _kernel(text: str) -> Any:
    from .cache import c_function

    digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    module = ModuleType(f"verigrad_kernel_{digest}")
    sys.modules[module.__name__] = module  # Numba looks its functions' modules up
    exec(compile(text, f"<{module.__name__}>", "exec"), vars(module))
    return c_function(module.kernel, "void(int64)", text)
