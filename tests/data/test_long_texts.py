"""Errors stay short, whatever stands in a file: names, values and lines of any length are cut."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from csv_reading import read_csv
from test_any_bytes import npz

import verigrad as vg
from verigrad.runtime.command.run_options import read_config
from verigrad.runtime.data.npz import read_npz
from verigrad.runtime.data.safe_pickle import read_pickled
from verigrad.runtime.data.source import load_data

LONG = "a" * 30_000
LINES = LONG + "\u2028" + LONG

GRAPHS = {
    "header": LONG,
    "line": f"graph g {{\n  {'[' * 30_000}",
    "name": f"graph g {{\n  %x: f32[2] = negative(%{LONG})",
    "op": f"graph g {{\n  %x: f32[2] = {LONG}(%x)",
    "type": f"graph g {{\n  %x: f32[{LONG},-1] = input",
    "defined twice": f"graph g {{\n  %{LONG}: f32[2] = input\n  %{LONG}: f32[2] = input",
    "inputs": f"graph g {{\n  %x: f32[2] = negative {LONG}",
    "input": f"graph g {{\n  %x: f32[2] = negative({LONG})",
    "output": f"graph g {{\n  return {LONG}",
    "behind the end": f"graph g {{\n  %x: f32[2] = input\n  return y=%x\n}}\n{LINES}",
    "attribute": f"graph g {{\n  %x: f32[2] = parameter{{init={LONG}}}",
    "quoted": f'graph g {{\n  %x: f32[2] = parameter{{init="{LONG}"}}',
}


def short(error: vg.VerigradError) -> bool:
    return len(str(error)) < 1500


@pytest.mark.parametrize("part", GRAPHS)
def test_of_a_graph(part: str) -> None:
    with pytest.raises(vg.VerigradError) as e:
        vg.parse(GRAPHS[part])
    assert short(e.value)


TABLES = {
    "header": f"{LONG},b\n1,2\n",
    "two columns": f"{LONG},{LONG},kind\n1,2,x\n",
    "no value": f"{LONG},kind\n1;5,x\n",
    "no class": f"{LONG},kind\n1,\n",
    "a cell": f"a,kind\n{LONG},x\n",
    "many names": ",".join(f"{i}{LONG}" for i in range(30)) + "\n1,2\n",
    "one class": f"a,kind\n1,{LONG}\n2,{LONG}\n",
    "classes": "a,kind\n" + "".join(f"1,{i}{LONG}\n" for i in range(4)),
    "column without a value": f"{LONG},kind\n" + "na,x\nna,y\n" * 10,
}


@pytest.mark.parametrize("part", TABLES)
def test_of_a_table(part: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(TABLES[part], encoding="utf-8")
    with pytest.raises(vg.VerigradError) as e:
        load_data(str(path), "kind")
    assert short(e.value) and str(path) in str(e.value)
    with pytest.raises(vg.VerigradError) as e:
        load_data(str(path))
    assert short(e.value)
    with pytest.raises(vg.VerigradError) as e:
        read_csv(path, None, [LONG + "x", "b"])
    assert short(e.value)


ARCHIVES = {
    "names": {f"{i}{'b' * 5000}": np.zeros(2) for i in range(9)},
    "a type": {"x": np.zeros(2, [(f"{i}{'b' * 500}", "u1") for i in range(50)])},
    "a label": {"x": np.zeros((2, 2)), "y": np.array([LONG, LONG])},
    "a label of the test part": {
        "x": np.zeros((4, 2)), "y": np.array(["a", "b"] * 2),
        "x_test": np.zeros((1, 2)), "y_test": np.array([LONG]),
    },
}  # fmt: skip


@pytest.mark.parametrize("part", ARCHIVES)
def test_of_an_archive(part: str, tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    path.write_bytes(npz(**ARCHIVES[part]))
    with pytest.raises(vg.VerigradError) as e:
        load_data(str(path))
    assert short(e.value) and str(path) in str(e.value)


def test_of_a_pickle(tmp_path: Path) -> None:
    for data in (f"c{LONG}\n{LONG}\n.".encode(), f"I{'9' * 9000}\n.".encode()):
        with pytest.raises(vg.VerigradError) as e:
            read_pickled(data, tmp_path / "batch")
        assert short(e.value) and "batch" in str(e.value)


@pytest.mark.parametrize(
    "train", [{LONG: 1}, {"optimizer": LONG}, {"backend": [LONG]}, {"lr": LONG}, {"hidden": LONG}]
)
def test_of_settings(train: dict[str, object]) -> None:
    with pytest.raises(vg.VerigradError) as e:
        read_config(json.dumps({"train": train, "verigrad": {"version": LONG}}))
    assert short(e.value)


def test_of_a_first_value() -> None:
    for text in (f"normal:{LONG}", LONG):
        settings = read_config(json.dumps({"train": {"init": text}}))[0]
        make: Callable[[], object] = settings.make_init
        with pytest.raises(vg.VerigradError) as e:
            make()
        assert short(e.value)


def test_read_npz_names_entries_in_short(tmp_path: Path) -> None:
    (tmp_path / "arrays.npz").write_bytes(npz(x=np.zeros((2, 2)), X=np.zeros((2, 2))))
    with pytest.raises(vg.RunError, match=r"holds 'x.npy' and 'X.npy', of which one is expected"):
        read_npz(tmp_path / "arrays.npz")
