"""The catch matrix: every fault can still be planted, and what looks for faults finds one."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from catch.copies import ROOT, Copy, copied, run, sound
from catch.detectors import DETECTORS
from catch.fault import Fault
from catch.faults import FAULTS
from catch.matrix import Found, Results, catch, plant
from catch.table import BEGIN, END, PAGE, by_default, table

BY_NAME = {f.name: f for f in FAULTS}
QUICK = [d for d in DETECTORS if d.name in ("verifier", "exact")]


@pytest.fixture(scope="module")
def original() -> Iterator[Copy]:
    """A copy without a fault."""
    with sound() as copy:
        yield copy


def test_there_are_enough_faults_each_of_its_own_name() -> None:
    assert len(FAULTS) >= 48
    assert [name for name, count in Counter(f.name for f in FAULTS).items() if count > 1] == []
    assert sum(f.is_pass for f in FAULTS) == 8


@pytest.mark.parametrize("fault", [f for f in FAULTS if f.file], ids=lambda f: f.name)
def test_every_fault_still_applies_and_is_python(fault: Fault) -> None:
    text = (ROOT / fault.file).read_text(encoding="utf-8")
    wrong = fault.applied(text)
    assert ast.dump(ast.parse(wrong)) != ast.dump(ast.parse(text))


@pytest.mark.parametrize("fault", [f for f in FAULTS if f.tests], ids=lambda f: f.name)
def test_the_tests_of_an_area_are_there(fault: Fault) -> None:
    assert [p for p in fault.tests.split() if not (ROOT / "tests" / p).exists()] == []


def test_a_fault_that_no_longer_applies_says_so() -> None:
    fault = Fault("gone", "group", "ops/relu.py", "no such line", "another", "ops")
    with pytest.raises(ValueError, match=r"fault gone: ops/relu\.py holds its old text 0 times"):
        fault.applied("text")
    with pytest.raises(ValueError, match="2 times, where once is expected"):
        fault.applied("no such line, no such line")


def test_the_page_lists_every_fault() -> None:
    page = PAGE.read_text(encoding="utf-8")
    listed = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")]
    assert [f.name for f in FAULTS if f.name not in listed] == []
    assert page.index(BEGIN) < page.index(END)


def test_what_is_not_caught_has_its_reason() -> None:
    assert "No reason is known." not in PAGE.read_text(encoding="utf-8")


def test_a_fault_is_planted_in_a_copy_and_nowhere_else(original: Copy) -> None:
    fault = BY_NAME["momentum-of-89"]
    before = (ROOT / fault.file).read_text(encoding="utf-8")
    with copied(original) as copy:
        plant(fault, copy)
        assert copy.read(fault.file) == fault.applied(before)
        assert original.read(fault.file) == before
        said = run(copy, ["-c", "import verigrad; print(verigrad.__file__)"], 60)
        assert said.code == 0 and Path(said.text.strip()).parent == copy.package
    assert (ROOT / fault.file).read_text(encoding="utf-8") == before


def test_detectors_find_what_is_wrong_and_nothing_else(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.json")
    right = Fault("right", "sound", "ops/relu.py", '"""The rectified', '"""Of the rectified', "")
    wrong = BY_NAME["weight-gradient-scaled"]
    told: list[str] = []
    catch([right, wrong], results, told.append, detectors=QUICK)
    assert {k: found.caught for k, found in results.of(right).items()} == {
        "verifier": False,
        "exact": False,
    }
    assert results.of(wrong)["exact"].caught
    assert "RefutedError: graph plain" in results.of(wrong)["exact"].words
    assert len(told) == 4
    catch([right, wrong], Results(tmp_path / "results.json"), told.append, detectors=QUICK)
    assert len(told) == 4  # what is known is not asked again
    row = next(line for line in table([wrong], results).splitlines() if wrong.name in line)
    assert by_default(results.of(wrong)) and row.startswith(f"| {wrong.name} | yes | - | ")


def test_a_fault_that_was_changed_is_asked_again(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.json")
    fault = BY_NAME["momentum-of-89"]
    results.put(fault, "exact", Found(False, 1.0))
    assert results.of(fault)["exact"] == Found(False, 1.0)
    assert results.of(fault._replace(new="another")) == {}
    results.forget([fault], DETECTORS)
    assert results.of(fault) == {}


def test_what_takes_too_long_has_found_nothing(original: Copy) -> None:
    done = run(original, ["-c", "while True: pass"], 1)
    assert done.code is None and 0.5 < done.seconds < 5
