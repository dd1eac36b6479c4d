"""What a sharded step says of a bad batch: the user's names, and rows of the whole batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sharded import NETS, feeds

import verigrad as vg

BOTH = [None, 4, 8, vg.Shards(4, batch_norm="per_shard")]


def told(net: vg.Graph, shards: Any, batch: dict[str, np.ndarray], **options: Any) -> str:
    """The error of a step, without the times that its lines take."""
    program = vg.compile(net, optimizer=vg.SGD(0.1), shards=shards, seed=1, **options)
    before = {k: a.copy() for k, a in program.parameters.items()}
    with pytest.raises(vg.RunError) as e:
        program.step(**batch)
    for name, a in program.parameters.items():
        np.testing.assert_array_equal(a, before[name])
    return str(e.value)


@pytest.mark.parametrize("rows", [[13], [0, 20], [5, 6, 7]])
def test_a_fed_nan_is_told_as_of_the_whole_batch(rows: list[int]) -> None:
    net = NETS["tanh"]
    batch = feeds(net, 21)
    batch["x"][rows, 2] = np.nan
    due, *found = [told(net, shards, batch) for shards in BOTH]
    assert f"%fc1 is nan in row {rows[0]}, at [{rows[0]},0]" in due
    assert f"input 'x' holds nan in row {rows[0]}, at [{rows[0]},2]" in due
    assert found == [due] * len(found)


def test_a_diagnosis_holds_rows_of_the_batch() -> None:
    net = NETS["relu"]
    batch = feeds(net, 21)
    batch["x"][[9, 17], 0] = np.inf
    program = vg.compile(net, optimizer=vg.SGD(0.1), shards=8)
    with pytest.raises(vg.NonFiniteError) as e:
        program.step(**batch)
    d = e.value.diagnosis
    assert d is not None
    assert (d.node, d.layer, d.rows, d.batch, d.at[0]) == ("fc1", "fc1", (9, 17), 21, 9)
    assert [r.name for r in d.reads] == ["x", "fc1.weight", "fc1.bias"]
    assert ".shard" not in str(d)


def test_what_a_shard_sums_is_told_as_the_sum() -> None:
    """tanh makes an infinity finite: it first spoils the gradient of the weight."""
    net = NETS["tanh"]
    batch = feeds(net, 21)
    batch["x"][[9, 17], 0] = np.inf
    due, found = (told(net, shards, batch) for shards in (None, 8))
    assert "%fc1.weight.grad is nan at [0,0]" in due
    assert "%fc1.weight.grad is nan at [0,0]" in found
    assert "input 'x' holds inf in row 9, at [9,0]" in found
    assert ".shard" not in found


def test_numbers_that_overflow_are_told_with_their_row() -> None:
    x, w = vg.input("x", ("N", 3)), vg.parameter("w", (3,))
    net = vg.Graph("net", loss=vg.mean(vg.exp(vg.square(x * w))))
    batch = {"x": np.full((11, 3), 0.01, np.float32)}
    batch["x"][8, 1] = 1e15
    due, *found = [told(net, shards, batch) for shards in BOTH]
    assert "in row 8, at [8,1]" in due
    assert found == [due] * len(found)


@pytest.mark.parametrize("row", [0, 12, 20])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_label_out_of_range_is_told_with_its_row(row: int, backend: str) -> None:
    if backend == "numba":
        pytest.importorskip("numba")
    net = NETS["softmax_cross_entropy"]
    batch = feeds(net, 21)
    batch["y"][row] = 7
    due = f"input 'y' holds the label 7 in row {row}, which is out of range: with 3 classes"
    for shards in (4, 8):
        assert told(net, shards, batch, backend=backend).startswith(due)


def test_the_interpreter_names_the_row_of_a_label_too() -> None:
    net = NETS["softmax_cross_entropy"]
    program = vg.compile(net, optimizer=vg.SGD(0.1), shards=4)
    batch = feeds(net, 10)
    batch["y"][7] = -1
    values = {**program.parameters, **program.state, **batch}
    with pytest.raises(vg.RunError, match="input 'y' holds the label -1 in row 7"):
        vg.interpret(program.training, values)


def test_fit_tells_the_row_of_the_data() -> None:
    x, w = vg.input("x", ("N", 3)), vg.parameter("w", (3,))
    net = vg.Graph("net", loss=vg.mean(vg.exp(vg.square(x * w))))
    data = {"x": np.full((60, 3), 0.01, np.float32)}
    data["x"][41, 1] = 1e4
    program = vg.compile(net, optimizer=vg.SGD(0.1), shards=8)
    with pytest.raises(vg.NonFiniteError, match=r"row \d+ of the batch: row 41 of the data"):
        vg.fit(program, data, epochs=1, batch_size=16)


@pytest.mark.parametrize("symbol", ["N.of8", "N.3of8", "N.0-3of8"])
def test_rows_of_a_shard_are_not_declared(symbol: str) -> None:
    with pytest.raises(vg.GraphError, match=r"counts rows of a shard.*whole batch, 'N'"):
        vg.input("x", (symbol, 3))


def test_an_empty_batch_is_an_error() -> None:
    net = NETS["tanh"]
    assert "%loss is nan" in told(net, 4, feeds(net, 0))
