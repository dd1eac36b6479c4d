"""Random graphs for Hypothesis over all ops, with random attributes, axes, shapes and readers."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable

import hypothesis.strategies as st

import verigrad as vg
from verigrad.graph import OPS, Dim, Node, Op, Source, broadcast
from verigrad.ops import MODES, Update
from verigrad.ops.comparison import Comparison
from verigrad.ops.elementwise import Binary, Slope, Unary
from verigrad.ops.reductions import Reduction

CLASSES = 3


class Varied:
    """Makes random nodes of those there are; `draw` makes each choice."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        f64 = {"dtype": "f64"}
        self.labels = vg.input("y", ("N",), dtype="i64")
        self.parameters = [
            vg.parameter("fc1.weight", (3, 3), init="xavier_normal", **f64),
            vg.parameter("fc1.bias", (3,), init=vg.init.normal(0.1), **f64),
            vg.parameter("c", (2, 3, 2), init=vg.init.normal(1.0), **f64),
        ]
        self.step = vg.state("step", (), dtype="i64")
        self.nodes: list[Node] = [
            vg.input("x", ("N", 3), **f64),
            vg.input("z", (2, "N"), **f64),
            *self.parameters,
            vg.constant(1.0, "f64"),
            vg.constant([[0.0, -0.0, 1.0]], "f64"),
        ]

    # ---- choices ----

    def of(self, *choices: object) -> object:
        return self.draw(st.sampled_from(choices))

    def flag(self) -> bool:
        return self.draw(st.booleans())

    def pick(self, fits: Callable[[Node], bool] = lambda n: True) -> Node:
        """A node that fits; late ones as often as early ones. The first one, where none does."""
        return self.draw(st.sampled_from([n for n in self.nodes if fits(n)] or self.nodes))

    def like(self, n: Node) -> Node:
        return self.pick(lambda m: m.type == n.type)

    def broadcast(self, a: Node) -> Node:
        """A node that broadcasts against another."""

        def fits(n: Node) -> bool:
            with contextlib.suppress(vg.GraphError):
                return bool(n.type.is_float and broadcast(a.type, n.type) is not None)
            return False

        return self.pick(fits)

    def matrix(self, columns: Dim | None = None) -> Node:
        return self.pick(lambda n: n.type.rank == 2 and columns in (None, n.type.shape[1]))

    def scalar(self) -> Node:
        return self.pick(lambda n: not n.type.rank)

    def some(self, n: int) -> tuple[int, ...]:
        return tuple(self.draw(st.lists(st.sampled_from(range(n)), unique=True)) if n else ())

    def axis(self, n: Node) -> tuple[int, int]:
        """An axis whose size is a number, and the size."""
        numbers = [(k, d) for k, d in enumerate(n.type.shape) if isinstance(d, int)]
        return self.of(*numbers or [(0, 1)])

    def positive(self, n: Node) -> Node:
        return vg.absolute(n) + 0.5

    # ---- families ----

    def unary(self, name: str, **attributes: object) -> Node:
        x = self.pick()
        if name in ("log", "sqrt"):
            x = self.positive(x)
        if name in ("exp", "expm1", "square"):
            x = vg.tanh(x)
        if name in ("sign", "floor"):
            x = x + 0.3
        return vg.apply(OPS[name](**attributes), x)

    def binary(self, name: str) -> Node:
        a = self.pick()
        a, b = self.draw(st.permutations([a, self.broadcast(a)]))
        if name == "divide":
            b = self.positive(b)
        if name == "power":
            a, b = self.positive(a), vg.tanh(b)
        return vg.apply(OPS[name](), a, b)

    def compared(self, name: str) -> Node:
        """A choice between two nodes, or 0 and 1, by a comparison."""
        a = self.pick()
        held = vg.apply(OPS[name](), a, self.broadcast(a) + 0.3)
        return self.chosen(held) if self.flag() else vg.cast(held, "f64")

    def chosen(self, held: Node | None = None) -> Node:
        held = vg.less(self.pick(), 0.1) if held is None else held
        a = self.broadcast(held)
        return vg.where(held, a, self.of(a, self.broadcast(a)))

    def reduced(self, name: str) -> Node:
        x = self.pick()
        axes = None if self.flag() else self.some(x.type.rank)
        kept = {} if name == "first_max" else {"keepdims": self.flag()}
        return vg.apply(OPS[name](axes, **kept), x)

    # ---- ops of their own ----

    def cast(self) -> Node:
        x = self.pick()
        return vg.cast(vg.cast(x + 0.3, self.of("i64", "bool", "f64")), "f64")

    def dim(self) -> Node:
        return vg.dim("N") * self.pick()

    def reshape(self) -> Node:
        """Two axes of sizes in numbers become one, or an axis of 1 comes or goes."""
        x = self.pick()
        shape: list[Dim] = [d for d in x.type.shape if d != 1 or self.flag()]
        k = self.of(*range(len(shape) + 1))
        pair = shape[k : k + 2]
        if len(pair) == 2 and all(isinstance(d, int) for d in pair) and self.flag():
            shape[k : k + 2] = [math.prod(pair)] if self.flag() else pair[::-1]
        else:
            shape.insert(k, 1)
        return vg.reshape(x, shape)

    def transpose(self) -> Node:
        x = self.pick(lambda n: n.type.rank > 1)
        return vg.transpose(x, self.draw(st.permutations(range(x.type.rank))))

    def broadcast_to(self) -> Node:
        x = self.pick()
        shape = tuple(self.of(2, "N") if d == 1 and self.flag() else d for d in x.type.shape)
        return vg.broadcast_to(x, (*self.of((), (2,), ("N",), (1,)), *shape))

    def slice(self) -> Node:
        x = self.pick()
        k, size = self.axis(x)
        start = self.of(*range(size))
        return vg.slice(x, k, start, self.of(*range(start + 1, size + 1)))

    def pad(self) -> Node:
        x = self.pick()
        return vg.pad(x, self.axis(x)[0], self.of(0, 1), self.of(0, 1, 2))

    def concat(self) -> Node:
        x = self.pick()
        others = [self.like(x) for _ in range(self.of(0, 1, 2))]
        return vg.concat(x, *others, axis=self.axis(x)[0])

    def matmul(self) -> Node:
        """A product that fits, either operand read transposed, or a transpose of one."""
        a, flip = self.matrix(), self.flag()
        _, inner = a.type.shape[::-1] if flip else a.type.shape
        b = self.pick(lambda n: n.type.rank == 2 and inner in n.type.shape)
        other = b.type.shape[1] == inner and (b.type.shape[0] != inner or self.flag())
        if self.flag():
            a, flip = vg.transpose(a, self.of((1, 0), (0, 1))), flip
            flip = a.type.shape[0] == inner and (a.type.shape[1] != inner or self.flag())
        if self.flag():
            b = vg.transpose(b, self.of((1, 0), (0, 1)))
            other = b.type.shape[1] == inner and (b.type.shape[0] != inner or self.flag())
        return vg.matmul(a, b, transpose_a=flip, transpose_b=other)

    def gemm(self) -> Node:
        product = self.matmul()
        while product.op.name != "matmul":
            product = self.matmul()
        op = OPS["gemm"](product.op.transpose_a, product.op.transpose_b)
        c = vg.tanh(vg.copy(product))
        return vg.apply(op, c, *product.inputs, self.scalar(), self.scalar())

    def linear(self, name: str = "linear") -> Node:
        w, b = self.parameters[:2]
        weight = self.of(w, vg.transpose(w))
        return vg.apply(OPS[name](), self.matrix(3), weight, b)

    def log_softmax(self) -> Node:
        x = self.pick(lambda n: n.type.rank > 0)
        p = vg.log_softmax(x)
        return vg.exp(p) if self.flag() else p

    def scores(self) -> Node:
        p = self.pick(lambda n: n.type.shape == ("N", CLASSES))
        return vg.log_softmax(p) if self.flag() else p

    def nll(self) -> Node:
        return vg.nll(self.scores(), self.labels)

    def nll_grad(self) -> Node:
        dy = vg.sum(self.matrix(CLASSES), axes=[1])
        return vg.apply(OPS["nll_grad"](CLASSES), dy, self.labels)

    def places(self) -> Node:
        starts = vg.apply(OPS["row_starts"]("N", CLASSES))
        return vg.apply(OPS["label_places"](CLASSES), starts, self.labels)

    def nll_at(self) -> Node:
        return vg.apply(OPS["nll_at"](), self.scores(), self.places())

    def softmax_nll_grad(self) -> Node:
        dy = vg.mean(self.scores(), axes=[1])
        return vg.apply(OPS["softmax_nll_grad"](), self.scores(), self.places(), dy)

    def relu_grad(self) -> Node:
        y = self.pick()
        return vg.apply(OPS["relu_grad"](), y, self.like(y))

    def batch_norm(self) -> Node:
        form = {"eps": self.of(1e-5, 0.1), "momentum": self.of(0.9, 0.5), "unbiased": self.flag()}
        x = self.pick(lambda n: n.type.rank == 2 and n.type.shape[0] == "N")
        if self.flag() and isinstance(x.type.shape[1], int):
            x = vg.dense(x, 2, bias=self.flag())
        return vg.batch_norm(x, **form)

    def batch_variance(self) -> Node:
        return vg.apply(OPS["batch_variance"](), self.pick(lambda n: n.type.shape[:1] == ("N",)))

    def dropout(self) -> Node:
        return vg.dropout(self.pick(), keep=self.of(0.5, 0.75, 1.0), mode=self.of(*MODES))

    def dropout_mask(self) -> Node:
        x = self.pick()
        op = OPS["dropout_mask"](
            self.of("a", "b"), self.of(0.5, 0.8), x.type.shape, self.of(1.0, 2.0), 3, "f64"
        )
        return x * vg.apply(op, self.step)

    def gradient(self) -> Node:
        y = vg.sum(vg.tanh(self.pick(smooth(self.nodes).__contains__)))
        made_from = vg.Graph("g", {"y": y}).nodes
        return vg.grad(y, [self.of(*[n for n in made_from if n.type.is_float])])[0]

    def slope(self, name: str) -> Node:
        x = self.pick()
        attributes = {"form": self.of("exact", "tanh")} if name == "gelu_grad" else {}
        return vg.apply(OPS[name](**attributes), x, self.like(x))

    def update(self, name: str) -> Node:
        v = self.pick(lambda n: n.type.rank > 0)
        factors = {"decay": self.of(0.9, 0.0, 1.0), "scale": self.of(1.0, 0.1)}
        op = OPS[name](**{k: v for k, v in factors.items() if k in OPS[name].field_names})
        operands = getattr(op, "operands", ("w", "d", "rate"))
        scalars = ("rate", "eps", "factor")
        others = [self.scalar() if k in scalars else self.like(v) for k in operands[1:]]
        if name == "descend_scaled":
            others[1], others[-1] = self.positive(others[1]), self.positive(others[-1])
            others += [self.scalar()] * self.flag()
        return vg.apply(op, v, *others)


