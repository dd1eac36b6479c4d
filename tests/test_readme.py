"""The README's code runs from top to bottom, and prints what stands below it."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    return BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))


@pytest.mark.numpy_bits
def test_every_code_block_runs_and_prints_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    checked = 0
    found = blocks()
    for (kind, code), (shown_as, shown) in zip(found, [*found[1:], ("", "")], strict=True):
        if kind != "python":
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "README.md", "exec"), names)
        if shown_as == "text":  # exact on every machine; `console` holds what may differ
            assert printed.getvalue() == shown
            checked += 1
    assert checked >= 5


def test_the_files_that_it_names_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"\]\(([^)#:]+)\)", text)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_public_names_that_it_uses_exist() -> None:
    import verigrad as vg

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    used = set(re.findall(r"\bvg\.(\w+)", text))
    assert used
    assert [name for name in sorted(used) if not hasattr(vg, name)] == []
