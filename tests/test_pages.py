"""The code of README.md and of docs/ runs from top to bottom, and prints what stands below it."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import linecache
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WRITTEN = "<!-- Written by docs/generators. -->"
"""How a page begins that is made of docstrings and tables, whose code has tests of its own."""
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PEERS = ("torch", "sklearn", "jax", "keras", "onnxruntime")
"""Libraries that a page for those who come from them runs beside verigrad."""
FASHION = Path("/usr/share/datasets/fashion-mnist")


class Page(NamedTuple):
    """A page that somebody wrote, and its blocks: of which kind, and what they hold."""

    path: Path
    text: str
    blocks: list[tuple[str, str]]

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def peers(self) -> list[str]:
        """The other libraries that it imports."""
        code = "".join(held for kind, held in self.blocks if kind == "python")
        return [p for p in PEERS if re.search(rf"^(import|from) {p}\b", code, re.MULTILINE)]

    def with_next(self) -> Iterator[tuple[str, str, str, str]]:
        """Each block with the one behind it."""
        for one, after in zip(self.blocks, [*self.blocks, ("", "")][1:], strict=True):
            yield *one, *after


def pages() -> list[Page]:
    read = ((path, path.read_text(encoding="utf-8")) for path in PAGES)
    return [Page(p, t, BLOCK.findall(t)) for p, t in read if not t.startswith(WRITTEN)]


def marked(page: Page) -> object:
    peers = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
    return pytest.param(
        page, id=page.name, marks=[pytest.mark.numpy_bits, *(peers if page.peers else [])]
    )


FILE = re.compile(r"# (\w+\.py)\n")
"""How a block of Python begins that is a file, which the commands behind it read."""


def commands(page: Page) -> list[tuple[str, str]]:
    """Each command that is shown, and its output."""
    shown = "".join(held for kind, held in page.blocks if kind == "console" and held[:2] == "$ ")
    return re.findall(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", shown, re.MULTILINE)


def pattern(shown: str) -> str:
    """What a text must look like that is shown so: `...` are any lines, or the rest of one."""
    made = []
    for line in shown.splitlines():
        if line.strip() == "...":
            made.append(r"(.*\n)*?")
        else:
            told, rest, _ = line.partition("...")
            made.append(re.escape(_plain(told)) + (".*\n" if rest else "\n"))
    return "".join(made)


def _plain(line: str) -> str:
    number = re.sub(r"[-+]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?", "#", line)
    return re.sub(r"[ -]*-{3,}[ -]*|\s+", " ", number).strip()


def alike(printed: str, shown: str) -> bool:
    """Whether what was printed is what is shown, but for its numbers and its spaces."""
    text = "".join(f"{_plain(line)}\n" for line in printed.splitlines())
    return re.fullmatch(pattern(shown), text) is not None


def test_pages_that_show_what_is_not_so_are_caught() -> None:
    assert alike("loss 0.25, 3 steps\n", "loss 1.5e-3, 12 steps\n")
    assert alike("one\ntwo\nthree\n", "one\n...\nthree\n")
    assert alike("loss 0.25 of fc2\n", "loss 1.5 ...\n")
    assert not alike("loss 0.25\n", "loss 0.25, 3 steps\n")
    assert not alike("one\ntwo\nthree\n", "one\n...\nfour\n")
    assert not alike("PASS\n", "FAIL\n")


@pytest.mark.parametrize("page", [marked(p) for p in pages()])
def test_every_code_block_runs_and_prints_what_is_shown(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for peer in page.peers:
        if importlib.util.find_spec(peer) is None:
            pytest.skip(f"{peer} is not installed")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    # Errors show the lines of the page that they are about.
    lines = page.text.splitlines(keepends=True)
    monkeypatch.setitem(linecache.cache, page.name, (len(page.text), None, lines, page.name))
    names: dict[str, object] = {}
    for kind, code, shown_as, shown in page.with_next():
        if kind != "python" or FILE.match(code):
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            # Behind as many lines as in the page, whose lines errors then tell.
            above = "\n" * page.text[: page.text.index(code)].count("\n")
            exec(compile(above + code, page.name, "exec"), names)
        if shown_as == "text":  # exact on every machine; `console` holds what may differ
            assert printed.getvalue() == shown
        elif shown_as == "console" and not shown.startswith("$ "):
            assert alike(printed.getvalue(), shown), printed.getvalue()


@pytest.mark.commands
@pytest.mark.parametrize("page", [pytest.param(p, id=p.name) for p in pages() if commands(p)])
def test_every_command_prints_what_is_shown(page: Page, tmp_path: Path) -> None:
    """In one folder for each page, so that a command finds what one above it left."""
    environment = dict(os.environ, COLUMNS="100")
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    for kind, code in page.blocks:
        if kind == "python" and (named := FILE.match(code)):
            (tmp_path / named[1]).write_text(code, encoding="utf-8")
    for command, shown in commands(page):
        if str(FASHION) in command and not FASHION.exists():
            continue
        run = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert alike(run.stdout, shown), f"{command}\n{run.stdout}"


@pytest.mark.parametrize("page", [pytest.param(p, id=p.name) for p in pages()])
def test_the_files_that_it_names_exist(page: Page) -> None:
    named = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.text)
    generated = re.compile(r"(.*/)?(passes/\w+|ops/\w+|commands|names)\.md")
    missing = [n for n in named if not (page.path.parent / n).exists()]
    assert [n for n in missing if not generated.fullmatch(n)] == []


@pytest.mark.parametrize("page", [pytest.param(p, id=p.name) for p in pages()])
def test_the_public_names_that_it_uses_exist(page: Page) -> None:
    import verigrad as vg

    used = set(re.findall(r"\bvg\.(\w+)", page.text))
    assert [name for name in sorted(used) if not hasattr(vg, name)] == []


def test_the_readme_is_short_and_shows_much() -> None:
    readme = next(p for p in pages() if p.path.name == "README.md")
    assert len(readme.text.splitlines()) < 200
    assert sum(kind == "python" for kind, _ in readme.blocks) >= 5
    assert len(re.findall(r"!\[[^]]+\]\([^)]+\.svg\)", readme.text)) >= 3


def test_there_are_pages_with_code_and_with_commands() -> None:
    shown = [p for p in pages() if any(kind == "python" for kind, _ in p.blocks)]
    assert len(shown) >= 10
    assert any(commands(p) for p in pages())
    assert {peer for p in pages() for peer in p.peers} == {*PEERS}
