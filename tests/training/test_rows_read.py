"""Which rows a process reads: those of its own part of each batch, whatever they lie in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from row_sources import FEATURES, LABELS, SOURCES, in_memory, net, npz

import verigrad as vg
from verigrad.runtime.data.parts import Part
from verigrad.runtime.data.rows import Rows
from verigrad.runtime.training.dataset import DataSet, Gatherer, Labelled
from verigrad.runtime.training.sampling import SAMPLERS, Sampler, make_sampler

BATCH = 40
CLASSIFIER = Labelled("scores", "y", 10)


def opened(part: Part) -> DataSet:
    return DataSet(net(part.x.shape[1]), part, {})


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_each_of_two_reads_its_half_of_each_batch_and_no_more(
    source: str, sampler: str, tmp_path: Path
) -> None:
    """Each opens the data itself, and asks a sampler of its own: nothing is sent."""
    whole = SOURCES[source](tmp_path)
    x = np.asarray(whole.x)
    read = []
    for half in range(2):
        data = opened(SOURCES[source](tmp_path))
        drawn = make_sampler(sampler, data, CLASSIFIER, BATCH, seed=5)
        gatherer, before = Gatherer(data, BATCH), data.arrays["x"].read.rows
        due = 0
        for step in range(7):
            rows = np.array_split(drawn.rows(step), 2)[half]
            batch = gatherer.gather(rows)
            assert np.array_equal(batch["x"], x[rows])
            assert np.array_equal(batch["y"], whole.y[rows])
            due += len(rows)
        assert data.arrays["x"].read.rows - before == gatherer.read.rows == due
        assert gatherer.read.nbytes == due * (x.itemsize * x.shape[1] + 8)
        read.append(due)
    assert sum(read) == sum(len(drawn.rows(step)) for step in range(7))
    assert abs(read[0] - read[1]) <= 7


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_rows_of_a_step_are_a_function_of_the_seed_and_the_step_alone(sampler: str) -> None:
    """Whatever was asked before, and of an object that reads no row but the labels."""

    def made() -> Sampler:
        return make_sampler(sampler, opened(in_memory(Path())), CLASSIFIER, BATCH, seed=5)

    in_order = made()
    due = [in_order.rows(step) for step in range(12)]
    other = made()
    for step in (11, 3, 3, 7, 0, 4, 10, 1):
        assert np.array_equal(other.rows(step), due[step])
        assert np.array_equal(made().rows(step), due[step])


def test_a_run_reads_each_row_of_an_epoch_once(tmp_path: Path) -> None:
    """What a net is fed with as bytes holds no NaN: nobody looks for one."""
    train = npz(tmp_path)
    assert isinstance(train.x, Rows)
    program = vg.compile(net(FEATURES), optimizer=vg.SGD(lr=0.1))
    vg.fit(program, train, epochs=2, batch_size=40)
    assert train.x.read.rows == 2 * len(train.y)


def test_what_floats_would_round_is_named_wherever_it_lies() -> None:
    x = np.zeros((3000, FEATURES), np.int64)
    x[2500, 1] = 2**53 + 1
    program = vg.compile(net(FEATURES), optimizer=vg.SGD(lr=0.1))
    found = "input 'x' holds 9007199254740993 in row 2500, column 1, an integer of more than 53"
    for form in (x, Rows(x), Rows(x[::-1]).only(np.arange(3000)[::-1])):
        with pytest.raises(vg.RunError, match=found):
            vg.fit(program, (form, np.resize(LABELS, 3000)), epochs=1)
