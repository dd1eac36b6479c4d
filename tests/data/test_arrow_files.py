"""Parquet and Arrow files: their types, what is missing in them, and what is refused."""

from __future__ import annotations

import datetime
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import verigrad as vg
from verigrad.runtime.command.predictions import check_output
from verigrad.runtime.data.arrow_file import read_arrow
from verigrad.runtime.data.categories import Columns
from verigrad.runtime.data.schema import Schema, described, schema
from verigrad.runtime.data.source import load_data, load_rows

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
feather = pytest.importorskip("pyarrow.feather")

LARGE = 2**53 + 1


def saved(folder: Path, columns: dict[str, Any], name: str = "t.parquet") -> str:
    path, table = folder / name, pa.table(columns)
    if name.endswith((".parquet", ".pq", ".PARQUET")):
        pq.write_table(table, path)
    else:
        feather.write_feather(table, path, compression="uncompressed")
    return str(path)


def mixed(rows: int = 40) -> dict[str, Any]:
    """A column of each type that a net can read, with something missing in each."""

    def gaps(values: list[Any]) -> list[Any]:
        return [None if i % 10 == 3 else v for i, v in enumerate(values)]

    i = list(range(rows))
    texts = gaps([("Oslo", "Rome")[k % 2] for k in i])
    return {
        "whole": pa.array(gaps(i), pa.int64()),
        "small": pa.array(gaps([k % 100 for k in i]), pa.uint8()),
        "half": pa.array(gaps([k / 2 for k in i]), pa.float32()),
        "decimal": pa.array(gaps([Decimal(k) / 4 for k in i]), pa.decimal128(10, 2)),
        "truth": pa.array(gaps([k % 3 == 0 for k in i]), pa.bool_()),
        "town": pa.array(texts, pa.string()),
        "kept": pa.array(texts).dictionary_encode(),
        "large": pa.array(texts, pa.large_string()),
        "coded": pa.array(gaps([k % 2 for k in i])).dictionary_encode(),
        "y": pa.array([k / 8 for k in i]),
    }


@pytest.mark.parametrize("name", ["t.parquet", "T.PARQUET", "t.pq", "t.feather", "t.arrow"])
def test_every_type_is_read_as_its_csv_file_would_be(tmp_path: Path, name: str) -> None:
    columns = mixed()
    if name.lower().endswith(("parquet", "pq")):
        del columns["coded"]  # Parquet files keep the numbers, and not that they were coded
    coded = ("coded",) if "coded" in columns else ()
    data = load_data(saved(tmp_path, columns, name), "y", task="regression")
    lines = [",".join(columns)]
    for row in zip(*(c.to_pylist() for c in columns.values()), strict=True):
        cells = ["" if v is None else str(v) for v in row]
        lines.append(",".join(cells))
    (tmp_path / "t.csv").write_text("\n".join(lines))
    other = load_data(
        str(tmp_path / "t.csv"), "y", task="regression", columns=Columns(one_hot=coded)
    )
    assert data.columns == other.columns and data.encodings == other.encodings
    for part, wanted in zip(data[1:4], other[1:4], strict=True):
        assert np.array_equal(part.x, wanted.x) and np.array_equal(part.y, wanted.y)
    assert data.notes == other.notes
    known = schema(described(data), None)
    rows, others = (load_rows(path, known) for path in (data.name, str(tmp_path / "t.csv")))
    assert np.array_equal(rows.x, others.x) and rows.notes == others.notes


def test_classes_may_be_texts_numbers_and_truth_values(tmp_path: Path) -> None:
    def classes(values: Any) -> tuple[str, ...]:
        columns = {"a": [i / 2 for i in range(40)], "y": values}
        return load_data(saved(tmp_path, columns), "y", task="auto").classes

    assert classes([True, False] * 20) == ("false", "true")
    assert classes([10, 9] * 20) == ("9", "10")
    assert classes([1.0, 0.0] * 20) == ("0", "1")
    assert classes(pa.array(["b", "a"] * 20).dictionary_encode()) == ("a", "b")
    with pytest.raises(vg.RunError, match="row 1: the class in column 'y' is missing"):
        classes(["a", None] * 20)


