"""The check of ops is itself checked: each planted fault must be named."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

import verigrad as vg
from verigrad.graph import OPS, Array, GraphError, TensorType


class Double(vg.Op):
    """y = 2 x, written as it should be; each fault changes one thing."""

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 1)
        if not types[0].is_float:
            raise GraphError(f"input is {types[0]}, where floats are expected")
        return types[0]

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        return (dy * 2.0,)

    def run(self, x: Array, *, out: Array) -> None:
        np.multiply(x, 2.0, out=out)


@vg.op
class Sound(Double):
    name: ClassVar[str] = "sound"
    inplace: ClassVar[tuple[int, ...]] = (0,)
    elementwise: ClassVar[bool] = True


@vg.op
class WrongValue(Double):
    name: ClassVar[str] = "wrong_value"

    def run(self, x: Array, *, out: Array) -> None:
        np.multiply(x, 2.001, out=out)


@vg.op
class WrongAtNaN(Double):
    name: ClassVar[str] = "wrong_at_nan"
    elementwise: ClassVar[bool] = True

    def run(self, x: Array, *, out: Array) -> None:
        np.multiply(np.nan_to_num(x), 2.0, out=out)


@vg.op
class WrongGradient(Double):
    """Off by 0.05 %."""

    name: ClassVar[str] = "wrong_gradient"

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        return (dy * 2.001,)


@vg.op
class ForgottenGradient(Double):
    name: ClassVar[str] = "forgotten_gradient"

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        return (None,)


@vg.op
class GradientOfAnotherType(Double):
    name: ClassVar[str] = "gradient_of_another_type"

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        return (vg.cast(dy * 2.0, "f32"),)


@vg.op
class GradientOfAnotherShape(Double):
    name: ClassVar[str] = "gradient_of_another_shape"

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        return (vg.concat(dy, dy, axis=1) * 2.0,)


@vg.op
class TwoGradients(Double):
    name: ClassVar[str] = "two_gradients"

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        return dy, dy


@vg.op
class PartlyWritten(Double):
    name: ClassVar[str] = "partly_written"

    def run(self, x: Array, *, out: Array) -> None:
        np.multiply(x[:, 1:], 2.0, out=out[:, 1:])


@vg.op
class AddsToOut(Double):
    name: ClassVar[str] = "adds_to_out"

    def run(self, x: Array, *, out: Array) -> None:
        out += x
        out += x


@vg.op
class WritesInput(Double):
    name: ClassVar[str] = "writes_input"

    def run(self, x: Array, *, out: Array) -> None:
        x *= 2.0
        np.copyto(out, x)


@vg.op
class UnlocksInput(Double):
    name: ClassVar[str] = "unlocks_input"

    def run(self, x: Array, *, out: Array) -> None:
        np.multiply(x, 2.0, out=out)
        x.setflags(write=True)
        x += 1.0


@vg.op
class NotInplace(Double):
    """Reads x again after it wrote the result."""

    name: ClassVar[str] = "not_inplace"
    inplace: ClassVar[tuple[int, ...]] = (0,)

    def run(self, x: Array, *, out: Array) -> None:
        np.copyto(out, x)
        np.add(out, x, out=out)
        np.add(out, 0.5 * x, out=out)
        np.subtract(out, 0.5 * x, out=out)


@vg.op
class InplaceOfNothing(Double):
    name: ClassVar[str] = "inplace_of_nothing"
    inplace: ClassVar[tuple[int, ...]] = (1,)


@vg.op
class ReadsScratch(Double):
    name: ClassVar[str] = "reads_scratch"

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        return types

    def run(self, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        np.multiply(x, 2.0, out=out)
        np.add(out, scratch[0], out=out)


@vg.op
class WrongShape(Double):
    name: ClassVar[str] = "wrong_shape"

    def infer(self, *types: TensorType) -> TensorType:
        return super().infer(*types).with_shape((*types[0].shape, 1))

    def run(self, x: Array, *, out: Array) -> None:
        np.multiply(x[..., None], 2.0, out=out)


@vg.op
class WrongType(Double):
    name: ClassVar[str] = "wrong_type"

    def infer(self, *types: TensorType) -> TensorType:
        return super().infer(*types).with_dtype("i64")

    def run(self, x: Array, *, out: Array) -> None:
        np.copyto(out, 2.0 * x, casting="unsafe")


@vg.op
class AcceptsAnything(Double):
    name: ClassVar[str] = "accepts_anything"

    def infer(self, *types: TensorType) -> TensorType:
        return types[0]


@vg.op
class OwnError(Double):
    name: ClassVar[str] = "own_error"

    def infer(self, *types: TensorType) -> TensorType:
        if not types[0].is_float:
            raise ValueError("no")
        return types[0]


@vg.op
class ForgetsAttribute(Double):
    """Its attribute is changed on the way in, so its text reads as another op."""

    name: ClassVar[str] = "forgets_attribute"
    factor: float = 1.0

    def __post_init__(self) -> None:
        self._set("factor", self.factor + 1)


@vg.op
class Unhashable(Double):
    name: ClassVar[str] = "unhashable"
    axes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self._set("axes", [*self.axes])


@vg.op
class RefusesEmpty(Double):
    name: ClassVar[str] = "refuses_empty"

    def run(self, x: Array, *, out: Array) -> None:
        if not x.size:
            raise vg.RunError("nothing to double")
        np.multiply(x, 2.0, out=out)


@vg.op
class Fails(Double):
    name: ClassVar[str] = "fails"

    def run(self, x: Array, *, out: Array) -> None:
        raise IndexError("oh")


class Unregistered(Double):
    name: ClassVar[str] = "unregistered"


def check(op: vg.Op, types: str = "f32[N,3]") -> vg.runtime.OpReport:
    return vg.check_op(op, [types], lambda x: x + x, errors=[["i64[N]"], ["bool[2]"]])


def test_a_sound_op_passes() -> None:
    report = check(Sound())
    assert report.ok and report.checks > 40
    first, *hint = str(report).splitlines()
    assert first == f"op sound: {report.checks} checks, 0 violations"
    assert "no `exact`: certificates skip what the op reaches" in hint[0]


def test_an_op_that_gives_its_exact_meaning_is_given_no_hint() -> None:
    report = vg.check_op(vg.ops.Relu(), ["f32[N,3]"], lambda x: np.maximum(x, 0.0))
    assert report.ok and "exact" not in str(report)


@pytest.mark.parametrize(
    ("op", "found"),
    [
        (WrongValue(), "the reference's"),
        (WrongAtNaN(), "the reference's nan"),
        (WrongGradient(), "the vjp of input 0 is wrong"),
        (ForgottenGradient(), "the vjp of input 0 is wrong"),
        (GradientOfAnotherType(), "vjp gives f32[N,3] for input 0, which is f64[N,3]"),
        (GradientOfAnotherShape(), "vjp gives f64[N,6] for input 0, which is f64[N,3]"),
        (TwoGradients(), "vjp gives 2 cotangents for 1 inputs"),
        (PartlyWritten(), "write every element"),
        (AddsToOut(), "write every element"),
        (WritesInput(), "read-only"),
        (UnlocksInput(), "run changes an input"),
        (NotInplace(), "taking over input 0 gives other bits"),
        (InplaceOfNothing(), "`inplace` names input 1, but there are 1"),
        (ReadsScratch(), "in scratch"),
        (WrongShape(), "the shape is [3, 3, 1], the reference's [3, 3]"),
        (WrongType(), "the type is i64[N,3], but the reference gives float64"),
        (AcceptsAnything(), "infer(i64[N]) gives i64[N], where an error is expected"),
        (OwnError(), "raises ValueError, not GraphError"),
        (ForgetsAttribute(), "its text reads as another op"),
        (Unhashable(), "cannot be hashed"),
        (RefusesEmpty(), "run refuses what the reference computes: nothing to double"),
        (Fails(), "run fails with IndexError: oh"),
        (Unregistered(), "it is not registered"),
    ],
    ids=lambda v: v.name if isinstance(v, vg.Op) else "",
)
def test_a_planted_fault_is_named(op: vg.Op, found: str) -> None:
    report = check(op)
    assert not report.ok
    assert found in str(report)


def test_a_number_made_of_nothing_is_found() -> None:
    @vg.op
    class MeanOfNothing(Double):
        name: ClassVar[str] = "mean_of_nothing"

        def infer(self, *types: TensorType) -> TensorType:
            return types[0].with_shape(types[0].shape[1:])

        def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
            rows = vg.cast(vg.dim("N"), dy.type.dtype)
            return (vg.broadcast_to(dy / rows, node.inputs[0].type.shape),)

        def run(self, x: Array, *, out: Array) -> None:
            np.copyto(out, x.sum(axis=0) / max(len(x), 1))

    report = vg.check_op(MeanOfNothing(), ["f32[N,3]"], lambda x: x.mean(axis=0))
    assert [v for v in report.violations if "raise RunError" in v]
    assert all("raise RunError" in v for v in report.violations)


def test_a_result_that_the_reference_refuses_is_found() -> None:
    def reference(x: Array) -> Array | None:
        return None if len(x) == 1 else x * 2

    report = vg.check_op(Sound(), ["f32[N,3]"], reference)
    assert "N=1: run gives a result where the reference has none: raise RunError" in str(report)


def test_a_take_over_of_a_value_that_is_read_twice_is_run() -> None:
    @vg.op
    class MinusTwice(vg.Op):
        name: ClassVar[str] = "minus_twice"
        inplace: ClassVar[tuple[int, ...]] = (0,)

        def infer(self, *types: TensorType) -> TensorType:
            self.takes(types, 2)
            return types[0]

        def run(self, a: Array, b: Array, *, out: Array) -> None:
            np.subtract(a, b, out=out)
            np.subtract(out, b, out=out)

    report = vg.check_op(MinusTwice(), ["f32[N]", "f32[N]"], lambda a, b: a - 2 * b)
    assert "taking over input 0, which is also input 1, gives other bits" in str(report)


def test_a_gradient_that_is_stopped_on_purpose_must_be_none() -> None:
    report = vg.check_op(Sound(), ["f32[N]"], lambda x: 2 * x, stopped=[0])
    assert "vjp gives a cotangent for input 0, which is stopped" in str(report)


def test_the_planted_ops_are_in_the_table_of_ops() -> None:
    assert OPS["sound"] is Sound and "unregistered" not in OPS
