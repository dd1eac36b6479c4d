"""Each reader of files: what it is tried on, how it is called, and when its answer is right.

A reader that gives an answer for a changed file must give what another way of reading gives, or
what it reads again when that is written. An AssertionError says that it does not.
"""

from __future__ import annotations

import gzip
import json
import os
import pickle
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, Final, NamedTuple
from zipfile import ZIP_STORED

import numpy as np

from verigrad.runtime.command.run_options import RunOptions, config, read_config
from verigrad.runtime.command.settings import Settings
from verigrad.runtime.data.cifar10 import _batch
from verigrad.runtime.data.idx import read_idx
from verigrad.runtime.data.npz import read_npz
from verigrad.runtime.data.source import load_data

from . import programs, tables
from .formats import (
    header_changed,
    json_file,
    told_changed,
    values_changed,
    within_gzip,
    within_zip,
    zipped,
)
from .mutations import Mutation
from .tables import cells_changed


class Reader(NamedTuple):
    """A reader, the right files that it is tried on, and changes that know their format.

    `file` is what the file is called, which errors name, unless `named` is false: a text alone.
    One that takes its time, as a program that is compiled, is tried in every few rounds alone.
    """

    name: str
    file: str
    seeds: tuple[bytes, ...]
    read: Callable[[Path], object]
    inner: tuple[Mutation, ...] = ()
    named: bool = True
    every: int = 1


RNG: Final = np.random.default_rng(13)


# ---- idx -------------------------------------------------------------------------------------


def idx(array: np.ndarray) -> bytes:
    """An idx file of bytes."""
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


IMAGES: Final = RNG.integers(0, 256, (20, 3, 4)).astype(np.uint8)
LABELS: Final = (np.arange(20) % 10).astype(np.uint8)


def read_images(path: Path) -> np.ndarray:
    """The images, which are those that the bytes behind the header are."""
    found = read_idx(path, 3)
    raw = path.read_bytes()
    content = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    assert found.shape == struct.unpack(">3I", content[4:16])
    assert found.tobytes() == content[16:]
    return found


