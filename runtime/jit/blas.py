"""NumPy's own BLAS, found in the library that NumPy has loaded."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping
from functools import cache
from typing import Final, NamedTuple

# How builds of NumPy's BLAS call a function: what stands before and behind, and whether its
# integers have 64 bits. The wheels have the first.
_NAMES: Final = (
    ("scipy_", "64_", True),
    ("", "64_", True),
    ("", "$NEWLAPACK$ILP64", True),
    ("scipy_", "", False),
    ("", "", False),
)
_LETTERS: Final = {"f4": "s", "f8": "d"}


class Blas(NamedTuple):
    """Addresses of functions of the C interface, by dtype.

    `get_threads` and `set_threads` are 0 where products cannot be kept to one thread each.
    """

    gemm: Mapping[str, int]
    gemv: Mapping[str, int]
    wide: bool
    get_threads: int
    set_threads: int


@cache
def numpy_blas() -> Blas | None:
    """The BLAS behind `np.dot`; None where its functions cannot be found by name."""
    library = ctypes.CDLL(str(sys.modules["numpy._core._multiarray_umath"].__file__))

    def found(name: str) -> int:
        try:
            return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
        except AttributeError:
            return 0

    for before, behind, wide in _NAMES:
        gemm, gemv = (
            {d: found(f"{before}cblas_{c}{what}{behind}") for d, c in _LETTERS.items()}
            for what in ("gemm", "gemv")
        )
        if all((*gemm.values(), *gemv.values())):
            get, put = [
                found(f"{before}openblas_{verb}_num_threads{behind}") for verb in ("get", "set")
            ]
            return Blas(gemm, gemv, wide, get if put else 0, put if get else 0)
    return None


def threads() -> int:
    """How many threads a step may take: those that the BLAS takes, and not more than cores."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    blas = numpy_blas()
    if blas is None or not blas.get_threads:
        return cores
    told: int = ctypes.CFUNCTYPE(ctypes.c_int)(blas.get_threads)()
    return min(cores, told)
