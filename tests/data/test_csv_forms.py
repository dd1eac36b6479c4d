"""How CSV files may be written, what stands for a missing value, and who is tested on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import verigrad as vg
from verigrad.runtime.data.parts import TaskData
from verigrad.runtime.data.schema import Schema, described, schema
from verigrad.runtime.data.source import load_data, load_rows

ROWS = [(i, i * 0.5 - 3, ("no", "yes")[i % 2]) for i in range(20)]


def written(folder: Path, text: str, name: str = "data.csv") -> str:
    path = folder / name
    path.write_bytes(text.encode())
    return str(path)


def all_rows(data: TaskData) -> np.ndarray:
    """Every row of every part, in the order of its first feature."""
    x = np.concatenate([data.train.x, data.validation.x, data.test.x])
    return x[np.argsort(x[:, 0])]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["b,,,,c", "b;;;;c", "b\t\t\t\tc", 'b "";;,,c', "b;,\n;,c"])
def test_what_stands_in_quotes_parts_no_names(tmp_path: Path, delimiter: str, name: str) -> None:
    lines = [("a", f'"{name}"', "kind")] + [(a, b, c) for a, b, c in ROWS]
    text = "".join(delimiter.join(map(str, line)) + "\n" for line in lines)
    data = load_data(written(tmp_path, text), "kind")
    assert data.columns == ("a", name.replace('""', '"')) and data.classes == ("no", "yes")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", ", ", "; "])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_commas_semicolons_and_tabs_part_values(
    tmp_path: Path, delimiter: str, mark: str, end: str
) -> None:
    lines = [("size", '"the, ""other""; size"', "kind")] + [(f'"{a}"', b, c) for a, b, c in ROWS]
    text = mark + "".join(delimiter.join(map(str, line)) + end for line in lines)
    data = load_data(written(tmp_path, text), "kind")
    assert data.columns == ("size", 'the, "other"; size') and data.classes == ("no", "yes")
    assert all_rows(data).tolist() == [[a, b] for a, b, _ in ROWS]
    assert load_data(written(tmp_path, text, "DATA.TSV"), "kind").columns == data.columns


def test_classes_are_texts_as_they_were_written(tmp_path: Path) -> None:
    text = "a;zip\n" + "".join(f"{i};{('007', '10', '9')[i % 3]}\n" for i in range(30))
    assert load_data(written(tmp_path, text), "zip").classes == ("007", "10", "9")
    text = text.replace("007", "größe, ⚘").replace("9\n", "none\n")
    assert load_data(written(tmp_path, text), "zip").classes == ("10", "größe, ⚘", "none")


MISSING = ["", "  ", "NA", "na", "nan", "NaN", "N/A", "#N/A", "?", "null", "None"]


@pytest.mark.parametrize("cell", MISSING)
def test_a_missing_value_is_the_mean_of_the_training_part(tmp_path: Path, cell: str) -> None:
    whole = load_data(written(tmp_path, table({})), "kind")
    chosen = {
        "train": int(whole.train.x[0, 0]),
        "validation": int(whole.validation.x[0, 0]),
        "test": int(whole.test.x[0, 0]),
    }
    (tmp_path / "gaps").mkdir()
    gaps = table(dict.fromkeys(chosen.values(), cell))
    data = load_data(written(tmp_path / "gaps", gaps), "kind")
    present = whole.train.x[1:, 1]
    for name in chosen:
        part = getattr(data, name)
        assert part.x[0, 1] == present.mean() == data.fill[1]
        assert np.array_equal(part.x[1:], getattr(whole, name).x[1:])
    assert data.fill[0] == whole.train.x[:, 0].mean()
    assert data.notes == (
        "3 values missing: the column's mean in the training part stands for each",
    )
    assert whole.notes == ()


def table(changed: dict[int, str]) -> str:
    """ROWS with other cells for the second feature of some rows."""
    return "size,other,kind\n" + "".join(f"{a},{changed.get(a, b)},{c}\n" for a, b, c in ROWS)


KNOWN = Schema(("no", "yes"), ("size", "other"), "kind", (4.0, 0.25))


def test_rows_to_predict_are_filled_with_what_the_model_keeps(tmp_path: Path) -> None:
    rows = load_rows(written(tmp_path, "other\tsize\nNA\t1\n2\t?\n"), KNOWN)
    assert rows.x.tolist() == [[1, 0.25], [4, 2]] and rows.labels is None
    assert rows.notes == (
        "its columns stand in another order than in training: they are read by name",
        "2 values missing: the column's mean in the training part stands for each",
    )
    path = written(tmp_path, "size,other\n1,\n")
    with pytest.raises(vg.RunError, match="lacks 1 value, and the model keeps no means"):
        load_rows(path, KNOWN._replace(fill=()))


COLUMNS = [
    (
        "size,others\n1,2\n",
        "has no column 'other', which .*; it does not know column 'o",
    ),
    (
        "a,b,kind\n1,2,no\n",
        "no columns 'size' and 'other', .*; it does not know columns 'a' a",
    ),
    ("size\n1\n", "has no column 'other', which the model was trained on$"),
    ("", "is empty: a header and a row a sample are expected"),
    ("size,other\n", "is empty: it has a header, but no rows"),
    ("size,other\n1,tall\n", "line 2, column 'other': found 'tall', where a number is expected; l"),
    ("size,other,kind\n1,2,\n", "line 2: the class in column 'kind' is missing"),
    (
        "5.1,3.5\n1,2\n",
        "no columns 'size' and 'other', .*; it does not know columns '5.1' a",
    ),
]


@pytest.mark.parametrize(("text", "message"), COLUMNS, ids=[m for _, m in COLUMNS])
def test_rows_that_the_model_cannot_read_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(vg.RunError, match=message):
        load_rows(written(tmp_path, text), KNOWN)


def test_many_columns_are_not_all_listed(tmp_path: Path) -> None:
    known = KNOWN._replace(columns=tuple([f"c{i}" for i in range(50)]))
    with pytest.raises(vg.RunError, match="'c8', 'c9' and 40 more, which the model was trained"):
        load_rows(written(tmp_path, "size\n1\n"), known)


# ---- the split -------------------------------------------------------------------------------


def test_a_split_is_a_function_of_its_seed(tmp_path: Path) -> None:
    path = written(tmp_path, table({}))
    parts = {seed: load_data(path, "kind", seed) for seed in range(8)}
    assert np.array_equal(parts[0].test.x, load_data(path, "kind").test.x)
    for seed, data in parts.items():
        again = load_data(path, "kind", seed)
        assert data.split_seed == seed
        assert np.array_equal(again.test.x, data.test.x)
        assert np.array_equal(again.validation.x, data.validation.x)
        assert all_rows(data)[:, 0].tolist() == list(range(20))
        assert np.bincount(data.test.y).tolist() == [2, 2]
    assert len({data.test.x.tobytes() for data in parts.values()}) > 4


def test_the_digits_are_split_by_seed_and_predicted_for_on_that_test_part() -> None:
    data = load_data("digits", split_seed=3)
    assert not np.array_equal(data.test.x, load_data("digits").test.x)
    assert np.array_equal(load_data("digits").test.x, vg.digits().test.x)
    rows = load_rows("digits", Schema(split_seed=3))
    assert np.array_equal(rows.x, data.test.x)
    with pytest.raises(vg.VerigradError, match="split_seed is -1, where an integer from 0"):
        load_data("digits", split_seed=-1)


# ---- what a model keeps ----------------------------------------------------------------------


def test_a_schema_is_read_back_exactly(tmp_path: Path) -> None:
    data = load_data(written(tmp_path, table({3: "NA"})), "kind", 5)
    kept = schema(described(data), 2)
    assert kept == Schema(("no", "yes"), ("size", "other"), "kind", data.fill, 5)
    assert schema({}, 10) == Schema()


DAMAGED = [
    ({"classes": "["}, "'classes' is damaged: texts of JSON are"),
    ({"classes": "[" * 100_000}, "'classes' is damaged: texts of JSON are"),
    ({"classes": '["a"]'}, "'classes' is damaged: 2 different texts"),
    ({"classes": '["a", "a"]'}, "'classes' is damaged: different texts"),
    ({"classes": '["a", 1]'}, "'classes' is damaged: different texts"),
    ({"columns": '{"a": 1}'}, "'columns' is damaged: different texts"),
    ({"fill": "3"}, "'fill' is damaged: finite numbers"),
    ({"columns": '["a"]', "fill": "[NaN]"}, "'fill' is damaged: finite numbers"),
    ({"columns": '["a"]', "fill": f"[1{'0' * 400}]"}, "'fill' is damaged: finite numbers"),
    ({"columns": '["a"]', "fill": "[1, 2]"}, "'fill' is damaged: 1 numbers, one a column"),
    ({"split_seed": "-1"}, "'split_seed' is damaged"),
    ({"split_seed": "true"}, "'split_seed' is damaged"),
]


@pytest.mark.parametrize(("metadata", "message"), DAMAGED)
def test_a_damaged_schema_is_named(metadata: dict[str, str], message: str) -> None:
    with pytest.raises(vg.RunError, match=message):
        schema(metadata, 2)
