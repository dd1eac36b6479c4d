"""Changing a program: another rate, frozen layers, first values again, and weights of another."""

from __future__ import annotations

import numpy as np
import pytest
from api_nets import rows, says, snapshot, two_layer

import verigrad as vg


def trained(steps: int = 3, **options: object) -> vg.Program:
    program = vg.compile(two_layer(), **{"optimizer": vg.Momentum(lr=0.1), **options})
    for seed in range(steps):
        program.step(rows(8, seed=seed))
    return program


def test_another_program_goes_on_where_this_one_is() -> None:
    program = trained()
    program.metadata["classes"] = "[]"
    other = program.but(memory_limit=10**9)
    assert snapshot(other) == snapshot(program)
    assert other.metadata == program.metadata
    for seed in range(3, 6):
        assert other.step(rows(8, seed=seed)) == program.step(rows(8, seed=seed))
    assert snapshot(other) == snapshot(program)


def test_the_two_share_nothing() -> None:
    program = trained()
    before, other = snapshot(program), program.but()
    other.step(rows(8))
    other.metadata["a"] = "b"
    assert snapshot(program) == before
    assert program.metadata == {}


def test_another_rate_keeps_velocities_and_step() -> None:
    program = trained()
    slower = program.but(optimizer=program.options.optimizer.but(lr=0.0))
    weights, velocity = dict(slower.parameters), slower.state["fc1.weight.velocity"]
    assert velocity.any()
    slower.step(rows(8))
    assert all((weights[k] == v).all() for k, v in slower.parameters.items())
    assert slower.step_number == 4


def test_another_optimizer_begins_with_its_own_state() -> None:
    other = trained().but(optimizer=vg.Adam(lr=0.1))
    assert not other.state["fc1.weight.first_moment"].any()
    assert other.step_number == 3
    assert "fc1.weight.velocity" not in other.state


def test_freezing_and_thawing_goes_on() -> None:
    program = trained()
    tuned = program.but(program.declared.freeze("fc1.*"))
    held = tuned.parameters["fc1.weight"]
    tuned.step(rows(8))
    assert (tuned.parameters["fc1.weight"] == held).all()
    thawed = tuned.but(tuned.declared.unfreeze("*"))
    assert not thawed.state["fc1.weight.velocity"].any()
    assert (thawed.state["fc2.weight.velocity"] == tuned.state["fc2.weight.velocity"]).all()
    thawed.step(rows(8))
    assert (thawed.parameters["fc1.weight"] != held).any()


def test_in_f64_and_not_back_without_the_graph() -> None:
    program = trained()
    wide = program.but(dtype="f64")
    assert wide.parameters["fc1.weight"].dtype == np.float64
    assert (wide.parameters["fc1.weight"] == program.parameters["fc1.weight"]).all()
    with says("give the one that it was compiled from, program.but(net, dtype='f32')"):
        wide.but(dtype="f32")
    assert wide.but(two_layer(), dtype="f32").parameters["fc1.weight"].dtype == np.float32


def test_what_does_not_fit_is_said() -> None:
    program = trained()
    x, y = vg.input("x", ("N", 6)), vg.input("y", ("N",), dtype="i64")
    other = vg.dense(x, 7, name="fc1")
    with says("parameter 'fc1.weight'"):
        program.but(vg.Graph("other", loss=vg.softmax_cross_entropy(other, y)))
    with says("compile has no option 'optimiser'; did you mean 'optimizer'?"):
        program.but(optimiser=vg.SGD(0.1))
    for name in ("lr", "learning_rate"):
        with says("program.but(optimizer=program.options.optimizer.but(lr=0.01))"):
            program.but(**{name: 0.1})
    with says("optimizer is 3"):
        program.but(optimizer=3)
    with says("compile takes a Graph, not"):
        program.but(program)  # type: ignore[arg-type]


def test_reset_is_as_compiled() -> None:
    program = trained(optimizer=vg.Adam(lr=0.1), dropout=vg.Dropout(keep=0.5))
    losses = [program.step(rows(8)) for _ in range(3)]
    fresh = trained(0, optimizer=vg.Adam(lr=0.1), dropout=vg.Dropout(keep=0.5))
    program.reset()
    assert snapshot(program) == snapshot(fresh)
    assert program.step_number == 0
    assert [program.step(rows(8)) for _ in range(3)] == [fresh.step(rows(8)) for _ in range(3)]
    assert losses != [fresh.step(rows(8)) for _ in range(3)]
    other = program.but(seed=1)
    other.reset()
    assert (other.parameters["fc1.weight"] != fresh.but(seed=0).parameters["fc1.weight"]).any()


def test_reset_before_anything_ran() -> None:
    program = trained(0)
    program.reset()
    assert snapshot(program) == snapshot(trained(0))


@pytest.mark.parametrize("part", ["fc1.", ""])
def test_weights_of_another(part: str) -> None:
    program, other = trained(), trained(0, seed=5)
    chosen = {k: v for k, v in program.parameters.items() if k.startswith(part)}
    other.parameters.update(chosen)
    assert all((other.parameters[k] == v).all() for k, v in chosen.items())
