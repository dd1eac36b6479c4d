"""Pickles and copies: what is made from them is equal, to the bit, and nodes stay the nodes."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import cloudpickle
import numpy as np
import pytest
from conftest import batch, net

import verigrad as vg
from verigrad.graph import Array

Copy = Callable[[Any], Any]

COPIES: dict[str, Copy] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda o: pickle.loads(pickle.dumps(o)),
    "oldest protocol": lambda o: pickle.loads(pickle.dumps(o, protocol=0)),
    "cloudpickle": lambda o: pickle.loads(cloudpickle.dumps(o)),
}
every_copy = pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)


def trained(steps: int = 3) -> tuple[vg.Program, dict[str, np.ndarray]]:
    rate = vg.schedules.warmup(vg.schedules.plateau(0.05), steps=5)
    program = vg.compile(
        net(12, 8, 4),
        optimizer=vg.Adam(rate, groups=[vg.Group("*.bias", lr=0.1)]),
        regularizer=vg.ElasticNet(1e-4, 1e-3),
        dropout=vg.Dropout(keep=0.5, layers={"fc1": 0.75}),
        clip=vg.ClipNorm(1.0),
        seed=7,
    )
    program.metadata["classes"] = "a b c d"
    feeds = batch(np.random.default_rng(5), 9, 12, 4)
    for _ in range(steps):
        program.step(feeds)
    return program, feeds


@every_copy
def test_a_program_goes_on_to_the_same_bits(copied: Copy) -> None:
    program, feeds = trained()
    other = copied(program)
    assert other is not program and other.step_number == 3
    assert (other.metadata, other.options) == (program.metadata, program.options)
    theirs = [other.step(feeds) for _ in range(3)]
    assert program.step_number == 3, "a copy has a state of its own"
    assert theirs == [program.step(feeds) for _ in range(3)]
    for held in ("parameters", "state"):
        for name, value in getattr(program, held).items():
            np.testing.assert_array_equal(getattr(other, held)[name], value, strict=True)


@every_copy
def test_a_graph_has_the_same_text_and_the_same_nodes(copied: Copy) -> None:
    program, _ = trained(1)
    for g in (program.declared, program.training, program.plan(N=9).graph):
        other = copied(g)
        assert str(other) == str(g) and other.nodes == g.nodes
        vg.verify(other)


@every_copy
def test_a_node_is_equal_to_its_copy_for_it_is_that_node(copied: Copy) -> None:
    x = vg.input("x", ("N", 3))
    h = vg.relu(vg.dense(x, 4))
    assert copied(h) is h
    g, nodes = copied((vg.Graph("g", {"h": h}), [x, h]))
    assert nodes == [x, h] and g.outputs["h"] is h and g["fc1"] is h.inputs[0]


def test_unnumbered_layers_are_numbered_once_all_are_read() -> None:
    x = vg.input("x", ("N", 3))
    first = vg.dense(x, 4)
    second = vg.dense(vg.relu(first), 2)
    pickle.dumps(second)
    assert first.layer.name is None, "a pickle numbers no layer"
    assert vg.Graph("g", {"y": second}).names[first] == "fc1"


def test_a_chain_may_be_longer_than_the_stack_is_deep() -> None:
    x = vg.input("x", ())
    for _ in range(2_000):
        x = x + 1.0
    g = pickle.loads(pickle.dumps(vg.Graph("chain", {"y": x})))
    assert len(g.order) == 2_000 and COPIES["deepcopy"]([x]) == [x]


@every_copy
def test_values_are_equal_to_their_copies(copied: Copy) -> None:
    program, feeds = trained(1)
    for value in (
        vg.TensorType("f32", ("N", 3)),
        vg.init.array(np.arange(20.0)),
        program.options,
        [vg.TRAINING, vg.INFERENCE],
        vg.measure(program, (feeds["x"], feeds["y"])),
    ):
        assert copied(value) == value


@every_copy
def test_plans_reports_and_errors(copied: Copy) -> None:
    program, feeds = trained(1)
    plan = program.plan(N=9)
    report = vg.gradcheck(program.declared, feeds)
    data = (feeds["x"], feeds["y"])
    history = vg.fit(program, data, validation=data, steps=2, batch_size=9)
    for told in (plan, report, history, program.cost(N=9)):
        assert str(copied(told)) == str(told)
    assert copied(plan).lower_bound == plan.lower_bound
    error = copied(vg.NonFiniteError("not finite"))
    assert type(error) is vg.NonFiniteError and str(error) == "not finite"
    held = copied(program.parameters)
    assert all((held[k] == v).all() for k, v in program.parameters.items())


def test_what_is_worked_out_from_a_record_stays_behind() -> None:
    rate = vg.schedules.plateau(0.1)
    rate.at(vg.input("step", (), "f64"))
    other = copy.copy(rate)
    assert other == rate and set(vars(other)) == set(rate.field_names)
    assert not other.but().__getstate__().keys() - set(rate.field_names)


def test_an_array_stays_read_only() -> None:
    held = COPIES["pickle"](vg.init.array(np.ones(3))).value
    assert held == vg.init.array(np.ones(3)).value and not held.array.flags.writeable


READER = """
import pickle, sys
with open(sys.argv[1], "rb") as f:
    program, feeds, (x, h), scaled = pickle.load(f)
assert h.inputs[0] is x
print([program.step(feeds) for _ in range(2)])
(x,) = scaled.inputs
doubled = scaled * 2.0
import verigrad as vg
print(vg.parse(str(vg.Graph("g", {"y": doubled}))))
program.save(sys.argv[2]), vg.load(sys.argv[2])
"""


def test_another_process_goes_on_where_this_one_was(tmp_path: Path) -> None:
    """With an op that it cannot import, which cloudpickle brings along."""

    @vg.op
    class Scaled(vg.Op):
        name: ClassVar[str] = "scaled_for_copies"
        by: float = 3.0

        def infer(self, *types: vg.TensorType) -> vg.TensorType:
            return types[0]

        def run(self, x: Array, *, out: Array) -> None:
            np.multiply(x, self.by, out=out)

    program, feeds = trained()
    x = vg.input("x", (2,))
    told = program, feeds, [x, vg.tanh(x)], vg.apply(Scaled(0.5), x)
    (tmp_path / "told").write_bytes(cloudpickle.dumps(told))
    done = subprocess.run(
        [sys.executable, "-c", READER, str(tmp_path / "told"), str(tmp_path / "saved")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert not done.stderr
    losses, *text = done.stdout.splitlines()
    assert losses == str([program.step(feeds) for _ in range(2)])
    assert "  %scaled_for_copies: f32[2] = scaled_for_copies{by=0.5}(%x)" in text
