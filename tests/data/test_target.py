"""What a table is to teach: classes or a number, as asked for or as its target suggests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import verigrad as vg
from verigrad.runtime.data.parts import TaskData
from verigrad.runtime.data.schema import Schema
from verigrad.runtime.data.source import load_data, load_rows
from verigrad.runtime.data.target import AskedTask


def table(cells: list[object], folder: Path) -> str:
    path = folder / "houses.csv"
    path.write_text("a,y\n" + "".join(f'{i},"{c}"\n' for i, c in enumerate(cells)), "utf-8")
    return str(path)


def learned(folder: Path, cells: list[object], task: AskedTask = "auto") -> TaskData:
    return load_data(table(cells, folder), "y", task=task)


SUGGESTED: list[tuple[list[object], str, str]] = [
    (
        [i * 1.5 for i in range(1200)] * 2,
        "regression",
        "y: 1,200 different numbers in 2,400 rows",
    ),
    (list(range(30)), "regression", "30 different numbers in 30 rows: regression; --task classi"),
    (
        list(range(20)) * 3,
        "classification",
        "20 different whole numbers in 60 rows: classification; ",
    ),
    (["yes", "no"] * 20, "classification", "y: 2 different texts in 40 rows: classification"),
    (["007", "8"] * 20, "classification", "y: 2 different whole numbers in 40 rows: classificat"),
    ([0.5, 1.5] * 20, "regression", "y: 2 different numbers in 40 rows: regression"),
    (["3-4", "5-6"] * 20, "classification", "y: 2 different texts in 40 rows: classification"),
    (["1", "2", "many"] * 20, "classification", "y: 3 different texts in 60 rows: classification"),
    ([10**18 + 1, 10**18] * 20, "classification", "y: 2 different texts in 40 rows: classificat"),
    ([1e300, 2e300, 0.5] * 20, "regression", "y: 3 different numbers in 60 rows: regression"),
]


@pytest.mark.parametrize(("cells", "task", "note"), SUGGESTED, ids=[n for *_, n in SUGGESTED])
def test_the_task_is_what_the_target_suggests_and_told(
    tmp_path: Path, cells: list[object], task: str, note: str
) -> None:
    data = learned(tmp_path, cells)
    assert data.task == task and note in data.notes[0]
    assert (data.classes == ()) == (task == "regression")
    asked: AskedTask = "classification" if task == "classification" else "regression"
    assert learned(tmp_path, cells, asked).notes == ()


def test_numbers_to_predict_are_drawn_into_parts_by_the_seed(tmp_path: Path) -> None:
    path = table([i / 2 for i in range(100)], tmp_path)
    parts = [load_data(path, "y", seed, task="regression") for seed in (0, 0, 1)]
    for data in parts:
        rows = np.concatenate([data.train.x, data.validation.x, data.test.x])[:, 0]
        assert sorted(rows.tolist()) == list(range(100))
        assert [len(p.y) for p in (data.train, data.validation, data.test)] == [72, 8, 20]
        for part in (data.train, data.validation, data.test):
            assert part.y.dtype == np.float64 and np.array_equal(part.y, part.x[:, 0] / 2)
    assert np.array_equal(parts[0].test.x, parts[1].test.x)
    assert not np.array_equal(parts[0].test.x, parts[2].test.x)


REFUSED: list[tuple[list[object], AskedTask, str]] = [
    (
        [1.5, 2.5, "", 3.5],
        "auto",
        "line 4, column 'y': the number to predict is missing; leave",
    ),
    ([1.5, 2.5, "", 3.5], "regression", "line 4, column 'y': the number to predict is missing"),
    (["a", "b", "c"], "regression", "line 2, column 'y': the column holds texts, such as 'a', whe"),
    ([1.5, "x", 2], "regression", "line 3, column 'y': found 'x', where a number is expected; lea"),
    ([1.5, "inf", 2], "regression", "line 3, column 'y': found 'inf', where a finite number"),
    (
        [2**53 + 1, 1, 2],
        "regression",
        "line 2, column 'y': found '9007199254740993', an integer of",
    ),
    (["2020-01-01", "2020-01-02"], "auto", "column 'y' holds dates, such as '2020-01-01', where a"),
    ([7.5] * 10, "auto", "the number to predict is 7.5 in all 10 rows; there is nothing to learn"),
    ([1.5], "regression", "1 row is too few to set a test part of 20% aside"),
    ([1.5, 2], "regression", "2 rows are too few to set a test part of 20% aside"),
    ([0.5, 1.5, "inf"] * 9, "auto", "line 4, column 'y': found 'inf', where a finite number"),
    ([0.5, 1.5, "n/k"] * 9, "auto", "line 4, column 'y': found 'n/k', where a number is expected"),
    ([10**18 + i for i in range(30)], "auto", "column 'y': found '1000000000000000001', an inte"),
    (
        [*range(30), "30+"],
        "auto",
        "line 32, column 'y': found '30.', .* give --task classification",
    ),
    (["", ""], "auto", "line 2: the class in column 'y' is missing"),
    (["", ""], "regression", "line 2, column 'y': the number to predict is missing"),
]


@pytest.mark.parametrize(("cells", "task", "message"), REFUSED, ids=[m for *_, m in REFUSED])
def test_targets_that_cannot_be_learned_are_named(
    tmp_path: Path, cells: list[object], task: AskedTask, message: str
) -> None:
    with pytest.raises(vg.RunError, match=message):
        learned(tmp_path, cells, task)


def test_three_rows_are_enough_for_a_number(tmp_path: Path) -> None:
    data = learned(tmp_path, [1.5, 2.5, 4], "regression")
    assert [len(p.y) for p in (data.train, data.validation, data.test)] == [2, 0, 1]


def test_a_data_set_with_classes_is_no_regression() -> None:
    with pytest.raises(vg.RunError, match="--task regression predicts a column of a table; digits"):
        load_data("digits", task="regression")
    assert load_data("digits", task="auto").task == "classification"


def test_arrays_of_numbers_are_predicted_where_they_are_not_whole(tmp_path: Path) -> None:
    path, x = str(tmp_path / "a.npz"), np.arange(80.0).reshape(40, 2)
    np.savez(path, x=x, y=np.arange(40) / 4)
    data = load_data(path, task="auto")
    assert data.task == "regression" and data.notes == (
        "y: 40 different numbers in 40 rows: regression",
    )
    assert np.array_equal(data.test.y, data.test.x[:, 0] / 8)
    with pytest.raises(vg.RunError, match=r"y holds 0\.25 in row 1, where class names or whole"):
        load_data(path, task="classification")
    rows = load_rows(path, Schema(task="regression"))
    assert rows.labels is not None and rows.labels.tolist() == (np.arange(40) / 4).tolist()
    np.savez(path, x=x, y=np.arange(40) % 4)
    assert load_data(path, task="auto").classes == ("0", "1", "2", "3")
    assert load_data(path, task="regression").train.y.dtype == np.float64
    np.savez(path, x=x[:30], y=np.arange(30), x_test=x[30:], y_test=np.arange(30, 40) + 0.5)
    assert load_data(path, task="auto").test.y.tolist() == [k + 0.5 for k in range(30, 40)]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a", "b"] * 10, "y is <U1, where numbers are expected"),
        ([0.5, np.nan] * 10, "y holds nan in row 1, where a finite number is expected"),
        ([2**53 + 1, 1] * 10, "y holds 9007199254740993 in row 0, an integer of more than 53 bits"),
        (
            [[0.5], [1.5]] * 10,
            r"y is \[20, 1\], where \[20\] is expected: a label a row; save",
        ),
        ([0.5] * 20, "the number to predict is 0.5 in all 20 rows"),
    ],
)
def test_arrays_that_are_no_numbers_to_predict_are_named(
    tmp_path: Path, y: object, message: str
) -> None:
    path = str(tmp_path / "a.npz")
    np.savez(path, x=np.zeros((20, 2)), y=np.array(y))
    with pytest.raises(vg.RunError, match=message):
        load_data(path, task="regression")
