"""A page for each family of ops: formula, gradient, kinks, picture, kernel and rounding."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np

import verigrad as vg
from verigrad.graph import OPS, Input, apply
from verigrad.graph.types import parse_type
from verigrad.ops.elementwise import Unary
from verigrad.runtime.figures.figure import drawn

from .page import ROOT, fenced, folded, ir, picture, source, table, write_page

ACCURACY: Final = ROOT / "tests" / "accuracy" / "ACCURACY.md"
SPAN: Final = np.linspace(-4, 4, 801)
"""Where functions of one number are drawn, and kinks are looked for."""


def families() -> dict[str, list[type[vg.Op]]]:
    """The ops of each file of ops, in its order."""
    found: dict[str, list[type[vg.Op]]] = defaultdict(list)
    for kind in OPS.values():
        if kind.__module__.startswith("verigrad.ops."):
            found[kind.__module__.rpartition(".")[2]].append(kind)
    return dict(sorted(found.items()))


def samples() -> dict[str, Any]:
    """The first row of each op in the table that its tests are made of."""
    path = ROOT / "tests" / "ops" / "table.py"
    spec = importlib.util.spec_from_file_location("ops_table", path)
    assert spec is not None and spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, Any] = {}
    for row in module.TABLE:
        found.setdefault(row.op.name, row)
    return found


def errors() -> dict[str, list[list[str]]]:
    """The rows of the table of rounding errors, by the op that each is of."""
    found: dict[str, list[list[str]]] = defaultdict(list)
    for line in ACCURACY.read_text(encoding="utf-8").splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0] not in ("op", "---"):
            found[cells[0].removeprefix("slope of ").split()[0]].append(cells[:-1])
    return found


def page(name: str, kinds: list[type[vg.Op]], pictures: Path) -> Iterator[str]:
    """The parts of a family's page."""
    yield f"# {name}\n\n{sys.modules[kinds[0].__module__].__doc__ or ''}"
    rows, rounding = samples(), errors()
    for kind in kinds:
        yield f"## {kind.name}\n\n{inspect.getdoc(kind) or ''}"
        row = rows.get(kind.name)
        if row is not None:
            yield from derived(kind, row, pictures)
        yield from kinks(kind)
        if kind.name in rounding:
            head = ["op", "bound", "f32 numpy", "f64 numpy", "f32 numba", "f64 numba"]
            yield "**Largest error found**, in units in the last place:\n\n" + table(
                head, rounding[kind.name]
            )
        if overrides(kind, "exact"):
            yield "**What it means** where nothing is rounded:\n\n" + fenced(
                source(kind.exact), "python"
            )
        yield folded("The op itself", fenced(source(kind), "python"))


def fed(name: str, t: vg.TensorType) -> vg.Node:
    """An input of any type, of a shard's rows, too, which nobody declares."""
    return vg.Node(Input(t), (), t, name)


def derived(kind: type[vg.Op], row: Any, pictures: Path) -> Iterator[str]:
    """A node of the op and its gradient, as text and as a picture."""
    types = [parse_type(t) for t in row.types]
    called = names(kind, len(types))
    inputs = [fed(n, t) for n, t in zip(called, types, strict=True)]
    result = "result" if {"y", "dy"} & {*called} else "y"
    node = apply(row.op, *inputs, name=result)
    outputs: dict[str, vg.Node] = {result: node}
    gradient: tuple[vg.Node | None, ...] = ()
    if overrides(kind, "vjp") and node.type.is_float:
        dy = fed(f"d{result}", node.type)
        gradient = kind.vjp(row.op, node, dy)
    for n, g in zip(inputs, gradient, strict=False):
        if g is not None:
            outputs[f"d{n.name}"] = g
    drawing = vg.Graph(kind.name, outputs)
    path = pictures / f"{kind.name}.svg"
    if issubclass(kind, Unary) and len(outputs) > 1:
        curve(kind, row.op, path)
        shown = f"![{kind.name} and its slope](pictures/{path.name})"
    else:
        picture(drawing, path)
        what = "with its gradient" if len(outputs) > 1 else "as a node"
        shown = f"![{kind.name} {what}](pictures/{path.name})"
    said = "**Gradient**" if len(outputs) > 1 else "**A node of it**; it has no gradient"
    yield f"{shown}\n\n{said}:\n\n{ir(str(drawing))}"


