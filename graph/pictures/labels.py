"""What a picture says about a node: its label, its bytes and its tooltip."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import prod
from typing import TYPE_CHECKING, Final

from ..op import Source
from ..sources import Constant, Parameter, is_frozen
from ..text.attributes import print_fields, print_op
from ..text.printer import statement
from .folding import is_folded

if TYPE_CHECKING:
    from ..graph import Graph
    from ..node import Node
    from ..types import TensorType

_LONGEST: Final = 30
_UNPRINTABLE: Final = re.compile(r"[^\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML cannot hold."""
_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def label(g: Graph, n: Node, sizes: Mapping[str, int], types: bool = True) -> str:
    """The node's lines: name, op, type and bytes if asked for, and what sets it apart."""
    name = g.names[n]
    if g.schedule is not None and n in g.schedule.groups:
        name += f" #{g.schedule.groups[n]}"
    outputs = [f"output {key}" for key, value in g.outputs.items() if value is n]
    op = shortened(op_text(g, n))
    kind = [f"{n.type} · {bytes_text(n.type, sizes)}"] if types else []
    said = [*["fused"] * n.op.fused, *["frozen"] * is_frozen(n)]
    return "\n".join([name, *([op] if op else []), *kind, *said, *outputs])


def op_text(g: Graph, n: Node) -> str:
    """`init=zeros`, `sum{axes=[0]}`; with its operands where one is folded: `multiply(·, 2)`."""
    if isinstance(n.op, Parameter):
        return print_fields(n.op.but(trainable=True))  # what is frozen has a line of its own
    if isinstance(n.op, Source) and not isinstance(n.op, Constant):
        return print_fields(n.op)
    if not any(is_folded(g, i) for i in n.inputs):
        return print_op(n.op)
    operands = (_scalar_text(i) if is_folded(g, i) else "·" for i in n.inputs)
    return f"{print_op(n.op)}({', '.join(operands)})"


def printable(text: str) -> str:
    """The text with a question mark for each character that a picture cannot hold."""
    return _UNPRINTABLE.sub("?", text)


def shortened(text: str) -> str:
    """The text, cut where it would make its node wide."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def bytes_text(type: TensorType, sizes: Mapping[str, int]) -> str:
    """`51.2 kB`; with the symbols whose size is not known, `400·N B`."""
    return total_text([type], sizes)


def total_text(types: Iterable[TensorType], sizes: Mapping[str, int]) -> str:
    """The bytes of several tensors together, largest powers of symbols first: `400·N + 40 B`."""
    terms: dict[tuple[str, ...], float] = {}
    for type in types:
        dims = [sizes.get(d, d) if isinstance(d, str) else d for d in type.shape]
        known = float(prod([d for d in dims if isinstance(d, int)]) * type.numpy.itemsize)
        symbols = tuple(d for d in dims if isinstance(d, str))
        terms[symbols] = terms.get(symbols, 0.0) + known
    powers = sorted(terms, key=lambda symbols: (-len(symbols), symbols))
    unit = _unit(max(terms.values(), default=0.0))
    texts = ["·".join([f"{terms[symbols] / 1000**unit:.3g}", *symbols]) for symbols in powers]
    return f"{' + '.join(texts) or '0'} {_UNITS[unit]}"


def size_text(nbytes: float) -> str:
    """A number of bytes in three digits: `51.2 kB`."""
    unit = _unit(nbytes)
    return f"{nbytes / 1000**unit:.3g} {_UNITS[unit]}"


def _unit(nbytes: float) -> int:
    """The first unit in which three digits of the number do not round to 1000."""
    return next((k for k in range(len(_UNITS)) if nbytes / 1000**k < 999.5), len(_UNITS) - 1)


def tooltip(g: Graph, n: Node) -> str:
    """The node's statement in full, where it is placed, and the user's line that made it."""
    lines = [statement(g, n)]
    s = g.schedule
    if s is not None:
        if n in s.groups:
            lines.append(f"kernel call {s.groups[n]}")
        if n in s.takeovers:
            lines.append(f"takes over the buffer of %{g.names[s.takeovers[n]]}")
        if n in s.places:
            offset, size = s.places[n]
            lines.append(f"arena {offset}:{offset + size}")
    if n.where is not None:
        lines.append(n.where.described)
    return "\n".join(lines)


def description(g: Graph, roles: Mapping[Node, str]) -> str:
    """The graph in a sentence, for who cannot see the picture."""
    of = list(roles.values())
    kinds = [f"{of.count(role)} {role}" for role in dict.fromkeys(of)]
    parts = [f"Computation graph {g.name}: {', '.join(kinds)} nodes" if kinds else "An empty graph"]
    if g.layers:
        parts.append(f"layers {', '.join(g.layers)}")
    if g.outputs:
        parts.append(f"outputs {', '.join(g.outputs)}")
    if g.updates:
        parts.append(f"{len(g.updates)} updates")
    return "; ".join(parts) + "."


def _scalar_text(n: Node) -> str:
    return f"{n.op.value.array[()]:g}" if isinstance(n.op, Constant) else print_op(n.op)
