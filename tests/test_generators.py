"""Generated pages hold what docstrings, golden files, tables and results say."""

from __future__ import annotations

from pathlib import Path

import pytest
from generators import charts, names, ops, passes

import verigrad as vg
from verigrad.graph import OPS

DOCS = Path(__file__).parent.parent / "docs"
MATRIX = """
| column | what it is |
| --- | --- |
| exact | a layer |

| fault | by default | exact | fuzz |
| --- | --- | --: | --: |
| the package as it is | - | - |  |
| **kernels** | | | |
| one | yes | 0.3 |  |
| two | - | - |  |
"""


@pytest.mark.parametrize("name", ["speed.svg", "caught.svg"])
def test_the_kept_pictures_are_of_the_kept_results(name: str) -> None:
    assert (DOCS / "pictures" / name).read_text(encoding="utf-8") == charts.pictures()[name]


def test_faults_are_counted_and_the_package_as_it_is_is_none() -> None:
    picture = charts.caught(MATRIX)
    assert "2 faults planted" in picture
    assert picture.count("1 of 2<") == 2
    assert "fuzz" not in picture


def test_a_bar_that_is_too_long_is_cut_and_its_number_told() -> None:
    ratios = {"verigrad-numba": 1.0, "verigrad": 2.0, "jax": 4.5, "torch": None, "pytensor": 3.0}
    case = {"net": "n 1-2 (3)", "task": "momentum",
            "contenders": {k: {"to_floor": v} for k, v in ratios.items()}}  # fmt: skip
    picture = charts.speed({"training": [case, {"net": "n 1-2 (3)", "task": "sgd"}]})
    assert picture.count("<rect") == 1 + 4
    assert picture.count('stroke="white"') == 1
    assert ">4.50<" in picture
    assert "PyTorch" not in picture


@pytest.mark.parametrize("kind", passes.kinds(), ids=lambda kind: kind.name)
def test_a_pass_has_a_page_with_both_graphs_its_place_and_its_cases(
    kind: type[vg.Pass], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "picture", lambda g, path: None)
    text = "\n\n".join(passes.page(kind, tmp_path))
    doc = passes.told(kind)
    assert doc.before in text
    assert doc.after in text
    assert "## Its place" in text
    assert "## What it does" in text
    assert "changes-meaning: " not in text
    assert "not-idempotent: " not in text


def test_a_docstring_without_graphs_is_refused() -> None:
    class Plain(vg.Pass):
        """Does nothing."""

    with pytest.raises(ValueError, match="plain has no graph before and after"):
        passes.told(Plain)


def test_every_op_that_is_ours_is_on_a_page() -> None:
    shown = {kind.name for kinds in ops.families().values() for kind in kinds}
    assert shown == {k.name for k in OPS.values() if k.__module__.startswith("verigrad.ops.")}


@pytest.mark.parametrize(
    ("name", "told"), [("relu", " at 0,"), ("floor", "at every whole number"), ("exp", None)]
)
def test_the_kinks_of_a_function_are_found(name: str, told: str | None) -> None:
    text = " ".join(ops.kinks(OPS[name]))
    assert (told in text) if told else not text


def test_the_rounding_errors_of_an_op_are_beside_it() -> None:
    found = ops.errors()
    assert [row[0] for row in found["tanh"]] == ["tanh", "slope of tanh"]
    assert all(len(row) == 6 for rows in found.values() for row in rows)


def test_every_public_name_is_told_of_and_no_place_on_a_disk() -> None:
    text = "\n\n".join(names.page())
    assert [n for n in vg.__all__ if f"### vg.{n}\n" not in text] == []
    assert "pipeline: Pipeline = vg.TRAINING," in text
    assert str(DOCS.parent) not in text


def test_a_signature_is_python() -> None:
    for name in ("compile", "fit", "Adam", "check_op", "Diagnosis"):
        block = names.signature(name, getattr(vg, name))
        code = block.removeprefix("```python\nvg.").removesuffix("\n```")
        compile(f"def {code}: ...", name, "exec")
        assert "ForwardRef" not in code
