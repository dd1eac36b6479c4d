"""The parts of an elementwise group: which memory runs as one, cut along its first axis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...graph import Array, Graph, Node, Nodes
from ..planning.buffers import Buffers
from ..planning.tiling import Tiling
from .names import Key, key


class TiledLane(NamedTuple):
    """A lane, or several as one, whose tensors are cut along their first axis."""

    lane: Nodes
    cut: Mapping[Node, Array]
    fixed: Mapping[Node, Array]
    temporaries: tuple[Array, ...]
    tiles: Tiling
    rows: int
    step: int

    def kernels(
        self, start: int, stop: int
    ) -> Iterator[tuple[Node, list[Array], Array, tuple[Array, ...]]]:
        """Each node with what it reads, writes and needs for the rows from start to stop."""
        temporaries = [t[: stop - start] if t.ndim else t for t in self.temporaries]
        results = self.tiles.results

        def at(n: Node) -> Array:
            if n in results:
                return temporaries[results[n]]
            return self.cut[n][start:stop] if n in self.cut else self.fixed[n]

        for n in self.lane:
            scratch = tuple([temporaries[k] for k in self.tiles.scratch.get(n, ())])
            yield n, [at(i) for i in n.inputs], at(n), scratch


def parts(g: Graph, group: Nodes, tiles: Tiling, memory: Buffers) -> list[TiledLane]:
    """The lanes of a group as one flat part where their tensors lie side by side, else apart."""
    temporaries = memory.scratch.get(group[0], ())
    arrays = memory.arrays
    if not tiles.others:
        return [_part(tiles.lane, arrays, temporaries, tiles, tiles.rows)]
    joined: dict[Node, Array] = {}
    for members in zip(tiles.lane, *tiles.others, strict=True):
        slots = [members] if members[0] not in tiles.results else []
        slots += [s for s in zip(*[n.inputs for n in members], strict=True) if s[0].type.rank]
        for slot in slots:
            if slot[0] in tiles.results:
                continue
            flat = _side_by_side([arrays[n] for n in slot])
            if flat is None:
                lanes = (tiles.lane, *tiles.others)
                return [_lane(lane, arrays, temporaries, tiles) for lane in lanes]
            joined[slot[0]] = flat
    return [_part(tiles.lane, {**arrays, **joined}, temporaries, tiles, tiles.rows)]


def _lane(
    lane: Nodes, arrays: Mapping[Node, Array], temporaries: tuple[Array, ...], tiles: Tiling
) -> TiledLane:
    """One lane by itself, in the temporaries of all."""
    same = dict(zip(tiles.lane, lane, strict=True))
    own = tiles._replace(
        results={same[n]: k for n, k in tiles.results.items()},
        scratch={same[n]: k for n, k in tiles.scratch.items()},
    )
    return _part(lane, arrays, temporaries, own, arrays[lane[-1]].size)


def _part(
    lane: Nodes,
    arrays: Mapping[Node, Array],
    temporaries: tuple[Array, ...],
    tiles: Tiling,
    count: int,
) -> TiledLane:
    cut: dict[Node, Array] = {}
    fixed: dict[Node, Array] = {}
    rank = lane[0].type.rank
    for n in {x: None for one in lane for x in (one, *one.inputs)}:
        if n in tiles.results:
            continue
        array = arrays[n]
        if tiles.flat and array.ndim:
            cut[n] = array.reshape(-1)
        elif array.ndim == rank and rank and array.shape[0] == count:
            cut[n] = array
        else:
            fixed[n] = array
    return TiledLane(lane, cut, fixed, temporaries, tiles, count, tiles.step)


def _side_by_side(arrays: Sequence[Array]) -> Array | None:
    """All of them as one flat array where each begins at the end of the one before."""
    at = arrays[0].ctypes.data
    for a in arrays:
        if a.ctypes.data != at or not a.flags.c_contiguous:
            return None
        at += a.nbytes
    size = sum(a.size for a in arrays)
    first = arrays[0].reshape(-1)
    flat: Array = np.lib.stride_tricks.as_strided(first, (size,), first.strides)
    return flat


def joined(arrays: Sequence[Array]) -> list[Array]:
    """The arrays, flat, as few as they are where some lie side by side."""
    runs: list[list[Array]] = []
    for a in sorted(arrays, key=lambda a: a.ctypes.data):
        last = runs[-1][-1] if runs else a
        alike = runs and a.ndim and last.ndim and a.dtype == last.dtype
        if alike and _side_by_side([last, a]) is not None:
            runs[-1].append(a)
        else:
            runs.append([a])
    return [run[0] if not run[0].ndim else _flat(run) for run in runs]


def _flat(run: Sequence[Array]) -> Array:
    flat = _side_by_side(run)
    assert flat is not None
    return flat


class TileLoop:
    """The names of a tile's arrays, and these arrays for every whole tile."""

    def __init__(self, part: TiledLane, otherwise: Callable[[Any], str | None]) -> None:
        self.part = part
        self.variables: dict[str, tuple[Array, np.dtype[Any]]] = {}
        self._whole = {a[: part.step].ctypes.data: a for a in part.cut.values()}
        self._shapes = {a.ctypes.data: a[: part.step].shape for a in part.cut.values()}
        self._names: dict[Key, str] = {}
        self._otherwise = otherwise

    def name(self, value: Any) -> str | None:
        if not isinstance(value, np.ndarray):
            return self._otherwise(value)
        at = value.ctypes.data
        if at not in self._whole:
            # A part of a tile lies elsewhere in the next: only the kernel can take it.
            cut = any(np.may_share_memory(value, a) for a in self._whole.values())
            return None if cut else self._otherwise(value)
        base, same = self._whole[at], key(value)
        if value.shape != self._shapes[at] or value.itemsize != base.itemsize:
            return None
        if same not in self._names:
            self._names[same] = f"t{len(self._names)}"
            self.variables[self._names[same]] = base, value.dtype
        return self._names[same]

    def tiles(self) -> list[tuple[Array, ...]]:
        step = self.part.step
        whole = range(0, self.part.rows - step + 1, step)
        return [
            tuple([base[at : at + step].view(t) for base, t in self.variables.values()])
            for at in whole
        ]