def test_an_index_that_pandas_wrote_is_no_column(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": np.arange(20) ** 2, "y": np.arange(20) / 2})[::-1]
    frame.index = list(range(20, 40))
    frame[frame.y >= 0].sample(20, random_state=0).to_parquet(tmp_path / "t.parquet")
    assert [*read_arrow(tmp_path / "t.parquet").columns] == ["a", "y"]
    frame.set_index("a").to_parquet(tmp_path / "t.parquet")
    assert sorted(read_arrow(tmp_path / "t.parquet").columns) == ["a", "y"]


DAY = datetime.date(2020, 1, 31)
REFUSED: list[tuple[Any, str]] = [
    ([DAY] * 20, "holds dates, such as '2020-01-31', which are no features; .*--drop a$"),
    ([datetime.datetime(2020, 1, 31, 12)] * 20, "holds dates, such as '2020-01-31 12:00:00'"),
    ([datetime.time(12, 30)] * 20, "holds times, such as '12:30:00'"),
    ([datetime.timedelta(3)] * 20, r"holds values of the type duration\[us\], such as '3 days"),
    ([[1, 2]] * 20, "holds values of the type list<.*>, such as .*; put what matters of them into"),
    ([{"b": 1}] * 20, "holds values of the type struct<b: int64>"),
    ([b"x"] * 20, "holds values of the type binary"),
    ([LARGE] * 20, f"row 0, column 'a': found {LARGE}, an integer of more than 53 bits"),
    ([0.5] * 7 + [np.inf] * 13, "row 7, column 'a': found inf, where a finite number is expected"),
    ([None] * 20, "column 'a' has no value in any of the 14 rows to train on"),
    (
        pa.array([f"k{i}" for i in range(20)]),
        "column 'a' has 14 different texts in the 14 rows to train on",
    ),
]


@pytest.mark.parametrize(("values", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_types_that_are_no_features_are_refused_with_advice(
    tmp_path: Path, values: Any, message: str
) -> None:
    columns = {"a": values, "b": range(20), "y": ["p", "q"] * 10}
    path = saved(tmp_path, columns)
    with pytest.raises(vg.RunError, match=message):
        load_data(path, "y")
    assert load_data(path, "y", columns=Columns(drop=("a",))).columns == ("b",)


CHANGED: list[tuple[Any, Any, str]] = [
    ([1, 2] * 10, ["x", "y"], "row 0, column 'a': found 'x', where a number is expected; leave s"),
    ([1, 2] * 10, [None, DAY], "row 1, column 'a': found '2020-01-31', where a number is expected"),
    ([True, False] * 10, [1, 2], "row 1, column 'a': found 2, where true or false is expected"),
    ([True, False] * 10, ["yes", "?!"], r"row 1, column 'a': found '\?!', where true or false"),
]


@pytest.mark.parametrize(("before", "after", "message"), CHANGED, ids=[m for *_, m in CHANGED])
def test_types_that_changed_are_named(
    tmp_path: Path, before: Any, after: Any, message: str
) -> None:
    data = load_data(saved(tmp_path, {"a": before, "y": ["p", "q"] * 10}), "y")
    known = schema(described(data), 2)
    with pytest.raises(vg.RunError, match=message):
        load_rows(saved(tmp_path, {"a": after}), known)
    as_texts = [str(v) for v in before]
    if isinstance(before[0], bool):
        assert np.isin(load_rows(saved(tmp_path, {"a": as_texts}), known).x, (0, 1)).all()


FILES = [
    (b"", "is no Parquet or Arrow file: it is empty"),
    (b"a,kind\n1,x\n", "is no Parquet or Arrow file: it is a text"),
    (b"PAR1garbagePAR1", "is damaged"),
    (b"PAR1", "is damaged"),
    (b"ARROW1\0\0\0\0", "is damaged"),
]


@pytest.mark.parametrize(("content", "message"), FILES, ids=[m for _, m in FILES])
@pytest.mark.parametrize("name", ["t.parquet", "t.feather"])
def test_files_that_are_none_are_named(
    tmp_path: Path, content: bytes, message: str, name: str
) -> None:
    (tmp_path / name).write_bytes(content)
    for read in (
        lambda path: load_data(path, "y"), load_data, lambda path: load_rows(path, Schema())
    ):  # fmt: skip
        with pytest.raises(vg.RunError, match=f"{name} {message}"):
            read(str(tmp_path / name))
    with pytest.raises(vg.RunError, match=r"nowhere\.pq cannot be read: "):
        read_arrow(tmp_path / "nowhere.pq")


def test_tables_without_rows_or_with_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(vg.RunError, match="is empty: it has columns, but no rows"):
        load_data(saved(tmp_path, {"a": pa.array([], pa.int64()), "y": pa.array([])}), "y")
    with pytest.raises(vg.RunError, match="1 row is too few to set a test part"):
        load_data(saved(tmp_path, {"a": [1], "y": [0.5]}), "y", task="auto")
    with pytest.raises(vg.RunError, match=r"--target NAME must say .*; its columns are a, y"):
        load_data(saved(tmp_path, {"a": [1], "y": [0.5]}))
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(vg.RunError, match="two columns are called 'a'; rename one"):
        read_arrow(tmp_path / "t.parquet")


def test_damaged_bytes_are_an_error_of_ours_or_a_table(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    for name in ("t.parquet", "t.feather"):
        whole = Path(saved(tmp_path, mixed(), name)).read_bytes()
        for _ in range(150):
            data = bytearray(whole)
            for at in rng.integers(0, len(data), 3):
                data[at] = rng.integers(256)
            (tmp_path / name).write_bytes(data[: int(rng.integers(1, 2 * len(data)))])
            try:
                load_data(str(tmp_path / name), "y", task="auto")
            except vg.VerigradError as e:
                assert name in str(e)


def test_without_pyarrow_the_line_that_installs_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, mixed())
    for module in ("pyarrow", "pyarrow.parquet", "pyarrow.feather"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(vg.RunError, match=r"needs the package 'pyarrow', .*\[tables\]"):
        load_data(path, "y", task="auto")
    with pytest.raises(vg.RunError, match=r"needs the package 'pyarrow', .*\[tables\]"):
        check_output(tmp_path / "out.parquet")
    check_output(tmp_path / "out.csv")
