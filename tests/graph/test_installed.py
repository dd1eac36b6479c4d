"""The command that installs an extra, from where this verigrad is from."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from verigrad.graph import installed

HERE = Path(installed.__file__).parents[1]


def test_a_checkout_is_named_by_its_path() -> None:
    assert installed.install_line("cli") == f"pip install -e '{HERE}[cli]'"


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        (None, "pip install 'verigrad[cli]'"),
        ({"url": HERE.as_uri(), "dir_info": {}}, f"pip install '{HERE}[cli]'"),
        (
            {"url": "file:///gone", "dir_info": {}},
            "pip install '.[cli]'  in a checkout of verigrad",
        ),
        (
            {"url": "https://a.org/v.git", "vcs_info": {"vcs": "git"}},
            "pip install 'verigrad[cli] @ git+https://a.org/v.git'",
        ),
        ({"url": "https://a.org/v.whl"}, "pip install 'verigrad[cli] @ https://a.org/v.whl'"),
    ],
)
def test_a_copy_is_named_as_pip_was_given_it(
    origin: dict[str, Any] | None, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Noted:
        def read_text(self, name: str) -> str | None:
            return json.dumps(origin) if origin and name == "direct_url.json" else None

    monkeypatch.setattr(installed, "__file__", str(tmp_path / "verigrad/graph/installed.py"))
    monkeypatch.setattr(installed, "distribution", lambda name: Noted())
    assert installed.install_line("cli") == line


def test_what_is_not_installed_at_all_is_taken_from_the_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(installed, "__file__", str(tmp_path / "verigrad/graph/installed.py"))
    monkeypatch.setattr(installed, "distribution", missing)
    assert installed.install_line("jit") == "pip install 'verigrad[jit]'"
