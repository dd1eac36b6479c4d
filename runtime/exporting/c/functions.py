"""The functions of an exported file: the signature of each, and its body."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ....graph import Graph, Node, Nodes
from ...planning.phases import is_wrong, late_products, phases, read_late, watched
from ...planning.typed_arrays import TypedArrays
from ..identifiers import Names
from .body import Body, Held
from .helpers import Helpers
from .kernels import KERNELS
from .loops import Text, wrapped
from .numbers import TYPES


class Function(NamedTuple):
    """A function as text: its head without what ends it, and its lines."""

    head: str
    lines: Sequence[str]

    @property
    def text(self) -> str:
        return "\n".join([f"{self.head} {{", *self.lines, "}"])


class Writer:
    """Writes functions on the same state; `prefix` is what all public names begin with.

    `held` says what holds a parameter, a state or a constant, and `names` are those of the file.
    """

    def __init__(
        self,
        prefix: str,
        sizes: Mapping[str, int],
        names: Names,
        helpers: Helpers,
        held: Held,
    ) -> None:
        self._prefix, self._sizes, self._names = prefix, sizes, names
        self._helpers, self._held = helpers, held

    @property
    def sizes(self) -> dict[str, str]:
        """What the size of each symbol is called; that of a single one is n."""
        if len(self._sizes) == 1:
            return dict.fromkeys(self._sizes, "n")
        local = Names(lambda _: False)
        return {s: f"n_{local.new(s)}" for s in self._sizes}

    def most(self, symbol: str) -> str:
        """The macro of the largest size of a symbol."""
        named = Names(lambda _: False)
        return {s: f"{self._prefix.upper()}_MOST_{named.new(s.upper())}" for s in self._sizes}[
            symbol
        ]

    def predict(self, g: Graph, arrays: TypedArrays) -> Function:
        """The outputs of the inference graph, copied into the caller's arrays."""
        made = _Made(self, g, arrays, "predict", g.outputs)
        made.body.kernels(_groups(g))
        made.outputs(lambda _: True)
        return made.function()

    def step(self, g: Graph, arrays: TypedArrays) -> Function:
        """The training step: the state is written where all that it needs is finite."""
        made = _Made(self, g, arrays, "step", g.outputs)
        once, early, late = phases(g)
        made.body.kernels([*once, *early])
        written = dict.fromkeys([n for group in late for n in group])
        made.outputs(lambda n: n not in written)
        made.check_finite([*written])
        made.begin_writing()
        made.body.kernels(late)
        made.write_others()
        made.outputs(written.__contains__)
        made.end_writing()
        return made.function()


class _Made:
    """One function while it is written."""

    def __init__(
        self, w: Writer, g: Graph, arrays: TypedArrays, name: str, outputs: Mapping[str, Node]
    ) -> None:
        self._g, self._prefix = g, w._prefix
        self.text = Text(w.sizes)
        names = w._names.inner()
        fed, arguments = {}, []
        for n in g.inputs:
            fed[n] = names.new(g.names[n])
            kind = TYPES[n.type.dtype]
            arguments.append(f"const {kind} *{fed[n]}" if n.type.rank else f"{kind} {fed[n]}")
        arguments += [f"size_t {w.sizes[s]}" for s in g.symbols]
        self._outputs = {key: names.new(key) for key in outputs}
        arguments += [f"{TYPES[n.type.dtype]} *{self._outputs[k]}" for k, n in outputs.items()]
        listed = ", ".join(arguments) or "void"
        self._head = wrapped(f"enum {w._prefix}_status {w._prefix}_{name}({listed})")
        status = w._prefix.upper()
        self.body = Body(
            g, self.text, arrays, f"{status}_ARENA", names, w._helpers, w._held, fed, status,
            KERNELS,
        )  # fmt: skip
        for s in g.symbols:
            self.body.refuse(f"{w.sizes[s]} > {w.most(s)}", "SIZE")
        read = {i for n in g.order for i in n.inputs} | {*outputs.values(), *g.updates.values()}
        for n in g.inputs:
            if n not in read:
                self.text.add(f"(void){fed[n]};")

    def function(self) -> Function:
        """What has been written."""
        self.text.add(f"return {self._prefix.upper()}_OK;")
        return Function(self._head, self.text.lines)

    def outputs(self, chosen: Callable[[Node], bool]) -> None:
        """Copies the chosen outputs to where the caller wants them; the loss only where it does."""
        told = [(key, n) for key, n in self._g.outputs.items() if chosen(n)]
        self.text.add(*[""] * bool(told))
        for key, n in told:
            if n is self._g.loss:
                self.text.add(f"if ({self._outputs[key]})")
                self.text.add(f"    *{self._outputs[key]} = {self.body.element(n, '')};")
            else:
                self._copy(self._outputs[key], n)

    def check_finite(self, late: Nodes | Sequence[Node]) -> None:
        """Ends the step where the loss, or what the updates read, is not finite."""
        g = self._g
        done = dict.fromkeys(late)
        factors = dict.fromkeys([i for pair in late_products(done).values() for i in pair])
        conditions = [self._finite(n) for n in watched(g, done, factors)]
        if any(is_wrong(n) for n in read_late(g, done)):
            conditions.append("0")
        if conditions:
            self.text.add("", "/* The state is written only where all this is finite. */")
            self.body.refuse(" || ".join([f"!{c}" for c in conditions]), "NOT_FINITE")

    def begin_writing(self) -> None:
        """Keeps the state as it was, where this is asked for."""
        name = f"{self._prefix}_state"
        self.text.lines.append(f"#ifdef {self._prefix.upper()}_ROLLBACK")
        self.text.add(f"{self._prefix}_before = {name};")
        self.text.lines.append("#endif")

    def write_others(self) -> None:
        """Copies the new values that lie elsewhere into the state."""
        for w, n in self._g.updates.items():
            if self._where(w) != self._where(n):
                self._copy(self._where(w), n)

    def end_writing(self) -> None:
        """Tells where an update has become too large for its dtype."""
        new = [w for w in self._g.updates if w.type.is_float]
        if not new:
            return
        broken = " || ".join([f"!{self._finite(w)}" for w in new])
        self.text.add("")
        with self.text.block(f"if ({broken})"):
            self.text.lines.append(f"#ifdef {self._prefix.upper()}_ROLLBACK")
            self.text.add(f"{self._prefix}_state = {self._prefix}_before;")
            self.text.lines.append("#endif")
            self.text.add(f"return {self._prefix.upper()}_OVERFLOW;")

    def _where(self, n: Node) -> str:
        return self.body.element(n, "") if not n.type.rank else self.body.array(n)

    def _finite(self, n: Node) -> str:
        """Whether a value is finite, as a condition."""
        if not n.type.rank:
            return f"isfinite({self.body.element(n, '')})"
        count = self.text.count(n.type.shape)
        return f"{self.body.helper('finite', n.type)}({count}, {self.body.array(n)})"

    def _copy(self, to: str, n: Node) -> None:
        if n.type.rank:
            count = self.text.count(n.type.shape)
            self.text.add(f"memcpy({to}, {self.body.array(n)}, {count} * sizeof *{to});")
        elif to in self._outputs.values():
            self.text.add(f"*{to} = {self.body.element(n, '')};")
        else:
            self.text.add(f"{to} = {self.body.element(n, '')};")


def _groups(g: Graph) -> list[Nodes]:
    once, early, late = phases(g)
    return [*once, *early, *late]
