"""A pytest file that fails as long as a fault is there: a small graph as text, and its values."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

import verigrad

from ...graph import Array, Graph, Op
from ...graph.record import Record
from ...passes import Pass, Pipeline

_WIDTH: Final = 96


def pass_test(p: Pass, before: Graph, values: Mapping[str, Array], words: str) -> str:
    """A test that a pass keeps what a graph computes."""
    imported, made = code_of(p)
    body = [
        "before = vg.parse(GRAPH)",
        f"after = {made}.apply(before)",
        "vg.check_same(before, after, VALUES)",
    ]
    return _file(f"the pass {p.name}: {words}", imported, before, values, body)


def gradient_test(before: Graph, values: Mapping[str, Array], words: str) -> str:
    """A test that the gradients of a graph's loss are right."""
    fed = {before.names[n] for n in before.inputs}
    body = [
        "report = vg.gradcheck(vg.parse(GRAPH), VALUES)",
        'assert report.exact.verdict == "proved", report.exact.reason',
    ]
    inputs = {name: a for name, a in values.items() if name in fed}
    return _file(f"gradients: {words}", "", before, inputs, body)


def step_test(
    declared: Graph, values: Mapping[str, Array], options: Mapping[str, Any], words: str
) -> str:
    """A test that a compiled step gives the numbers that its graph says: it is certified."""
    fed = {declared.names[n] for n in declared.inputs}
    written = {name: code_of(value) for name, value in options.items()}
    imported = "\n".join(sorted({lines for lines, _ in written.values() if lines}))
    asked = "".join([f", {name}={code}" for name, (_, code) in written.items()])
    runs = "step" if declared.loss is not None and "optimizer" in options else "evaluate"
    runs = runs if declared.loss is not None else "predict"
    body = [f"program = vg.compile(vg.parse(GRAPH){asked})", f"program.{runs}(VALUES)"]
    inputs = {name: a for name, a in values.items() if name in fed}
    return _file(f"the compiled step: {words}", imported, declared, inputs, body)


def code_of(value: Any) -> tuple[str, str]:
    """What has to be imported for a value, and the Python that makes it."""
    if isinstance(value, (tuple, list)):
        parts = [code_of(v) for v in value]
        inner = "".join([f"{code}, " for _, code in parts])
        return "\n".join([lines for lines, _ in parts if lines]), f"({inner})"
    if isinstance(value, Pipeline):
        imported, passes = code_of(value.passes)
        return imported, f"vg.Pipeline({passes})"
    if not isinstance(value, (Record, Op, Pass)):
        return "", repr(value)
    kind = type(value)
    fields = value.options() if isinstance(value, Pass) else _fields(value)
    parts = [code_of(v) for v in fields.values()]
    arguments = ", ".join([f"{k}={code}" for k, (_, code) in zip(fields, parts, strict=True)])
    ours = getattr(verigrad, kind.__name__, None) is kind
    lines = [] if ours else [f"from {kind.__module__} import {kind.__qualname__}"]
    lines += [more for more, _ in parts if more]
    name = f"vg.{kind.__name__}" if ours else kind.__qualname__
    return "\n".join(dict.fromkeys(lines)), f"{name}({arguments})"


def _fields(value: Any) -> dict[str, Any]:
    if dataclasses.is_dataclass(value):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    return {name: getattr(value, name) for name in type(value).field_names}


def _file(words: str, imported: str, g: Graph, values: Mapping[str, Array], body: list[str]) -> str:
    told = textwrap.wrap(f"{words}.", _WIDTH)
    name = re.sub(r"\W+", "_", words.partition(":")[0]).strip("_")
    lines = [
        f'"""{told[0]}',
        *told[1:],
        "",
        "Written by verigrad: it fails as long as the fault is there.",
        '"""',
        "",
        "import numpy as np",
        "",
        "import verigrad as vg",
        *([imported] if imported else []),
        "",
        'GRAPH = """\\',
        str(g.but(schedule=None)),
        '"""',
        "VALUES = {",
        *[f"    {name!r}: {_literal(a)}," for name, a in values.items()],
        "}",
        "",
        "",
        f"def test_{name}() -> None:",
        *[f"    {line}" for line in body],
        "",
    ]
    return "\n".join(lines)


def _literal(a: Array) -> str:
    """Python that makes an array: exactly, as a float of f32 is told by a float of f64."""
    return f"np.array({a.tolist()!r}, np.{np.dtype(a.dtype).name})"