def maker(name: str) -> Callable[[Varied], Node]:
    """How a node of that op is made: by its own method, or as its family is."""
    own = getattr(Varied, name, None) or OF_NAME.get(name)
    if own is not None:
        return own
    kind = OPS[name]
    for family, method in FAMILIES.items():
        if issubclass(kind, family):
            return lambda b: method(b, name)
    raise NotImplementedError(f"no random graph has a node of the op {name!r}")


OF_NAME: dict[str, Callable[[Varied], Node]] = {
    "leaky_relu": lambda b: b.unary("leaky_relu", slope=b.of(0.01, 0.5, 1.0)),
    "elu": lambda b: b.unary("elu", alpha=b.of(0.5, 1.0)),
    "gelu": lambda b: b.unary("gelu", form=b.of("exact", "tanh")),
    "where": Varied.chosen,
    "first_max": lambda b: b.reduced("first_max"),
    "clip_factor": lambda b: vg.apply(OPS["clip_factor"](b.of(0.5, 1e6)), b.pick(), b.pick()),
    "squared_norm": lambda b: vg.squared_norm(b.pick()),
    "copy": lambda b: vg.copy(b.pick()),
    "linear_relu": lambda b: b.linear("linear_relu"),
    "row_starts": lambda b: vg.cast(b.places(), "f64"),
    "label_places": lambda b: vg.cast(b.places(), "f64"),
    "axpy": lambda b: b.update("axpy"),
}
FAMILIES: dict[type[Op], Callable[[Varied, str], Node]] = {
    Comparison: Varied.compared,
    Slope: Varied.slope,
    Unary: Varied.unary,
    Binary: Varied.binary,
    Reduction: Varied.reduced,
    Update: Varied.update,
}
NAMES = sorted(
    k
    for k, kind in OPS.items()
    if kind.__module__.startswith("verigrad.") and not issubclass(kind, Source)
)
OFTEN = [
    "matmul",
    "transpose",
    "nll",
    "linear",
    "relu",
    "batch_norm",
    "reshape",
    "broadcast_to",
] * 2


