"""The same rows in memory and in files of each kind of which rows are read by themselves."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

import verigrad as vg
from verigrad.runtime.data.parts import Part
from verigrad.runtime.data.source import load_data

COUNT, FEATURES = 200, 6


def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (COUNT, FEATURES), np.uint8)


LABELS = np.arange(COUNT) % 10


def in_memory(folder: Path) -> Part:
    return Part(images(), LABELS)


def npy(folder: Path) -> Part:
    np.save(folder / "x.npy", images())
    return Part(np.load(folder / "x.npy", mmap_mode="r"), LABELS)


def npz(folder: Path) -> Part:
    np.savez(folder / "a.npz", x=images(), y=LABELS)
    return load_data(str(folder / "a.npz")).train


def idx(folder: Path) -> Part:
    for prefix in ("train", "t10k"):
        x, y = images().reshape(COUNT, 2, 3), LABELS.astype(np.uint8)
        head = struct.pack(">4B3I", 0, 0, 8, 3, *x.shape)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(head + x.tobytes())
        labels = struct.pack(">4BI", 0, 0, 8, 1, COUNT) + y.tobytes()
        (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    return load_data(f"mnist:{folder}").train


def csv(folder: Path) -> Part:
    lines = [",".join(map(str, (*row, f"k{y}"))) for row, y in zip(images(), LABELS, strict=True)]
    (folder / "a.csv").write_text("\n".join(["a,b,c,d,e,f,kind", *lines]))
    return vg.data.csv(folder / "a.csv", "kind", in_memory=False).train


SOURCES: dict[str, Callable[[Path], Part]] = {
    "in memory": in_memory, "npy": npy, "npz": npz, "idx": idx, "csv": csv,
}  # fmt: skip


def net(features: int) -> vg.Graph:
    x, y = vg.input("x", ("N", features)), vg.input("y", ("N",), dtype="i64")
    scores = vg.dense(x / 255, 10)
    return vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
