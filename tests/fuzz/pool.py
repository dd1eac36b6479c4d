"""The nodes that a random graph has so far, and how operands are picked among them."""

from __future__ import annotations

from collections.abc import Callable

import verigrad as vg
from verigrad.graph import Dim, Node, Op, Shape, Source, TensorType

from .choices import Choices

Fits = Callable[[TensorType], bool]

SIZES = (1, 2, 3, 3, 3, 4, 5)
"""Of axes; small ones, as many of one size as hide a transpose."""
CONSTANTS = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, [[0.0, -0.0, 1.0]], [0.25], [1.0, 0.0])
RECENT = 5


class Pool:
    """Nodes to choose from: sources first, then whatever is made of them.

    `smooth` are those through which a gradient can pass to all that they are made from.
    """

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.width = 17 if choices.flag(0.05) else choices.one(SIZES)
        self.other = choices.one((self.width, self.width, *SIZES))
        self.symbols: tuple[str, ...] = ("N", "M") if choices.flag(0.15) else ("N",)
        self.nodes: list[Node] = []
        self.smooth: set[Node] = set()
        self.parameters: list[Node] = []
        self.state: list[Node] = []
        self.labels: dict[Dim, Node] = {}
        self.fed_beside: list[Node] = []  # targets and weights, which only a loss reads
        self.step: Node | None = None
        # What binds the symbols.
        self.x = self.fed("x", ("N", self.width))
        if "M" in self.symbols:
            self.fed("u", choices.one((("M", self.width), ("N", "M"), ("M",))))

    def add(self, n: Node) -> Node:
        """Notes a node."""
        self.nodes.append(n)
        made = n.op
        if isinstance(made, Source) or (
            type(made).vjp is not Op.vjp
            and all(i in self.smooth for i in n.inputs if i.type.is_float)
        ):
            self.smooth.add(n)
        return n

    # ---- sources -----------------------------------------------------------------------------

    def sources(self) -> None:
        """Inputs, parameters, state and constants of many shapes."""
        c, w, o = self.choices, self.width, self.other
        shapes = [("N", o), (o, "N"), ("N",), ("N", 1), ("N", w, o), (w,), (w, w), ()]
        for name in c.some(("z", "v"), 0.4):
            self.fed(name, c.one(shapes))
        if c.flag(0.15):
            self.fed("chosen", c.one((("N", w), ("N", 1), ("N",))), "bool")
        if c.flag(0.15):
            self.fed("counts", c.one((("N", w), ("N",), ())), "i64")
        shapes = [(w, o), (w, w), (o,), (w,), (), (1, w), (w, 1), (w, o, w)]
        for k in range(c.number(0 if c.flag(0.1) else 1, 3)):
            self.trained(f"w{k}", c.one(shapes))
        for k in range(c.number(0, 2)):
            self.kept(f"s{k}", c.one([(w,), (w,), (o,), (), (w, o)]))
        if c.flag(0.1):
            self.kept("count", (), "i64")
        for _ in range(c.number(0, 2)):
            self.add(vg.constant(c.one(CONSTANTS)))

    def fed(self, name: str, shape: Shape, dtype: str = "f32") -> Node:
        """An input."""
        return self.add(vg.input(name, shape, dtype))

    def trained(self, name: str, shape: tuple[int, ...]) -> Node:
        """A parameter; now and then of its own dtype or regularization, or frozen."""
        c = self.choices
        init = c.one(("xavier_normal", "ones", vg.init.normal(1.0))) if len(shape) > 1 else None
        n = vg.parameter(
            name, shape, init or vg.init.normal(0.5), dtype="f64" if c.flag(0.05) else "f32",
            regularized=c.one((None, None, True, False)), trainable=not c.flag(0.1),
        )  # fmt: skip
        if n.op.trainable:  # what is frozen cannot be updated either
            self.parameters.append(n)
        return self.add(n)

    def kept(self, name: str, shape: tuple[int, ...], dtype: str = "f32") -> Node:
        """A state."""
        n = vg.state(name, shape, self.choices.one(("zeros", "ones")), dtype=dtype)
        self.state.append(n)
        return self.add(n)

    def labels_for(self, rows: Dim) -> Node:
        """Class numbers, one a row; the same input for all that count so many rows."""
        if rows not in self.labels:
            self.labels[rows] = vg.input(f"y.{rows}", (rows,), "i64")
        return self.labels[rows]

    def steps(self) -> Node:
        """The number of the step."""
        if self.step is None:
            self.step = vg.state("step", (), dtype="i64")
        return self.step

    # ---- picks -------------------------------------------------------------------------------

    def pick(self, fits: Fits, otherwise: Node | None = None) -> Node | None:
        """A node whose type fits, one of the last ones as often as any; another where none does."""
        there = [n for n in self.nodes if fits(n.type)]
        if not there:
            return otherwise
        return self.choices.one(there[-RECENT:] if self.choices.flag() else there)

    def found(self, fits: Fits, otherwise: Node) -> Node:
        """The same, where there is always one."""
        n = self.pick(fits, otherwise)
        assert n is not None
        return n

    def floats(self, least: int = 0, most: int = 9) -> Node:
        """Floats of a rank in that range, 2 among them."""
        return self.found(lambda t: t.is_float and least <= t.rank <= most, self.x)

    def numbers(self, whole: float) -> Node:
        """Floats, or in that share of the cases whole numbers, where there are any."""
        floats = self.floats()
        return (
            self.found(lambda t: t.dtype == "i64", floats) if self.choices.flag(whole) else floats
        )

    def anything(self) -> Node:
        """A node of any dtype, floats mostly."""
        floats = self.floats()
        return self.found(lambda t: not t.is_float, floats) if self.choices.flag(0.1) else floats

    def matrix(self) -> Node:
        """Floats of rank 2, whose number of columns is known, and is not 0."""

        def fits(t: TensorType) -> bool:
            columns = t.shape[1] if t.is_float and t.rank == 2 else 0
            return isinstance(columns, int) and columns > 0

        return self.found(fits, self.x)

    def like(self, n: Node) -> Node:
        """A node of the same type: the node itself, where there is no other."""
        return self.found(lambda t: t == n.type, n)

    def beside(self, *nodes: Node) -> Node:
        """A node of the first one's dtype that broadcasts against all of them."""

        def fits(t: TensorType) -> bool:
            same = t.dtype == nodes[0].type.dtype
            return same and all(broadcasts(t.shape, n.type.shape) for n in nodes)

        return self.found(fits, nodes[0])

    def number_like(self, n: Node) -> Node:
        """A scalar of the node's dtype."""
        found = self.pick(lambda t: t.dtype == n.type.dtype and not t.rank)
        return vg.constant(0.5, n.type.dtype) if found is None else found


def broadcasts(a: Shape, b: Shape) -> bool:
    """Whether two shapes broadcast against each other; a symbol meets only itself or 1."""
    return all(d == e or 1 in (d, e) for d, e in zip(a[::-1], b[::-1], strict=False))
