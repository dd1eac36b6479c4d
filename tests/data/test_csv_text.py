"""CSV files as text: quotes that do not close, encodings, ends of lines; with the line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from csv_reading import read_csv

import verigrad as vg
from verigrad.runtime.data.schema import Schema
from verigrad.runtime.data.source import load_data, load_rows


def read(folder: Path, data: str | bytes, target: str | None = "kind") -> tuple[list, list]:
    path = folder / "data.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    found = read_csv(path, target)
    return found.x.tolist(), found.labels.tolist() if found.labels is not None else []


OPEN = r"line {}: the quote that opens here does not close; a quote within a value is written \"\""
QUOTES = [
    ('a,kind\n1,"x\n2,y\n3,z\n', OPEN.format(2)),
    ('a,kind\n1,x\n2,"y\n3,z', OPEN.format(3)),
    ('a,kind\n1,x\n"2,y\n3,z\n', OPEN.format(3)),
    ('a,"kind\n1,x\n', OPEN.format(1)),
    ('a,kind\n1,"x\n2,"y"\n3,z\n', OPEN.format(2)),
    ('a,kind\n\n\n1,"x\n2,"y"\n3,z\n', OPEN.format(4)),
    ('a,kind\n1,"x\ny"\n2,"x\ny"\n3,"z\n', OPEN.format(6)),
    ('a,kind\n1,"two\nlines","x\n2,y\n', OPEN.format(3)),
    ('a,kind\n1,x\n2,"' + "y" * 140_000 + "\n" + "3,y\n" * 9, OPEN.format(3)),
    (
        'a,kind\n1,"x"y\n2,z\n',
        "line 2: text stands behind the quote that closes a value; a",
    ),
    ('a,kind\n1,"x" y\n2,z\n', "line 2: text stands behind the quote that closes"),
    (
        'a,kind\n1,"x\n2,y\n3,z"\n4,w\n',
        "line 2: a quoted value goes on in line 3, which looks like",
    ),
    ('a,kind\n1,"x\nNA,y"\n4,w\n', "line 2: a quoted value goes on in line 3, which looks like"),
    ('a,b,kind\n1,"2\n3",x\n', "line 2, column 'b': found '2.n3', where a number is expected"),
    ('a,kind\n1,"x\ny"\n2\n', "line 4: found 1 values, where the header has 2"),
    ('a,kind\n1,"x\ny",2\n', "line 2: found 3 values, where the header has 2"),
    ("a,kind\n" + "1" * 140_000 + ",x\n", "line 2: field larger than field limit"),
    ("a" * 140_000 + ",kind\n1,x\n", "line 1: field larger than field limit"),
    ('a,kind\n1,"x\n' + "y" * 100_000 + '\n2,z"\n', "line 2: a quoted value goes on in line 4"),
    ("a,kind\n1,x\n   \n", "line 3: found 1 values, where the header has 2"),
]


@pytest.mark.parametrize(("text", "message"), QUOTES, ids=[repr(t[:50]) for t, _ in QUOTES])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_what_is_no_row_is_named_with_its_line(
    tmp_path: Path, text: str, message: str, end: str
) -> None:
    message = message.replace(".n", repr(end)[1:-1].replace("\\", r"\\"))
    with pytest.raises(vg.RunError, match=f"data.csv, {message}"):
        read(tmp_path, text.replace("\n", end))


def test_quotes_and_lines_within_values_are_read(tmp_path: Path) -> None:
    text = 'a,"ki""nd"\n1,"two\nlines"\n2,"say ""x"""\n3,5" pipe\n"4","x,y"\n5," "\n'
    x, labels = read(tmp_path, text.replace(' "\n', 'z "\n'), 'ki"nd')
    assert x == [[1], [2], [3], [4], [5]]
    assert labels == ["two\nlines", 'say "x"', '5" pipe', "x,y", "z"]


def test_ends_of_lines_may_be_mixed_and_empty_lines_passed_over(tmp_path: Path) -> None:
    assert read(tmp_path, "\n\r\na,kind\r1,x\n\n2,y\r\n\r3,z") == ([[1], [2], [3]], ["x", "y", "z"])
    text = "a,kind\n1,no\u2028pe\n2,\x0bx\x85y\n"  # what str.splitlines takes for ends
    assert read(tmp_path, text)[1] == ["no\u2028pe", "x\x85y"]


