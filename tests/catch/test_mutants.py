"""Mutants: small changes of a file, each once, and whether anything notices one."""

from __future__ import annotations

import ast

import pytest

from catch.copies import ROOT, copied, sound

pytest.importorskip("cosmic_ray")

from catch.equivalents import EQUIVALENTS
from catch.mutants import FILES, TESTS, Mutant, key, mutants, noticed, stages

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
    for name, reason in EQUIVALENTS.items():
        file, before, after = name.split("\n")
        source = (ROOT / file).read_text(encoding="utf-8")
        lines = [" ".join(line.split()) for line in source.splitlines()]
        assert before.removeprefix("- ") in lines, name
        assert after.startswith("+ ") and reason


def test_every_file_is_tried_on_tests_that_are_there() -> None:
    tried = {where for tests in TESTS.values() for where in tests}
    assert [where for where in tried if not (ROOT / "tests" / where).exists()] == []
    files = {p.relative_to(ROOT).as_posix() for pattern in FILES for p in ROOT.glob(pattern)}
    assert all(stages(file) for file in files)
    assert {name for name in TESTS if name.endswith(".py")} <= files


def test_the_key_of_a_mutant_tells_what_it_changes() -> None:
    assert key(Mutant("a.py", "text", "- a\n+ b")) == "a.py\n- a\n+ b"
