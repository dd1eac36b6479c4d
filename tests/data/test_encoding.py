"""Columns of tables as features: texts, truth values, dates, orders, and what other rows hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import verigrad as vg
from verigrad.runtime.data.categories import Columns
from verigrad.runtime.data.encoding import Encoding
from verigrad.runtime.data.parts import TaskData
from verigrad.runtime.data.schema import Schema, described, schema
from verigrad.runtime.data.source import load_data, load_rows

TOWNS = ("Rome", "Oslo", "New York", "")


def houses(rows: int = 40) -> str:
    """Rooms, a town, a truth value, a quality, and a price."""
    lines = [
        f"{i % 7},{TOWNS[i % 4]},{('yes', 'No')[i % 2]},{('low', 'high', 'mid')[i % 3]},{i * 1.5}"
        for i in range(rows)
    ]
    return "rooms,town,garden,quality,price\n" + "".join(f"{line}\n" for line in lines)


def written(folder: Path, text: str, name: str = "data.csv") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def learned(folder: Path, text: str, target: str = "price", **columns: tuple[str, ...]) -> TaskData:
    return load_data(written(folder, text), target, task="regression", columns=Columns(**columns))


def kept(data: TaskData) -> Schema:
    return schema(described(data), len(data.classes) or None)


def test_each_kind_of_column_becomes_its_features(tmp_path: Path) -> None:
    data = learned(tmp_path, houses(), ordinal=("quality=low,mid,high",))
    assert data.columns == (
        "rooms", "town=New York", "town=Oslo", "town=Rome", "town=(missing)", "garden", "quality",
    )  # fmt: skip
    for part in (data.train, data.validation, data.test):
        row = (part.y / 1.5).round().astype(int)
        towns = np.array([2, 1, 0, 3])[row % 4]  # in the order of the features
        wanted = [row % 7, *np.eye(4)[towns].T, row % 2 == 0, np.array([0, 2, 1])[row % 3]]
        assert np.array_equal(part.x, np.array(wanted).T)
    assert [len(p.y) for p in (data.train, data.validation, data.test)] == [29, 3, 8]
    assert data.notes == (
        "town: 4 categories, one-hot, one of them for what is missing",
        "quality: 3 categories, ordinal: low < mid < high",
    )


def test_a_model_keeps_what_it_reads_columns_with(tmp_path: Path) -> None:
    data = learned(tmp_path, houses(), ordinal=("quality",))
    known = kept(data)
    assert known == Schema(
        (), data.columns, "price", data.fill, 0, "regression",
        (
            Encoding("rooms"),
            Encoding("town", "one-hot", ("New York", "Oslo", "Rome", None)),
            Encoding("garden", "boolean"),
            Encoding("quality", "ordinal", ("high", "low", "mid")),
        ),
    )  # fmt: skip
    assert data.notes[-1] == (
        "quality: 3 categories, ordinal: high < low < mid; --ordinal quality=a,b,c gives another "
        "order"
    )
    rows = load_rows(written(tmp_path, houses(), "new.csv"), known)
    assert rows.labels is not None and rows.notes == ()
    found = dict(zip(rows.labels.tolist(), rows.x.tolist(), strict=True))
    for x, y in zip(data.test.x.tolist(), data.test.y.tolist(), strict=True):
        assert found[y] == x


NEW = "quality,garden,rooms,town\n"


def test_rows_with_new_categories_are_told_of_and_read(tmp_path: Path) -> None:
    known = kept(learned(tmp_path, houses(), drop=("quality",)))
    path = written(tmp_path, f"{NEW}x,TRUE,3,Oslo\nx,0,?,Bonn\nx,,2,\nx,no,2,Bonn\n", "new.csv")
    rows = load_rows(path, known)
    means = known.fill
    assert rows.x.tolist() == [
        [3, 0, 1, 0, 0, 1],
        [means[0], 0, 0, 0, 0, 0],
        [2, 0, 0, 0, 1, means[5]],
        [2, 0, 0, 0, 0, 0],
    ]
    assert rows.notes == (
        "its columns stand in another order than in training: they are read by name",
        "not read, since the model was not trained on it: 'quality'",
        "town: 2 rows have a category, such as 'Bonn', that no row to train on has: all features "
        "of town are 0 there",
        "2 values missing: the column's mean in the training part stands for each",
    )
    known = known._replace(encodings=(known.encodings[1]._replace(categories=("Oslo",)),))
    rows = load_rows(written(tmp_path, "town\n ?\nOslo\n", "n.csv"), known._replace(fill=()))
    assert rows.x.tolist() == [[0], [1]]
    assert rows.notes == (
        "town: 1 row has a missing value, that no row to train on has: all features of town are 0 "
        "there",
    )


WRONG = [
    ("x,maybe,3,Oslo\n", "line 2, column 'garden': found 'maybe', where true or false, or yes or"),
    ("x,yes,three,Oslo\n", "line 2, column 'rooms': found 'three', where a number is expected; le"),
    ("x,maybe,three,Oslo\n", "'rooms': found 'three', .*; column 'garden' cannot be read, either"),
]


@pytest.mark.parametrize(("row", "message"), WRONG, ids=[m for _, m in WRONG])
def test_columns_whose_type_changed_are_named(tmp_path: Path, row: str, message: str) -> None:
    known = kept(learned(tmp_path, houses(), drop=("quality",)))
    with pytest.raises(vg.RunError, match=message):
        load_rows(written(tmp_path, NEW + row, "new.csv"), known)


def test_what_has_no_place_in_an_order_is_named(tmp_path: Path) -> None:
    known = kept(learned(tmp_path, houses(), ordinal=("quality=low,mid,high",)))
    with pytest.raises(
        vg.RunError, match="line 3, column 'quality': found 'fine', which has no pl"
    ):
        load_rows(written(tmp_path, f"{NEW}low,yes,1,Oslo\nfine,no,1,Oslo\n", "new.csv"), known)
    rows = load_rows(written(tmp_path, f"{NEW},yes,1,Oslo\n", "new.csv"), known)
    assert rows.x[0, -1] == known.fill[-1]
    message = "line 2, column 'quality': found 'low', which has no place in the order a < b"
    with pytest.raises(vg.RunError, match=message):
        learned(tmp_path, houses(), ordinal=("quality=a,b",))


def test_categories_are_those_of_the_training_part(tmp_path: Path) -> None:
    whole = learned(tmp_path, houses())
    row = int(whole.test.y[0] / 1.5)
    lines = houses().splitlines()
    lines[row + 1] = lines[row + 1].replace(TOWNS[row % 4] + ",", "Mars,", 1)
    data = learned(tmp_path, "\n".join(lines))
    assert "town=Mars" not in data.columns
    assert (data.test.x[0, 1:5] == 0).all()
    assert "town: 1 row have a category" in "".join(data.notes) or "1 row has" in "".join(
        data.notes
    )


def test_numbers_can_be_taken_for_categories(tmp_path: Path) -> None:
    data = learned(tmp_path, houses(), one_hot=("rooms", "garden"), drop=("town", "quality"))
    assert data.columns == (*(f"rooms={i}" for i in range(7)), "garden=No", "garden=yes")
    many = "a,b,y\n" + "".join(f"{i},k{i},{i}\n" for i in range(50))
    data = learned(tmp_path, many, "y", one_hot=("a", "b"))
    rows = data.train.y.astype(int).tolist()
    assert data.columns[:36] == tuple([f"a={i}" for i in sorted(rows)])
    assert data.columns[36:] == tuple([f"b={k}" for k in sorted(f"k{i}" for i in rows)])


ASKED = [
    ({"drop": ("rom",)}, "has no column 'rom'; did you mean 'rooms'"),
    ({"one_hot": ("price",)}, "--one-hot price: that is the target, and no feature"),
    ({"drop": ("town",), "one_hot": ("town",)}, "--drop and --one-hot both name 'town'"),
    ({"ordinal": ("quality=low,,high",)}, "the order holds a category twice or an empty one"),
    ({"ordinal": ("quality=low,low",)}, "the order holds a category twice"),
    ({"ordinal": ("size=a,b",)}, "has no column 'size'"),
    ({"drop": ("rooms", "town", "garden", "quality")}, "has no column beside 'price'"),
]


@pytest.mark.parametrize(("columns", "message"), ASKED, ids=[m for _, m in ASKED])
def test_what_is_asked_of_columns_that_are_not_there_is_named(
    tmp_path: Path, columns: dict[str, tuple[str, ...]], message: str
) -> None:
    with pytest.raises(vg.RunError, match=message):
        learned(tmp_path, houses(), **columns)


DATES = [
    "2020-01-31", "31.12.2020", "1/2/99", "2020-01-31T12:30:00Z", "2020-01-31 12:30:00.5 +01:00",
    "12 Jan 2020", "Jan 12, 2020", "12:30", "12:30:59 pm", "1. September 2021",
]  # fmt: skip


@pytest.mark.parametrize("date", DATES)
def test_dates_are_refused_with_advice(tmp_path: Path, date: str) -> None:
    text = "rooms,sale date,y\n" + f'1,"{date}",2\n3,,4\n' * 10
    message = (
        "column 'sale date' holds dates, such as '.*', which are no features; put what matters of "
        "them, such as the year, .* or leave them out with --drop 'sale date'"
    )
    with pytest.raises(vg.RunError, match=message):
        learned(tmp_path, text, "y")
    assert learned(tmp_path, text, "y", drop=("sale date",)).columns == ("rooms",)


def test_all_columns_of_dates_are_named_at_once(tmp_path: Path) -> None:
    text = "a,b,c,y\n" + "".join(f"2020-01-{i:02},{i},{i}:30,{i}\n" for i in range(10, 20))
    with pytest.raises(vg.RunError, match=r"columns 'a' and 'c' hold dates.*--drop a --drop c$"):
        learned(tmp_path, text, "y")


MIXED = [
    ("12", "n/k", "line 3, column 'a': found 'n/k', where a number is expected; leave the column "),
    ("$1,200", "$900", "line 2, column 'a': found '.1,200', .* write it without its unit"),
    ("5%", "6 %", "line 2, column 'a': found '5%', .* write it without its unit"),
    ("555-123", "555-124", "line 2, column 'a': found '555-123', where a number is expected; lea"),
    ("1e400", "2", "line 2, column 'a': found '1e400', where a finite number"),
    ("inf", "2", "line 2, column 'a': found 'inf', where a finite number"),
]


@pytest.mark.parametrize(("one", "other", "message"), MIXED, ids=[m for *_, m in MIXED])
def test_text_among_numbers_is_named_with_what_to_do(
    tmp_path: Path, one: str, other: str, message: str
) -> None:
    text = "a,y\n" + "".join(f'"{(one, other)[i % 2]}",{i}\n' for i in range(20))
    with pytest.raises(vg.RunError, match=message):
        learned(tmp_path, text, "y")
    columns = learned(tmp_path, text, "y", one_hot=("a",)).columns
    assert set(columns) == {f"a={one}", f"a={other}"}


@pytest.mark.parametrize("codes", [("E5", "N17"), ("1Fam", "2fmCon"), ("4WD", "FWD"), ("e", "-")])
def test_codes_with_digits_are_categories(tmp_path: Path, codes: tuple[str, str]) -> None:
    text = "a,y\n" + "".join(f"{codes[i % 2]},{i}\n" for i in range(20))
    assert set(learned(tmp_path, text, "y").columns) == {f"a={code}" for code in codes}


def test_too_many_categories_are_refused_with_advice(tmp_path: Path) -> None:
    names = "a,full name,y\n" + "".join(f"{i},name {i},{i}\n" for i in range(60))
    message = (
        "column 'full name' has 43 different texts in the 43 rows to train on, such as 'name .*' "
        "and 'name .*', of which each would be a feature; leave it out with --drop 'full name', or"
    )
    with pytest.raises(vg.RunError, match=message):
        learned(tmp_path, names, "y")
    towns = "a,y\n" + "".join(f"town {i % 101},{i}\n" for i in range(1500))
    with pytest.raises(vg.RunError, match="column 'a' has 101 different texts in the 1,080 rows"):
        learned(tmp_path, towns, "y")
    assert learned(tmp_path, towns, "y", one_hot=("a",)).features == 101


def test_features_of_one_name_are_refused(tmp_path: Path) -> None:
    text = "a,a=x,y\n" + "".join(f"{'xz'[i % 2]},{i},{i}\n" for i in range(20))
    with pytest.raises(vg.RunError, match="two features are called 'a=x'; rename a column"):
        learned(tmp_path, text, "y")


def test_columns_that_never_change_are_told(tmp_path: Path) -> None:
    text = "a,b,c,y\n" + "".join(f"1,yes,{i if i % 5 else ''},{i}\n" for i in range(20))
    data = learned(tmp_path, text, "y")
    assert "columns 'a' and 'b' never change: nothing is learned of it" in data.notes


def test_columns_may_be_called_like_options_and_worse(tmp_path: Path) -> None:
    names = ["--drop", "-o", "a=b", "=", "x\ny", "größe, ⚘", "nan", "%s {0}"]
    head = ",".join(f'"{name}"' for name in names)
    text = f"{head},y\n" + "".join(f"{','.join('pq'[(i >> k) % 2] for k in range(8))},{i}\n"
                                   for i in range(256))  # fmt: skip
    data = learned(tmp_path, text, "y", drop=("--drop",), ordinal=("a=b", "=", "%s {0}"))
    assert [e.name for e in kept(data).encodings] == names[1:]
    with pytest.raises(vg.RunError, match=r"column '%s \{0\}': found 'p', where a number"):
        load_rows(
            written(tmp_path, text, "new.csv"),
            Schema(columns=("%s {0}",), fill=(0.0,)),
        )


DAMAGED = [
    '{"a": 1}', "[[1]]", '[["rooms", "number"]]', '[["rooms", "int", []]]', '[["a", "number", []]]',
    '[["rooms", "one-hot", ["a", "a"]]]', '[["rooms", "one-hot", [1]]]',
    '[["rooms", "number", {}]]',
]  # fmt: skip


@pytest.mark.parametrize("text", DAMAGED)
def test_damaged_encodings_are_named(text: str) -> None:
    with pytest.raises(vg.RunError, match="metadata 'encodings' is damaged"):
        schema({"columns": '["rooms"]', "encodings": text}, None)


def test_a_damaged_task_is_named() -> None:
    with pytest.raises(vg.RunError, match="'task' is damaged: classification or regression are"):
        schema({"task": "regresion"}, None)
