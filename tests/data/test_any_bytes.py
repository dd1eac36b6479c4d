"""Readers under any bytes: what is written is read back, and nothing but our errors comes out."""

from __future__ import annotations

import csv
import gzip
import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from csv_reading import read_csv
from hypothesis import example, given
from hypothesis import strategies as st
from test_cifar10 import python_batch
from test_idx import idx

import verigrad as vg
from verigrad.runtime.data.cifar10 import _batch
from verigrad.runtime.data.idx import read_idx
from verigrad.runtime.data.npz import read_npz
from verigrad.runtime.data.safe_pickle import read_pickled


def stored(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def read_mapped(path: Path) -> np.ndarray:
    return np.asarray(read_npz(path)[0].x)


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
BATCH = python_batch(np.zeros((2, 3072), np.uint8), [1, 2])
TABLE = b'a,"b;c",kind\n1,-2.5e3,x\n,NA,"y"\n0,1,x\n'
READERS: dict[str, tuple[bytes, Callable[[Path], object]]] = {
    "images.idx": (idx(IMAGES), lambda path: read_idx(path, 3)),
    "images.gz": (gzip.compress(idx(IMAGES), mtime=0), lambda path: read_idx(path, 3)),
    "data_batch_1": (BATCH, lambda path: _batch(path, "data_batch_1")),
    "table.csv": (TABLE, lambda path: read_csv(path, "kind")),
    "arrays.npz": (npz(x=IMAGES, y=np.array(["a", "b"])), read_npz),
    "stored.npz": (stored(x=IMAGES, y=np.array(["a", "b"])), read_mapped),
}


def check(name: str, data: bytes) -> None:
    """The reader takes the bytes, or says in an error of ours that it doesn't."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        try:
            READERS[name][1](path)
        except vg.VerigradError as e:
            assert name in str(e)


@pytest.mark.parametrize("name", READERS)
def test_what_the_tests_start_from_is_read(name: str, tmp_path: Path) -> None:
    data, read = READERS[name]
    (tmp_path / name).write_bytes(data)
    assert read(tmp_path / name) is not None


@pytest.mark.parametrize("name", READERS)
@given(data=st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(name: str, data: bytes) -> None:
    check(name, data)


@pytest.mark.parametrize("name", READERS)
@given(changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4))
def test_changed_bytes_are_read_or_refused(name: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(READERS[name][0])
    for place, value in changes:
        data[place % min(len(data), 700)] = value
    check(name, bytes(data))


@pytest.mark.parametrize("name", READERS)
@given(cut=st.integers(0, 10**6), more=st.binary(max_size=20))
def test_files_that_end_elsewhere_are_read_or_refused(name: str, cut: int, more: bytes) -> None:
    data = READERS[name][0]
    check(name, data[: cut % len(data)] + more)


@given(
    shape=st.tuples(*[st.sampled_from([0, 1, 2, 3, 255, 2**16, 2**31, 2**32 - 1])] * 3),
    zipped=st.booleans(),
)
@example(shape=(0, 2**32 - 1, 2**32 - 1), zipped=False)
def test_any_sizes_in_an_idx_header_are_read_or_refused(
    shape: tuple[int, int, int], zipped: bool
) -> None:
    data = bytes((0, 0, 8, 3)) + b"".join(n.to_bytes(4, "big") for n in shape) + bytes(12)
    check("images.gz" if zipped else "images.idx", gzip.compress(data) if zipped else data)


HEADERS = [
    "{'descr': '|u1', 'fortran_order': False, 'shape': (9999999999999, 2), }",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (0, 99999999999999999999), }",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 2), }",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (-2, -2), }",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (" + "1, " * 100 + "), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (2, 2), }",
    "{'descr': '|V99999999999', 'fortran_order': False, 'shape': (2, 2), }",
    "{'descr': '|u1', 'fortran_order': 3, 'shape': (2, 2), }",
    "{'descr': [('a', 'O')], 'fortran_order': False, 'shape': (2, 2), }",
    "{'descr': (), 'fortran_order': False, 'shape': (2, 2), }",
    "{'descr': [()], 'fortran_order': False, 'shape': (2, 2), }",
    "{'descr': 'a0', 'fortran_order': False, 'shape': (2, 2), }",
    "__import__('os').abort()",
    "(" * 300,
    "9" * 9000,
]


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("version", [b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\xff\x00"])
def test_a_hostile_array_in_an_npz_file_is_refused(
    tmp_path: Path, header: str, version: bytes
) -> None:
    size = len(header).to_bytes(2 if version == b"\x01\x00" else 4, "little")
    path = tmp_path / "arrays.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY" + version + size + header.encode() + bytes(4))
    with pytest.raises(vg.RunError, match=r"arrays\.npz"):
        read_npz(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_npz_file_of_another_compression_is_refused(tmp_path: Path, method: int) -> None:
    path = tmp_path / "arrays.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x.npy", b"anything")
    with pytest.raises(vg.RunError, match="x is compressed in another way"):
        read_npz(path)


# ---- pickles that are built to take time or memory -------------------------------------------


def test_tuples_of_tuples_take_no_time(tmp_path: Path) -> None:
    value: object = (1, 2)
    for _ in range(200):
        value = (value, value)  # its hash, as a key, would be 2 ** 200 steps
    for protocol in range(5):
        data = pickle.dumps({"a": value}, protocol=protocol)
        with pytest.raises(vg.RunError, match=r"a tuple twice|the instruction|asks for"):
            read_pickled(data, tmp_path)


def test_dicts_of_dicts_take_no_time(tmp_path: Path) -> None:
    value: object = {}
    for _ in range(200):
        value = {"a": value, "b": value}
    found = read_pickled(pickle.dumps(value, protocol=2), tmp_path)
    assert isinstance(found, dict) and len(found) == 2


def test_bytes_of_one_text_many_times_take_no_memory(tmp_path: Path) -> None:
    text = b"X\x00\x10\x00\x00" + b"a" * 4096 + b"q\x00"
    once = b"h\x01h\x00X\x06\x00\x00\x00latin1\x86R"
    data = b"\x80\x02(" + text + b"c_codecs\nencode\nq\x01" + once * 99 + b"t."
    with pytest.raises(vg.RunError, match="it makes bytes of one text again and again"):
        read_pickled(data, tmp_path)


def test_a_text_with_an_unknown_escape_warns_of_nothing(tmp_path: Path) -> None:
    assert read_pickled(b"S'\\p'\n.", tmp_path) == b"\\p"


# ---- round trips -----------------------------------------------------------------------------


@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)),
    seed=st.integers(0, 2**32),
    zipped=st.booleans(),
)
def test_images_written_as_idx_are_read_back(
    shape: tuple[int, int, int], seed: int, zipped: bool
) -> None:
    images = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    data = idx(images)
    with TemporaryDirectory() as folder:
        path = Path(folder) / ("images.gz" if zipped else "images")
        path.write_bytes(gzip.compress(data) if zipped else data)
        assert np.array_equal(read_idx(path, 3), images)


names = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=8
).filter(lambda name: name.strip() == name and not name.startswith("\ufeff"))
numbers = st.one_of(
    st.none(), st.integers(-(10**9), 10**9), st.floats(allow_nan=False, allow_infinity=False)
)


@given(
    header=st.lists(names, min_size=2, max_size=4, unique=True),
    rows=st.lists(st.tuples(numbers, numbers, numbers, st.integers(-5, 5)), min_size=1, max_size=6),
    delimiter=st.sampled_from(",;\t"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_tables_written_as_csv_are_read_back(
    header: list[str],
    rows: list[tuple[float | None, float | None, float | None, int]],
    delimiter: str,
    quoting: int,
) -> None:
    features = len(header) - 1
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, quoting=quoting)
    writer.writerow(header)
    writer.writerows([*row[:features], row[3]] for row in rows)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_text(file.getvalue(), encoding="utf-8", newline="")
        found = read_csv(path, header[-1])
    wanted = [[np.nan if v is None else float(v) for v in row[:features]] for row in rows]
    np.testing.assert_array_equal(found.x, np.array(wanted))
    assert found.columns == tuple(header[:-1])
    assert found.labels is not None and found.labels.tolist() == [row[3] for row in rows]
