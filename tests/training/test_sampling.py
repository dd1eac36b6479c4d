"""Which rows each step takes."""

from __future__ import annotations

import numpy as np
import pytest

import verigrad as vg
from verigrad.ops import words
from verigrad.runtime.training.sampling import (
    SAMPLERS,
    Balanced,
    Sequential,
    ShuffledEpochs,
    WithReplacement,
    steps_per_epoch,
)


@pytest.mark.parametrize(
    ("count", "batch_size", "sizes"),
    [
        (10, 5, [5, 5]),
        (12, 5, [5, 5, 2]),
        (11, 5, [5, 6]),  # a last batch of one is joined to the one before it
        (5, 5, [5]),
        (6, 5, [6]),
        (3, 1, [1, 1, 1]),
        (1, 1, [1]),
    ],
)
def test_every_epoch_takes_every_row_once(count: int, batch_size: int, sizes: list[int]) -> None:
    sampler = ShuffledEpochs(count, batch_size, seed=3)
    assert sampler.steps_per_epoch == len(sizes)
    assert sampler.largest == max(sizes)
    for epoch in range(3):
        first = epoch * sampler.steps_per_epoch
        drawn = [sampler.rows(first + k) for k in range(len(sizes))]
        assert [len(d) for d in drawn] == sizes
        assert sorted(np.concatenate(drawn)) == list(range(count))


def test_the_order_is_the_argsort_of_the_raw_words_of_the_epoch() -> None:
    sampler = ShuffledEpochs(7, 7, seed=5)
    for epoch in (0, 1, 4):
        expected = np.argsort(words(5, "sampler.epoch", 7, epoch), kind="stable")
        assert sampler.rows(epoch).tolist() == expected.tolist()


def test_the_order_is_a_function_of_the_step_and_not_of_what_was_drawn_before() -> None:
    straight = ShuffledEpochs(50, 8, seed=1)
    rows = [straight.rows(step).tolist() for step in range(20)]
    late = ShuffledEpochs(50, 8, seed=1)
    assert late.rows(17).tolist() == rows[17]
    assert late.rows(2).tolist() == rows[2]
    assert ShuffledEpochs(50, 8, seed=2).rows(0).tolist() != rows[0]


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True])
def test_a_batch_size_that_is_no_whole_number_is_refused(batch_size: int) -> None:
    with pytest.raises(vg.RunError, match=r"batch_size is .*, where a whole number from 1"):
        ShuffledEpochs(10, batch_size, seed=0)


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(
        vg.RunError, match="batch_size is 11, but the data has 10 rows; give batch_size=10 or less"
    ):
        ShuffledEpochs(10, 11, seed=0)


def test_sequential_takes_the_rows_as_they_lie() -> None:
    sampler = Sequential(11, 5)
    drawn = [sampler.rows(step).tolist() for step in range(3)]
    assert drawn == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9, 10], [0, 1, 2, 3, 4]]


def test_replacement_is_words_modulo_the_rows() -> None:
    sampler = WithReplacement(13, 5, seed=9)
    assert (sampler.steps_per_epoch, sampler.largest) == (3, 5)
    for step in (4, 0, 17):
        drawn = words(9, "sampler.replacement", 5, step)
        assert sampler.rows(step).tolist() == [int(w) % 13 for w in drawn]
    seen = np.bincount(np.concatenate([sampler.rows(k) for k in range(2600)]), minlength=13)
    assert (np.abs(seen - 1000) < 5 * np.sqrt(1000)).all()


def test_balanced_takes_every_class_as_often() -> None:
    labels = np.array([2] * 90 + [0] * 9 + [7] * 1)
    sampler = Balanced(labels, 8, seed=2)
    assert (sampler.steps_per_epoch, sampler.largest) == (13, 8)
    drawn = [sampler.rows(step) for step in range(3 * 60)]
    for rows in drawn:
        counts = [np.count_nonzero(labels[rows] == label) for label in (0, 2, 7)]
        assert max(counts) - min(counts) <= 1
    every = np.concatenate(drawn)
    assert [np.count_nonzero(labels[every] == label) for label in (0, 2, 7)] == [480] * 3
    assert len(np.unique(every)) == 100
    late = Balanced(labels, 8, seed=2)
    assert late.rows(171).tolist() == drawn[171].tolist()
    assert Balanced(labels, 8, seed=3).rows(0).tolist() != drawn[0].tolist()


@pytest.mark.parametrize("name", SAMPLERS)
def test_fit_takes_a_sampler_by_name(
    name: str, three_layer: vg.Graph, rng: np.random.Generator
) -> None:
    data = rng.standard_normal((31, 12)), rng.integers(0, 4, 31)
    one, other = (vg.compile(three_layer, optimizer=vg.SGD(0.1)) for _ in range(2))
    history = vg.fit(one, data, epochs=2, batch_size=10, sampler=name)
    assert history["step"] == [k * steps_per_epoch(name, 31, 10) for k in (1, 2)]
    for _ in range(one.step_number):
        vg.fit(other, data, steps=1, batch_size=10, sampler=name)
    for key in one.parameters:
        assert one.parameters[key].tobytes() == other.parameters[key].tobytes()


def test_fit_takes_a_sampler_of_ones_own(three_layer: vg.Graph, rng: np.random.Generator) -> None:
    class First:
        """The first rows, over and over."""

        steps_per_epoch, largest = 2, 3

        def rows(self, step: int) -> np.ndarray:
            return np.arange(3)

    data = rng.standard_normal((31, 12)), rng.integers(0, 4, 31)
    one, other = (vg.compile(three_layer, optimizer=vg.SGD(0.1)) for _ in range(2))
    assert vg.fit(one, data, epochs=2, sampler=First())["step"] == [2, 4]
    vg.fit(other, tuple(a[:3] for a in data), steps=4, batch_size=3, sampler="sequential")
    for key in one.parameters:
        assert one.parameters[key].tobytes() == other.parameters[key].tobytes()
