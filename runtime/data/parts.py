"""A data set in parts: what to train on, what to follow it with, and what to test on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from ...graph import Array, RunError, shortened
from ...ops import words
from ..metrics.registry import Task
from .encoding import Encoding
from .rows import Rows, only
from .scaling import Scaling, standardizing

TEST_SHARE: Final = 0.2
"""The share of each class that is kept for the test, where a data set has no test part."""


VALIDATION_SHARE: Final = 0.1
"""The share of each class in the training part that is held out to follow the training with."""


class Part(NamedTuple):
    """Features [n,features] and class numbers i64[n], or numbers f64[n]: what `fit` takes for
    inputs x and y. Features are an array; those that lie in a file are `Rows`, which are read where
    they are asked for, and do what an array does."""

    x: Any
    y: Array


class Known(Part):
    """A part that tells of the data set that it is of, as `schema` reads it: `fit` keeps that in
    the program's metadata."""

    told: Mapping[str, str] = {}

    @classmethod
    def of(cls, part: Part, told: Mapping[str, str]) -> Known:
        """The part, with what is to be told."""
        known = cls(*part)
        known.told = told
        return known


class Parts(NamedTuple):
    """A training part and a test part: `train, test = vg.digits()`."""

    train: Part
    test: Part


class Samples(NamedTuple):
    """Rows as a file holds them: features [n,features] and, where it has any, labels [n].

    Labels are classes, or the numbers f64[n] that a regression predicts. `notes` are what a user
    should be told of how they were read.
    """

    x: Array | Rows
    labels: Array | None
    pixels: bool = False
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class TaskData(NamedTuple):
    """A data set for a task: labels i are of the class `classes[i]`; a regression has no classes,
    and its labels are numbers.

    `validation` was held out of the training part, and is empty where that has too few rows.
    `pixels` says that features are those of an image. `columns` are the features' names, and
    `target` the labels', where the file has any. `fill` is the mean of each named column in
    `train`, which stands for missing values. `split_seed` drew the parts that the set lacked.
    `notes` are what a user should be told of how it was read. `encodings` say how the columns of
    a table became features.
    """

    name: str
    train: Part
    validation: Part
    test: Part
    classes: tuple[str, ...]
    pixels: bool
    columns: tuple[str, ...] = ()
    target: str | None = None
    fill: tuple[float, ...] = ()
    split_seed: int = 0
    notes: tuple[str, ...] = ()
    encodings: tuple[Encoding, ...] = ()

    @property
    def features(self) -> int:
        return int(self.train.x.shape[1])

    @property
    def parts(self) -> tuple[Part, Part, Part]:
        """To train on, to validate, and to test."""
        return self.train, self.validation, self.test

    @property
    def scaling(self) -> Scaling:
        """What gives the features of the training part mean 0 and variance 1, and leaves those of
        categories, which are 0 or 1: in a graph, write `data.scaling.of(x)`."""
        scaling = standardizing(self.train.x, self.pixels)
        kept = [e.is_indicator for e in self.encodings for _ in e.features]
        if not any(kept):
            return scaling
        mean, inverse = np.where(kept, 0.0, scaling.mean), np.where(kept, 1.0, scaling.inverse)
        return scaling._replace(mean=mean, inverse=inverse)

    @property
    def task(self) -> Task:
        return "classification" if self.classes else "regression"


def held_out(
    name: str,
    train: Part,
    test: Part,
    classes: tuple[str, ...],
    *,
    pixels: bool = False,
    columns: tuple[str, ...] = (),
    target: str | None = None,
    split_seed: int = 0,
) -> TaskData:
    """The data set, with a validation part held out of the training part."""
    rest, validation = split(*train, VALIDATION_SHARE, "validation", split_seed)
    data = TaskData(name, rest, validation, test, classes, pixels, columns, target)
    return data._replace(split_seed=split_seed)


