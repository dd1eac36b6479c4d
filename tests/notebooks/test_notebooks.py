"""The notebooks' code runs and does what their text says; what is kept is of that code."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import verigrad as vg

EXAMPLES = Path(vg.__file__).parent / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.ipynb"))


def book(name: str) -> Any:
    return json.loads((EXAMPLES / f"{name}.ipynb").read_text(encoding="utf-8"))


def code(name: str) -> list[Any]:
    return [cell for cell in book(name)["cells"] if cell["cell_type"] == "code"]


def ran(name: str, old: str = "", new: str = "") -> tuple[dict[str, Any], list[str]]:
    """The names that a notebook's cells define, one cell after another, and what they print, with
    `new` in the place of what is `old`."""
    defined: dict[str, Any] = {"__name__": "__main__"}
    printed = []
    for cell in code(name):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            source = "".join(cell["source"])
            source = source.replace(old, new) if old else source
            exec(compile(source, f"{name}.ipynb", "exec"), defined)
        printed.append(out.getvalue())
    return defined, printed


def kept(cell: Any) -> str:
    """What a cell has printed when the notebook was run."""
    return "".join("".join(o["text"]) for o in cell["outputs"] if o["output_type"] == "stream")


def test_every_notebook_has_a_test() -> None:
    assert NAMES == ["compiler", "course", "from_sklearn", "own_data"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_is_small_and_whole(name: str) -> None:
    assert (EXAMPLES / f"{name}.ipynb").stat().st_size < 200_000
    assert [cell["execution_count"] for cell in code(name)] == [*range(1, len(code(name)) + 1)]
    outputs = [output for cell in code(name) for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {
        "stream", "execute_result", "display_data",
    }  # fmt: skip
    assert all(output.get("name") != "stderr" for output in outputs)


def test_the_course_learns_as_its_text_says() -> None:
    names, printed = ran("course")
    assert [len(text.splitlines()) for text in printed] == [
        len(kept(cell).splitlines()) for cell in code("course")
    ]
    assert names["report"].verdict == "PASS"
    assert names["tested"].accuracy > 0.9
    assert len(names["wrong"]) >= 5
    last = {name: losses[-1] for name, losses in names["losses"].items()}
    assert max(last, key=last.__getitem__) == "SGD"
    assert last["SGD"] > 2 * max(loss for name, loss in last.items() if name != "SGD")
    dropped = names["runs"]["dropout"]
    assert dropped.train_loss > dropped.validation_loss


def test_the_compiler_shows_what_its_text_says() -> None:
    names, printed = ran("compiler")
    for k, cell in enumerate(code("compiler")):
        if k in (0, 2, 4):  # the graphs as text, and the reasons
            assert printed[k] == kept(cell) != ""
    assert len(names["unfused"].training.order) > len(names["program"].training.order)
    fused, unfused = [line.split()[-1] for line in kept(code("compiler")[5]).splitlines()]
    assert np.isclose(float(fused), float(unfused))
    assert names["plan"].nbytes < names["plan"].unplanned_nbytes
    assert names["program"].certificate.verdict == "proved"
    assert not names["found"]


def test_own_data_is_learned_as_its_text_says() -> None:
    names, printed = ran("own_data")
    refused = next(text for text in printed if "argmax" in text)
    assert refused in map(kept, code("own_data"))
    assert names["tested"].accuracy > 0.9
    assert names["answers"].tolist() == [0, 1, 1]
    assert np.abs(names["found"] - names["target"][names["test"]]).mean() < 0.1


@pytest.mark.oracle
@pytest.mark.numpy_bits
def test_from_sklearn_is_as_good_as_its_text_says() -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("numba")
    names, printed = ran("from_sklearn", '"max_iter": 50', '"max_iter": 2')  # the times are kept
    told = [kept(cell) for cell in code("from_sklearn")]
    assert "as far as 1e-9 all along: True" in printed[1] and "all along: True" in told[1]
    assert len(printed[2].splitlines()) == len(told[2].splitlines()) == 6
    assert printed[3] == told[3] and names["more"].score(names["X_test"], names["y_test"]) > 0.94
    assert names["program"].certificate.verdict == "proved"
