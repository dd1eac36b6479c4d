"""Files whose rows are read by ranges: what is mapped, what that takes of memory, and what is said
where the file is damaged."""

from __future__ import annotations

import gzip
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from allocated import allocated

import verigrad as vg
from verigrad.runtime.data.npz import read_npz
from verigrad.runtime.data.parts import TaskData
from verigrad.runtime.data.rows import Rows
from verigrad.runtime.data.source import load_data

ROWS = 300


def idx(path: Path, array: np.ndarray) -> None:
    header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())


@pytest.fixture
def mnist(tmp_path: Path, rng: np.random.Generator) -> Path:
    for prefix, count in (("train", ROWS), ("t10k", 50)):
        images = rng.integers(0, 256, (count, 4, 3), np.uint8)
        idx(tmp_path / f"{prefix}-images-idx3-ubyte", images)
        idx(tmp_path / f"{prefix}-labels-idx1-ubyte", (np.arange(count) % 10).astype(np.uint8))
    return tmp_path


def arrays(rng: np.random.Generator, dtype: str = "f4") -> dict[str, np.ndarray]:
    x = (100 * rng.random((ROWS, 5))).astype(dtype)
    return {"x": x, "y": np.arange(ROWS) % 3, "x_test": x[:40] + 1, "y_test": np.arange(40) % 3}


def same(one: TaskData, other: TaskData) -> bool:
    pairs = zip(one.parts, other.parts, strict=True)
    return all(np.array_equal(a.x, b.x) and np.array_equal(a.y, b.y) for a, b in pairs)


def test_plain_idx_files_are_mapped_and_gzipped_ones_are_not(mnist: Path) -> None:
    plain = load_data(f"mnist:{mnist}")
    assert all(isinstance(part.x, Rows) for part in plain.parts)
    for path in [*mnist.iterdir()]:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    zipped = load_data(f"mnist:{mnist}")
    assert isinstance(zipped.train.x, np.ndarray) and same(plain, zipped)
    assert np.array_equal(plain.scaling.mean, zipped.scaling.mean)
    assert plain.scaling.inverse == zipped.scaling.inverse


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", "u1", "i8", "f2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_stored_arrays_are_mapped_and_compressed_ones_are_not(
    dtype: str, order: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    held = arrays(rng, dtype)
    held["x"] = np.array(held["x"], order=order)
    np.savez(tmp_path / "a.npz", **held)
    np.savez_compressed(tmp_path / "b.npz", **held)
    stored, zipped = (load_data(str(tmp_path / name)) for name in ("a.npz", "b.npz"))
    assert all(isinstance(part.x, Rows) for part in stored.parts)
    assert isinstance(zipped.train.x, np.ndarray) and same(stored, zipped)


def test_a_file_of_arrays_is_one_record(tmp_path: Path, rng: np.random.Generator) -> None:
    held = arrays(rng)
    np.savez(tmp_path / "a.npz", **held)
    data = vg.data.npz(tmp_path / "a.npz", split_seed=1)
    assert data.task == "classification" and data.classes == ("0", "1", "2")
    assert data.train.told["classes"] == '["0", "1", "2"]'
    assert same(data, load_data(str(tmp_path / "a.npz"), split_seed=1))
    held |= {"y": held["y"] + 0.5, "y_test": held["y_test"] + 0.5}
    np.savez(tmp_path / "b.npz", **held)
    assert vg.data.npz(str(tmp_path / "b.npz")).task == "regression"
    with pytest.raises(vg.RunError, match="task is 'guess', where one of auto, class"):
        vg.data.npz(tmp_path / "a.npz", task="guess")  # type: ignore[arg-type]
    with pytest.raises(vg.RunError, match=r"c\.npz cannot be read: No such file"):
        vg.data.npz(tmp_path / "c.npz")


def test_an_array_lies_wherever_the_archive_has_it(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    """Behind other members, with a name and extra fields of any length, behind other bytes."""
    held = arrays(rng)
    np.savez(tmp_path / "a.npz", **held)
    path = tmp_path / "b.npz"
    path.write_bytes(b"bytes before the archive")
    with zipfile.ZipFile(tmp_path / "a.npz") as a, zipfile.ZipFile(path, "a") as b:
        b.writestr("a note of some length.txt", b"text")
        for name in ("y.npy", "X_TRAIN.npy"):
            info = zipfile.ZipInfo(name)
            info.extra = struct.pack("<HH5s", 0xCAFE, 5, b"extra")
            b.writestr(info, a.read({"X_TRAIN.npy": "x.npy"}.get(name, name)))
    path.write_bytes(path.read_bytes().replace(b"bytes before the archive", b"PK" + bytes(22)))
    rows, _ = read_npz(path)
    assert isinstance(rows.x, Rows) and np.array_equal(rows.x, held["x"])


def test_training_on_a_mapped_file_takes_no_memory_of_its_size(tmp_path: Path) -> None:
    """Parts, scaling, checks, batches and validation of a file of 16 MB."""
    rng = np.random.default_rng(0)
    x = rng.random((64_000, 64), np.float32)
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(64_000) % 4)

    def train(steps: int) -> None:
        data = load_data(str(tmp_path / "a.npz"))
        a, y = vg.input("x", ("N", 64)), vg.input("y", ("N",), dtype="i64")
        scores = vg.mlp(data.scaling.of(a), [8, 4], activation="tanh")
        net = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
        program = vg.compile(net, optimizer=vg.SGD(lr=0.1))
        vg.fit(program, data.train, validation=data.validation, steps=steps, batch_size=50)
        vg.measure(program, data.test)

    train(1)  # all modules are loaded
    assert allocated(lambda: train(5)) < x.nbytes / 3


def test_a_changed_byte_is_found_before_anything_is_read(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    held = arrays(rng, "u1")
    np.savez(tmp_path / "a.npz", **held)
    data = bytearray((tmp_path / "a.npz").read_bytes())
    at = data.index(held["x"].tobytes())
    data[at + 700] ^= 1
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(vg.RunError, match=r"a\.npz is no complete .npz file of arrays: Bad CRC"):
        load_data(str(tmp_path / "a.npz"))


@pytest.mark.parametrize(("row", "due"), [(0, "row 0"), (1024, "row 1024"), (2999, "row 2999")])
def test_a_number_that_is_not_finite_is_named(row: int, due: str, tmp_path: Path) -> None:
    x = np.ones((3000, 2))
    x[row, 1] = np.inf
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(3000) % 2)
    with pytest.raises(vg.RunError, match=f"x holds inf in {due}, column 1"):
        load_data(str(tmp_path / "a.npz"))
