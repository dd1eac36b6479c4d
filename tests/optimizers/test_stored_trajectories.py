"""The stored trajectories: those of the formulas, and those of what is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stored import made

import verigrad as vg
from verigrad.passes.methods.optimizers import DIALECTS
from verigrad.runtime.checking import trajectories
from verigrad.runtime.checking.trajectories import TOLERANCE, Departure, departures, stored


def close(found: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(close(found[k], expected[k]) for k in found)
    if isinstance(expected, str):
        return bool(found == expected)
    return np.allclose(flat(found), flat(expected), rtol=1e-12, atol=1e-14)


def flat(numbers: Any) -> list[float]:
    if not isinstance(numbers, list):
        return [numbers]
    return [x for part in numbers for x in flat(part)]


def test_the_file_holds_what_the_formulas_give() -> None:
    found, expected = stored(), made()
    assert found.keys() == expected.keys()
    for part in ("start", "optimizers", "dropout"):
        assert close(found[part], expected[part]), part
    for text, (steps, rates) in expected["schedules"].items():
        assert found["schedules"][text][0] == steps and close(found["schedules"][text][1], rates)
    assert close(found["batch_norm"]["cases"], expected["batch_norm"]["cases"])
    for part in ("dropped", "penalties", "clips", "samples"):
        assert close(found[part], expected[part]), part
    assert close(found["first_values"]["cases"], expected["first_values"]["cases"])
    assert close(found["losses"]["cases"], expected["losses"]["cases"])
    assert close(found["losses"]["arrays"], expected["losses"]["arrays"])


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_what_is_computed_is_what_is_stored(backend: str) -> None:
    if backend == "numba":
        pytest.importorskip("numba")
    found = list(departures(backend))
    assert len(found) == 109
    assert [d for d in found if not d.off <= TOLERANCE] == []


@pytest.mark.parametrize(
    "name", ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"]
)
def test_every_method_has_a_trajectory_in_every_dialect(name: str) -> None:
    own = [text for text in stored()["optimizers"] if text.partition("(")[0] == name]
    named = {d for d in DIALECTS for text in own if f"dialect={d}" in text}
    assert named == {d for d in DIALECTS if d != "course"}
    assert any("dialect" not in text for text in own)


def off(found: list[Departure]) -> list[str]:
    return [d.case for d in found if not d.off <= TOLERANCE]


def without_other_optimizers(*names: str) -> dict[str, Any]:
    """What is stored, of these optimizers alone."""
    own = {t: n for t, n in stored()["optimizers"].items() if t.partition("(")[0] in names}
    return {**stored(), "optimizers": own}


def test_a_wrong_formula_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adam's t off by one, a momentum of 0.89, a decay twice, an unbiased variance, a mask."""
    from verigrad.ops import DecayAdd
    from verigrad.passes.methods.optimizers import adaptive

    cast = adaptive.cast
    with monkeypatch.context() as m:
        few = without_other_optimizers("adam", "momentum")
        m.setattr(trajectories, "stored", lambda: few)
        m.setattr(adaptive, "cast", lambda step, dtype: cast(step + 1, dtype))
        cases = off(list(departures()))
        assert any("adam" in c.lower() for c in cases)
        assert not any("momentum" in c.lower() for c in cases)
    run = DecayAdd.run

    def slower(self: DecayAdd, v: Any, g: Any, **options: Any) -> None:
        run(self if self.decay != 0.9 else DecayAdd(0.89, self.scale), v, g, **options)

    with monkeypatch.context() as m:
        few = without_other_optimizers("momentum")
        m.setattr(trajectories, "stored", lambda: few)
        m.setattr(DecayAdd, "run", slower)
        cases = off(list(departures()))
        assert any("momentum" in c.lower() for c in cases) and any("batch_norm" in c for c in cases)
    with monkeypatch.context() as m:
        few = without_other_optimizers("adam", "adamw")
        m.setattr(trajectories, "stored", lambda: few)
        m.setattr(vg.AdamW, "kept", lambda self, step: [1.0 - self.rate(step) * 2e-2])
        cases = off(list(departures()))
        assert cases and all("adamw" in c.lower() for c in cases)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff{}"])
def test_a_damaged_file_of_them_is_an_error_that_names_it(
    text: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trajectories.json").write_bytes(text)
    monkeypatch.setattr(trajectories, "files", lambda package: tmp_path)
    with pytest.raises(vg.RunError, match=r"trajectories\.json.* is no JSON"):
        trajectories.stored.__wrapped__()