def classification(
    name: str,
    rows: Samples,
    test: Samples | None = None,
    target: str | None = None,
    split_seed: int = 0,
) -> TaskData:
    """The classes that the labels name, numbered in order, and a test part of them.

    Without one, a stratified part of the rows is set aside, the same in every run of the same
    `split_seed`. Raises RunError for labels that make no classes.
    """
    assert rows.labels is not None
    classes, y = np.unique(rows.labels, return_inverse=True)
    count = len(y)
    if not count:
        raise RunError(f"{name} is empty: it has no rows")

    def shown(which: int) -> str:
        return shortened(str(classes[which]), 80)

    if len(classes) == 1:
        raise RunError(f"{name}: all {count} rows are of the class {shown(0)}; two are needed")
    if 2 * len(classes) > count:
        raise RunError(
            f"{name}: {count} rows have {len(classes)} different labels, such as {shown(0)} and "
            f"{shown(-1)}, where two rows or more are expected of a class; numbers that were "
            "measured are no classes"
        )
    whole = Part(rows.x, y.astype(np.int64))
    if test is None:
        train, tested = split(*whole, TEST_SHARE, "test", split_seed)
    else:
        train, tested = whole, Part(test.x, _numbered(name, test, classes))
    _check_test(name, tested, count)
    names = tuple([str(c) for c in classes])
    return held_out(
        name, train, tested, names, pixels=rows.pixels, columns=rows.columns, target=target,
        split_seed=split_seed,
    )  # fmt: skip


def regression(
    name: str,
    rows: Samples,
    test: Samples | None = None,
    target: str | None = None,
    split_seed: int = 0,
) -> TaskData:
    """The data set whose labels f64[n] are the numbers to predict, with a test part of them.

    Without one, rows are set aside, drawn by `split_seed`. Raises RunError where there is nothing
    to learn.
    """
    assert rows.labels is not None
    count = len(rows.labels)
    if not count:
        raise RunError(f"{name} is empty: it has no rows")
    whole = Part(rows.x, rows.labels.astype(np.float64))
    if count > 1 and (whole.y == whole.y[0]).all():
        raise RunError(
            f"{name}: the number to predict is {whole.y[0]:g} in all {count} rows; there is "
            "nothing to learn"
        )
    if test is None:
        train, tested = split(*whole, TEST_SHARE, "test", split_seed)
    else:
        assert test.labels is not None
        train, tested = whole, Part(test.x, test.labels.astype(np.float64))
    _check_test(name, tested, count)
    return held_out(
        name, train, tested, (), pixels=rows.pixels, columns=rows.columns, target=target,
        split_seed=split_seed,
    )  # fmt: skip


def _check_test(name: str, tested: Part, count: int) -> None:
    if not len(tested.y):
        raise RunError(
            f"{name}: {count} row{'s are' if count > 1 else ' is'} too few to set a test part of "
            f"{TEST_SHARE:.0%} aside"
        )


def stratified(y: Array, share: float, name: str, seed: int = 0) -> tuple[Array, Array]:
    """Two sorted lists of row numbers, of which the second has `share` of each class.

    Which rows those are is a function of `seed` and `name` alone, so that a part is the same in
    every run. A class's share is rounded, and no class is taken whole.
    """
    drawn = words(seed, name, len(y))
    second = np.zeros(len(y), bool)
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        order = rows[np.argsort(drawn[rows], kind="stable")]
        second[order[: min(round(share * len(rows)), len(rows) - 1)]] = True
    return np.flatnonzero(~second), np.flatnonzero(second)


def split(x: Array | Rows, y: Array, share: float, name: str, seed: int = 0) -> Parts:
    """A stratified training part, and another part with `share` of each class; of numbers, with
    `share` of all rows."""
    strata = np.zeros(len(y)) if y.dtype.kind == "f" else y
    first, second = stratified(strata, share, name, seed)
    return Parts(Part(only(x, first), y[first]), Part(only(x, second), y[second]))


def _numbered(name: str, rows: Samples, classes: Array) -> Array:
    """The class numbers of a test part's labels."""
    assert rows.labels is not None
    number = {label: i for i, label in enumerate(classes.tolist())}
    for row, label in enumerate(rows.labels.tolist()):  # as Python's numbers, which are exact
        if label not in number:
            raise RunError(
                f"{name}: row {row} of the test part has the label {shortened(str(label), 80)}, "
                "which no row of the training part has"
            )
    return np.array([number[label] for label in rows.labels.tolist()], np.int64)
