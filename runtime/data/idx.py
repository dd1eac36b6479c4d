"""The idx format of MNIST and its successors, plain or gzipped."""

from __future__ import annotations

import gzip
import math
import zlib
from io import BufferedIOBase
from pathlib import Path
from typing import Final

import numpy as np

from ...graph import Array, RunError
from .kinds import kind_of
from .parts import Part, TaskData, held_out
from .rows import mapped

FASHION_CLASSES: Final = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

_UNSIGNED_BYTE: Final = 8
_GZIP: Final = b"\x1f\x8b"
_RATIO: Final = 1032
"""A gzipped file holds at most so many times its own bytes (the limit of deflate)."""


def fashion_mnist(folder: Path, split_seed: int = 0) -> TaskData:
    """Fashion-MNIST from the four files of a folder: 60,000 rows to train on, 10,000 to test on.

    Source: Xiao, Rasul and Vollgraf 2017, https://github.com/zalandoresearch/fashion-mnist, MIT.
    """
    return _four_files("fashion-mnist", folder, FASHION_CLASSES, split_seed)


def mnist(folder: Path, split_seed: int = 0) -> TaskData:
    """MNIST, whose four files have the same names and format; its classes are the digits.

    Source: LeCun, Cortes and Burges 1998, http://yann.lecun.com/exdb/mnist.
    """
    return _four_files("mnist", folder, tuple("0123456789"), split_seed)


def _four_files(name: str, folder: Path, classes: tuple[str, ...], split_seed: int) -> TaskData:
    train, test = (_part(folder, prefix) for prefix in ("train", "t10k"))
    if train.x.shape[1] != test.x.shape[1]:
        raise RunError(
            f"{folder}: images have {train.x.shape[1]} pixels to train on, but "
            f"{test.x.shape[1]} to test on"
        )
    return held_out(name, train, test, classes, pixels=True, split_seed=split_seed)


def _part(folder: Path, prefix: str) -> Part:
    images = read_idx(_find(folder, f"{prefix}-images-idx3-ubyte"), 3)
    path = _find(folder, f"{prefix}-labels-idx1-ubyte")
    labels = np.asarray(read_idx(path, 1))
    if len(images) != len(labels):
        raise RunError(f"{folder}: {prefix} has {len(images)} images, but {len(labels)} labels")
    if labels.max() >= len(FASHION_CLASSES):
        row = int(np.argmax(labels >= len(FASHION_CLASSES)))
        raise RunError(f"{path}: the label {labels[row]} in row {row} is not one of 0 to 9")
    flat = images.reshape(len(images), -1)
    return Part(mapped(flat), labels.astype(np.int64))


def _find(folder: Path, name: str) -> Path:
    """The file of that name, gzipped or not; some collections write a dot for its second dash."""
    for path in (folder / spelled for spelled in _spelled(name)):
        if path.is_file():
            return path
    raise RunError(
        f"{folder} has no file {name}.gz, nor {name}; the folder of MNIST's or Fashion-MNIST's "
        "four files is expected (the Debian package dataset-fashion-mnist brings the latter)"
    )


def _spelled(name: str) -> list[str]:
    dotted = name.replace("-idx", ".idx")
    return [f"{name}.gz", name, f"{dotted}.gz", dotted]


def is_mnist(folder: Path) -> bool:
    """Whether the folder holds MNIST, or one of its successors."""
    return any((folder / name).is_file() for name in _spelled("train-images-idx3-ubyte"))


def read_idx(path: Path, rank: int) -> Array:
    """The u8 array of an idx file, read-only, gzipped or not: its first bytes tell. One that is
    not gzipped is mapped, a `np.memmap`: nothing of it is read yet.

    Raises RunError for another format, and for sizes that the file does not hold, before memory
    is taken for them.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.read(len(_GZIP)) == _GZIP
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) if zipped else raw as file:
                shape = _shape(path, file, rank)
                wanted = math.prod(shape)
                size = path.stat().st_size
                if wanted > size * (_RATIO if zipped else 1):
                    raise RunError(f"{path} is cut off: its header tells of {wanted:,} bytes")
                if not zipped:
                    _check_size(path, wanted, size - file.tell())
                    return np.memmap(file, np.uint8, "r", file.tell(), shape)
                data = file.read(wanted + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as e:
        raise RunError(f"{path} is cut off or damaged: {e}") from None
    except OSError as e:
        raise RunError(f"{path} cannot be read: {e.strerror or e}") from None
    _check_size(path, wanted, len(data))
    return np.frombuffer(data, np.uint8).reshape(shape)


def _check_size(path: Path, wanted: int, found: int) -> None:
    if found != wanted:
        size = "more" if found > wanted else f"{found:,}"
        raise RunError(f"{path}: its header tells of {wanted:,} bytes, but it holds {size}")


def _shape(path: Path, file: BufferedIOBase, rank: int) -> tuple[int, ...]:
    """The sizes that the header tells of."""
    header = file.read(4 + 4 * rank)
    if header[:4] != bytes((0, 0, _UNSIGNED_BYTE, rank)):
        kind = kind_of(header + file.read(400))
        raise RunError(
            f"{path} begins with {header[:4].hex(' ') or 'nothing'}, where "
            f"00 00 08 {rank:02x} is expected: it is {kind}, and no idx file of u8 in {rank} "
            "dimensions"
        )
    if len(header) < 4 + 4 * rank:
        raise RunError(f"{path} is cut off: it ends in its header")
    shape = tuple([int(n) for n in np.frombuffer(header[4:], ">u4")])
    if not math.prod(shape):
        raise RunError(f"{path} is empty: its header tells of {list(shape)} bytes")
    return shape