TABLE = "größe,kind\n1,x\n2,ÿ\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_utf_8_is_read_with_a_mark_and_without(tmp_path: Path, encoding: str) -> None:
    assert read(tmp_path, TABLE.encode(encoding)) == ([[1], [2]], ["x", "ÿ"])


NO_UTF_8 = [
    (TABLE.encode("utf-16"), "it is a text in UTF-16; save it as text in UTF-8"),
    (TABLE.encode("utf-16-le"), "it is a text in UTF-16"),
    (TABLE.encode("utf-16-be"), "it is a text in UTF-16"),
    ("a,kind\n1,x\n".encode("utf-16-le"), "it is a text in UTF-16"),
    (TABLE.encode("utf-32"), "it is a text in UTF-32"),
    (TABLE.encode("utf-32-be"), "it is a text in UTF-32"),
    (TABLE.encode("latin-1"), "line 1 holds the byte 0xf6; save it as text in UTF-8"),
    ("a,kind\r\n1,x\r2,ÿ\n".encode("latin-1"), "line 3 holds the byte 0xff"),
    ("\ufeffa,kind\n1,".encode() + b"\xe9\n", "line 2 holds the byte 0xe9"),
    (b"a,kind\n1,x\n2,y\0\n", "line 3 holds a NUL"),
    (b"\x1f\x8b\x08\0\0\0", "it is a gzipped file"),
    (b"PK\x03\x04\x14\0\xff", "it is a zip archive, such as an .npz or .xlsx file"),
    (b"\x93NUMPY\x01\0", "it is an .npy file"),
]


@pytest.mark.parametrize(("data", "message"), NO_UTF_8, ids=[m for _, m in NO_UTF_8])
def test_another_encoding_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(vg.RunError, match=f"data.csv is no CSV file in UTF-8: {message}"):
        read(tmp_path, data)


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
def test_an_empty_file_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(vg.RunError, match="is empty: a header and a row a sample are expected"):
        read(tmp_path, text)


# ---- classes that read as if they were missing, and integers that floats round ---------------

NAMES = ["NA", "?", "n/a", "nan", "Na", "#N/A"]


@pytest.mark.parametrize("name", NAMES)
def test_a_class_that_reads_as_missing_can_be_kept(tmp_path: Path, name: str) -> None:
    path = tmp_path / "data.csv"
    path.write_text("a,kind\n" + f"1,{name}\nNA,x\n" * 10)
    message = r"line 2: the class in column 'kind' is missing; .* give --na-is-a-class"
    with pytest.raises(vg.RunError, match=message):
        load_data(str(path), "kind")
    data = load_data(str(path), "kind", na_is_a_class=True)
    assert sorted(data.classes) == sorted([name, "x"])
    rows = load_rows(str(path), Schema(data.classes, data.columns, "kind", data.fill))
    assert rows.labels is not None and rows.labels[:2].tolist() == [name, "x"]
    path.write_text("a,kind\n1,x\n2,\n")
    with pytest.raises(vg.RunError, match=r"line 3: the class in column 'kind' is missing$"):
        load_data(str(path), "kind", na_is_a_class=True)
    with pytest.raises(vg.RunError, match="--na-is-a-class is for a column of a CSV file; digits"):
        load_data("digits", na_is_a_class=True)


LARGE = 2**53 + 1


@pytest.mark.parametrize("cell", [f"{LARGE}", f"-{LARGE}", f"+{LARGE}.0", " 12345678901234567891"])
def test_an_integer_that_floats_round_is_named(tmp_path: Path, cell: str) -> None:
    message = "line 3, column 'a': found .*, an integer of more than 53 bits, which floats round"
    with pytest.raises(vg.RunError, match=message):
        read(tmp_path, f"a,kind\n1,x\n{cell},y\n")


def test_large_numbers_that_are_floats_are_read_and_labels_are_exact(tmp_path: Path) -> None:
    text = f"a,kind\n{2**53},{LARGE}\n{2**60},{LARGE + 1}\n1e300,{10**30}\n9007199254740993.5,1\n"
    x, labels = read(tmp_path, text)
    assert x == [[2.0**53], [2.0**60], [1e300], [9007199254740993.5]]
    assert [int(label) for label in labels] == [LARGE, LARGE + 1, 10**30, 1]
    assert np.unique(read(tmp_path, f"a,kind\n1,{LARGE}\n2,{LARGE - 1}\n")[1]).size == 2
