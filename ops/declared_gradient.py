"""A gradient as it is declared: derived from what a graph computes once that is known."""

from __future__ import annotations

from typing import Any, ClassVar

from ..graph import GraphError, Node, Op, TensorType, op


@op
class Gradient(Op):
    """dy/dx of a float scalar y, of x's type; what is made of it depends on the graph's form.

    Training normalizes by the batch and draws dropout's masks, inference does not: a pass puts
    the nodes of the gradient in its place once these are there.
    """

    name: ClassVar[str] = "gradient"
    refers_to: ClassVar[tuple[int, ...]] = (1,)

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 2, "y", "x")
        y, x = types
        if y.rank or not y.is_float:
            raise GraphError(f"y is {y}, where a float scalar is expected\nfix: e.g. vg.sum(y)")
        return x

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        raise GraphError(_EARLY)

    def run(self, *args: Any, **kwargs: Any) -> None:
        raise GraphError(_EARLY)


_EARLY = (
    "gradient: it is only declared yet; the pass expand_gradients, in front of what differentiates "
    "or runs it, puts its nodes in its place"
)
