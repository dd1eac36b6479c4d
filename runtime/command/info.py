"""`verigrad info`: what is installed here, for a report of a problem."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec

import click
import numpy as np

from ...graph.installed import install_line
from ...graph.pictures.rendering import engines
from ...ops.blas import numpy_blas, threads
from ..optional import require


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def info(as_json: bool) -> None:
    """Print versions, the matrix products' library and threads, drawing engines and extras."""
    rows = [
        ("verigrad", version("verigrad")),
        ("python", f"{platform.python_version()} on {platform.platform()}"),
        ("numpy", np.__version__),
        *_blas(),
        ("processors", str(os.cpu_count())),
        *((name, version(name)) for name in ("networkx", "graphviz")),
        ("drawing", ", ".join(name for name, _ in engines()) or f"none; {install_line('draw')}"),
        *_extras(),
    ]
    if as_json:
        click.echo(json.dumps(dict(rows)))
        return
    width = max(len(name) for name, _ in rows)
    click.echo("\n".join(f"{name:<{width}}  {value}" for name, value in rows))


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
