"""Exported C compiled into a library and called: what a program's C computes, beside ours."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

import verigrad as vg
from verigrad.runtime.exporting.c.source import Files

TYPES = {"float": np.float32, "double": np.float64, "int64_t": np.int64, "uint8_t": np.uint8}
CTYPES = {
    "float": ctypes.c_float, "double": ctypes.c_double, "int64_t": ctypes.c_int64,
    "uint8_t": ctypes.c_uint8, "size_t": ctypes.c_size_t,
}  # fmt: skip
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
OK, SIZE, LABEL, NOT_FINITE, OVERFLOW = range(5)
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc here")


class Library:
    """A library of a pair of files; `prefix` is that of its names."""

    def __init__(self, files: Files, folder: Path, prefix: str = "net", *options: str) -> None:
        (folder / f"{prefix}.h").write_text(files.header)
        source = folder / f"{prefix}.c"
        source.write_text(files.source)
        built = folder / f"{prefix}.so"
        command = ["gcc", *STRICT, "-O1", *options, "-shared", "-fPIC", "-o", built, source, "-lm"]
        made = subprocess.run(command, capture_output=True, text=True)
        assert not made.returncode, made.stderr[:4000]
        self.prefix, self._library = prefix, ctypes.CDLL(str(built))
        self.arguments = {
            name: [_argument(a) for a in re.split(r",\s+", listed) if a != "void"]
            for name, listed in re.findall(rf"\b{prefix}_(\w+)\(([^)]*)\);", files.header)
        }
        body = re.search(rf"struct {prefix}_state {{\n(.*?)\n}};", files.header, re.DOTALL)
        self.fields = {}
        if body is not None:
            lines = re.findall(r"^ +(\w+) (\w+)(?:\[(\d+)\])?; /\* %(\S+):", body[1], re.MULTILINE)
            kinds = [
                (f, CTYPES[t] * int(count) if count else CTYPES[t]) for t, f, count, _ in lines
            ]
            self.fields = {name: (field, TYPES[kind]) for kind, field, _, name in lines}
            layout = type("State", (ctypes.Structure,), {"_fields_": kinds})
            self._state = layout.in_dll(self._library, f"{prefix}_state")

    def call(
        self,
        name: str,
        feeds: Mapping[str, np.ndarray],
        sizes: Mapping[str, int],
        outputs: Mapping[str, tuple[int, ...]],
    ) -> tuple[int, dict[str, np.ndarray]]:
        """The status, and the outputs, whose memory is filled with ones before."""
        given, results, kept = [], {}, []
        queue = list(feeds.items())
        shapes = list(outputs.items())
        counts = list(sizes.values())
        for kind, pointer, constant in self.arguments[name]:
            if kind == "size_t":
                given.append(ctypes.c_size_t(counts.pop(0)))
            elif (pointer and constant) or not pointer:
                _, array = queue.pop(0)
                array = np.ascontiguousarray(array).astype(TYPES[kind])
                kept.append(array)
                given.append(array.ctypes.data_as(ctypes.c_void_p) if pointer else
                             CTYPES[kind](array.item()))  # fmt: skip
            else:
                key, shape = shapes.pop(0)
                results[key] = np.ones(shape, TYPES[kind])
                given.append(results[key].ctypes.data_as(ctypes.c_void_p))
        assert not queue and not shapes and not counts, (name, self.arguments[name])
        status = getattr(self._library, f"{self.prefix}_{name}")(*given)
        return status, results

    def init(self) -> None:
        """Sets the state as it was exported."""
        getattr(self._library, f"{self.prefix}_init")()

    def check(self) -> int | None:
        """What the check of the device says, with -DNET_CHECK; None where there is none."""
        function = getattr(self._library, f"{self.prefix}_check", None)
        return None if function is None else int(function())

    def __getitem__(self, name: str) -> np.ndarray:
        """A copy of a value of the state, flat."""
        field, dtype = self.fields[name]
        return np.array(getattr(self._state, field), dtype).reshape(-1)

    def __setitem__(self, name: str, value: np.ndarray) -> None:
        field, dtype = self.fields[name]
        held = getattr(self._state, field)
        if isinstance(held, ctypes.Array):
            held[:] = np.asarray(value, dtype).reshape(-1).tolist()
        else:
            setattr(self._state, field, dtype(value).item())


def _argument(text: str) -> tuple[str, bool, bool]:
    """The type of an argument, whether it is a pointer, and whether it is read only."""
    words = [w for w in text.split() if w != "const"]
    return words[0], "*" in text, text.startswith("const")


def close(found: np.ndarray, due: np.ndarray, what: str, units: float = 64) -> None:
    """Asserts that two arrays differ by rounding alone, beside the largest element."""
    found, due = found.reshape(due.shape), due
    if due.dtype.kind != "f":
        np.testing.assert_array_equal(found, due, what)
        return
    special = ~np.isfinite(due)
    np.testing.assert_array_equal(found[special], due[special], what)
    size = np.abs(due[~special]).max(initial=1.0)
    allowed = units * float(np.finfo(due.dtype).eps) * float(size)
    off = np.abs(found[~special].astype(float) - due[~special].astype(float)).max(initial=0.0)
    assert off <= allowed, f"{what} is off by {off:.3g}, where {allowed:.3g} is allowed"


def batch_of(program: vg.Program, rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Random feeds for every input of a program, integers from 0 to 2."""
    rng = np.random.default_rng(seed)
    feeds = {}
    for n in program.declared.inputs:
        shape = n.type.bind(dict.fromkeys(n.type.symbols, rows))
        drawn = rng.standard_normal(shape) if n.type.is_float else rng.integers(0, 3, shape)
        feeds[program.declared.names[n]] = np.asarray(drawn).astype(n.type.numpy)
    return feeds
