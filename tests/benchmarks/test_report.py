"""Ratios are of one round, the table says what was measured, and so does the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from verigrad.benchmarks import report
from verigrad.benchmarks.__main__ import RESULTS
from verigrad.benchmarks.contenders import CONTENDERS
from verigrad.benchmarks.driver import Case, Row, order
from verigrad.benchmarks.machine import machine, versions
from verigrad.benchmarks.nets import NETS
from verigrad.benchmarks.ratios import best_peer, ratio, summary

ROOT = Path(__file__).parent.parent.parent

# The machine was twice as slow in the second round, and three times in the third.
ROWS = {
    "floor": Row(rounds=[10.0, 20.0, 30.0]),
    "verigrad": Row(rounds=[11.0, 22.0, 33.0]),
    "torch": Row(rounds=[15.0, 30.0, 45.0]),
    "jax": Row(rounds=[20.0, 40.0, 60.0]),
    "sklearn": Row("void", "losses differ from the reference by 1.0e+00, allowed 2e-04"),
    "pytensor": Row("unavailable", "not installed: pytensor"),
}


def results(**parts: object) -> dict:
    case = {"net": NETS["tiny"].title, "task": "sgd", "contenders": summary(ROWS)}
    return {
        "machine": machine(2),
        "versions": versions(),
        "settings": {"rounds": 3, "seconds": 0.1},
        "quick": False,
        "contenders": list(ROWS),
        "training": [case],
        "prediction": [],
        "startup": {},
        "plans": [],
        "growth": [],
        "compile": [],
        **parts,
    }


def test_ratios_are_taken_in_the_same_round() -> None:
    # Of the medians it would be 4/3, were the slow round the floor's alone.
    assert ratio([1.0, 4.0, 4.0], [1.0, 4.0, 3.0]) == 1.0
    figures = summary(ROWS)
    assert figures["verigrad"]["to_floor"] == pytest.approx(1.1)
    assert figures["torch"]["to_floor"] == pytest.approx(1.5)


def test_the_best_peer_is_neither_ours_nor_the_floor_nor_void() -> None:
    assert best_peer(ROWS) == "torch"
    assert best_peer({"floor": ROWS["floor"], "verigrad": ROWS["verigrad"]}) is None
    assert summary(ROWS)["verigrad"]["to_best_peer"] == pytest.approx(11 / 15)


def test_a_row_without_times_has_no_figures_and_keeps_its_reason() -> None:
    row = summary(ROWS)["sklearn"]
    assert (row["status"], row["median"], row["to_floor"]) == ("void", None, None)
    assert "losses differ" in row["reason"]


def test_the_table_has_a_cell_for_everyone() -> None:
    lines = report.markdown(results()).splitlines()
    head, row = (next(line for line in lines if line.startswith(f"| {start}"))
                 for start in ("net", "tiny"))  # fmt: skip
    cells = [c.strip() for c in row.strip("|").split("|")]
    assert head.count("|") == row.count("|")
    assert cells[:4] == ["tiny 64-32-10 (32)", "sgd", "20.0", "1.10 (22.0 µs ± 50 %)"]
    assert "void" in cells and "unavailable" in cells
    assert cells[-1] == "1.36 (PyTorch eager)"
    assert any(line.startswith("- scikit-learn void: losses differ") for line in lines)
    assert "- PyTensor unavailable: not installed: pytensor" in lines


def test_a_short_run_is_marked() -> None:
    assert "to be replaced" in report.markdown(results(quick=True))
    assert "to be replaced" not in report.markdown(results())


def test_the_report_is_the_same_from_the_file() -> None:
    made = results(
        plans=[{"net": "n", "optimizer": "sgd", "nbytes": 64, "lower_bound": 64,
                "unplanned_nbytes": 128, "state_nbytes": 8}],
        startup={"torch": {"status": "unavailable", "reason": "not installed: torch"}},
        compile=[{"layers": 3, "nodes": 63, "compile_seconds": 0.1, "plan_seconds": 0.1},
                 {"layers": 800, "over": 180.0}],
    )  # fmt: skip
    assert report.markdown(json.loads(json.dumps(made))) == report.markdown(made)
    assert "| 800 | over 180 s | - | - |" in report.markdown(made)


def test_the_part_loaded_sets_both_states_side_by_side() -> None:
    figures = {**summary(ROWS), "verigrad": {**summary(ROWS)["verigrad"], "to_one_thread": 1.25}}
    case = {"net": "n", "task": "sgd", "quiet": summary(ROWS), "loaded": figures}
    lines = report.markdown(results(loaded=[case])).splitlines()
    quiet, loaded = (next(x for x in lines if x.startswith(f"| n | sgd | {state} |"))
                     for state in ("quiet", "loaded"))  # fmt: skip
    assert quiet.endswith(
        "| 22.0 µs | 30.0 µs | 40.0 µs | void | unavailable | - | 1.36 (PyTorch eager) |"
    )
    assert "| 1.25 | 1.36 (PyTorch eager) |" in loaded


def test_the_floor_is_first_and_the_others_take_turns() -> None:
    names = ["floor", "verigrad", "torch", "jax"]
    orders = [order(names, n) for n in range(3)]
    assert {o[0] for o in orders} == {"floor"}
    assert {o[1] for o in orders} == {"verigrad", "torch", "jax"}
    assert order(["floor"], 4) == ["floor"]


def test_who_cannot_train_is_asked_for_predictions_alone() -> None:
    runtime = CONTENDERS["onnxruntime"]
    assert not Case(NETS["tiny"], optimizer="sgd").allows(runtime)
    assert Case(NETS["tiny"], rows=1).allows(runtime)


def test_the_report_is_of_the_results_that_are_kept() -> None:
    made = json.loads((RESULTS / "results.json").read_text(encoding="utf-8"))
    assert report.markdown(made) == (RESULTS / "results.md").read_text(encoding="utf-8")


def test_the_page_on_speed_holds_the_report() -> None:
    page = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    assert "```{include} ../benchmarks/results/results.md" in page
