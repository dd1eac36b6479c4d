"""Operations and bytes of nodes, against counts by hand."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

import verigrad as vg
from verigrad.graph import OPS, TRANSCENDENTAL, Array, Product
from verigrad.graph.types import parse_type


def net(*sizes: int) -> vg.Graph:
    x, y = vg.input("x", ("N", sizes[0])), vg.input("y", ("N",), dtype="i64")
    scores = vg.mlp(x, list(sizes[1:]))
    return vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def count(kind: str, *shapes: str, **attributes: object) -> int:
    op = OPS[kind](**attributes)
    types = [parse_type(s) for s in shapes]
    return op.flops(op.infer(*types).bind({}), *[t.bind({}) for t in types])


@pytest.mark.parametrize(
    ("flops", "kind", "shapes", "attributes"),
    [
        (2 * 5 * 7 * 3, "matmul", ("f32[5,7]", "f32[7,3]"), {}),
        (2 * 5 * 7 * 3, "matmul", ("f32[7,5]", "f32[7,3]"), {"transpose_a": True}),
        (2 * 5 * 7 * 3, "matmul", ("f32[5,7]", "f32[3,7]"), {"transpose_b": True}),
        (2 * 5 * 7 * 3 + 15, "linear", ("f32[5,7]", "f32[7,3]", "f32[3]"), {}),
        (2 * 5 * 7 * 3 + 30, "linear_relu", ("f32[5,7]", "f32[7,3]", "f32[3]"), {}),
        (15, "add", ("f32[5,3]", "f32[3]"), {}),
        (15, "relu", ("f32[5,3]",), {}),
        (30, "relu_grad", ("f32[5,3]", "f32[5,3]"), {}),
        (15 * TRANSCENDENTAL, "exp", ("f32[5,3]",), {}),
        (15, "sum", ("f32[5,3]",), {"axes": (0,)}),
        (15 + 3, "mean", ("f32[5,3]",), {"axes": (0,)}),
        (30, "squared_norm", ("f32[5,3]",), {}),
        (15 * (4 + TRANSCENDENTAL), "log_softmax", ("f32[5,3]",), {}),
        (5, "nll", ("f32[5,3]", "i64[5]"), {}),
        (5, "nll_grad", ("f32[5]", "i64[5]"), {"classes": 3}),
        (5, "row_starts", (), {"rows": 5, "classes": 3}),
        (5, "label_places", ("i64[5]", "i64[5]"), {"classes": 3}),
        (5, "nll_at", ("f32[5,3]", "i64[5]"), {}),
        (
            15 * (TRANSCENDENTAL + 1) + 5,
            "softmax_nll_grad",
            ("f32[5,3]", "i64[5]", "f32[5]"),
            {},
        ),
        (0, "reshape", ("f32[5,3]",), {"shape": (15,)}),
        (0, "broadcast_to", ("f32[3]",), {"shape": (5, 3)}),
        (45, "decay_add", ("f32[5,3]", "f32[5,3]"), {"decay": 0.9}),
        (30, "descend", ("f32[5,3]", "f32[5,3]", "f32[]"), {}),
        (75, "descend_scaled", (*["f32[5,3]"] * 3, "f32[]", "f32[]"), {}),
        (90, "descend_scaled", (*["f32[5,3]"] * 3, "f32[]", "f32[]", "f32[]"), {}),
        (0, "add", ("f32[0,3]", "f32[3]"), {}),
    ],
)  # fmt: skip
def test_operations_are_those_counted_by_hand(
    flops: int, kind: str, shapes: tuple[str, ...], attributes: dict[str, object]
) -> None:
    assert count(kind, *shapes, **attributes) == flops


def test_a_product_says_its_shape_and_how_it_is_read() -> None:
    op = OPS["matmul"](transpose_a=True)
    assert op.product((5, 3), (7, 5), (7, 3)) == Product(5, 7, 3, True, False)
    assert OPS["linear"]().product((5, 3), (5, 7), (7, 3), (3,)) == Product(5, 7, 3)
    assert OPS["add"]().product((5, 3), (5, 3), (5, 3)) is None


@vg.op
class Thrice(vg.Op):
    """y = 3 x, without a word on what it costs."""

    name: ClassVar[str] = "cost_thrice"

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0]

    def run(self, x: Array, *, out: Array) -> None:
        np.multiply(x, 3.0, out=out)


@vg.op
class Miscounted(Thrice):
    """y = 3 x, whose operations are no number."""

    name: ClassVar[str] = "cost_miscounted"

    def flops(self, result: tuple[int, ...], *inputs: tuple[int, ...]) -> int:
        return -1


def test_an_op_of_a_user_counts_one_for_each_element() -> None:
    assert count("cost_thrice", "f32[5,3]") == 15


def test_the_contract_holds_what_flops_gives() -> None:
    report = vg.check_op(Miscounted(), ["f32[N,3]"], lambda x: 3 * x)
    assert not report.ok and "flops gives -1" in str(report)


def test_the_cost_of_a_step_is_that_of_its_nodes() -> None:
    n, d, h, c = 6, 5, 4, 3
    program = vg.compile(net(d, h, c), optimizer=vg.SGD(lr=0.1))
    cost = program.cost(N=n)
    rows = {row.name: row for row in cost.rows}
    assert [row.name for row in cost.rows] == [
        program.training.names[node] for node in program.plan(N=n).graph.schedule.order
    ]
    first = rows["fc1"]
    assert (first.op, first.phase) == ("linear_relu", "forward")
    assert first.flops == 2 * n * d * h + 2 * n * h
    assert first.nbytes == 4 * (n * d + d * h + h + n * h)
    weight = rows["fc1.weight.grad"]
    assert (weight.phase, weight.flops, weight.nbytes) == (
        "backward",
        2 * n * d * h,
        4 * (n * d + n * h + d * h),
    )
    update = rows["fc1.weight.1"]
    # The new weight lies where the old one was: read, and written.
    assert (update.phase, update.flops, update.nbytes) == ("update", 2 * d * h, 4 * (3 * d * h + 1))
    assert cost.flops == sum(cost.phase(p)[0] for p in ("forward", "backward", "update"))
    assert cost.nbytes + cost.phase("once")[1] == sum(row.nbytes for row in cost.rows)


def test_what_no_step_changes_is_no_part_of_a_step() -> None:
    program = vg.compile(net(5, 4, 3), optimizer=vg.SGD(lr=0.1))
    once = program.plan(N=6).graph.schedule.once
    cost = program.cost(N=6)
    rows = [row for row in cost.rows if row.phase == "once"]
    assert once and {row.name for row in rows} == {program.training.names[n] for n in once}
    of_steps = [row for row in cost.rows if row.phase != "once"]
    assert cost.flops == sum(row.flops for row in of_steps)
    assert cost.nbytes == sum(row.nbytes for row in of_steps)


def test_an_input_that_is_read_twice_is_moved_once() -> None:
    x = vg.input("x", ("N", 3))
    program = vg.compile(vg.Graph("squares", {"y": vg.multiply(x, x)}))
    (row,) = program.cost(N=5).rows
    assert row.nbytes == 2 * 4 * 15


def test_cost_doubles_with_the_width_of_the_floats() -> None:
    narrow = vg.compile(net(5, 4, 3)).cost(N=8)
    wide = vg.compile(net(5, 4, 3), dtype="f64").cost(N=8)
    assert narrow.flops == wide.flops
    assert {r.name: r.nbytes for r in wide.rows}["fc1"] == 2 * {
        r.name: r.nbytes for r in narrow.rows
    }["fc1"]


def test_the_table_shows_each_phase_and_each_node() -> None:
    cost = vg.compile(net(5, 4, 3), optimizer=vg.Adam(1e-3)).cost(N=8)
    lines = str(cost).splitlines()
    assert lines[0] == "cost of net, N=8"
    assert [line.split()[0] for line in lines[1:5]] == ["forward", "backward", "update", "step"]
    assert lines[5].split()[0] == "once"
    assert len(lines) == 8 + len(cost.rows)


def test_cost_needs_the_sizes_that_a_plan_needs() -> None:
    with pytest.raises(vg.VerigradError, match="takes N=128; given: none"):
        vg.compile(net(5, 4, 3)).cost()
