"""`verigrad graph`: how pictures are asked for, and what a pass changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from invoking import run

from verigrad.graph.pictures import rendering


def test_graph_passes_on_how_a_picture_looks() -> None:
    asked = ("graph", "--stage", "training", "--hidden", "8,8,8,8", "--format", "dot")
    by_layers = run(*asked).stdout
    assert "fc2 … fc4" in by_layers and "rankdir=TB" in by_layers
    options = ("--detail", "nodes", "--parts", "forward, backward", "--direction", "LR")
    text = run(*asked, *options, "--no-types", "--bookkeeping").stdout
    assert "rankdir=LR" in text and "fc3.grad" in text and "cluster fc1 update" not in text
    assert " kB" not in text and "\n\tdim" in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--detail", "nodes"), "--detail has no effect: it is how a picture looks"),
        (("--no-types",), "--no-types has no effect: it is how a picture looks"),
        (("--format", "dot", "--parts", "back"), "parts has 'back', where some of 'forward',"),
        (("--format", "dot", "--detail", "kernels"), "graph mlp has no schedule"),
        (("--diff", "simplify", "--stage", "training"), "--stage has no effect: --diff shows"),
        (("--diff", "simplify", "--json"), "--diff is text or a picture, and not --json"),
        (("--diff", "fuse_linear_rel"), "no pass 'fuse_linear_rel'; did you mean 'fuse_linear_rel"),
    ],
)
def test_what_cannot_be_shown_is_an_error(options: tuple[str, ...], words: str) -> None:
    result = run("graph", *options)
    assert result.exit_code == 2 and words in result.stderr


def test_graph_says_what_a_pass_changed() -> None:
    text = run("graph", "--hidden", "8", "--diff", "fuse_linear_relu").stdout
    assert text.startswith("mlp: 1 removed, ")
    assert "- %fc1.relu: f32[N,8] = relu(%fc1)\n" in text
    assert "> %fc1: f32[N,8] = linear_relu(%scaled, %fc1.weight, %fc1.bias)\n" in text


def test_graph_draws_what_a_pass_changed(tmp_path: Path) -> None:
    asked = ("graph", "--hidden", "8", "--diff", "fuse_linear_relu")
    assert "- fc1.relu" in run(*asked, "--format", "dot").stdout
    if next(rendering.engines(), None) is not None:
        assert run(*asked, "-o", tmp_path / "diff.svg").exit_code == 0
        assert "removed" in (tmp_path / "diff.svg").read_text(encoding="utf-8")
