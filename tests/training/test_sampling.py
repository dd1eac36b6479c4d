"""Which rows each step takes."""

from __future__ import annotations

import numpy as np
import pytest

import verigrad as vg
from verigrad.ops import words
from verigrad.runtime.training.sampling import ShuffledEpochs


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
