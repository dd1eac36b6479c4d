"""The table of estimators tells what was measured, and voids what is no fit of the same."""

from __future__ import annotations

import pytest

from verigrad.benchmarks import estimators
from verigrad.benchmarks.estimators import Case, Figures, measured, row

pytestmark = pytest.mark.numpy_bits


@pytest.mark.oracle
def test_contenders_take_turns_and_show_the_same_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    fewer = {k: estimators.CONTENDERS[k] for k in ("scikit-learn", "numpy")}
    monkeypatch.setattr(estimators, "CONTENDERS", fewer)  # what Numba compiles takes its time
    case = Case("tiny", "sgd", "f64")
    found = measured(case, rounds=1, epochs=1, threads=1)
    assert [*found] == ["scikit-learn", "numpy"]
    assert all(len(f.steps) == 1 and f.megabytes > 10 for f in found.values())
    assert found["numpy"].differs < 1e-12
    monkeypatch.undo()
    cells = row(case, {**found, "numba": found["numpy"]})
    assert cells[:3] == ["tiny 64-32-10 (32)", "sgd", "f64"] and not any("void" in c for c in cells)


def test_ratios_are_those_within_a_round_and_what_differs_is_void() -> None:
    found = {
        "scikit-learn": Figures([100.0, 900.0, 300.0], 80.0, 0.0),
        "numpy": Figures([50.0, 300.0, 100.0], 70.0, 1e-10),
        "numba": Figures([1.0, 1.0, 1.0], 90.0, 2e-9),
    }
    assert row(Case("deep", "adam", "f64"), found) == [
        "deep 784-10x100-10 (64)", "adam", "f64", "300", "3.0",
        "void: its losses differ by 2e-09", "-", "80 / 70 / 90",
    ]  # fmt: skip
    assert row(Case("deep", "adam", "f32"), found)[5] == "300.0"
