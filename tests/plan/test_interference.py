"""What the second proof of a plan counts, and what it says of one that is unsound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from test_plan_oracle import FAULTS, GROUPED, TILED, plan_of, rescheduled, sound, take_over

import verigrad as vg
from verigrad.runtime.planning import interference
from verigrad.runtime.planning.interference import check_placement
from verigrad.runtime.planning.tiling import Tiling, tiling

TILE = "a tile's temporaries"
PRODUCTS = """\
graph products {
  %x: f32[N,16] = input
  %w: f32[16,16] = parameter{init=ones}
  %a: f32[N,16] = matmul(%x, %w)
  %b: f32[N,16] = matmul(%a, %w)
  return b=%b
}"""


def faults(g: vg.Graph, sizes: dict[str, int], nbytes: int) -> list[str]:
    """The lines of the error that say what is unsound."""
    with pytest.raises(vg.RefutedError) as e:
        check_placement(g, sizes, nbytes)
    return [line.strip() for line in str(e.value).splitlines()[1:-1]]


def test_all_that_is_needed_at_one_time_is_counted() -> None:
    """%a is written beside %x and %w; %b beside these, which stay, and %a, which it reads."""
    plan = plan_of(vg.parse(PRODUCTS), 4)
    placement = check_placement(plan.graph, plan.sizes, plan.nbytes)
    assert (placement.values, placement.pairs) == (4, 5)
    assert 0 < placement.seconds < 60
    said = "proved twice: of 4 values 5 pairs are needed at one time, and share no byte, in 1500 ms"
    placement = placement._replace(seconds=1.5)
    assert str(placement) == f"N=4: {said}" and str(placement._replace(sizes={})) == said


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("two results at one place", ["%b and %a"]),
        ("scratch on the result", ["%e and temporary 0 of %e"]),
        ("two results that share some bytes", ["%c and %b", "%b and %a"]),
    ],
)
def test_values_that_share_bytes_are_named(fault: str, said: list[str]) -> None:
    plan = sound()
    assert faults(FAULTS[fault](plan.graph), plan.sizes, plan.nbytes + 64) == [
        f"{pair} share bytes of the arena while both are needed" for pair in said
    ]


def test_what_has_not_been_computed_lies_nowhere() -> None:
    plan = sound()
    said = faults(FAULTS["a reader before its operand"](plan.graph), plan.sizes, plan.nbytes)
    assert said[:2] == [f"%{n} is read, but lies nowhere at that time" for n in "fa"]
    assert len(said) == 5 and all("share bytes of the arena" in fault for fault in said[2:])


def test_results_without_a_place_share_nothing() -> None:
    text, change = GROUPED["a lane that computes something else"]
    plan = plan_of(vg.parse(text), 8)
    assert faults(change(plan.graph), plan.sizes, plan.nbytes) == [
        "%n1 takes 0 temporaries, which differ",
        "%n1 has no place",
        "%n2 has no place",
    ]


def test_no_more_than_six_faults_are_listed() -> None:
    plan = sound()
    g = plan.graph
    places = {n: (0, nbytes) for n, (_, nbytes) in g.schedule.places.items()}
    scratch = {
        n: tuple([(0, nbytes) for _, nbytes in each]) for n, each in g.schedule.scratch.items()
    }
    broken = rescheduled(g, places=places, scratch=scratch)
    assert len(faults(broken, plan.sizes, plan.nbytes)) == 6


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ((0, 252), "%a has 252 bytes, and takes 256"),
        ((-4, 256), "%a lies at -4: outside of the arena, or not aligned"),
        ((516, 256), "%a lies at 516: outside of the arena, or not aligned"),
        ((258, 256), "%a lies at 258: outside of the arena, or not aligned"),
    ],
)
def test_a_place_holds_its_result_in_the_arena(place: tuple[int, int], said: str) -> None:
    plan = plan_of(vg.parse(PRODUCTS), 4)
    places = plan.graph.schedule.places
    moved = rescheduled(plan.graph, places={**places, plan.graph["a"]: place})
    assert said in faults(moved, plan.sizes, 768)


def test_a_result_may_lie_at_either_end_of_the_arena() -> None:
    plan = plan_of(vg.parse(PRODUCTS), 4)
    places = {plan.graph["a"]: (512, 256), plan.graph["b"]: (0, 256)}
    check_placement(rescheduled(plan.graph, places=places), plan.sizes, 768)


def test_results_of_no_bytes_lie_anywhere() -> None:
    plan = plan_of(vg.parse(PRODUCTS), 0)
    assert check_placement(plan.graph, plan.sizes, 0).pairs == 5


def test_a_byte_lies_in_the_arena() -> None:
    g = vg.parse("""graph compared {
      %x: f32[] = input
      %b: bool[] = greater(%x, %x)
      return b=%b
    }""")
    plan = plan_of(g)
    moved = rescheduled(plan.graph, places={plan.graph["b"]: (-1, 1)})
    said = ["%b lies at -1: outside of the arena, or not aligned"]
    assert faults(moved, plan.sizes, plan.nbytes) == said


def test_what_an_op_cannot_do_in_place_replaces_nothing() -> None:
    plan = plan_of(vg.parse(PRODUCTS), 4)
    broken = take_over("b", "a")(plan.graph)
    said = ["%b and %a share bytes of the arena while both are needed"]
    assert faults(broken, plan.sizes, plan.nbytes) == said


def test_an_error_tells_the_sizes() -> None:
    for text, at in ((PRODUCTS, "N=4"), (PRODUCTS.replace("N,", "4,"), "its sizes")):
        g = vg.parse(text)
        plan = plan_of(g, 4)
        with pytest.raises(vg.RefutedError, match=f"graph products: the plan for {at} is unsound"):
            check_placement(plan.graph, {"N": 4} if at == "N=4" else {}, 0)


# ---- tiles ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            lambda tiles: tiles._replace(results=dict.fromkeys(tiles.results, 0)),
            [f"a tile of %b and a tile of %a share bytes of {TILE}"],
        ),
        (
            lambda tiles: tiles._replace(scratch=dict.fromkeys(tiles.lane, (0,))),
            [
                f"temporary 0 of a tile of %{n} and a tile of %a share bytes of {TILE}"
                for n in "cba"
            ],
        ),
    ],
    ids=["two results in one", "a result and what others need besides in one"],
)
def test_a_temporary_of_a_tile_holds_one_value_at_a_time(
    changed: Callable[[Tiling], Tiling], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(vg.parse(TILED), 8)
    check_placement(plan.graph, plan.sizes, plan.nbytes)

    def wrong(*told: Any) -> Tiling | None:
        tiles = tiling(*told)
        return None if tiles is None else changed(tiles)

    monkeypatch.setattr(interference, "tiling", wrong)
    found = faults(plan.graph, plan.sizes, plan.nbytes)
    assert [f.removesuffix(" while both are needed") for f in found] == said
