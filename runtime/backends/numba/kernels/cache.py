"""Compiled functions, kept on disk from one process to the next where that can be."""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

import llvmlite
import numba
from numba.core.ccallback import CFunc
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps
from numba.core.sigutils import normalize_signature

from .....graph import warn

FOLDER: Final = "VERIGRAD_CACHE"
"""The environment variable that says where they are kept; the user's cache folder otherwise."""
_SOURCES: Final = (
    ("verigrad.ops", ("clipping.py",)),
    ("verigrad.runtime.backends", ("choice.py",)),
    (__package__, ("c_calls.py", "intrinsics.py", "kernel_math.py")),
    ("verigrad.runtime.backends.numba.tape", ("autotune.py", "driver.py")),
)
"""The files whose functions are compiled, or called by what is."""
_DIGEST: Final = 16


def jitted(signature: str | None = None, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator as Numba's `njit`, whose functions are kept; without a signature, each is
    compiled when it is first called on such types."""

    def decorator(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(**options)(function)
        dispatcher._cache = _Kept(function, options)
        if signature is not None:
            dispatcher.compile(signature)
            dispatcher.disable_compile()
        return dispatcher

    return decorator


def c_function(function: Callable[..., Any], signature: str, text: str) -> Any:
    """The function of a text as one of C, with an `address`, kept as well."""
    options = {"error_model": "numpy"}
    compiled: Any = CFunc(function, normalize_signature(signature), locals={}, options=options)
    compiled._cache = _Kept(function, options, text)
    compiled.compile()
    return compiled


class _Kept:
    """What Numba asks for a function, in the place of its own cache.

    That one wants a source file, and takes whatever lies in its folder. Here an entry is a file
    that is named by the hash of all that it depends on, and begins with the hash of the rest: what
    is damaged is compiled and written anew.
    """

    cache_path: Final = None

    def __init__(
        self, function: Callable[..., Any], options: Mapping[str, Any], text: str = ""
    ) -> None:
        self._name = function.__qualname__.lstrip("_")
        self._source = function.__module__, self._name, sorted(options.items()), text

    def load_overload(self, signature: Any, target: Any) -> Any:
        """The function for a signature; None where it must be compiled."""
        target.refresh()
        data = FILES.read(self._entry(signature, target.codegen()))
        if data is None:
            return None
        try:
            return CompileResult._rebuild(target, *pickle.loads(data))
        except Exception:  # whatever another version of a library has made of it
            return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keeps what was compiled."""
        if not compiled.library.has_dynamic_globals:
            FILES.write(self._entry(signature, compiled.codegen), dumps(compiled._reduce()))

    def _entry(self, signature: Any, codegen: Any) -> str:
        versions = sys.version, platform.machine(), numba.__version__, llvmlite.__version__
        identity = versions, codegen.magic_tuple(), str(signature), self._source, _functions()
        return f"{self._name}-{_hash(repr(identity).encode()).hex()}"


class _Files:
    """The files of a folder; where they cannot be written, nothing is kept."""

    def __init__(self) -> None:
        self._refused = ""
        self._told = False

    def read(self, entry: str) -> bytes | None:
        """What was written under a name; None where there is nothing, or it is damaged."""
        try:
            content = (folder() / entry).read_bytes()
        except (OSError, RuntimeError):
            return None
        digest, data = content[:_DIGEST], content[_DIGEST:]
        return data if digest == _hash(data) else None

    def write(self, entry: str, data: bytes) -> None:
        """Aside and renamed: another process sees the whole file or none."""
        try:
            path = folder() / entry
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
            temporary = Path(name)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_hash(data) + data)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as e:
            self._refused = f"{folder()}: {e.strerror or e}"
        except RuntimeError as e:  # there is no home folder
            self._refused = str(e)

    def tell(self) -> None:
        """Warns once, at the user's line, where something could not be kept."""
        if self._refused and not self._told:
            self._told = True
            warn(
                "what is compiled is not kept, so that each process compiles it anew: "
                f"{self._refused}; set {FOLDER} to a folder that can be written"
            )


FILES: Final = _Files()


def folder() -> Path:
    """Where they are kept: $VERIGRAD_CACHE, else verigrad/kernels in the user's cache.

    Raises RuntimeError where the user has no home folder.
    """
    named = os.environ.get(FOLDER)
    if named:
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME")
    if sys.platform == "win32":
        home = os.environ.get("LOCALAPPDATA")
    elif sys.platform == "darwin":
        home = home or str(Path.home() / "Library" / "Caches")
    return (Path(home) if home else Path.home() / ".cache") / "verigrad" / "kernels"


@cache
def _functions() -> str:
    """A hash of the files whose functions are compiled, wherever the package lies."""
    files = [resources.files(folder) / name for folder, names in _SOURCES for name in names]
    return _hash(b"".join([file.read_bytes() for file in files])).hex()


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST).digest()
