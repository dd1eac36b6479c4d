"""Fashion-MNIST's idx files, on small files in exactly that format."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import verigrad as vg
from verigrad.runtime.data.idx import read_idx
from verigrad.runtime.data.source import load_data


def idx(array: np.ndarray, kind: int = 8) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, kind, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def fashion(tmp_path: Path, rng: np.random.Generator) -> Path:
    """A folder as of Fashion-MNIST, with 40 images of 4 x 3 to train on and 10 to test on."""
    for prefix, count in (("train", 40), ("t10k", 10)):
        images = rng.integers(0, 256, (count, 4, 3)).astype(np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        (tmp_path / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (tmp_path / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    return tmp_path


def test_fashion_mnist_is_read_gzipped_and_plain(fashion: Path) -> None:
    zipped = load_data(f"fashion-mnist:{fashion}")
    assert zipped.features == 12 and zipped.pixels
    assert zipped.classes[9] == "Ankle boot"
    assert zipped.test.y.tolist() == list(range(10))
    for path in fashion.glob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    plain = load_data(f"fashion-mnist:{fashion}")
    assert np.array_equal(plain.train.x, zipped.train.x)
    assert np.array_equal(plain.test.x, zipped.test.x)


def test_mnist_is_the_same_files_with_digits_for_classes(fashion: Path) -> None:
    data = load_data(f"mnist:{fashion}")
    assert data.classes == tuple("0123456789") and data.name == "mnist"
    other = load_data(f"fashion-mnist:{fashion}")
    assert np.array_equal(data.test.x, other.test.x)
    assert np.array_equal(data.train.x, other.train.x)


def test_a_row_is_the_image_row_by_row(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(idx(np.arange(24, dtype=np.uint8).reshape(2, 3, 4)))
    assert read_idx(path, 3)[1].tolist() == np.arange(12, 24).reshape(3, 4).tolist()


IDX_ERRORS: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("train-labels-idx1-ubyte", lambda data: b"", "begins with nothing, where 00 00 08 01"),
    ("train-labels-idx1-ubyte", lambda data: b"\x1f\x8b" + data, "is cut off or damaged"),
    (
        "train-labels-idx1-ubyte",
        lambda data: b"plain text",
        "begins with 70 6c 61 69, .*: it is a text, and no idx file of u8 in 1 dimensions",
    ),
    (
        "train-labels-idx1-ubyte",
        lambda data: idx(np.zeros((2, 2, 2), "u1")),
        "begins with 00 00 08 03, where 00 00 08 01 .*: it is an idx file of u8 in 3 dimensions",
    ),
    (
        "train-images-idx3-ubyte",
        lambda data: idx(np.zeros((2, 2, 2), ">f4"), 13),
        "it is an idx file of f32 in 3 dimensions, and no idx file of u8 in 3",
    ),
    ("train-images-idx3-ubyte", lambda data: b"\x89PNG\r\n", "it is a PNG picture"),
    ("train-images-idx3-ubyte", lambda data: data[:10], "is cut off: it ends in its header"),
    (
        "train-images-idx3-ubyte",
        lambda data: idx(np.zeros((40, 0, 3), "u1")),
        r"is empty: its header tells of \[40, 0, 3\] bytes",
    ),
    (
        "train-labels-idx1-ubyte",
        lambda data: idx(np.zeros(0, "u1")),
        r"is empty: .* of \[0\] by",
    ),
    ("train-images-idx3-ubyte", lambda data: data[:-9], "480 bytes, but it holds 471"),
    ("train-images-idx3-ubyte", lambda data: data + bytes(9), "480 bytes, but it holds more"),
    (
        "train-images-idx3-ubyte",
        lambda data: data[:4] + b"\xff" * 12 + data[16:],
        "is cut off: its header tells of",
    ),
    ("t10k-labels-idx1-ubyte", lambda data: data[:8] + b"\x0a" + data[9:], "the label 10 in row 0"),
    ("t10k-labels-idx1-ubyte", lambda data: idx(np.zeros(9, "u1")), "10 images, but 9 labels"),
    (
        "t10k-images-idx3-ubyte",
        lambda data: idx(np.zeros((10, 2, 2), "u1")),
        "12 pixels to train on, but 4 to test on",
    ),
]


@pytest.mark.parametrize(("name", "change", "message"), IDX_ERRORS, ids=[m for *_, m in IDX_ERRORS])
def test_bad_idx_files_are_named(
    fashion: Path, name: str, change: Callable[[bytes], bytes], message: str
) -> None:
    zipped = fashion / f"{name}.gz"
    (fashion / name).write_bytes(change(gzip.decompress(zipped.read_bytes())))
    zipped.unlink()
    with pytest.raises(vg.RunError, match=message):
        load_data(f"fashion-mnist:{fashion}")


@pytest.mark.parametrize("change", [lambda data: data[:60], lambda data: data[:2] + b"text"])
def test_bad_gzip_files_are_named(fashion: Path, change: Callable[[bytes], bytes]) -> None:
    path = fashion / "train-images-idx3-ubyte.gz"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(vg.RunError, match=f"{path.name} is cut off or damaged"):
        load_data(f"fashion-mnist:{fashion}")


def test_content_says_what_is_gzipped_and_names_may_have_a_dot(fashion: Path) -> None:
    wanted = load_data(f"mnist:{fashion}")
    for k, path in enumerate(sorted(fashion.iterdir())):
        data = path.read_bytes()
        plain = path.with_suffix("").name.replace("-idx", ".idx") if k % 2 else path.name
        path.unlink()
        (fashion / plain).write_bytes(gzip.decompress(data) if k < 2 else data)
    found = load_data(f"mnist:{fashion}")
    assert np.array_equal(found.train.x, wanted.train.x)
    assert np.array_equal(found.test.y, wanted.test.y)


def test_a_header_of_sizes_that_no_gzip_of_that_length_holds_takes_no_memory(
    tmp_path: Path,
) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(struct.pack(">4B3I", 0, 0, 8, 3, 2**31, 2**31, 2**31)))
    with pytest.raises(vg.RunError, match="is cut off: its header tells of 9,9"):
        read_idx(path, 3)


def test_a_missing_file_is_named_with_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(vg.RunError, match=r"train-images-idx3-ubyte.gz, .* dataset-fashion-mnist"):
        load_data(f"fashion-mnist:{tmp_path}")
