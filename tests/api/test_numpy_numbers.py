"""Numbers of NumPy are taken where Python's are, and kept as Python's."""

from __future__ import annotations

import numpy as np
from api_nets import rows, two_layer

import verigrad as vg


def test_strengths_probabilities_and_sizes_may_be_numbers_of_numpy() -> None:
    program = vg.compile(
        two_layer(),
        optimizer=vg.SGD(lr=0.1),
        regularizer=vg.ElasticNet(np.float32(0.5), np.int64(1)),
        dropout=vg.Dropout(keep=np.float64(0.5)),
    )
    same = vg.compile(
        two_layer(),
        optimizer=vg.SGD(lr=0.1),
        regularizer=vg.ElasticNet(0.5, 1.0),
        dropout=vg.Dropout(keep=0.5),
    )
    assert str(program.training) == str(same.training)
    assert program.step(rows(8)) == same.step(rows(8))
    assert program.plan(N=np.int64(8)).nbytes == same.plan(N=8).nbytes
    assert type(vg.L2(np.float32(0.5)).strength) is float


def test_a_layer_may_have_a_numpy_integer_of_units() -> None:
    x = vg.input("x", ("N", 4))
    assert str(vg.dense(x, np.int64(3), name="fc").type) == "f32[N,3]"
