"""`verigrad info`: what is installed here, for a report of a problem; or what a model is."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

import click
import numpy as np

from ...graph import on_one_line
from ...graph.installed import install_line
from ...graph.pictures.rendering import engines
from ...ops.blas import numpy_blas, threads
from ..optional import require
from .model_info import model_rows
from .models import model_argument


@click.command()
@model_argument
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def info(model: Path | None, as_json: bool) -> None:
    """Print versions, the matrix products' library and threads, drawing engines and extras.

    With MODEL, a file or the folder of a run: what it holds, and its certificate.
    """
    rows = list(model_rows(model) if model is not None else _installed())
    if as_json:
        click.echo(json.dumps(dict(rows)))
        return
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {value}" for name, value in rows]
    click.echo("\n".join([on_one_line(line) for line in lines]))


def _installed() -> Iterator[tuple[str, str]]:
    yield "verigrad", version("verigrad")
    yield "python", f"{platform.python_version()} on {platform.platform()}"
    yield "numpy", np.__version__
    yield from _blas()
    yield "processors", str(os.cpu_count())
    yield from ((name, version(name)) for name in ("networkx", "graphviz"))
    engine_names = ", ".join(name for name, _ in engines())
    yield "drawing", engine_names or f"none; {install_line('draw')}"
    yield from _extras()


def _blas() -> Iterator[tuple[str, str]]:
    """What multiplies matrices, as NumPy was built and as it is loaded now."""
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    yield "blas", f"{built['name']} {built['version']}"
    if find_spec("threadpoolctl") is None:
        return
    for pool in require("threadpoolctl", "threads").threadpool_info():
        if pool["user_api"] == "blas":
            yield "threads", f"{pool['num_threads']} of {pool['internal_api']} {pool['version']}"
    known, most = numpy_blas(), threads()
    if known is not None and known.set_threads and most > 1:
        yield "of a step", f"{most} or 1, as takes less time; --threads fixes them"


def _extras() -> Iterator[tuple[str, str]]:
    """The packages of each extra, or the line that installs what is missing."""
    packages: dict[str, list[str]] = {}
    for line in requires("verigrad") or []:
        match = re.match(r"([\w.-]+).*extra == ['\"](\w+)['\"]", line)
        if match is not None and match[1] != "verigrad" and match[2] != "dev":
            packages.setdefault(match[2], []).append(match[1])
    for extra, names in packages.items():
        present, missing = [], []
        for name in names:
            try:
                present.append(f"{name} {version(name)}")
            except PackageNotFoundError:
                missing.append(name)
        listed = ", ".join(present)
        if missing:
            listed += f"{'; ' if listed else ''}missing: {', '.join(missing)}; "
            listed += install_line(extra)
        yield f"[{extra}]", listed
