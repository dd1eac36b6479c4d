"""Every example runs, and shows what it says that it shows."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from verigrad.graph.pictures import rendering

EXAMPLES = Path(__file__).parent.parent / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_has_a_test() -> None:
    tested = {"three_layer_net", "check_own_op", "own_pass", "read_the_stages", "draw_pictures"}
    assert {path.stem for path in EXAMPLES.glob("*.py")} == tested


def test_the_three_layer_net_learns_the_digits() -> None:
    assert example("three_layer_net").main() > 0.95


def test_the_op_passes_its_contract_and_the_gradient_check() -> None:
    assert example("check_own_op").main() == (True, True)


def test_the_pass_caps_what_the_next_layer_reads(capsys: pytest.CaptureFixture[str]) -> None:
    scores = example("own_pass").main()
    assert np.all(scores == scores[0, 0]) and scores[0, 0] == round(scores[0, 0]) <= 16
    printed = capsys.readouterr().out
    assert "cap_relu: %fc1.relu: capped at 1" in printed
    assert "refused: cap_relu needs 'forward'" in printed


def test_the_stages_are_read_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = example("read_the_stages").main(tmp_path)
    printed = capsys.readouterr().out
    assert str(program.inference) in printed
    assert "%fc1 is read by %fc1.relu alone" in printed
    for picture in ("declared.svg", "training.svg"):
        assert (tmp_path / picture).read_text().count("<svg") == 1


def test_the_pictures_are_what_is_drawn_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setenv("PATH", "")  # as `make pictures` does: graphviz-pure draws
    if rendering.find_program("graphviz-pure") is None:
        pytest.skip("graphviz-pure is not installed")
    drawn = example("draw_pictures").main(tmp_path)
    trained = {"compare.svg"}
    assert {p.name for p in drawn} == {p.name for p in (EXAMPLES / "pictures").iterdir()} - trained
    stale = [
        p.name for p in drawn if p.read_bytes() != (EXAMPLES / "pictures" / p.name).read_bytes()
    ]
    assert stale == [], "make pictures"
