"""Both forms of CIFAR-10, on small files in exactly those formats."""

from __future__ import annotations

import gzip
import pickle
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest

import verigrad as vg
from verigrad.runtime.data.source import load_data

BATCHES = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]


def text(value: bytes) -> bytes:
    """A str of Python 2 in its pickle protocol 2."""
    if len(value) < 256:
        return b"U" + bytes([len(value)]) + value
    return b"T" + struct.pack("<i", len(value)) + value


def python_batch(x: np.ndarray, labels: list[int]) -> bytes:
    """A batch as Python 2 and its NumPy pickled it, instruction for instruction."""
    return b"".join(
        [
            b"\x80\x02}q\x01(",
            text(b"batch_label"), b"q\x02", text(b"training batch 1 of 5"), b"q\x03",
            text(b"labels"), b"q\x04]q\x05(", *(b"K" + bytes([n]) for n in labels), b"e",
            text(b"data"), b"q\x06",
            b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85",
            text(b"b"), b"\x87Rq\x09(K\x01",
            b"M", struct.pack("<H", len(x)), b"M\x00\x0c\x86",
            b"cnumpy\ndtype\nq\x0a", text(b"u1"), b"K\x00K\x01\x87Rq\x0b(K\x03", text(b"|"),
            b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89", text(x.tobytes()), b"tb",
            text(b"filenames"), b"q\x0c]q\x0d(", *(text(b"leptodactylus_s_0.png") for _ in labels),
            b"eu.",
        ]
    )  # fmt: skip


@pytest.fixture
def images(rng: np.random.Generator) -> dict[str, tuple[np.ndarray, list[int]]]:
    return {
        name: (
            rng.integers(0, 256, (20, 3072)).astype(np.uint8),
            [int(n) for n in (np.arange(20) + k) % 10],
        )
        for k, name in enumerate(BATCHES)
    }


Images = dict[str, tuple[np.ndarray, list[int]]]


@pytest.fixture
def python_form(tmp_path: Path, images: Images) -> Path:
    for name, (x, labels) in images.items():
        (tmp_path / name).write_bytes(python_batch(x, labels))
    return tmp_path


@pytest.fixture
def binary_form(tmp_path: Path, images: Images) -> Path:
    folder = tmp_path / "binary"
    folder.mkdir()
    for name, (x, labels) in images.items():
        rows = np.column_stack([np.array(labels, np.uint8), x])
        (folder / f"{name}.bin").write_bytes(rows.tobytes())
    return folder


