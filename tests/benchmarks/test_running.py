"""A short run from end to end, with verigrad alone, leaves its files and figures."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

click_testing = pytest.importorskip("click.testing")
pytest.importorskip("matplotlib")

from verigrad.benchmarks import compile_time, growth, loaded  # noqa: E402
from verigrad.benchmarks.__main__ import main  # noqa: E402


def test_a_short_run_leaves_its_files(tmp_path: Path) -> None:
    options = "--nets tiny --optimizers adam --contenders verigrad,verigrad-numba --rounds 2"
    parts = "--parts training,plans --seconds 0.01 --quick"
    asked = [*options.split(), *parts.split(), "--out", str(tmp_path)]
    run = click_testing.CliRunner().invoke(main, asked)
    assert run.exit_code == 0, run.output
    found = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    (case,) = found["training"]
    assert case["contenders"]["verigrad"]["status"] == "ok"
    assert case["contenders"]["verigrad"]["departure"] < 2e-4
    assert len(case["contenders"]["floor"]["rounds"]) == 2
    assert case["contenders"]["verigrad"]["peak_bytes"] > 1e6
    assert found["plans"][0]["nbytes"] >= found["plans"][0]["lower_bound"] > 0
    assert "tiny 64-32-10 (32)" in (tmp_path / "results.md").read_text(encoding="utf-8")


def test_a_step_is_timed_beside_busy_loops_and_beside_none(tmp_path: Path) -> None:
    options = "--nets tiny --optimizers sgd --contenders verigrad --rounds 2 --parts loaded"
    asked = [*options.split(), *["--seconds", "0.01", "--quick"]]
    run = click_testing.CliRunner().invoke(main, [*asked, "--out", str(tmp_path)])
    assert run.exit_code == 0, run.output
    ((case,),) = [json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["loaded"]]
    for state in ("quiet", "loaded"):
        assert case[state].keys() == {"floor", "verigrad"}
        assert len(case[state]["verigrad"]["rounds"]) == 2
        assert case[state]["verigrad"]["to_one_thread"] > 0
        assert f"| tiny 64-32-10 (32) | sgd | {state} |" in run.output


def test_busy_loops_are_of_lower_priority_and_end_with_the_block() -> None:
    processes = Path("/proc")
    if not processes.exists():
        pytest.skip("this system does not list processes in files")
    started: list[subprocess.Popen[bytes]] = []
    with loaded.busy(2, 1) as loops:
        started += loops
        for loop in loops:
            stat = (processes / str(loop.pid) / "stat").read_text(encoding="ascii")
            assert int(stat.rpartition(")")[2].split()[16]) == os.nice(0) + loaded.NICENESS
    assert all(loop.poll() is not None for loop in started)


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    run = click_testing.CliRunner().invoke(main, ["--nets", "tinny", "--out", str(tmp_path)])
    assert run.exit_code == 2
    assert "'tinny' is none of tiny, course" in run.output


def test_the_pictures_are_drawn(tmp_path: Path) -> None:
    contenders = {"floor": {"median": 1.0}, "verigrad": {"median": 2.0}, "torch": {"median": None}}
    points = [
        {"sweep": what, "number": n, "contenders": contenders} for what in "ab" for n in (1, 2)
    ]
    growth.draw(points, tmp_path / "growth.svg")
    made = [compile_time.compiled_once(layers) for layers in (2, 4)]
    assert made[0]["nodes"] < made[1]["nodes"]
    compile_time.draw([*made, {"layers": 8, "over": 1.0}], tmp_path / "compile.svg")
    for name in ("growth.svg", "compile.svg"):
        assert "<svg" in (tmp_path / name).read_text(encoding="utf-8")
