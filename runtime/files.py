"""Programs in files: safetensors with the graph as text, and no pickle."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ..graph import Array, Constant, FromArray, RunError, VerigradError
from ..graph.attributes import is_stored, print_value
from ..graph.writing import given_path, reaching, write_whole
from .description import described, read_description, read_graph, read_options
from .extras import require
from .forks import alone
from .told import read_json

if TYPE_CHECKING:
    from .program import Program

_KEY: Final = "verigrad"
_CONSTANT: Final = "constants/"
_RUN: Final = "run/"


class RunState(NamedTuple):
    """What a checkpoint holds beside the program: values that JSON can hold, and arrays."""

    told: Mapping[str, Any]
    arrays: Mapping[str, Array]


def save(
    program: Program,
    path: str | Path,
    *,
    instead: Mapping[str, Array] | None = None,
    run: RunState | None = None,
) -> None:
    """Writes a program to a temporary file beside `path`, and then renames it.

    `instead` are values, by name, that take the place of the program's; `run` is written beside
    it. Raises RunError where the folder cannot be written.
    """
    # While no step is made: what another thread changes meanwhile is in the file or is not.
    data = alone(program._values.lock, lambda: _content(program, instead or {}, run))
    write_whole(path, data)


def _content(program: Program, instead: Mapping[str, Array], run: RunState | None) -> bytes:
    """The content of a program's file."""
    numpy = require("safetensors.numpy", "files")
    program._values.check_whole()
    for key, text in program.metadata.items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise RunError(f"metadata[{key!r}] is {text!r}, where a text is expected")
    tensors: dict[str, Array] = {**program._values, **instead}
    for n in program.declared.sources:
        held = n.op if isinstance(n.op, Constant) else getattr(n.op, "init", None)
        if isinstance(held, (Constant, FromArray)):
            spelled = print_value(held.value)
            if is_stored(spelled):
                tensors[_CONSTANT + spelled] = held.value.array
    told = described(program)
    if run is not None:
        told["run"] = run.told
        tensors |= {_RUN + name: np.ascontiguousarray(a) for name, a in run.arrays.items()}
    told["digest"] = _digest(told, tensors)
    data: bytes = numpy.save(tensors, metadata={_KEY: json.dumps(told)})
    return data


def load(path: str | Path) -> Program:
    """Reads a program that `save` wrote; nothing in the file is executed.

    Of a checkpoint, the program as it was at its step. Raises RunError where the file is missing,
    cut off, foreign or of a newer version, and where it needs ops or passes that are not imported.
    """
    return load_run(path)[0]


def load_run(path: str | Path) -> tuple[Program, RunState | None]:
    """The same, and the run's state where the file is a checkpoint."""
    from .program import Program

    safetensors = require("safetensors", "files")
    path = given_path(path)
    with reaching(path):
        there = path.is_file()
    if not there:
        raise RunError(f"there is no file {str(path)!r}")
    try:
        with safetensors.safe_open(path, framework="numpy") as opened:
            text = _metadata(opened)
            told = read_description(text)
            shapes = {k: tuple(opened.get_slice(k).get_shape()) for k in list(opened.keys())}
            arrays = {k: opened.get_tensor(k) for k in shapes if k.startswith(_CONSTANT)}
            spelled = {k.removeprefix(_CONSTANT): a for k, a in arrays.items()}
            g, options = read_graph(told, spelled), read_options(told)
            # Before anything is compiled: a shape takes memory once the file holds it.
            _check_shapes({g.names[n]: n.type.bind({}) for n in (*g.parameters, *g.state)}, shapes)
            program = Program(g, options)
            memory = program._values.memory
            _check_shapes({name: held.shape for name, held in memory.items()}, shapes)
            program._values.fill(_read(opened, memory))
            run = {k: opened.get_tensor(k) for k in shapes if k.startswith(_RUN)}
            known = {*program._values, *arrays, *(run if told.run is not None else ())}
            if other := sorted(set(shapes) - known):
                raise RunError(f"it holds the array {other[0]!r}, which the program does not have")
            read = {**program._values, **arrays, **run}
            if told.digest != _digest(read_json(text, _KEY), read):
                raise RunError("it is not what was saved: a part of it was changed")
    except VerigradError as e:
        raise type(e)(f"{path} cannot be loaded: {e}") from None
    except Exception as e:  # of the library that reads it, or of ops and passes that a user wrote
        raise RunError(
            f"{path} cannot be loaded: it is no complete verigrad program ({e})"
        ) from None
    program.metadata.update(told.metadata)
    if told.run is None:
        return program, None
    return program, RunState(told.run, {k.removeprefix(_RUN): a for k, a in run.items()})


def same_program(one: Program, other: Program) -> str | None:
    """What two programs were compiled from and with, where it differs: "graph", "optimizer"."""
    mine, its = described(one), described(other)
    # How much memory a step takes changes no number of it.
    differ = (k for k in mine | its if k not in ("metadata", "memory_limit", "recompute"))
    return next((k for k in differ if mine.get(k) != its.get(k)), None)


def _digest(told: Mapping[str, Any], arrays: Mapping[str, Array]) -> str:
    """A checksum of the whole content, against a changed byte (not against an attacker)."""
    digest = blake2b(digest_size=16)
    texts = {k: v for k, v in told.items() if k != "digest"}
    digest.update(json.dumps(texts, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return digest.hexdigest()


def _metadata(opened: Any) -> str:
    metadata = opened.metadata() or {}
    if _KEY not in metadata:
        raise RunError("it is a safetensors file, but not of a verigrad program")
    return str(metadata[_KEY])


def _read(opened: Any, memory: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """The file's value for each name, one after another; RunError where one has another dtype."""
    for name, held in memory.items():
        value = opened.get_tensor(name)
        if value.dtype != held.dtype:
            raise RunError(f"{name!r} is {value.dtype}, where {held.dtype} is expected")
        yield name, value


def _check_shapes(
    wanted: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]
) -> None:
    for name, shape in wanted.items():
        if found.get(name) != shape:
            there = list(found[name]) if name in found else "missing"
            raise RunError(f"{name!r} is {there}, where {list(shape)} is expected")