def read_mnist(path: Path) -> object:
    """A folder of four files, of which one is the changed one."""
    for name in ("train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        other = path.parent / f"{name}-ubyte"
        if not other.exists():
            other.write_bytes(idx(IMAGES if "images" in name else LABELS))
    data = load_data(f"mnist:{path.parent}")
    assert len(data.train.x) + len(data.validation.x) == len(LABELS)
    assert {*data.train.y.tolist(), *data.test.y.tolist()} <= set(range(10))
    return data


# ---- npz -------------------------------------------------------------------------------------


def npy(array: np.ndarray) -> bytes:
    """An array as np.save writes it."""
    file = BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def archive(**arrays: np.ndarray) -> bytes:
    return zipped([(f"{name}.npy", npy(a)) for name, a in arrays.items()])


ARCHIVES: Final = (
    archive(x=IMAGES, y=np.array(list("ab") * 10)),
    archive(x_train=RNG.random((6, 3)), y_train=np.arange(6) % 2, x_test=RNG.random((3, 3)),
            y_test=np.arange(3) % 2),
    archive(X=np.asfortranarray(RNG.random((9, 2)).astype(">f4")), Y=np.arange(9.0) % 2),
    zipped([("x.npy", npy(RNG.random((7, 3)))), ("y.npy", npy(np.arange(7) % 2))], ZIP_STORED),
)  # fmt: skip


def read_archive(path: Path) -> object:
    """The samples, which are those that NumPy reads; and the data set of them."""
    samples, _ = read_npz(path)
    # np.load would look at the first four bytes, before which an archive may hold others.
    with path.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as held:
        names = [k for k in held.files if k.lower().removesuffix("_train") == "x"]
        x = held[names[0]]
    assert np.array_equal(samples.x, x.reshape(len(x), -1)) and np.isfinite(samples.x).all()
    assert samples.labels is None or len(samples.labels) == len(x)
    return load_data(str(path))


# ---- CIFAR-10 --------------------------------------------------------------------------------

PIXELS: Final = RNG.integers(0, 256, (3, 3072)).astype(np.uint8)


class Hostile:
    """What runs a command where a pickle of it is loaded as pickles are."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("true",)


PICKLES: Final = (
    *(pickle.dumps({b"labels": [1, 0, 9], b"data": PIXELS}, protocol=p) for p in (2, 4, 5)),
    pickle.dumps({"data": Hostile(), "labels": [1]}, protocol=2),
)


def read_pickled_batch(path: Path) -> object:
    """A batch whose images stand in the file as they are."""
    part = _batch(path, "data_batch_1")
    assert part.x.dtype == np.uint8 and part.x.shape == (len(part.y), 3072) and len(part.y)
    assert set(part.y.tolist()) <= set(range(10))
    raw, whole = path.read_bytes(), part.x.tobytes(order="A")
    assert whole in raw or whole.decode("latin1").encode() in raw
    return part


def read_binary_batch(path: Path) -> object:
    """A batch that is what its bytes are, row by row."""
    part = _batch(path, "data_batch_1")
    rows = np.concatenate([part.y[:, None].astype(np.uint8), part.x], axis=1)
    assert rows.tobytes() == path.read_bytes() or path.read_bytes()[:1] in (b"\x80", b"(", b"}")
    return part


# ---- the settings of a run -------------------------------------------------------------------

SETTINGS: Final = tuple(
    json.dumps(config(settings, options)).encode()
    for settings, options in (
        (Settings(), RunOptions()),
        (
            Settings(data="t.csv", target="kind", hidden=(3, 4), keep=(0.5, 0.9), lr=0.1,
                     optimizer="adamw", weight_decay=0.1, clip_norm=1.0, memory_limit=10**6),
            RunOptions(steps=10, keep_best="accuracy", early_stopping=3, threads=1),
        ),
    )
)  # fmt: skip


def read_settings(path: Path) -> object:
    """The settings, which are read again as the same, and what is made of them."""
    text = path.read_bytes().decode("utf-8", "replace")
    settings, options, _ = read_config(text)
    again = read_config(json.dumps(config(settings, options)))[:2]
    assert repr(again) == repr((settings._replace(lr=settings.rate), options))
    settings.make_clip()
    settings.make_dropout()
    settings.make_init()
    settings.make_optimizer(10)
    settings.make_regularizer()
    return settings


_PROGRAM: Final = (told_changed, told_changed, header_changed, values_changed)
_IDX: Final = (idx(IMAGES), gzip.compress(idx(IMAGES), mtime=0))
_ROWS: Final = (b"".join(bytes([k]) + row.tobytes() for k, row in enumerate(PIXELS)),)

READERS: Final = {
    reader.name: reader
    for reader in (
        Reader(
            "model", "model.safetensors", programs.MODELS, programs.read_model, _PROGRAM, every=3
        ),
        Reader(
            "checkpoint", "run.safetensors", programs.CHECKPOINTS, programs.read_run, _PROGRAM,
            every=5,
        ),
        Reader("IR text", "graph.ir", programs.GRAPHS, programs.read_graph, named=False),
        Reader("CSV", "table.csv", tables.TABLES, tables.read_table, (cells_changed,)),
        Reader("CSV to predict", "rows.csv", tables.TABLES, tables.read_rows, (cells_changed,)),
        Reader("idx", "images", _IDX, read_images, (within_gzip,)),
        Reader("MNIST folder", "train-images-idx3-ubyte", _IDX, read_mnist, (within_gzip,)),
        Reader("npz", "arrays.npz", ARCHIVES, read_archive, (within_zip,)),
        Reader("CIFAR-10 pickle", "data_batch_1", PICKLES, read_pickled_batch),
        Reader("CIFAR-10 binary", "data_batch_1.bin", _ROWS, read_binary_batch),
        Reader("settings", "config.json", SETTINGS, read_settings, (json_file,), named=False),
    )
}  # fmt: skip
