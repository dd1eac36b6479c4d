"""The column that is to be predicted: whether it names classes or measures something."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import numpy as np

from ...graph import Array, RunError, shown
from ..metrics.registry import Task
from .cells import is_number
from .table import Column, Table

AskedTask = Literal["auto", "classification", "regression"]

_MOST_CLASSES: Final = 20
"""Whole numbers of which there are no more different ones are taken for classes."""

_NO_NUMBER: Final = "leave such rows out, or give --task classification where they are classes"


class Target(NamedTuple):
    """The labels [rows] of a task, as classes or as numbers f64, and what to tell of the choice."""

    task: Task
    labels: Array
    notes: tuple[str, ...] = ()


def target_of(table: Table, name: str, asked: AskedTask, na_is_a_class: bool = False) -> Target:
    """The labels in the column of that name, for the task that is asked for, or that they suggest.

    "auto" takes texts and truth values for classes, and whole numbers where there are few
    different ones; other numbers are a regression. Raises RunError for a missing label, and for
    one that is no number where numbers are due.
    """
    column = table.column(name)
    if asked == "classification":
        return Target(asked, column.labels(na_is_a_class))
    numbers = numbers_of(column) if asked == "regression" else _if_numbers(column)
    if asked == "regression" and numbers is not None:
        return Target(asked, numbers)
    if asked == "auto" and column.kind == "date":
        raise RunError(
            f"{table.name}: column {shown(name)} holds dates, such as {column.example!r}, where a "
            "class or a number is expected; write the days since the first, or give --task "
            "classification where they are classes"
        )
    if numbers is None:
        labels = column.labels(na_is_a_class)
        return Target("classification", labels, (told(name, labels, "text", "classification"),))
    whole = bool((numbers == np.floor(numbers)).all())
    if whole and len(np.unique(numbers)) <= _MOST_CLASSES:
        said = told(name, numbers, "whole number", "classification")
        other = "; --task regression predicts the number"
        return Target("classification", column.labels(na_is_a_class), (said + other,))
    said = told(name, numbers, "number", "regression")
    other = "; --task classification takes each for a class" if whole else ""
    return Target("regression", numbers, (said + other,))


def numbers_of(column: Column, mend: str = _NO_NUMBER) -> Array:
    """The numbers to predict; RunError where one is missing, or is none, with what to do then."""
    if column.kind not in ("number", "boolean"):
        raise RunError(
            f"{column.where(0)}: the column holds {column.found}, such as {column.example!r}, "
            f"where numbers to predict are expected; {mend}"
        )
    numbers = column.numbers(mend)
    gaps = np.flatnonzero(np.isnan(numbers))
    if gaps.size:
        raise RunError(
            f"{column.where(int(gaps[0]))}: the number to predict is missing; leave such rows out"
        )
    return numbers


def _if_numbers(column: Column) -> Array | None:
    """The numbers of a column that measures something, or counts; None where it names classes.

    Raises RunError for what is no number among numbers that are measured: few different whole
    ones may be the names of classes beside texts, such as 1, 2 and many.
    """
    if column.kind != "number":
        return None
    try:
        numbers = column.numbers(_NO_NUMBER)
    except RunError:
        texts = [text for text in column.texts() if text is not None]
        values = [float(text) for text in dict.fromkeys(texts) if is_number(text)]
        if len(set(texts)) <= _MOST_CLASSES and all(value.is_integer() for value in values):
            return None
        raise
    return None if np.isnan(numbers).all() else numbers_of(column)


def told(name: str, labels: Array, what: str, task: Task) -> str:
    """Such as: price: 1,203 different numbers in 1,460 rows: regression."""
    count = len(np.unique(labels))
    several = f"{count:,} different {what}s" if count > 1 else f"one {what}"
    return f"{name}: {several} in {len(labels):,} rows: {task}"
