"""Programs in files: safetensors with the graph as text, and no pickle."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from ...graph import Array, Constant, FromArray, Graph, RunError, VerigradError, cut, shown
from ...graph.sources import is_stored
from ...graph.text.attributes import print_value
from ...graph.writing import given_path, reaching, write_whole
from ..forks import alone
from ..optional import require
from ..options import Options
from ..state import StateArrays
from .checksums import check, checksums, digest
from .description import described, read_description, read_graph, read_options
from .told import read_json

_KEY: Final = "verigrad"
_CONSTANT: Final = "constants/"
_RUN: Final = "run/"


class RunState(NamedTuple):
    """What a checkpoint holds beside the program: values that JSON can hold, and arrays."""

    told: Mapping[str, Any]
    arrays: Mapping[str, Array]


class Content(NamedTuple):
    """What the file of a program holds.

    `instead` are values, by name, that take the place of those in `values`; `run` is what a
    checkpoint holds; `certificate` what was found of the graph, as `Certificate.as_dict` tells it.
    """

    declared: Graph
    options: Options
    values: StateArrays
    metadata: Mapping[str, str]
    run: RunState | None = None
    instead: Mapping[str, Array] | None = None
    certificate: Mapping[str, Any] | None = None

    def differing(self, other: Content) -> str | None:
        """What two programs were compiled from and with, where it differs: "graph", "optimizer"."""
        mine, its = [described(c.declared, c.options, {}) for c in (self, other)]
        # How much memory a step takes changes no number of it, nor its threads more than the
        # order of sums.
        differ = (k for k in mine | its if k not in ("memory_limit", "recompute", "threads"))
        return next((k for k in differ if mine.get(k) != its.get(k)), None)


def save(content: Content, path: str | Path) -> None:
    """Writes a program to a temporary file beside `path`, and then renames it.

    Raises RunError where the folder cannot be written.
    """

    def data() -> bytes:
        content.values.check_whole()
        return _bytes(content)

    # While no step is made: what another thread changes meanwhile is in the file or is not.
    write_whole(path, alone(content.values.lock, data))


def snapshot(content: Content) -> Callable[[str | Path], None]:
    """What writes a program as it is now, whatever becomes of it meanwhile: on any thread."""
    values = content.values
    values.check_whole()
    copies = {**values.read(values), **(content.instead or {})}
    frozen = content._replace(instead=copies, metadata=dict(content.metadata))
    return lambda path: write_whole(path, _bytes(frozen))


def _bytes(content: Content) -> bytes:
    numpy = require("safetensors.numpy", "files")
    check_metadata(content.metadata)
    tensors: dict[str, Array] = {**content.values, **(content.instead or {})}
    for n in content.declared.sources:
        holder = n.op if isinstance(n.op, Constant) else getattr(n.op, "init", None)
        if isinstance(holder, (Constant, FromArray)):
            spelled = print_value(holder.value)
            if is_stored(spelled):
                tensors[_CONSTANT + spelled] = holder.value.array
    description = described(content.declared, content.options, content.metadata)
    if content.certificate is not None:
        description["certificate"] = dict(content.certificate)
    if content.run is not None:
        description["run"] = content.run.told
        tensors |= {_RUN + k: np.ascontiguousarray(a) for k, a in content.run.arrays.items()}
    description["checksums"] = checksums(tensors)
    description["digest"] = digest(description, tensors)
    data: bytes = numpy.save(tensors, metadata={_KEY: json.dumps(description)})
    return data


def check_metadata(metadata: Mapping[str, str]) -> None:
    """Raises RunError where what a program tells of itself is no text."""
    for key, text in metadata.items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise RunError(f"metadata[{shown(key)}] is {shown(text)}, where a text is expected")


@contextmanager
def opened(path: str | Path) -> Iterator[Stored]:
    """The content of a program's file; nothing in the file is executed.

    Raises RunError, for what is wrong within the block too, where the file is missing, cut off,
    foreign or of a newer version, and where it needs ops or passes that are not imported.
    """
    safetensors = require("safetensors", "files")
    path = given_path(path)
    with reaching(path):
        there = path.is_file()
    if not there:
        raise RunError(f"there is no file {str(path)!r}")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            yield Stored(file)
    except VerigradError as e:
        raise type(e)(f"{path} cannot be loaded: {e}") from None
    except Exception as e:  # of the library that reads it, or of ops and passes that a user wrote
        raise RunError(
            f"{path} cannot be loaded: it is no complete verigrad program ({cut(str(e), 500)})"
        ) from None


class Stored:
    """What an open file holds: what a program is compiled from and with, and then its values.

    `run` is what it holds beside them, where it is a checkpoint.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._text = _metadata(file)
        self._told = read_description(self._text)
        self._shapes = {k: tuple(file.get_slice(k).get_shape()) for k in list(file.keys())}
        if self._told.checksums is not None:  # of which it answers for each, before any is read
            self._check_digest({})
        self._constants = self._under(_CONSTANT)
        spelled = {k.removeprefix(_CONSTANT): a for k, a in self._constants.items()}
        g = read_graph(self._told, spelled)
        self.declared = g
        self.options = read_options(self._told)
        self.metadata = self._told.metadata
        self.certificate = self._told.certificate
        self._arrays = self._under(_RUN) if self._told.run is not None else {}
        self.run: RunState | None = None
        if self._told.run is not None:
            arrays = {k.removeprefix(_RUN): a for k, a in self._arrays.items()}
            self.run = RunState(self._told.run, arrays)
        # Before anything is compiled: a shape takes memory once the file holds it.
        self._check_shapes({g.names[n]: n.type.bind({}) for n in (*g.parameters, *g.state)})

    def fill(self, values: StateArrays) -> None:
        """Sets the values to those of the file; RunError where these are other values, or no
        longer those that were saved."""
        self._check_shapes({name: array.shape for name, array in values.memory.items()})
        values.fill(self._read(values.memory))
        read = {**values, **self._constants, **self._arrays}
        if other := sorted(set(self._shapes) - set(read)):
            raise RunError(f"it holds the array {shown(other[0])}, which the program does not have")
        if other := sorted(set(self._told.checksums or ()) - set(read)):
            raise RunError(f"the array {shown(other[0])}, of which it has a checksum, is missing")
        if self._told.checksums is None:
            self._check_digest(read)

    def _check_digest(self, arrays: Mapping[str, Array]) -> None:
        if self._told.digest != digest(read_json(self._text, _KEY), arrays):
            what = "a part of it" if arrays else "what it tells of the program"
            raise RunError(f"it is not what was saved: {what} was changed")

    def _array(self, name: str) -> Array:
        """An array of the file; RunError where it is not the one that was saved."""
        array: Array = self._file.get_tensor(name)
        if self._told.checksums is not None:
            check(name, array, self._told.checksums)
        return array

    def _under(self, prefix: str) -> dict[str, Array]:
        return {k: self._array(k) for k in self._shapes if k.startswith(prefix)}

    def _read(self, memory: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
        """The value for each name, one after another; RunError where one has another dtype."""
        for name, array in memory.items():
            value = self._array(name)
            if value.dtype != array.dtype:
                raise RunError(f"{name!r} is {value.dtype}, where {array.dtype} is expected")
            yield name, value

    def _check_shapes(self, wanted: Mapping[str, tuple[int, ...]]) -> None:
        for name, shape in wanted.items():
            if self._shapes.get(name) != shape:
                there = list(self._shapes[name]) if name in self._shapes else "missing"
                raise RunError(f"{name!r} is {there}, where {list(shape)} is expected")


def _metadata(opened: Any) -> str:
    metadata = opened.metadata() or {}
    if _KEY not in metadata:
        raise RunError("it is a safetensors file, but not of a verigrad program")
    return str(metadata[_KEY])
