"""Data sets in .csv and .npz files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import verigrad as vg
from verigrad.runtime.data.schema import Schema
from verigrad.runtime.data.source import load_data, load_rows

FLOWERS = "height,width,kind\n" + "".join(
    f"{i},{10 - i / 2},{'rose' if i % 2 else 'aster'}\n" for i in range(20)
)


def written(folder: Path, text: str, name: str = "data.csv") -> str:
    path = folder / name
    path.write_bytes(text.encode())
    return str(path)


def test_a_csv_file_gives_features_and_named_classes(tmp_path: Path) -> None:
    data = load_data(written(tmp_path, FLOWERS), "kind")
    assert data.classes == ("aster", "rose")
    assert data.columns == ("height", "width") and data.target == "kind"
    assert not data.pixels
    assert [len(p.y) for p in (data.train, data.validation, data.test)] == [14, 2, 4]
    for part in (data.train, data.validation, data.test):
        assert (part.y == part.x[:, 0] % 2).all()
        assert (part.x[:, 1] == 10 - part.x[:, 0] / 2).all()


def test_class_numbers_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    rows = "".join(f"{i},{(2, 9, 10)[i % 3]}\n" for i in range(30))
    assert load_data(written(tmp_path, f"a,c\n{rows}"), "c").classes == ("2", "9", "10")


def test_a_byte_order_mark_and_quotes_are_read(tmp_path: Path) -> None:
    text = '\ufeff"a, b",c\r\n' + "".join(f'"{i}",{i % 2}\r\n' for i in range(20))
    assert load_data(written(tmp_path, text), "c").columns == ("a, b",)


KNOWN = Schema(("aster", "rose"), ("height", "width"), "kind", (9.5, 5.25))


def test_rows_to_predict_need_no_target_and_may_have_other_columns(tmp_path: Path) -> None:
    path = written(tmp_path, "width,id,height\n1,77,2\n3,78,4\n")
    rows = load_rows(path, KNOWN)
    assert rows.labels is None
    assert rows.x.tolist() == [[2, 1], [4, 3]]
    assert rows.notes == (
        "its columns stand in another order than in training: they are read by name",
        "not read, since the model was not trained on it: 'id'",
    )
    labelled = load_rows(written(tmp_path, FLOWERS), KNOWN)
    assert labelled.notes == ()
    assert labelled.labels is not None and labelled.labels[:2].tolist() == ["aster", "rose"]


CSV_ERRORS = [
    (FLOWERS, None, "--target NAME must say which column .* height, width, kind"),
    (FLOWERS, "Kind", "has no column 'Kind'; did you mean 'kind'"),
    ("", "kind", "is empty: a header and a row a sample are expected"),
    ("a,kind\n", "kind", "is empty: it has a header, but no rows"),
    ("kind\nx\n", "kind", "no column beside 'kind'"),
    ("a,a,kind\n1,2,x\n", "kind", "the header names 'a' twice"),
    ("a,kind\n1,x\n2\n", "kind", "line 3: found 1 values, where the header has 2"),
    ("a,kind\n1,x\n1_0,y\n", "kind", "line 3, column 'a': found '1_0', where a number is expected"),
    ('a;kind\n"1,5";x\n', "kind", "found '1,5', .* write the decimal comma as a point"),
    ('a,kind\n"1,000,000",x\n', "kind", "found '1,000,000', .* write it without commas, or, where"),
    ("a;kind\n1,000;x\n", "kind", "found '1,000', .* write it without commas, or, where they are"),
    ("a,kind\n1,x\n1,NA\n", "kind", "line 3: the class in column 'kind' is missing"),
    (",a,kind\n0,1,x\n1,1,y\n", "kind", "column 1 has no name in the header; name it, or leave"),
    (
        "a,kind\n" + "NA,x\n?,y\n" * 10,
        "kind",
        "column 'a' has no value in any of the 14 rows to train on; leave it out",
    ),
    ("a,kind\n1,x\nblue,y\n", "kind", "line 3, column 'a': found 'blue', where a number"),
    ("a,kind\n-inf,x\n1,y\n", "kind", "line 2, column 'a': found '-inf', where a finite number"),
    ("a,kind\n1,x\n1, \n", "kind", "line 3: the class in column 'kind' is missing"),
    ("a,kind\n1,x\n2,x\n", "kind", "all 2 rows are of the class x; two are needed"),
    (
        "a,kind\n1,x\n2,y\n3,z\n",
        "kind",
        "3 rows have 3 different labels, such as x and z, where",
    ),
    ("a,kind\n1,x\n2,y\n3,x\n", "kind", "3 rows have 2 different .* two rows or more are expected"),
    ("a,kind\n1,x\n2,x\n3,y\n4,y\n", "kind", "4 rows are too few to set a test part of 20%"),
]


@pytest.mark.parametrize(("text", "target", "message"), CSV_ERRORS, ids=[m for *_, m in CSV_ERRORS])
def test_bad_csv_files_are_named_with_the_place(
    tmp_path: Path, text: str, target: str | None, message: str
) -> None:
    with pytest.raises(vg.RunError, match=message):
        load_data(written(tmp_path, text), target)


def test_a_csv_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("größe,kind\n1,x\n".encode("latin-1"))
    with pytest.raises(vg.RunError, match="is no CSV file in UTF-8"):
        load_data(str(path), "kind")


def saved(folder: Path, **arrays: object) -> str:
    path = folder / "data.npz"
    np.savez(path, **{k: np.asarray(v) for k, v in arrays.items()})
    return str(path)


def test_an_npz_file_with_a_test_part(tmp_path: Path, rng: np.random.Generator) -> None:
    images = rng.integers(0, 256, (24, 3, 2)).astype(np.uint8)
    labels = np.arange(24) % 3 + 5
    path = saved(tmp_path, x=images[:18], y=labels[:18], x_test=images[18:], y_test=labels[18:])
    data = load_data(path)
    assert data.classes == ("5", "6", "7") and data.pixels and data.features == 6
    assert np.array_equal(data.test.x, images[18:].reshape(6, 6))
    assert data.test.y.tolist() == [0, 1, 2, 0, 1, 2]
    rows = load_rows(path, Schema())
    assert rows.labels is not None and rows.labels.tolist() == ["5", "6", "7"] * 2


def test_an_npz_file_without_a_test_part_has_one_set_aside(tmp_path: Path) -> None:
    x = np.arange(80.0).reshape(40, 2)
    data = load_data(saved(tmp_path, x=x, y=np.repeat(["no", "yes"], 20)))
    assert data.classes == ("no", "yes") and not data.pixels
    assert np.bincount(data.test.y).tolist() == [4, 4]
    assert (data.test.y == (data.test.x[:, 0] >= 40)).all()


def test_an_npz_file_with_rows_alone_can_be_predicted_for(tmp_path: Path) -> None:
    path = saved(tmp_path, x=np.zeros((3, 2)))
    assert load_rows(path, Schema()).labels is None
    with pytest.raises(vg.RunError, match="has no array 'y', which holds the labels"):
        load_data(path)


NPZ_ERRORS: list[tuple[dict[str, object], str]] = [
    ({"a": [1]}, "has no array 'x'; found a, where x and y are expected"),
    ({"x": [1.0, 2], "y": [0, 1]}, r"x is float64\[2\], where numbers \[n,features\] are expected"),
    ({"x": [["a"]], "y": [0]}, r"x is <U1\[1, 1\]"),
    ({"x": np.zeros((4, 2)), "y": [0, 1, 0]}, r"y is \[3\], where \[4\] is expected"),
    (
        {"x": np.zeros((4, 2)), "y": [0, 0.5, 1, 1]},
        "y holds 0.5 in row 1, where class names or",
    ),
    ({"x": np.zeros((4, 2)), "y": [0, 1, np.nan, 1]}, "y holds nan in row 2, where class names"),
    ({"x": np.zeros((4, 2)), "y": [0, 1, 1, np.inf]}, "y holds inf in row 3, where class names"),
    ({"x": np.zeros((4, 2)), "y": np.eye(2)[[0, 1, 1, 0]]}, r"a row; save y\.argmax\(axis=1\)"),
    ({"x": np.zeros((4, 2)), "y": [[0], [1], [1], [0]]}, r"a label a row; save y\.ravel\(\)"),
    ({"x": np.zeros((4, 2)), "y": [b"a", b"b"] * 2}, r"y is \|S1, .*; save y\.astype\(str\)"),
    ({"x": np.zeros((0, 2)), "y": np.zeros(0, int)}, r"is empty: x is \[0, 2\], with no rows or"),
    ({"x": np.zeros((3, 0)), "y": np.zeros(3, int)}, r"is empty: x is \[3, 0\], with no rows or"),
    ({"a": np.zeros((3, 2)), "Y": [0, 1, 0]}, "no array 'x'; found Y, a, where x and y are exp"),
    ({"x": np.zeros((3, 2)), "X": [0, 1, 0]}, "holds 'x.npy' and 'X.npy', of which one is expec"),
    ({"x": np.zeros((3, 2)), "x_train": [0]}, "holds 'x.npy' and 'x_train.npy', of which one is"),
    ({"x": [[1, 2], [3, np.nan]], "y": [0, 1]}, "x holds nan in row 1, column 1, where a finite"),
    (
        {"x": [[1, 2], [3, 2**53 + 1]], "y": [0, 1]},
        "x holds 9007199254740993 in row 1, column 1, an integer of more than 53 bits, which",
    ),
    (
        {"x": np.zeros((4, 2), complex), "y": [0, 1, 0, 1]},
        r"x is complex128\[4, 2\], where numbers",
    ),
    ({"x": np.zeros((4, 2)), "y": [1e300] * 4}, r"y holds 1e\+300 in row 0, where class names"),
    (
        {"x": np.zeros((4, 2)), "y": np.zeros(4, "M8[s]")},
        r"y is datetime64\[s\], where class names",
    ),
    ({"x": np.zeros((4, 2)), "y": np.zeros(4, "i4,f4")}, "y is .* where numbers or texts are"),
    ({"x": np.zeros((4, 2)), "y": [0, 0, 0, 0]}, "all 4 rows are of the class 0; two are needed"),
    ({"x": np.zeros((4, 2)), "y": [0, 1, 0, 1], "y_test": [0]}, "has no array 'x_test', which"),
    (
        {"x": np.zeros((4, 2)), "y": [0, 1, 0, 1], "x_test": np.zeros((1, 2))},
        "has labels for one part alone; y and y_test are expected",
    ),
    (
        {"x": np.zeros((4, 2)), "y": [0, 1, 0, 1], "x_test": np.zeros((1, 2)), "y_test": ["0"]},
        "y is int64, but y_test is <U1; names or numbers are expected in both",
    ),
    (
        {"x": np.zeros((4, 2)), "y": [0, 1, 0, 1], "x_test": np.zeros((1, 3)), "y_test": [0]},
        "x has 2 features a row, but x_test has 3",
    ),
    (
        {"x": np.zeros((4, 2)), "y": [0, 1, 0, 1], "x_test": np.zeros((1, 2)), "y_test": [3]},
        "row 0 of the test part has the label 3, which no row of the training part has",
    ),
]


@pytest.mark.parametrize(("arrays", "message"), NPZ_ERRORS, ids=[m for _, m in NPZ_ERRORS])
def test_bad_npz_files_are_named(tmp_path: Path, arrays: dict[str, object], message: str) -> None:
    with pytest.raises(vg.RunError, match=message):
        load_data(saved(tmp_path, **arrays))


def test_files_that_are_no_npz_are_refused_and_nothing_is_unpickled(tmp_path: Path) -> None:
    whole = Path(saved(tmp_path, x=np.zeros((40, 2)), y=np.arange(40) % 2)).read_bytes()
    path = tmp_path / "cut.npz"
    for data in (b"", b"PK\x03\x04", whole[: len(whole) // 2], b"\x80\x04K\x01."):
        path.write_bytes(data)
        with pytest.raises(vg.RunError, match=r"is no complete \.npz file of arrays"):
            load_data(str(path))
    np.savez(path, x=np.zeros((4, 2)), y=np.array([{"a": 1}] * 4, dtype=object))
    with pytest.raises(
        vg.RunError, match=r"y holds Python objects, .* save .*tolist.* nothing in it was unpickled"
    ):
        load_data(str(path))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("digit", "there is no data set 'digit'; did you mean 'digits'"),
        ("cifar10", "there is no data set 'cifar10'; give cifar10:FOLDER"),
        ("nowhere.npz", "nowhere.npz cannot be read: No such file"),
        ("nowhere.csv", "nowhere.csv cannot be read: No such file"),
    ],
)
def test_data_that_is_not_there_is_named(spec: str, message: str) -> None:
    with pytest.raises(vg.RunError, match=message):
        load_data(spec)


def test_a_target_is_for_csv_files_alone() -> None:
    with pytest.raises(vg.RunError, match="--target names a column of a CSV file; digits has none"):
        load_data("digits", "kind")


@pytest.mark.parametrize("code", [0x110000, 0xFFFFFFFF, 0xD800, 0xDFFF])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_text_of_what_is_no_character_is_refused(tmp_path: Path, code: int, order: str) -> None:
    labels = np.array(["ab", "cd", "ef", "gh"], f"{order}U2")
    labels.view(f"{order}u4")[5] = code
    path = saved(tmp_path, x=np.zeros((4, 2)), y=labels)
    for read in (load_data, lambda path: load_rows(path, Schema())):
        with pytest.raises(vg.RunError, match=f"y holds {code:#x} for a character in row 2"):
            read(path)


NAMES = [
    ("x", "y"),
    ("X", "y"),
    ("X", "Y"),
    ("x", "Y"),
    ("x_train", "y_train"),
    ("X_train", "y_Train"),
]


@pytest.mark.parametrize(("x", "y"), NAMES)
@pytest.mark.parametrize("file", ["data.npz", "DATA.NPZ", "data", "data.csv", "data.zip"])
def test_arrays_are_found_in_either_case_whatever_the_file_is_called(
    tmp_path: Path, x: str, y: str, file: str
) -> None:
    wanted = np.arange(40.0).reshape(20, 2)
    made = Path(
        saved(
            tmp_path, **{x: wanted, y: [0, 1] * 10, f"{x[0]}_test": wanted[:3], "Y_test": [0, 1, 0]}
        )
    )
    path = made.rename(tmp_path / file)
    data = load_data(str(path))
    assert data.test.x.tolist() == wanted[:3].tolist() and data.test.y.tolist() == [0, 1, 0]
    assert len(load_rows(str(path), Schema()).x) == 3


KINDS = [
    ("a.npz", b"a,kind\n1,x\n", "is no complete .npz file of arrays: it is a text$"),
    ("a.npz", b"", "is no complete .npz file of arrays: it is empty"),
    ("a.npz", b"\x80\x04K\x01.", "is no complete .npz file of arrays: it is a pickle"),
    ("a.npz", b"\x93NUMPY\x01\0", "it is an .npy file, of one array"),
    ("a.csv", b"PK\x03\x04\x14\0\0\xff", "is no CSV file in UTF-8: it is a zip archive"),
    ("a.npy", b"\x93NUMPY\x01\0", "neither .npz nor .csv, and it is an .npy file, of one array"),
    ("a.gz", b"\x1f\x8b\x08\0", "neither .npz nor .csv, and it is a gzipped file"),
    ("a", b"\0\0\x08\x03\0\0\0\1", "and it is an idx file of u8 in 3 dimensions"),
    ("a", b"\x02\0\0\0\0\0\0\0{}", "and it is a safetensors file"),
]


@pytest.mark.parametrize(("name", "content", "message"), KINDS)
def test_the_kind_that_was_found_is_named(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    for read in (lambda path: load_data(path, "kind"), lambda path: load_rows(path, Schema())):
        with pytest.raises(vg.RunError, match=message):
            read(str(tmp_path / name))


def test_folders_of_another_data_set_are_named(tmp_path: Path) -> None:
    for folder, file in (("m", "train-images-idx3-ubyte"), ("c", "data_batch_1.bin")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).write_bytes(b"\x1f\x8b")
    calls = [
        (f"cifar10:{tmp_path / 'm'}", "m holds the files of mnist; give mnist:"),
        (f"mnist:{tmp_path / 'c'}", "c holds the files of cifar10; give cifar10:"),
        (str(tmp_path / "m"), "say what is in it, e.g. mnist:.* or fashion-mnist:"),
        (str(tmp_path / "c"), "say what is in it, e.g. cifar10:"),
        (
            f"cifar10:{tmp_path / 'c' / 'data_batch_1.bin'}",
            "is a gzipped file, where the folder of",
        ),
    ]
    for spec, message in calls:
        with pytest.raises(vg.RunError, match=message):
            load_data(spec)


def test_large_labels_are_exact(tmp_path: Path) -> None:
    large = 2**53
    y = np.array([large, large + 1] * 10)
    path = saved(
        tmp_path, x=np.arange(20.0)[:, None], y=y, x_test=np.zeros((2, 1)),
        y_test=np.array([large + 1, large], np.uint64),
    )  # fmt: skip
    data = load_data(path)
    assert data.classes == (str(large), str(large + 1)) and data.test.y.tolist() == [1, 0]
