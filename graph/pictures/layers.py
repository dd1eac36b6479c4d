"""A graph shown by its layers: what each does forward, backward and in its update."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import TYPE_CHECKING, Final

from ..op import Source
from ..sources import Input, Parameter, State, is_frozen
from .labels import label, shortened, tooltip, total_text
from .nodes import Seen
from .options import Options
from .view import Edge, Item, View

if TYPE_CHECKING:
    from ..node import Node
    from ..types import TensorType

_OTHERS: Final = "of no layer"


def layers_view(seen: Seen, options: Options) -> View:
    """One item a layer and column, one for equal layers that follow each other; inputs as nodes."""
    g, names = seen.g, seen.g.names
    runs = _runs(seen)
    run_of = {layer: run for run in runs for layer in run}
    cells: dict[str, list[Node]] = {}
    key: dict[Node, str] = {}
    for n in seen.nodes:
        layer = g.membership.get(n)
        run = run_of.get(layer) if layer is not None else None
        of = _title(run) if run else _OTHERS
        key[n] = names[n] if isinstance(n.op, Input) else f"layer {of} {seen.column[n]}"
        cells.setdefault(key[n], []).append(n)
    items = []
    for cell, nodes in cells.items():
        first = nodes[0]
        layer = g.membership.get(first)
        run = run_of.get(layer, ()) if layer is not None else ()
        if isinstance(first.op, Input):
            text, tip = label(g, first, options.sizes, options.types), tooltip(g, first)
        else:
            text = _text(seen, options, _title(run) if run else _OTHERS, len(run), nodes)
            tip = "\n".join(tooltip(g, n).splitlines()[0] for n in nodes)
        role = seen.roles[first] if isinstance(first.op, Input) else seen.column[first]
        items.append(
            Item(
                cell, role, text, tip, seen.column[first], _title(run) if run else None,
                fused=any(n.op.fused for n in nodes),
                output=any(n in g.outputs.values() for n in nodes),
            )
        )  # fmt: skip
    pairs: dict[tuple[str, str], int] = {}
    for n in seen.nodes:
        for _, i in seen.reads[n]:
            if key[i] != key[n]:
                pairs[key[i], key[n]] = pairs.get((key[i], key[n]), 0) + 1
    edges = [Edge(a, b, f"{a} → {b}, {count} operands") for (a, b), count in pairs.items()]
    written = dict.fromkeys((key[g.named[e.tail]], key[g.named[e.head]]) for e in seen.updates())
    edges += [Edge(a, b, f"{a} updates {b}", writes=True) for a, b in written if a != b]
    parts = [_title(run) for run in runs]
    return View(g.name, items, edges, parts, seen.notes()[:1] if written else [], boxed=False)


def _runs(seen: Seen) -> list[tuple[str, ...]]:
    """The parts in order, with each what does the same on the same types and reads it."""
    g = seen.g
    held: dict[str, list[str]] = {part: [] for part in seen.parts}
    for n in seen.nodes:
        part = g.membership.get(n)
        if part is not None:
            held[part].append(f"{seen.column[n]} {_what(n)} {n.type}")
    does = {part: sorted(done) for part, done in held.items()}
    follows = {(g.membership.get(i), g.membership.get(n)) for n in g.nodes for i in n.inputs}
    runs: list[tuple[str, ...]] = []
    for part in seen.parts:
        last = runs[-1][-1] if runs else None
        if last is not None and does[last] == does[part] and (last, part) in follows:
            runs[-1] += (part,)
        else:
            runs.append((part,))
    return runs


def _what(n: Node) -> str:
    """The op with its numbers; first values and keys of random numbers are each layer's own."""
    if isinstance(n.op, Source):
        return f"frozen {n.op.name}" if is_frozen(n) else n.op.name
    told = (getattr(n.op, name) for name in n.op.field_names)
    return " ".join([n.op.name, *(str(v) for v in told if not isinstance(v, str))])


def _title(run: Sequence[str]) -> str:
    return run[0] if len(run) == 1 else f"{run[0]} … {run[-1]}"


def _text(seen: Seen, options: Options, title: str, count: int, nodes: Sequence[Node]) -> str:
    """A layer's lines: name, ops, parameters, state, and the bytes of its results."""
    lines = [title + (f"  x {count}" if count > 1 else "")]
    ops = dict.fromkeys(n.op.name for n in nodes if not isinstance(n.op, Source))
    if ops:
        lines.append(shortened(", ".join(ops)))
    parameters = [n for n in nodes if isinstance(n.op, Parameter)]
    if parameters:
        lines.append(f"parameters: {_numbers(n.type for n in parameters):,}")
        frozen = [n.type for n in parameters if is_frozen(n)]
        if frozen:
            some = len(frozen) < len(parameters)
            lines.append(f"frozen: {_numbers(frozen):,}" if some else "frozen")
    state = [n.type for n in nodes if isinstance(n.op, State)]
    if state:
        lines.append(f"numbers of state: {_numbers(state):,}")
    results = [n.type for n in nodes if not isinstance(n.op, Source)]
    if options.types and results:
        lines.append(f"results: {total_text(results, options.sizes)}")
    outputs = [
        key for key, n in seen.g.outputs.items() if n in nodes and not _is_gradient(seen, key)
    ]
    lines += [f"output {key}" for key in outputs]
    return "\n".join(lines)


def _is_gradient(seen: Seen, key: str) -> bool:
    return any(key == f"{seen.g.names[p]}.grad" for p in seen.g.trained)


def _numbers(types: Iterable[TensorType]) -> int:
    return sum(prod(d for d in t.shape if isinstance(d, int)) for t in types)