def test_the_pickles_of_these_tests_are_those_of_python_2(images: Images) -> None:
    x, labels = images["test_batch"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some versions of NumPy warn of the old module's name
        batch = pickle.loads(python_batch(x, labels), encoding="bytes")
    assert np.array_equal(batch[b"data"], x) and batch[b"labels"] == labels


def test_both_forms_of_cifar10_give_the_same_rows(
    python_form: Path, binary_form: Path, images: Images
) -> None:
    python, binary = (load_data(f"cifar10:{f}") for f in (python_form, binary_form))
    x, labels = images["test_batch"]
    for data in (python, binary):
        assert data.classes[0] == "airplane" and data.pixels
        assert np.array_equal(data.test.x, x) and data.test.y.tolist() == labels
        assert len(data.train.y) + len(data.validation.y) == 100
    assert np.array_equal(python.train.x, binary.train.x)
    assert np.array_equal(python.train.y, binary.train.y)


def labels_as(form: str, labels: list[int]) -> object:
    return {
        "list": labels,
        "tuple": tuple(labels),
        "array": np.array(labels),
        "bytes": np.array(labels, np.uint8),
        "numbers": [np.int64(label) for label in labels],
    }[form]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", [str, bytes])
@pytest.mark.parametrize("form", ["list", "tuple", "array", "bytes", "numbers"])
def test_batches_that_python_3_pickled_are_read(
    binary_form: Path, tmp_path: Path, images: Images, protocol: int, kind: type, form: str
) -> None:
    for name, (x, labels) in images.items():
        held = {"batch_label": "b", "labels": labels_as(form, labels), "data": x, "filenames": []}
        batch = {k if kind is str else k.encode(): v for k, v in held.items()}
        (tmp_path / name).write_bytes(pickle.dumps(batch, protocol=protocol))
    found, wanted = (load_data(f"cifar10:{f}") for f in (tmp_path, binary_form))
    assert np.array_equal(found.train.x, wanted.train.x)
    assert np.array_equal(found.test.y, wanted.test.y)


def test_content_says_which_form_a_batch_has(
    python_form: Path, binary_form: Path, images: Images
) -> None:
    wanted = load_data(f"cifar10:{binary_form}")
    (python_form / "data_batch_2").write_bytes((binary_form / "data_batch_2.bin").read_bytes())
    (binary_form / "test_batch.bin").write_bytes(python_batch(*images["test_batch"]))
    for folder in (python_form, binary_form):
        found = load_data(f"cifar10:{folder}")
        assert np.array_equal(found.train.x, wanted.train.x)
        assert np.array_equal(found.test.x, wanted.test.x)


OTHER_KINDS = [
    (b"\x1f\x8b\x08\0", "it is a gzipped file"),
    (b"PK\x03\x04..", "it is a zip archive"),
    (pickle.dumps({b"fine_labels": [1], b"data": []}), "is a batch of CIFAR-100, where CIFAR-10"),
    (
        pickle.dumps({"labels": [1], "data": np.zeros((1, 3072), "i2")}),
        "data is int16.1, 3072.",
    ),
    (pickle.dumps({"labels": [1], "data": np.zeros((1, 3072))}), "not of unsigned bytes, nor of"),
    (pickle.dumps({"labels": ["a"], "data": np.zeros((1, 3072), "u1")}), "labels are no list of n"),
    (pickle.dumps({"labels": np.zeros((1, 1), int), "data": np.zeros((1, 3072), "u1")}), "no list"),
    (b"c__builtin__\nbytes\n(I99999999999\ntR.", "it asks for bytes of something"),
    (b"c_codecs\nencode\n(Va\nVrot13\ntR.", "it asks for another encoding"),
]


@pytest.mark.parametrize(("data", "message"), OTHER_KINDS, ids=[m for _, m in OTHER_KINDS])
def test_a_file_of_another_kind_is_named(python_form: Path, data: bytes, message: str) -> None:
    (python_form / "data_batch_4").write_bytes(data)
    with pytest.raises(vg.RunError, match=f"data_batch_4.* {message}"):
        load_data(f"cifar10:{python_form}")


def test_a_packed_binary_batch_is_named(binary_form: Path) -> None:
    batch = binary_form / "data_batch_4.bin"
    batch.write_bytes(gzip.compress(batch.read_bytes()))
    with pytest.raises(vg.RunError, match=r"data_batch_4\.bin has .* it is a gzipped file"):
        load_data(f"cifar10:{binary_form}")


class _Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


def test_a_pickle_that_calls_something_is_refused_and_not_run(
    python_form: Path, tmp_path: Path
) -> None:
    touched = tmp_path / "touched"
    (python_form / "data_batch_3").write_bytes(pickle.dumps(_Touch(touched), protocol=2))
    with pytest.raises(vg.RunError, match=r"asks for (__builtin__|io|_io).open; nothing in it was"):
        load_data(f"cifar10:{python_form}")
    assert not touched.exists()


_ARRAY = (
    b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR(K\x01%b"
    b"cnumpy\ndtype\n(%btR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89%btb"
)


def batch_of(shape: bytes, dtype: bytes, data: bytes) -> bytes:
    return (
        b"\x80\x02}("
        + text(b"labels")
        + b"]"
        + text(b"data")
        + _ARRAY % (shape, dtype, data)
        + b"u."
    )


WIDE = b"M\x00\x0c"  # 3072
U1 = b"U\x02u1K\x00K\x01"
PICKLES: list[tuple[bytes, str]] = [
    (
        batch_of(b"K\x01M\xff\x0b\x86", U1, text(bytes(3071))),
        r"data is \[1, 3071\], where u8",
    ),
    (batch_of(b"K\x00" + WIDE + b"\x86", U1, text(b"")), "is empty: it holds no images"),
    (b"\x80\x02}(U\x06labelsK\x01U\x04data]u.", "data is list, where u8"),
    (b"", "is not a pickle of arrays, dicts, lists and texts alone"),
    (b"no pickle at all", "is not a pickle of arrays"),
    (b"\x80\x02}.", "is no batch of CIFAR-10: a dict of data and labels is expected"),
    (b"\x80\x02K\x01.", "is no batch of CIFAR-10"),
    (b"\x80\x02]r\xff\xff\xff\x7f.", "it numbers a value 2147483647"),
    (b"\x80\x02cos\nsystem\nU\x04true\x85R.", "it asks for os.system"),
    (b"\x80\x02cnumpy\nload\nU\x04true\x85R.", "it asks for numpy.load"),
    (b"\x80\x02(U\x01aios\nsystem\n.", "it holds the instruction INST"),
    (b"\x80\x02\x82\x01.", "it holds the instruction EXT1"),
    (b"\x80\x02cnumpy\nndarray\n}b.", "is not a pickle of arrays|is a damaged pickle"),
    (
        batch_of(b"M\x00\x0c\x85", b"U\x02u1K\x00K\x01", text(bytes(3072))),
        r"data is \[3072\], where",
    ),
    (batch_of(b"K\x01M\x00\x0c\x86", b"U\x02O8K\x00K\x01", b"]"), "not of unsigned bytes"),
    (batch_of(b"J\xff\xff\xff\x7fM\x00\x0c\x86", b"U\x02u1K\x00K\x01", text(bytes(9))), "reshape"),
    (
        batch_of(b"K\x01M\x00\x0c\x86", b"U\x02u1K\x00K\x01", text(bytes(3072))),
        "1 images, but 0 lab",
    ),
]


@pytest.mark.parametrize(("data", "message"), PICKLES, ids=[m for _, m in PICKLES])
def test_foreign_pickles_are_refused(python_form: Path, data: bytes, message: str) -> None:
    (python_form / "data_batch_1").write_bytes(data)
    with pytest.raises(vg.RunError, match=message) as raised:
        load_data(f"cifar10:{python_form}")
    assert "data_batch_1" in str(raised.value)


def test_a_pickle_cut_at_any_byte_is_a_clear_error(python_form: Path, images: Images) -> None:
    whole = python_batch(*images["test_batch"])
    path = python_form / "test_batch"
    places = [
        *range(0, 200),
        *range(200, len(whole) - 1, 4999),
        *range(len(whole) - 100, len(whole)),
    ]
    for cut in places:
        path.write_bytes(whole[:cut])
        with pytest.raises(vg.RunError, match="test_batch is"):
            load_data(f"cifar10:{python_form}")


def test_a_batch_of_the_published_size_must_be_the_published_one(
    python_form: Path, rng: np.random.Generator
) -> None:
    changed = python_batch(rng.integers(0, 256, (10_000, 3072)).astype(np.uint8), [0] * 10_000)
    (python_form / "data_batch_1").write_bytes(changed)
    with pytest.raises(vg.RunError, match="data_batch_1 is not as it was published: its MD5"):
        load_data(f"cifar10:{python_form}")


def test_the_folder_that_was_unpacked_in_is_as_good(
    tmp_path: Path, python_form: Path, binary_form: Path
) -> None:
    wanted = load_data(f"cifar10:{python_form}")
    for k, (form, name) in enumerate(
        [(python_form, "cifar-10-batches-py"), (binary_form, "cifar-10-batches-bin")]
    ):
        inside = tmp_path / str(k) / name
        inside.mkdir(parents=True)
        for path in form.iterdir():
            if path.is_file():
                path.rename(inside / path.name)
        found = load_data(f"cifar10:{tmp_path / str(k)}")
        assert np.array_equal(found.train.x, wanted.train.x)


def test_a_label_of_any_size_is_named(python_form: Path, images: Images) -> None:
    x, labels = images["test_batch"]
    whole = python_batch(x, labels)
    start = whole.index(b"]q\x05(") + 4
    for number in (b"\x8a\x14" + b"\x7f" * 20, b"J\xff\xff\xff\xff"):
        changed = whole[:start] + number + whole[start + 2 :]
        (python_form / "test_batch").write_bytes(changed)
        with pytest.raises(vg.RunError, match=r"the label -?\d+ in row 0 is not one of 0 to 9"):
            load_data(f"cifar10:{python_form}")


def test_labels_and_sizes_of_both_forms_are_checked(
    python_form: Path, binary_form: Path, images: Images
) -> None:
    x, labels = images["test_batch"]
    (python_form / "test_batch").write_bytes(python_batch(x, [*labels[:-1], 10]))
    with pytest.raises(vg.RunError, match="the label 10 in row 19 is not one of 0 to 9"):
        load_data(f"cifar10:{python_form}")
    path = binary_form / "data_batch_2.bin"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(
        vg.RunError, match="has 61,459 bytes, where a multiple of 3,073 is expected"
    ):
        load_data(f"cifar10:{binary_form}")
    path.write_bytes(b"\x0b" + whole[1:])
    with pytest.raises(vg.RunError, match="the label 11 in row 0"):
        load_data(f"cifar10:{binary_form}")
    path.unlink()
    with pytest.raises(vg.RunError, match=r"data_batch_2.bin cannot be read: No such file"):
        load_data(f"cifar10:{binary_form}")


def test_a_folder_without_batches_names_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(vg.RunError, match=r"has no data_batch_1, nor data_batch_1\.bin"):
        load_data(f"cifar10:{tmp_path}")


def test_a_file_too_large_for_a_batch_is_not_read(binary_form: Path) -> None:
    with (binary_form / "data_batch_1.bin").open("r+b") as file:
        file.truncate(70 << 20)
    with pytest.raises(vg.RunError, match="has 73,400,320 bytes, too many for a batch"):
        load_data(f"cifar10:{binary_form}")