def smooth(nodes: list[Node]) -> set[Node]:
    """The nodes, and what they are made from, through which a gradient passes."""
    found: set[Node] = set()
    for n in vg.Graph("g", {f"n{k}": n for k, n in enumerate(nodes)}).nodes:
        given = isinstance(n.op, Source) or type(n.op).vjp is not Op.vjp
        if given and found.issuperset(n.inputs):
            found.add(n)
    return found


@st.composite
def varied(draw: st.DrawFn, most: int = 16) -> vg.Graph:
    """A net in f64 whose loss reaches every parameter, of any ops; what has no gradient is
    returned beside it."""
    b = Varied(draw)
    for _ in range(draw(st.integers(most // 4, most))):
        with contextlib.suppress(vg.GraphError):  # what was picked does not fit the op
            n = maker(draw(st.sampled_from([*NAMES, *OFTEN])))(b)
            b.nodes.append(n)
    made = b.nodes[7:]
    reached = smooth(b.nodes)
    loss = vg.mean(vg.square(b.nodes[0] @ b.parameters[0] + b.parameters[1]))
    for n in made:
        if n in reached and draw(st.booleans()):
            loss = loss + vg.sum(vg.tanh(n))
    for p in {q for n in (loss, *made) for q in vg.Graph("g", {"n": n}).parameters}:
        loss = loss + vg.squared_norm(p) * 0.01
    outputs = {f"y{k}": n for k, n in enumerate(made) if draw(st.booleans())}
    kept = {"x": b.nodes[0], "z": b.nodes[1], "y": b.labels}
    return vg.Graph("varied", outputs | kept, loss=loss)
