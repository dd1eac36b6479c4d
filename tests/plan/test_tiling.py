"""How much of an elementwise group runs at a time, where a tile has eight elements."""

from __future__ import annotations

import pytest

import verigrad as vg
from verigrad.graph import kernel_groups
from verigrad.passes.scheduling.schedule import ScheduleBuffers
from verigrad.runtime.planning import tiling as planning
from verigrad.runtime.planning.tiling import Tiling


@pytest.fixture(autouse=True)
def tiles_of_eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "TILE", 8)


def tilings(text: str, **sizes: int) -> list[Tiling]:
    """Those of the elementwise groups of a graph's nodes, by the text of these."""
    g = ScheduleBuffers().apply(vg.parse(f"graph tiled {{\n{text}\n}}"))
    found = [planning.tiling(g, group, sizes) for group in kernel_groups(g.schedule)]
    return [tiles for tiles in found if tiles is not None]


def chain(columns: int | str, *, factor: str | None = None) -> str:
    """exp, tanh, exp and square of a product, or of what is first multiplied by a factor."""
    t = f"f32[N,{columns}]"
    first = f"multiply(%g, %{factor})" if factor else "exp(%g)"
    return f"""\
  %x: f32[N,3] = input
  %w: f32[3,{columns}] = parameter{{init=ones}}
  %row: f32[{columns}] = parameter{{init=ones}}
  %g: {t} = matmul(%x, %w)
  %a: {t} = {first}
  %b: {t} = tanh(%a)
  %c: {t} = exp(%b)
  %d: {t} = square(%c)
  return d=%d, row=%row"""


def test_elements_of_one_shape_run_flat() -> None:
    (tiles,) = tilings(chain(4), N=5)
    assert (tiles.flat, tiles.rows, tiles.step, tiles.whole) == (True, 20, 8, False)
    assert [t.shape for t in tiles.temporaries] == [(8,), (8,)]


def test_each_takes_the_first_temporary_that_is_free() -> None:
    (tiles,) = tilings(chain(4), N=5)
    assert {n.asked_name: slot for n, slot in tiles.results.items()} == {"a": 0, "b": 1, "c": 0}


@pytest.mark.parametrize(("rows", "whole"), [(1, True), (2, True), (3, False)])
def test_one_tile_may_be_all(rows: int, whole: bool) -> None:
    (tiles,) = tilings(chain(4), N=rows)
    assert tiles.whole == whole
    assert tiles.temporaries[0].shape == (min(8, 4 * rows),)


@pytest.mark.parametrize(
    ("columns", "step"), [(1, 8), (3, 2), (4, 2), (8, 1), (9, 1)], ids="{} columns".format
)
def test_what_reads_a_row_runs_by_rows(columns: int, step: int) -> None:
    (tiles,) = tilings(chain(columns, factor="row"), N=11)
    assert (tiles.flat, tiles.rows, tiles.step) == (False, 11, step)
    assert {t.shape for t in tiles.temporaries} == {(step, columns)}


def test_rows_without_elements_run_at_once() -> None:
    text = """\
  %x: f32[N,M] = input
  %y: f32[N,3] = input
  %g: f32[3,M] = matmul{transpose_a=true}(%y, %x)
  %s: f32[M] = sum{axes=[0]}(%g)
  %a: f32[3,M] = multiply(%g, %s)
  %b: f32[3,M] = tanh(%a)
  return b=%b"""
    (tiles,) = tilings(text, N=2, M=0)
    assert (tiles.rows, tiles.step, tiles.whole) == (3, 8, True)


@pytest.mark.parametrize("shape", ["N,4", "N"])
def test_what_is_fed_is_read_whole(shape: str) -> None:
    t = f"f32[{shape}]"
    text = f"""\
  %x: {t} = input
  %y: f32[N] = input
  %a: {t} = exp(%x)
  %b: {t} = tanh(%a)
  return b=%b, y=%y"""
    (tiles,) = tilings(text, N=9)
    assert (tiles.flat, tiles.rows, tiles.step, tiles.whole) == (False, 9, 9, True)
    assert [t.shape for t in tiles.temporaries] == [tiles.lane[0].type.bind({"N": 9})]


def test_one_number_is_a_tile() -> None:
    text = """\
  %x: f32[] = input
  %a: f32[] = exp(%x)
  %b: f32[] = tanh(%a)
  return b=%b"""
    (tiles,) = tilings(text)
    assert (tiles.flat, tiles.rows, tiles.whole) == (True, 1, True)
    assert [t.shape for t in tiles.temporaries] == [()]


def test_lanes_run_one_behind_the_other() -> None:
    lanes = "".join(
        f"""\
  %w{k}: f32[{shape}] = parameter{{init=ones}}
  %s{k}: f32[{shape}] = state{{init=ones}}
  %a{k}: f32[{shape}] = exp(%s{k})
  %b{k}: f32[{shape}] = descend(%w{k}, %a{k}, %rate)
"""
        for k, shape in enumerate(["4,4", "3"])
    )
    text = f"{lanes}  update %w0 = %b0\n  update %w1 = %b1\n  return x=%x"
    both = tilings(f"  %x: f32[N] = input\n  %rate: f32[] = constant{{0.1}}\n{text}", N=1)
    assert [len(tiles.others) for tiles in both] == [1, 1]
    assert [(tiles.flat, tiles.rows, tiles.step) for tiles in both] == [(True, 19, 8)] * 2
