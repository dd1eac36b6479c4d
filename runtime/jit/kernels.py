"""Compiled kernels: the text of a function, written to the user's cache and compiled by Numba."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from ...graph import Array, RunError
from ...graph.installed import install_line

# No fast mathematics: an element has the same bits in whatever kernel it is made. (What only NumPy
# makes is made by it in each group.)
_HEAD: Final = '''"""A kernel of verigrad. Whatever is changed here is lost."""

# It calls functions of {functions}.

from math import inf

from numba import carray, cfunc
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

from verigrad.runtime.jit.functions import exp_f32, half, inner, philox, row_sum, total
from verigrad.runtime.jit.native import greater, plus, pointer


@cfunc("void(int64)", cache=True, error_model="numpy")
'''
KERNELS: Final = "VERIGRAD_CACHE"
"""The environment variable that says where kernels are kept; the user's cache folder otherwise."""


def compiled(text: str) -> Any:
    """The kernel of a text: a C function of the address of its words; it has an `address`.

    A kernel is compiled once for all nets, sizes and processes: its file is named by the hash of
    its text, and Numba keeps what it compiled beside it. Raises RunError where Numba is missing.
    """
    require_numba()
    return _kernel(_HEAD.replace("{functions}", _functions()) + text)


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
def _functions() -> str:
    """A hash of the functions that kernels call: Numba does not see when these have changed."""
    files = [Path(__file__).with_name(name) for name in ("functions.py", "native.py")]
    return _hash(b"".join([f.read_bytes() for f in files]))


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


@cache
def _kernel(text: str) -> Any:
    name = f"verigrad_kernel_{_hash(text.encode())}"
    path = cache_folder() / f"{name}.py"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written aside and renamed: another process sees the whole file or none.
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # Numba looks its functions' modules up
    spec.loader.exec_module(module)
    return module.kernel


def cache_folder() -> Path:
    """Where kernels are kept: $VERIGRAD_CACHE, else verigrad/kernels in the user's cache."""
    named = os.environ.get(KERNELS)
    if named:
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME")
    if sys.platform == "win32":
        home = os.environ.get("LOCALAPPDATA")
    elif sys.platform == "darwin":
        home = home or str(Path.home() / "Library" / "Caches")
    return (Path(home) if home else Path.home() / ".cache") / "verigrad" / "kernels"
