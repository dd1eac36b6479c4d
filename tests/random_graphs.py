"""Random graphs for Hypothesis: elementwise ops, products, reductions, fan-out, updates."""

from __future__ import annotations

from collections.abc import Callable

import hypothesis.strategies as st
import numpy as np

import verigrad as vg
from verigrad.graph import OPS
from verigrad.ops import Axpy, DecayAdd, Descend, Gemm

ROWS, ROW, SQUARE, SCALAR, COLUMN = ("N", 4), (4,), (4, 4), (), ("N", 1)
BROADCAST = {  # which shapes may join one without changing it
    ROWS: (ROWS, ROW, SCALAR, COLUMN),
    ROW: (ROW, SCALAR),
    SQUARE: (SQUARE, ROW, SCALAR),
    SCALAR: (SCALAR,),
    COLUMN: (COLUMN, SCALAR),
}
UNARY = (vg.relu, vg.tanh, vg.sigmoid, vg.negative, vg.square, vg.absolute, vg.copy)
BINARY = (vg.add, vg.subtract, vg.multiply, vg.maximum)


class Builder:
    """Adds random nodes to those there are; `draw` makes each choice."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.nodes: list[vg.Node] = [
            vg.input("x", ROWS),
            vg.input("z", ROWS),
            vg.parameter("fc1.weight", SQUARE, init="xavier_normal"),
            vg.parameter("fc1.bias", ROW, init=vg.init.normal(0.1)),
            vg.state("s", ROW, init="ones"),
            vg.state("t", SQUARE, init=vg.init.normal(0.1)),
            vg.constant(0.5),
        ]

    def pick(self, *shapes: tuple[int | str, ...]) -> vg.Node:
        """A node of one of the shapes; late ones as often as early ones."""
        return self.draw(st.sampled_from([n for n in self.nodes if n.type.shape in shapes]))

    def grow(self, kinds: dict[Callable[[Builder], vg.Node], int], most: int) -> None:
        """Adds up to `most` nodes, of the kinds by their weights."""
        weighted = [k for k, weight in kinds.items() for _ in range(weight)]
        for _ in range(self.draw(st.integers(0, most))):
            self.nodes.append(self.draw(st.sampled_from(weighted))(self))

    def unary(self) -> vg.Node:
        return self.draw(st.sampled_from(UNARY))(self.pick(*BROADCAST))

    def binary(self) -> vg.Node:
        a = self.pick(*BROADCAST)
        b = self.pick(*BROADCAST[a.type.shape])
        a, b = self.draw(st.permutations([a, b]))
        return self.draw(st.sampled_from(BINARY))(a, b)

    def choice(self) -> vg.Node:
        a = self.pick(*BROADCAST)
        b, c = (self.pick(*BROADCAST[a.type.shape]) for _ in range(2))
        return vg.where(vg.greater(a, b), a, c)

    def product(self) -> vg.Node:
        if self.draw(st.booleans()):
            return vg.matmul(self.pick(ROWS), self.pick(ROWS), transpose_a=True)
        flip = self.draw(st.booleans())
        return vg.matmul(self.pick(ROWS, SQUARE), self.pick(SQUARE), transpose_b=flip)

    def linear(self) -> vg.Node:
        return vg.linear(self.pick(ROWS), self.pick(SQUARE), self.pick(ROW))

    def softmax(self) -> vg.Node:
        return vg.log_softmax(self.pick(ROWS, ROW, SQUARE))

    def reduction(self) -> vg.Node:
        x = self.pick(ROWS, SQUARE)
        if x.type.shape == SQUARE or self.draw(st.booleans()):
            return vg.sum(x, axes=[0])
        return vg.sum(x, axes=[1], keepdims=True)

    def relu_grad(self) -> vg.Node:
        y = self.pick(*BROADCAST)
        return vg.apply(OPS["relu_grad"](), y, self.pick(y.type.shape))

    def transpose(self) -> vg.Node:
        return vg.transpose(self.pick(SQUARE))

    def decayed(self) -> vg.Node:
        v = self.pick(ROW, SQUARE)
        return vg.apply(DecayAdd(0.9, 0.1), v, self.pick(v.type.shape))

    def descended(self) -> vg.Node:
        w = self.pick(ROW, SQUARE)
        return vg.apply(Descend(), w, self.pick(w.type.shape), self.pick(SCALAR))

    def multiple(self) -> vg.Node:
        y = self.pick(ROW, SQUARE)
        return vg.apply(Axpy(), y, self.pick(y.type.shape), self.pick(SCALAR))

    def accumulated(self) -> vg.Node:
        scalars = self.pick(SCALAR), self.pick(SCALAR)
        if self.draw(st.booleans()):
            return vg.apply(
                Gemm(True), self.pick(SQUARE), self.pick(ROWS), self.pick(ROWS), *scalars
            )
        c = self.pick(ROWS, SQUARE)
        return vg.apply(Gemm(), c, self.pick(c.type.shape), self.pick(SQUARE), *scalars)


DIFFERENTIABLE = {
    Builder.unary: 3,
    Builder.binary: 5,
    Builder.choice: 1,
    Builder.product: 1,
    Builder.linear: 2,
    Builder.softmax: 1,
    Builder.reduction: 1,
    Builder.transpose: 1,
}
ANY = {
    **DIFFERENTIABLE,
    Builder.relu_grad: 1,
    Builder.decayed: 2,
    Builder.descended: 2,
    Builder.multiple: 1,
    Builder.accumulated: 2,
}


@st.composite
def graphs(draw: st.DrawFn, most: int = 14) -> vg.Graph:
    """Any graph: some results are returned, some update parameters or state, in place or not."""
    b = Builder(draw)
    b.grow(ANY, most)
    outputs = draw(st.lists(st.sampled_from(b.nodes[-5:]), min_size=1, max_size=3, unique=True))
    updates = {}
    for w in b.nodes[2:6]:
        if draw(st.booleans()):
            updates[w] = b.pick(w.type.shape)
    # What binds N is always there.
    return vg.Graph(
        "random", {f"y{i}": n for i, n in enumerate(outputs)} | {"x": b.nodes[0]}, updates=updates
    )


@st.composite
def nets(draw: st.DrawFn, most: int = 10) -> vg.Graph:
    """A net whose loss reaches every parameter, all of whose ops can be differentiated."""
    b = Builder(draw)
    x, _, w, bias, *_ = b.nodes
    b.grow(DIFFERENTIABLE, most)
    scores = vg.linear(x, w, bias, name="fc1")
    for n in b.nodes:
        if n.type.shape == ROWS:
            scores = scores + vg.tanh(n)
    y = vg.input("y", ("N",), dtype="i64")
    return vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


@st.composite
def laned(draw: st.DrawFn) -> vg.Graph:
    """The same computation for several parameters, more or less: some lanes differ a little."""
    n, rate = st.integers(0, 5), vg.constant(0.1)
    rates = [rate, rate, vg.constant(0.2)]
    chain = draw(st.lists(st.tuples(st.integers(0, 4), n, n), min_size=1, max_size=5))
    outputs: dict[str, vg.Node] = {}
    updates: dict[vg.Node, vg.Node] = {}
    shapes = draw(st.lists(st.sampled_from([(4,), (2, 3), (4, 4), (5,)]), min_size=2, max_size=4))
    made: list[vg.Node] = []
    for k, shape in enumerate(shapes):
        x = vg.input(f"x{k}", ("N", int(np.prod(shape))))
        w = vg.parameter(f"w{k}", shape, init=vg.init.normal(1.0))
        s = vg.state(f"s{k}", shape, init="ones")
        fed = draw(st.integers(0, 9)) == 0
        summed = vg.input(f"g{k}", shape) if fed else vg.reshape(vg.sum(x, axes=[0]), shape)
        same = [g for g in made if g.type == summed.type]
        g = same[0] if same and draw(st.integers(0, 3)) == 0 else summed
        made.append(g)
        values = [w, s, g]
        for kind, a, b in chain:
            i, j = (values[q % len(values)] for q in draw(st.sampled_from([(a, b)] * 9 + [(b, a)])))
            of = draw(st.sampled_from(rates)) if draw(st.integers(0, 5)) == 0 else rate
            values.append(
                [
                    lambda i=i, j=j, of=of: i * of + j,
                    lambda i=i, j=j: vg.tanh(i - j),
                    lambda i=i, j=j: vg.apply(DecayAdd(0.9, 0.1), i, j),
                    lambda i=i, j=j, of=of: vg.apply(Descend(), i, j, of),
                    lambda i=i, j=j: vg.maximum(vg.negative(i), j),
                ][kind]()
            )
        updates[w] = vg.apply(Descend(), w, values[-1], rate)
        if draw(st.integers(0, 3)):
            updates[s] = vg.apply(DecayAdd(0.5), s, values[len(values) // 2])
        if draw(st.integers(0, 4)) == 0:
            outputs[f"y{k}"] = draw(st.sampled_from(values))
        outputs[f"x{k}"] = x
    return vg.Graph("laned", outputs, updates=updates if draw(st.integers(0, 4)) else {})


CHAINED = (vg.gelu, vg.silu, vg.erf, vg.softplus, vg.elu, vg.relu, vg.tanh, vg.square, vg.copy)
"""Functions of one tensor; most want temporaries."""
FAMILIES = (  # shapes that broadcast to the first: tensors by rows, and of fixed sizes
    (("N", 4), ("N", 1), (4,), (1, 4), (1,), ()),
    (("N",), (1,), ()),
    (("N", 1), (1, 1), (1,), ()),
    ((1, 4), (1, 1), (4,), ()),
    ((2, 3), (3,), (1, 3), (2, 1), ()),
    ((3, 1), (1, 1), (1,)),
)


@st.composite
def chains(draw: st.DrawFn, most: int = 12) -> vg.Graph:
    """Chains of functions that want temporaries, on tensors whose sizes are often 1; returned, or
    written to the state, is whatever was drawn: most of it lies in the middle of a chain."""
    shapes = draw(st.sampled_from(FAMILIES))
    fed = [vg.input(f"x{k}", shape) for k, shape in enumerate(shapes)]
    held = [vg.state(f"s{k}", s, init="ones") for k, s in enumerate(shapes) if "N" not in s]
    nodes = [*fed, *held]
    for _ in range(draw(st.integers(1, most))):
        a, b = [draw(st.sampled_from([*nodes[-3:], *nodes])) for _ in range(2)]
        of = draw(st.sampled_from(CHAINED))
        made = draw(st.sampled_from(["one", "one", "one", "two", "two", "reduced", "chosen"]))
        try:
            if made == "two":
                n = draw(st.sampled_from(BINARY))(a, b)
            elif made == "reduced" and a.type.rank:
                axes, kept = [draw(st.integers(0, a.type.rank - 1))], draw(st.booleans())
                both = a.type.rank == 2 and draw(st.booleans())
                n = vg.layer_norm(a) if both else vg.sum(a, axes=axes, keepdims=kept)
            elif made == "chosen":
                n = vg.where(vg.greater(a, 0.3 * a), of(a), b)
            else:
                n = of(a)
        except vg.GraphError:  # these shapes do not broadcast
            continue
        nodes.append(n)
    results = [n for n in nodes if n.inputs] or held or fed
    outputs = draw(st.lists(st.sampled_from(results), min_size=1, max_size=4, unique=True))
    updates = {}
    for s in held:
        same = [n for n in results if n.inputs and n.type == s.type]
        if same and draw(st.booleans()):
            updates[s] = draw(st.sampled_from(same))
    # What binds N is always there.
    returned = {f"y{k}": n for k, n in enumerate(outputs)} | {"x": fed[0]}
    return vg.Graph("chain", returned, updates=updates)


def values_of(g: vg.Graph, size: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Standard normal values for every source, N of that size; integers are labels 0 to 3."""
    rng = np.random.default_rng(seed)
    values = {}
    for n in (*g.inputs, *g.parameters, *g.state):
        shape = n.type.bind({"N": size})
        drawn = rng.standard_normal(shape) if n.type.is_float else rng.integers(0, 4, shape)
        values[g.names[n]] = np.asarray(drawn).astype(n.type.numpy)
    return values
