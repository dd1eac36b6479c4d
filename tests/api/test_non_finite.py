"""The report of a step that is not finite: the first node in order, its place, cause and remedy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import net

import verigrad as vg

ROWS = np.ones((6, 12), "f4")
LABELS = np.arange(6) % 4


def report(program: vg.Program, /, **feeds: Any) -> list[str]:
    before = {k: v.copy() for k, v in {**program.parameters, **program.state}.items()}
    with pytest.raises(vg.NonFiniteError) as caught:
        program.step(feeds)
    for name, value in {**program.parameters, **program.state}.items():
        np.testing.assert_array_equal(value, before[name])
    lines = str(caught.value).splitlines()
    assert lines.pop() == "  the state is as it was before the step"
    return lines


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_feed_that_holds_it_is_named_with_row_and_layer(bad: float) -> None:
    program = vg.compile(net(12, 8, 4), optimizer=vg.SGD(0.1))
    x = ROWS.copy()
    x[3, 1] = bad
    first, made, cause = report(program, x=x, y=LABELS)
    assert first.startswith("step 0 is not finite: %fc1 is ") and " in row 3, at [3," in first
    assert made.startswith("  made by linear_relu in layer fc1 at conftest.py:")
    assert cause == f"  input 'x' holds {bad} in row 3, at [3,1]"


def test_the_parameter_that_holds_it_is_named() -> None:
    program = vg.compile(net(12, 8, 4), optimizer=vg.Adam(0.1))
    weight = program.parameters["fc2.weight"].copy()
    weight[2, 1] = np.nan
    program.parameters["fc2.weight"] = weight
    first, _, cause = report(program, x=ROWS, y=LABELS)
    assert first == "step 0 is not finite: %fc2 is nan in row 0, at [0,1]"
    assert cause == "  the parameter 'fc2.weight' holds nan at [2,1]"


def test_a_state_that_holds_it_is_named() -> None:
    program = vg.compile(net(12, 8, 4), optimizer=vg.Momentum(0.1))
    program.state["fc1.bias.velocity"] = np.full(8, np.inf)
    *_, cause = report(program, x=ROWS, y=LABELS)
    assert cause == "  the state 'fc1.bias.velocity' holds inf at [0]"


def one(loss: str) -> vg.Graph:
    """A loss of x [N,2] and the parameter w [2], which begins at 0."""
    x, w = vg.input("x", ("N", 2)), vg.parameter("w", (2,), init="zeros")
    return vg.Graph("g", loss=eval(loss, {"vg": vg, "x": x, "w": w}))


@pytest.mark.parametrize(
    ("loss", "made"),
    [
        ("vg.mean(vg.log(x * w))", "log(0) is -inf"),
        ("vg.mean(x / w)", "divide(1, 0) is inf"),
        ("vg.mean(vg.sqrt(x * w - 1.0))", "sqrt(-1) is nan"),
        ("vg.sum(vg.sqrt(w * w))", "divide(0.5, 0) is inf"),
    ],
)
def test_numbers_outside_of_a_domain_are_no_matter_of_the_rate(loss: str, made: str) -> None:
    g = one(loss)
    program = vg.compile(g, optimizer=vg.SGD(0.1))
    feeds = {"x": np.ones((2, 2))} if g.inputs else {}
    lines = report(program, **feeds)
    assert lines[2:] == [f"  {made}"]


def test_a_smaller_rate_may_help_where_training_made_it_large() -> None:
    program = vg.compile(one("vg.mean(vg.exp(x * w))"), optimizer=vg.SGD(1e4))
    program.step(x=[[-1.0, 1.0]])
    lines = report(program, x=[[-1.0, -1.0]])
    assert (
        lines[0].startswith("step 1 is not finite: %") and "is inf in row 0, at [0,1]" in lines[0]
    )
    assert lines[-1] == "  no feed holds NaN or infinity: a smaller lr may help"


def test_at_the_first_step_large_inputs_are_named_and_not_the_rate() -> None:
    program = vg.compile(one("vg.mean(vg.square(x - w))"), optimizer=vg.SGD(0.1))
    lines = report(program, x=[[1.0, 2e25]])
    assert "%multiply is inf" in lines[0] or "square" in lines[1]
    assert lines[-1] == "  input 'x' holds numbers up to 2e+25: scale it"
    assert not any("lr" in line.split() for line in lines)


def test_an_update_that_overflows_is_the_first_node() -> None:
    program = vg.compile(one("vg.sum(vg.mean(x) * w)"), optimizer=vg.SGD(1e38))
    lines = report(program, x=[[5.0, 5.0]])
    assert lines[0] == "step 0 is not finite: %w.1 is -inf at [0]"
    assert lines[-1] == "  no feed holds NaN or infinity: a smaller lr may help"


def test_a_moment_that_overflows_names_its_gradient() -> None:
    program = vg.compile(one("vg.sum(vg.mean(x) * w)"), optimizer=vg.Adam(0.1))
    lines = report(program, x=[[1e25, 1e25]])
    assert lines[0] == "step 0 is not finite: %w.second_moment.1 is inf at [0]"
    assert "  its gradient is too large: clip=vg.ClipNorm(1.0) would bound it" in lines
    clipped = vg.compile(
        one("vg.sum(vg.mean(x) * w)"), optimizer=vg.Adam(0.1), clip=vg.ClipNorm(1.0)
    )
    clipped.step(x=[[1e25, 1e25]])
    np.testing.assert_allclose(clipped.parameters["w"], -0.1, rtol=1e-5)


def test_the_report_of_a_profile_is_the_same() -> None:
    program = vg.compile(one("vg.mean(vg.log(x * w))"), optimizer=vg.SGD(0.1))
    with pytest.raises(vg.NonFiniteError, match=r"log\(0\) is -inf"):
        program.profile(x=np.ones((2, 2)), steps=3)


def test_a_step_that_nobody_counts_has_no_number() -> None:
    a, x = vg.state("a", (2,), init="ones"), vg.input("x", (2,))
    program = vg.compile(vg.Graph("g", loss=vg.sum(x), updates={a: a * 1e30}))
    program.step(x=[1.0, 1.0])
    lines = report(program, x=[1.0, 1.0])
    assert lines[0] == "the step is not finite: %multiply is inf at [0]"
