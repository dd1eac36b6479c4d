"""The report of a step that is not finite: the first node in order, its place, cause and remedy."""

from __future__ import annotations

import json
import pickle
import re
from typing import Any

import numpy as np
import pytest
from conftest import net

import verigrad as vg
from verigrad.runtime.execution.diagnosis import explained

# Rows that are far too large are warned of as well.
pytestmark = pytest.mark.filterwarnings("ignore:input 'x' has a standard deviation of")
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
    first, made, read, cause = report(program, x=x, y=LABELS)
    assert first.startswith("step 0 is not finite: %fc1 is ") and " in row 3, at [3," in first
    assert made.startswith("  made in the forward pass by linear_relu in layer fc1 at conftest.py:")
    assert read.startswith("  it reads %x = 1, 1 not finite; %fc1.weight from -")
    assert read.endswith("; %fc1.bias = 0")
    assert cause == f"  input 'x' holds {bad} in row 3, at [3,1]"


def test_the_parameter_that_holds_it_is_named() -> None:
    program = vg.compile(net(12, 8, 4), optimizer=vg.Adam(0.1))
    weight = program.parameters["fc2.weight"].copy()
    weight[2, 1] = np.nan
    program.parameters["fc2.weight"] = weight
    first, _, rows, read, cause = report(program, x=ROWS, y=LABELS)
    assert rows == "  it is so in all of 6 rows"
    assert re.search(r"; %fc2\.weight from -\S+ to \S+, 1 not finite; %fc2\.bias = 0$", read)
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
    *lines, read, cause = report(program, **feeds)
    assert cause == f"  {made}"
    assert read.startswith("  it reads %")
    assert lines[2:] == ([] if loss.startswith("vg.sum") else ["  it is so in all of 2 rows"])


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


def diagnosed(program: vg.Program, /, **feeds: Any) -> vg.Diagnosis:
    with pytest.raises(vg.NonFiniteError) as caught:
        program.step(feeds)
    assert caught.value.diagnosis is not None
    assert str(caught.value).startswith(str(caught.value.diagnosis))
    return caught.value.diagnosis


def test_all_rows_that_hold_it_are_told(rng: np.random.Generator) -> None:
    x = rng.standard_normal((40, 12)).astype("f4")
    x[3:36:3] = 3e38
    program = vg.compile(net(12, 8, 4), optimizer=vg.SGD(0.1))
    found = diagnosed(program, x=x, y=np.arange(40) % 4)
    assert (found.node, found.layer, found.op, found.phase) == (
        "fc1", "fc1", "linear_relu", "forward",
    )  # fmt: skip
    assert set(found.rows) <= set(range(3, 36, 3)) and found.batch == 40
    assert found.rows[0] == found.at[0] and len(found.rows) > 8
    assert f"in {len(found.rows)} of 40 rows: {found.rows[0]}, " in str(found)
    assert f"{found.rows[7]}, ...\n" in str(found)
    read = {r.name: r for r in found.reads}
    assert read["x"].most == pytest.approx(3e38) and read["x"].row == 3
    assert read["x"].least == pytest.approx(x.min()) and read["x"].not_finite == 0
    assert read["fc1.weight"].row is None


def test_an_infinity_that_is_masked_is_not_blamed() -> None:
    loss = "vg.mean(vg.exp(vg.sum(vg.stop_gradient(vg.where(x > 0.0, vg.log(x), 0.0)) + x * w)))"
    program = vg.compile(one(loss), optimizer=vg.SGD(0.1))
    program.parameters["w"] = np.array([100.0, 0.0])
    found = diagnosed(program, x=[[1.0, -1.0]])
    assert (found.op, found.value, found.rows) == ("exp", "inf", ())
    assert found.causes == ("exp(100) is inf",)
    program.parameters["w"] = np.zeros(2)
    program.step(x=[[1.0, -1.0]])


