"""One JSON object on stdout, from every command; and endings and sizes that are refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from invoking import run

SMALL = ("--hidden", 4)


def test_graph_as_json_is_the_graph() -> None:
    told = json.loads(run("graph", *SMALL, "--stage", "training", "--json").stdout)
    lines = [line.strip() for line in told["text"].splitlines()]
    declared = [line[1:].partition(":")[0] for line in lines if line.startswith("%")]
    assert sorted(n["name"] for n in told["nodes"]) == sorted(declared)
    updates = [f"update %{k} = %{v}" for k, v in told["updates"].items()]
    assert updates == [line for line in lines if line.startswith("update")]
    assert (told["stage"], set(told["outputs"])) == ("training", {"loss", "scores", "data_loss"})
    listed = run("graph", *SMALL, "--stage", "list", "--json").stdout
    assert "training" in json.loads(listed)["stages"]
    assert run("graph", *SMALL, "--json", "--format", "dot").exit_code == 2


def test_plan_draws(tmp_path: Path) -> None:
    result = run("plan", *SMALL, "--json", "--svg", tmp_path / "plan.svg")
    assert result.exit_code == 0 and json.loads(result.stdout)["sizes"] == {"N": 50}
    assert result.stderr == f"figure in {tmp_path / 'plan.svg'}\n"
    assert "plan of mlp, N=50" in (tmp_path / "plan.svg").read_text(encoding="utf-8")


def test_plan_check_and_info_as_json() -> None:
    plan = json.loads(run("plan", *SMALL, "--json").stdout)
    assert plan["sizes"] == {"N": 50}
    assert plan["nbytes"] >= max(b["offset"] + b["nbytes"] for b in plan["buffers"])
    check = json.loads(run("check", *SMALL, "--json", "--rows", 2, "--reg", 0.5).stdout)
    assert check["ok"] and [c["strength"] for c in check["checks"]] == [0.5]
    assert {p["name"] for p in check["checks"][0]["parameters"]} >= {"fc1.weight", "fc2.bias"}
    assert json.loads(run("info", "--json").stdout)["numpy"] == np.__version__


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("graph", "-o", "x.jpg"), "x.jpg would hold text, which its ending .jpg does not say"),
        (("graph", "-o", "x.wrong"), ".png (png), .pdf (pdf)"),
        (("graph", "--format", "text", "-o", "x.png"), "x.png would hold text"),
        (("graph", "--format", "pdf", "-o", "x.png"), "x.png would hold a PDF"),
        (("graph", "--format", "png"), "--format png is no text; name a file with -o"),
        (("graph", "--format", "svg", "-o", "x.png"), "x.png would hold an SVG"),
        (("graph", "--format", "svg", "-o", "x.dot"), "x.dot would hold an SVG"),
        (("graph", "-o", "x.wrong"), "or say --format"),
        (("compare", "-o", "x.png"), "x.png would hold an SVG"),
        (("compare", "-o", "-"), "stdout has the table already"),
        (("profile", "--svg", "x.pdf"), "write e.g. x.svg"),
        (("plan", "--svg", "x.png"), "x.png would hold an SVG, which its ending .png does not say"),
        (("plan", "--svg", "-"), "stdout has the table already"),
        (("plan", "--batch-size", 10**21), "is not in the range 1<=x<=100000000"),
        (("plan", "--hidden", 10**21), "are no layer sizes"),
        (("profile", "--hidden", 4), "there is not enough memory: Unable to allocate 1 TiB"),
        (("train", "--threads", 10**21), "is not in the range"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(
    arguments: tuple[str, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def full(*_: object) -> None:
        raise MemoryError("Unable to allocate 1 TiB")

    monkeypatch.setattr("verigrad.runtime.command.profile.drawn_feeds", full)
    result = run(*arguments)
    assert result.exit_code == 2 and told in result.stderr, result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["net", "net.TXT", "net.ir", "net.gv", "net.v2"])
def test_other_endings_are_written(tmp_path: Path, name: str) -> None:
    asked = ("--format", "text") if name == "net.v2" else ()
    assert run("graph", *SMALL, *asked, "-o", tmp_path / name).exit_code == 0
    start = "digraph" if name == "net.gv" else "graph mlp {"
    assert (tmp_path / name).read_text().startswith(start)
    assert run("graph", *SMALL, "-o", "-").stdout.startswith("graph mlp {")
