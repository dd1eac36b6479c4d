"""Mutants: small changes of a file, each once, and whether anything notices one."""

from __future__ import annotations

import ast

import pytest

from catch.copies import ROOT, copied, sound

pytest.importorskip("cosmic_ray")

from catch.equivalents import EQUIVALENTS
from catch.mutants import Mutant, key, mutants, noticed, stages

FILE = "passes/fuse_linear_relu.py"


def test_every_change_is_another_program() -> None:
    source = ast.dump(ast.parse((ROOT / FILE).read_text(encoding="utf-8")))
    made = list(mutants(FILE))
    dumped = [ast.dump(ast.parse(m.text)) for m in made]
    assert len(made) > 10 and source not in dumped
    assert len({m.told for m in made}) == len(made)
    assert any("- if others:" in m.told and "+ if not others:" in m.told for m in made)


def test_each_is_tried_on_its_golden_files_first() -> None:
    assert stages(FILE)[0][-3:] == ["verigrad/tests/golden", "-k", "fuse_linear_relu"]


def test_one_that_matters_is_noticed() -> None:
    (mutant,) = [m for m in mutants(FILE) if "+ if not others:" in m.told]
    with sound() as original, copied(original) as copy:
        assert noticed(mutant, copy) == 0


def test_those_that_nothing_can_notice_are_of_the_files_as_they_are() -> None:
    files = {name.partition("\n")[0] for name in EQUIVALENTS}
    every = {key(m) for file in files for m in mutants(file)}
    assert [name for name in EQUIVALENTS if name not in every] == []
    assert all(reason for reason in EQUIVALENTS.values())


def test_the_key_of_a_mutant_tells_what_it_changes() -> None:
    assert key(Mutant("a.py", "text", "- a\n+ b")) == "a.py\n- a\n+ b"