def test_what_a_batch_norm_is_made_of_has_its_line(rng: np.random.Generator) -> None:
    x, y = vg.input("x", ("N", 12)), vg.input("y", ("N",), dtype="i64")
    h = vg.dense(x, 8)
    h = vg.batch_norm(h)
    scores = vg.dense(vg.relu(h), 4)
    g = vg.Graph("normed", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    rows = rng.standard_normal((6, 12)).astype("f4")
    rows[2] *= 1e30
    program = vg.compile(g, optimizer=vg.Adam(0.1), dropout=vg.Dropout(keep=0.5))
    found = diagnosed(program, x=rows, y=LABELS)
    assert (found.node, found.layer, found.reads[0].row) == ("bn1.var", "bn1", 2)
    assert found.where is not None and found.where.endswith("h = vg.batch_norm(h)")
    assert found.told_rows == (2,)


def test_a_gradient_alone_is_found_in_the_backward_pass() -> None:
    x, w = vg.input("x", ("N", 2)), vg.parameter("w", (2, 1), init="zeros")
    g = vg.Graph("g", loss=vg.mean(vg.matmul(x, w) * 1e20))
    for clip in (None, vg.ClipNorm(1.0)):
        found = diagnosed(vg.compile(g, optimizer=vg.SGD(0.1), clip=clip), x=[[1e25, 0], [0, 1]])
        assert (found.node, found.phase, found.at, found.rows) == ("w.grad", "backward", (0, 0), ())
        assert (found.reads[0].name, found.reads[0].row) == ("x", 0)


def test_an_element_of_packed_updates_is_found_in_its_own() -> None:
    program = vg.compile(net(12, 8, 8, 8, 4), optimizer=vg.Momentum(10.0))
    assert any(len(pack) > 4 for pack in program.training.schedule.packs)  # type: ignore[union-attr]
    velocity = program.state["fc2.bias.velocity"].copy()
    velocity[3] = 3e38
    program.state["fc2.bias.velocity"] = velocity
    found = diagnosed(program, x=ROWS, y=LABELS)
    assert (found.node, found.layer, found.at) == ("fc2.bias.1", "fc2", (3,))
    assert found.phase == "update" and "a smaller lr may help" in found.remedies[0]


def test_what_is_computed_again_is_found_where_it_was_first(rng: np.random.Generator) -> None:
    given = {"x": rng.standard_normal((400, 12)).astype("f4"), "y": np.arange(400) % 4}
    options = {"memory_limit": 760_000, "recompute": True}
    program = vg.compile(net(12, *[64] * 12, 4), optimizer=vg.SGD(0.1), **options)
    assert program.plan(N=400).recomputed
    program.parameters["fc7.weight"] = 1e38 * program.parameters["fc7.weight"]
    found = diagnosed(program, **given)
    assert (found.node, found.phase, found.reads[1].name) == ("fc7", "forward", "fc7.weight")


def test_a_product_that_is_added_in_place_is_found() -> None:
    program = vg.compile(net(12, 400, 400, 4), optimizer=vg.SGD(1e38))
    found = diagnosed(program, x=1e5 * ROWS, y=LABELS)
    assert (found.op, found.phase) == ("gemm", "update")


def test_a_first_dimension_that_is_no_batch_has_no_rows(rng: np.random.Generator) -> None:
    x, w = vg.input("x", ("N", "M")), vg.parameter("w", (), init="ones")
    loss = vg.mean(vg.matmul(vg.transpose(x), x * 1e20) * w * 1e20)
    program = vg.compile(vg.Graph("g", loss=loss), optimizer=vg.SGD(0.1))
    with pytest.raises(vg.NonFiniteError) as caught:
        vg.fit(program, (rng.random((3, 7)),), epochs=1)
    found = caught.value.diagnosis
    assert found is not None and found.rows == () and " in row " not in str(found)


@vg.op
class Reciprocal(vg.Op):
    """y = 1 / x, of this file alone."""

    name = "test_reciprocal"
    elementwise = True

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0]

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        return (-dy * node * node,)

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.divide(1.0, x, out=out)


def test_an_op_of_ones_own_is_named() -> None:
    x, w = vg.input("x", ("N", 2)), vg.parameter("w", (2,), init="ones")
    program = vg.compile(
        vg.Graph("g", loss=vg.mean(vg.apply(Reciprocal(), x * w))), optimizer=vg.SGD(0.1)
    )
    found = diagnosed(program, x=[[1.0, 1.0], [1.0, 0.0]])
    assert (found.op, found.rows, found.causes) == (
        "test_reciprocal", (1,), ("test_reciprocal(0) is inf",),
    )  # fmt: skip


def test_a_diagnosis_is_of_plain_values_and_goes_with_its_error() -> None:
    program = vg.compile(one("vg.mean(vg.log(x * w))"), optimizer=vg.SGD(0.1))
    with pytest.raises(vg.NonFiniteError) as caught:
        program.step(x=[[1.0, 1.0]])
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value) and again.diagnosis == caught.value.diagnosis
    assert json.loads(json.dumps(again.diagnosis._asdict()))["node"] == again.diagnosis.node


def test_kernels_that_round_otherwise_are_told_by_what_they_made() -> None:
    g = vg.compile(net(12, 8, 4), optimizer=vg.SGD(0.1)).training
    values = vg.compile(net(12, 8, 4)).parameters
    fed = {"x": ROWS, "y": LABELS}

    def value(n: vg.Node) -> np.ndarray:
        if n is g.loss:
            return np.array(np.inf, "f4")
        if n.op.name == "constant":
            return n.op.array
        return {**values, **fed}.get(g.names[n], np.zeros((), n.type.numpy))

    e = vg.NonFiniteError("the loss is inf; not finite: %loss")
    told = explained(e, g, value, {"N": 6}, 7, [g.loss])
    assert str(told).startswith("step 7 is not finite: %loss is inf\n")
    finite = explained(e, g, lambda n: value(n) * 0, {"N": 6}, 7, [])
    assert (
        "the interpreter finds no node that makes one" in str(finite) and finite.diagnosis is None
    )


def test_where_nothing_can_be_computed_the_error_still_is_what_it_is() -> None:
    def value(n: vg.Node) -> np.ndarray:
        raise MemoryError("nothing is left")

    g = vg.compile(net(12, 8, 4), optimizer=vg.SGD(0.1)).training
    told = explained(vg.NonFiniteError("the loss is nan"), g, value, {"N": 6}, 7, [])
    assert str(told).splitlines() == [
        "step 7 is not finite: the loss is nan",
        "  why cannot be looked at: nothing is left",
        "  the state is as it was before the step",
    ]
