"""The golden runner is itself checked: each of its six checks catches what it is there for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import runner

import verigrad as vg
from verigrad.graph import Node

BEFORE = """\
graph net {
  %x: f32[N] = input
  %a: f32[N] = negative(%x)
  %y: f32[N] = exp(%a)
  return y=%y
}"""


@dataclass(frozen=True)
class DoNothing(vg.Pass):
    """Sound: leaves every graph as it is."""


@dataclass(frozen=True)
class TurnSigns(vg.Pass):
    """Not idempotent: one more negative each time, and another number."""

    def rewrites(self, g: vg.Graph) -> Iterator[vg.Rewrite]:
        for n in g.order:
            if n.op.name == "exp":
                yield vg.Rewrite(n, vg.exp(vg.negative(n.inputs[0])), "the sign turned")


@dataclass(frozen=True)
class Nudge(vg.Pass):
    """Changes every number by its last bit."""

    def rewrites(self, g: vg.Graph) -> Iterator[vg.Rewrite]:
        for n in g.order:
            if n.op.name == "exp":
                nudged = vg.multiply(vg.exp(n.inputs[0]), float(np.nextafter(np.float32(1), 2)))
                yield vg.Rewrite(n, nudged.but(name="nudged"), "nudged")


@dataclass(frozen=True)
class WrongAtNaN(vg.Pass):
    """x - x for 0, which holds for every number but infinity and NaN."""

    def rewrites(self, g: vg.Graph) -> Iterator[vg.Rewrite]:
        for n in g.order:
            if n.op.name == "subtract" and n.inputs[0] is n.inputs[1]:
                zero = vg.broadcast_to(vg.constant(0.0), n.type.shape)
                yield vg.Rewrite(n, zero, "x - x = 0")


@dataclass(frozen=True)
class BreakTheType(vg.Pass):
    """Puts a node of a type that its op does not give."""

    def apply(self, g: vg.Graph) -> vg.Graph:
        (x,) = g.inputs
        return g.but(outputs={"y": Node(vg.tanh(x).op, (x,), vg.sum(x).type, "y")})


@dataclass(frozen=True)
class Refuse(vg.Pass):
    def apply(self, g: vg.Graph) -> vg.Graph:
        raise vg.PassError("not this graph\nnor another")


def problems(one: vg.Pass, before: str = BEFORE, expected: str | None = None, **marks: bool) -> str:
    case = runner.Case(one, before, "", **marks)
    given = runner.given(case) if expected is None else expected
    return "\n".join(runner.problems(case._replace(expected=given)))


def test_a_sound_case_has_no_problems() -> None:
    assert problems(DoNothing()) == ""


def test_an_input_that_is_not_canonical_is_found() -> None:
    spaced = BEFORE.replace("exp(%a)", "exp( %a )")
    assert "not canonical" in problems(DoNothing(), spaced)


def test_another_text_is_found() -> None:
    assert "+  %y: f32[N] = exp(%a)" in problems(DoNothing(), expected="graph net {\n}")


def test_a_missing_reason_is_found() -> None:
    after, reasons = runner.run(TurnSigns(), vg.parse(BEFORE))
    assert reasons == ["// %y: the sign turned"]
    assert "the result is another one" in problems(TurnSigns(), expected=str(after))


def test_a_pass_that_is_not_idempotent_is_found() -> None:
    assert "not idempotent" in problems(TurnSigns(), changes_meaning=True)
    assert problems(TurnSigns(), changes_meaning=True, not_idempotent=True) == ""


def test_an_idempotent_pass_that_is_called_otherwise_is_found() -> None:
    assert "which the file denies" in problems(DoNothing(), not_idempotent=True)


@pytest.mark.parametrize("one", [TurnSigns(), Nudge()], ids=lambda p: p.name)
def test_another_number_is_found_to_the_last_bit(one: vg.Pass) -> None:
    assert "the numbers of y differ" in problems(one, not_idempotent=True)
    assert problems(one, not_idempotent=True, changes_meaning=True) == ""


def test_a_rewrite_that_is_wrong_for_nan_is_found() -> None:
    difference = BEFORE.replace("exp(%a)", "subtract(%a, %a)").replace("y=%y", "y=%y, a=%a")
    assert "the numbers of y differ" in problems(WrongAtNaN(), difference)


def test_a_result_that_does_not_verify_is_found() -> None:
    case = runner.Case(BreakTheType(), BEFORE, "")
    with pytest.raises(vg.GraphError, match=r"is written as f32\[\], but tanh gives f32\[N\]"):
        list(runner.problems(case))


def test_an_error_is_compared_as_text() -> None:
    assert problems(Refuse(), expected="// error: not this graph\n// error: nor another") == ""
    assert "another one" in problems(Refuse(), expected="// error: not this graph")


def test_special_values_are_compared_to_the_bit() -> None:
    numbers = np.array([np.nan, 0.0, np.inf])
    assert runner.same_bits(numbers, numbers.copy())
    assert not runner.same_bits(numbers, np.array([np.nan, -0.0, np.inf]))
    assert not runner.same_bits(numbers, numbers.astype(np.float32))


def test_updating_a_file_writes_what_the_pass_gives(tmp_path: Path) -> None:
    folder = tmp_path / "turn_signs"
    folder.mkdir()
    path = folder / "one.ir"
    path.write_text(f"// What it shows.\n// changes-meaning: yes\n{BEFORE}\n// -----\nold\n")
    runner.update(path)
    case, comments = runner.read(path)
    assert comments == "// What it shows.\n// changes-meaning: yes\n"
    assert case.expected == runner.given(case) and "the sign turned" in case.expected
    assert case.changes_meaning and not case.not_idempotent


@dataclass(frozen=True)
class Reassociate(Nudge):
    """Says that it changes the last bits."""

    numbers: ClassVar[str] = "reassociate"


def test_a_pass_that_reassociates_may_change_the_last_bits_alone() -> None:
    g = vg.parse(BEFORE)
    case = runner.Case(Reassociate(), BEFORE, str(Reassociate().apply(g)), not_idempotent=True)
    assert not list(runner.problems(case, reasons=False))
    assert not runner.nearly_same(np.float32([1.0]), np.float32([1.001]))
