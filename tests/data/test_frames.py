"""Frames and series of pandas as arrays: every kind of number, and the place of what is none."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import verigrad as vg
from verigrad.graph.frames import unframed

pd = pytest.importorskip("pandas")

LARGE = 2**53 + 1


def array(value: object, kind: str = "f") -> np.ndarray:
    found = unframed("input 'x'", value, kind)
    assert type(found) is np.ndarray and found.dtype.kind in "biuf"
    return found


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        ([1.5, -2.0], [1.5, -2.0]),
        ([True, False], [1.0, 0.0]),
        (np.array([1, 255], np.uint8), [1, 255]),
        (np.array([1, 2], ">f4"), [1, 2]),
        (pd.array([1, 2], dtype="Int64"), [1, 2]),
        (pd.array([1, 2], dtype="UInt8"), [1, 2]),
        (pd.array([0.1, 2], dtype="Float64"), [0.1, 2]),
        (pd.array([0.5, 2], dtype="Float32"), [0.5, 2]),
        (pd.array([True, False], dtype="boolean"), [1, 0]),
        (pd.Categorical([30, 10]), [30, 10]),
        (pd.Categorical([True, False]), [1, 0]),
        (pd.arrays.SparseArray([0.0, 2.5]), [0, 2.5]),
        (pd.Series([1, 2.5], dtype=object), [1, 2.5]),
        (pd.Series([True, np.float32(0.5)], dtype=object), [1, 0.5]),
        (pd.Series([Decimal("0.1"), Fraction(1, 4)], dtype=object), [0.1, 0.25]),
        (pd.Series([2**70, -1], dtype=object), [2.0**70, -1]),
    ],
    ids=str,
)
def test_every_kind_of_number_is_a_float(column: Any, wanted: list[float]) -> None:
    for beside in ([0.5, 7.0], [True, False], pd.array([4, 5], dtype="Int64")):
        frame = pd.DataFrame({"a": beside, "b": column})
        assert array(frame)[:, 1].tolist() == wanted
    assert array(pd.DataFrame({"a": column})).tolist() == [[v] for v in wanted]
    assert array(pd.Series(column)).tolist() == wanted


def test_columns_and_rows_are_taken_by_place() -> None:
    frame = pd.DataFrame([[1, 2.5], [3, 4.5]], columns=["a", "a"], index=[7, 7])
    assert array(frame).tolist() == [[1, 2.5], [3, 4.5]]
    frame = pd.DataFrame({("a", 1): [1, 2], ("b", 0): [3, 4]})
    assert array(frame[::-1]).tolist() == [[2, 4], [1, 3]]
    assert array(pd.DataFrame(index=[1, 2, 3])).shape == (3, 0)
    assert array(pd.DataFrame(columns=["a", "b"], dtype=object)).shape == (0, 2)


def test_integers_are_labels_as_they_are_and_truth_values_stay_some() -> None:
    for held in (pd.array([LARGE, 2], dtype="Int64"), pd.Series([LARGE, 2], dtype=object)):
        assert array(pd.Series(held), "i").tolist() == [LARGE, 2]
    assert array(pd.array([1, 2]), "i").tolist() == array(pd.Index([1, 2]), "i").tolist() == [1, 2]
    assert array(pd.Categorical(["b", "a"]).codes, "i").tolist() == [1, 0]
    assert array(pd.DataFrame({"a": pd.array([True], dtype="boolean")}), "b").dtype == np.bool_


BAD = [
    ([1, np.nan], "b", "holds nan in row 1 .*, a missing value; fill it in"),
    (pd.array([1, None], dtype="Int64"), "b", "holds <NA> in row 1 .*, a missing value"),
    (pd.array([None, True], dtype="boolean"), "b", "holds <NA> in row 0 .*, a missing value"),
    (pd.Series([1.5, None], dtype=object), "b", "holds None in row 1"),
    (pd.Categorical([1, None]), "b", "holds nan in row 1"),
    (["1", "2"], "b", "holds '1' in row 0 .*, where a number is expected; where texts are num"),
    (pd.Series([1, "x"], dtype=object), "b", "holds 'x' in row 1"),
    (pd.Categorical(["x", "y"]), "b", "holds 'x' in row 0"),
    (pd.Series([1, 2j], dtype=object), "b", "holds 2j in row 1 .*, where a number is expected"),
    (pd.Series([1, [2]], dtype=object), "b", r"holds \[2\] in row 1"),
    ([1j, 2], "b", "is complex128, where numbers are expected"),
    (pd.to_datetime(["2020-01-01", "2021-01-01"]), "b", "is datetime64.*, where numbers are"),
    ([3, LARGE], "b", f"holds {LARGE} in row 1 .*, an integer of more than 53 bits, which floats"),
    (
        pd.Series([LARGE, 0.5], dtype=object),
        "b",
        f"holds {LARGE} in row 0 .* than 53 bits",
    ),
    (
        pd.array([0, -LARGE], dtype="Int64"),
        "b",
        f"holds -{LARGE} in row 1 .* than 53 bits",
    ),
    (pd.Series([10**9999, 1], dtype=object), "b", "holds an integer of 33216 bits in row 0"),
    (
        pd.Series([10**400, 1], dtype=object),
        "b",
        "holds an integer of 1329 bits in row 0 .*, which no float",
    ),
]


@pytest.mark.parametrize(("column", "name", "message"), BAD, ids=[m for *_, m in BAD])
def test_what_is_no_number_is_named_by_column_and_row(column: Any, name: str, message: str) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": column, "c": [True, False]})
    frame.index = ["k", "l"]
    with pytest.raises(vg.RunError, match=rf"input 'x': column '{name}' {message}"):
        unframed("input 'x'", frame, "f")
    series = frame["b"].reset_index(drop=True)
    message = message.replace(" .*,", ",").replace(" .* than", ", an integer of more than")
    with pytest.raises(vg.RunError, match=rf"input 'x', column '{name}', {message}"):
        unframed("input 'x'", series, "f")


def test_what_is_of_another_kind_is_left_alone() -> None:
    for value in ([1, 2], np.zeros(3), "text", None):
        assert unframed("input 'x'", value, "f") is value


def test_class_weights_in_a_series_are_one_a_class() -> None:
    scores, labels = vg.input("scores", ("N", 3)), vg.input("labels", ("N",), dtype="i64")
    twice = pd.Series([1.0, 2.0], index=[0, 0])
    with pytest.raises(vg.GraphError, match="names a class twice; give each class one weight"):
        vg.softmax_cross_entropy(scores, labels, class_weights=twice)


def test_constants_and_first_values_are_read_as_feeds_are() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, 0.25], "c": [True, False]})
    wanted = [[1, 0.5, 1], [2, 0.25, 0]]
    for n in (vg.constant(frame), vg.constant(frame, "f64")):
        assert n.op.array.tolist() == wanted and n.type.is_float
    assert vg.constant(frame[["a"]]).dtype == "i64" and vg.constant(frame["c"]).dtype == "bool"
    w = vg.parameter("w", (2, 3), frame)
    assert w.op.init == vg.init.array(frame) == vg.init.array(wanted)
    assert vg.parse(str(vg.Graph("g", {"w": w}))).parameters[0].op.init == w.op.init


@pytest.mark.parametrize(
    ("column", "said"),
    [(["x", "y"], "holds 'x' in row 0"), ([LARGE, 1], "than 53 bits"), ([None, 1.0], "a missing")],
)
def test_what_is_no_number_of_a_constant_is_named_by_column(column: Any, said: str) -> None:
    frame = pd.DataFrame({"a": [0.5, 1.0], "b": column})
    for use in (vg.constant, vg.init.array, lambda v: vg.parameter("w", (2, 2), v)):
        with pytest.raises(vg.GraphError, match=f"column 'b'.* {said}"):
            use(frame)
