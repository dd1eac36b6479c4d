"""CIFAR-10 in both of its published forms: Python batches and binary batches."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import md5
from pathlib import Path
from typing import Final

import numpy as np

from ...graph import Array, RunError
from .kinds import kind_of
from .parts import Part, TaskData, held_out
from .safe_pickle import read_pickled

CLASSES: Final = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip

_LABELS: Final = tuple(bytes((label,)) for label in range(len(CLASSES)))
_PIXELS: Final = 3072
_MOST_BYTES: Final = 64 << 20
"""A batch has 31 MB; a file of more than twice that is not read."""

_ROWS: Final = 10_000
_MD5: Final = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
"""Checksums of the published Python batches, which have 10,000 rows each."""


_PUBLISHED: Final = b"\x80\x02}q\x01(U\x0bbatch_label"
"""What the published Python batches begin with; others pickle them in another way."""


def cifar10(folder: Path, split_seed: int = 0) -> TaskData:
    """CIFAR-10 from the six batches of a folder: 50,000 rows to train on, 10,000 to test on.

    Rows are u8[3072]: 1,024 red, green and blue values, row by row of the 32 x 32 image. Python
    batches are unpickled, whatever their protocol, into nothing but arrays of integers, dicts,
    lists and texts; those that were published are checked by their checksum. Raises RunError for
    anything else. Source: Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html.
    """
    inside = _inside(folder)
    if inside is None:
        raise RunError(
            f"{folder} has no data_batch_1, nor data_batch_1.bin; the folder of CIFAR-10's Python "
            "version or of its binary version is expected, or the one that it was unpacked in"
        )
    suffix = ".bin" if not (inside / "data_batch_1").is_file() else ""
    parts = {name: _batch(inside / f"{name}{suffix}", name) for name in _MD5}
    test = parts.pop("test_batch")
    xs, ys = zip(*parts.values(), strict=True)
    train = Part(np.concatenate(xs), np.concatenate(ys))
    return held_out("cifar10", train, test, CLASSES, pixels=True, split_seed=split_seed)


def is_cifar10(folder: Path) -> bool:
    """Whether the folder holds CIFAR-10, or what it was unpacked in does."""
    return _inside(folder) is not None


def _inside(folder: Path) -> Path | None:
    for inside in (folder, folder / "cifar-10-batches-py", folder / "cifar-10-batches-bin"):
        if any((inside / f"data_batch_1{suffix}").is_file() for suffix in ("", ".bin")):
            return inside
    return None


def _batch(path: Path, name: str) -> Part:
    """A batch in the form that its first byte tells: a label, or an instruction of a pickle."""
    data = _bytes(path)
    named = path.suffix == ".bin" and data[:1] not in (b"\x80", b"(", b"}")
    if named or data[:1] in _LABELS:
        return _binary_batch(path, data)
    return _python_batch(path, data, name)


def _python_batch(path: Path, data: bytes, name: str) -> Part:
    content = read_pickled(data, path)
    # Python 2's texts are bytes, and Python 3's are not.
    batch = {_text(k): v for k, v in content.items()} if isinstance(content, dict) else {}
    if "fine_labels" in batch:
        raise RunError(f"{path} is a batch of CIFAR-100, where CIFAR-10's are expected")
    if not {"data", "labels"} <= set(batch):
        raise RunError(f"{path} is no batch of CIFAR-10: a dict of data and labels is expected")
    x, labels = batch["data"], batch["labels"]
    if not isinstance(x, np.ndarray) or x.dtype != np.uint8 or x.shape[1:] != (_PIXELS,):
        shown = type(x).__name__
        if isinstance(x, np.ndarray):
            shown = f"{'' if x.dtype == np.uint8 else x.dtype}{list(x.shape)}"
        raise RunError(f"{path}: data is {shown}, where u8[n,{_PIXELS}] is expected")
    if isinstance(labels, np.ndarray) and labels.ndim == 1:
        labels = labels.tolist()
    if not isinstance(labels, (list, tuple)) or not all(type(label) is int for label in labels):
        raise RunError(f"{path}: labels are no list of numbers")
    if len(labels) != len(x):
        raise RunError(f"{path} has {len(x)} images, but {len(labels)} labels")
    if not labels:
        raise RunError(f"{path} is empty: it holds no images")
    published = data.startswith(_PUBLISHED) and len(x) == _ROWS
    if published and md5(data, usedforsecurity=False).hexdigest() != _MD5[name]:
        raise RunError(
            f"{path} is not as it was published: its MD5 is not {_MD5[name]}; unpack "
            "cifar-10-python.tar.gz again"
        )
    return _checked(path, x, labels)


def _text(key: object) -> object:
    return key.decode("latin1") if isinstance(key, bytes) else key


def _binary_batch(path: Path, data: bytes) -> Part:
    size = 1 + _PIXELS
    if not data or len(data) % size:
        kind = kind_of(data)
        raise RunError(
            f"{path} has {len(data):,} bytes, where a multiple of {size:,} is expected: "
            f"a label and {_PIXELS:,} pixels a row"
            f"{'' if kind.startswith('no ') else f'; it is {kind}'}"
        )
    rows = np.frombuffer(data, np.uint8).reshape(-1, size)
    return _checked(path, rows[:, 1:], rows[:, 0].tolist())


def _checked(path: Path, x: Array, labels: Sequence[int]) -> Part:
    for row, label in enumerate(labels):
        if not 0 <= label < len(CLASSES):
            raise RunError(f"{path}: the label {label} in row {row} is not one of 0 to 9")
    return Part(x, np.array(labels, np.int64))


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise RunError(f"{path} has {size:,} bytes, too many for a batch of CIFAR-10")
        return path.read_bytes()
    except OSError as e:
        raise RunError(f"{path} cannot be read: {e.strerror or e}") from None