def names(kind: type[vg.Op], count: int) -> list[str]:
    """What the op calls its inputs, where it does."""
    beside = ("self", "out", "scratch", "arrays", "args", "kwargs")
    told = [k for k in inspect.signature(kind.run).parameters if k not in beside]
    return told if len(told) == count else [f"x{k}" for k in range(count)]


def overrides(kind: type[vg.Op], member: str) -> bool:
    """Whether the op has a rule of its own for that."""
    return getattr(kind, member) is not getattr(vg.Op, member)


def curve(kind: type[vg.Op], one: vg.Op, path: Path) -> None:
    """Draws a function of one number, and its slope."""
    if path.exists():
        return
    x = vg.input("x", ("N",), dtype="f64")
    y = apply(one, x)
    g = vg.Graph("curve", {"y": y, "slope": vg.grad(vg.sum(y), [x])[0]})
    xs = SPAN[SPAN != 0]  # where a logarithm has no value
    with np.errstate(all="ignore"):
        values = vg.interpret(vg.compile(g, certify=False).stages["expand_gradients"], {"x": xs})

    def draw(figure: Any) -> None:
        panel = figure.subplots()
        for key, color, line in (("y", "#1f5a99", "-"), ("slope", "#c2570c", "--")):
            panel.plot(xs, values.outputs[key], line, color=color, label=key, linewidth=1.6)
        panel.set(xlabel="x", ylim=(-2.5, 4))
        panel.legend()

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(drawn(kind.name, (5, 3.2), draw), encoding="utf-8")


def kinks(kind: type[vg.Op]) -> Iterator[str]:
    """Where the op's smooth pieces meet, and how it tells them apart; nothing where it has one."""
    if not overrides(kind, "kinks"):
        return
    at = ""
    if issubclass(kind, Unary):
        places = [x for x in SPAN[:: len(SPAN) // 16] if np.ptp(pieces(kind, x))]
        at = f" at {places[0]:g}" if len(places) == 1 else " at every whole number"
    told = "by the number of the piece that an element lies on"
    yield f"**Kinks**{at}, {told}:\n\n{fenced(source(kind.kinks), 'python')}"


def pieces(kind: type[vg.Op], x: float) -> np.ndarray:
    """The pieces right before and behind x."""
    found = kind().kinks(np.array([x - 1e-3, x + 1e-3]))
    return np.zeros(2) if found is None else np.asarray(found, float)


def index(found: dict[str, list[type[vg.Op]]]) -> Iterator[str]:
    """The parts of the page that lists the ops."""
    yield (
        "# Ops\n\nWhat a graph is made of, by the file that each stands in. Formulas are the ops' "
        "own docstrings, gradients are what their rules give, and errors were measured beside "
        "mpmath: [how exact the ops are](../trust/accuracy.md)."
    )
    rows = []
    for name, kinds in found.items():
        for kind in kinds:
            first = (inspect.getdoc(kind) or "").split("\n\n")[0].replace("\n", " ")
            rows.append([f"[{kind.name}]({name}.md#{kind.name.replace('_', '-')})", first])
    yield table(["op", "what it is"], rows)
    yield "```{toctree}\n:hidden:\n\n" + "\n".join(found) + "\n```"


def write(folder: Path) -> None:
    """All pages of ops, and the one that lists them."""
    ops, found = folder / "ops", families()
    write_page(ops / "index.md", *index(found))
    for name, kinds in found.items():
        write_page(ops / f"{name}.md", *page(name, kinds, ops / "pictures"))
