"""An op of your own, checked: its contract first, then the gradient of a net that uses it.

Run it with `python examples/check_own_op.py`.
"""

from typing import ClassVar

import numpy as np

import verigrad as vg


@vg.op
class Swish(vg.Op):
    """y = x / (1 + exp(-beta x)) (Ramachandran et al. 2017)."""

    name: ClassVar[str] = "swish"
    activation: ClassVar[bool] = True
    elementwise: ClassVar[bool] = True
    beta: float = 1.0

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        self.takes(types, 1)
        (x,) = types
        if not x.is_float:
            raise vg.GraphError(f"input is {x}, where floats are expected")
        return x

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        (x,) = node.inputs
        s = vg.sigmoid(x * self.beta)
        return (dy * (s + self.beta * node * (1.0 - s)),)

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.multiply(x, -self.beta, out=out)
        np.exp(out, out=out)
        np.add(out, 1.0, out=out)
        np.divide(x, out, out=out)


def main() -> tuple[bool, bool]:
    contract = vg.check_op(
        Swish(beta=1.5),
        ["f32[N,3]"],
        lambda x: x * (0.5 + 0.5 * np.tanh(0.75 * x)),
        errors=[["i64[N]"], ["f32[N]", "f32[N]"]],
    )
    print(contract)

    x = vg.input("x", ("N", 5))
    y = vg.input("y", ("N",), dtype="i64")
    h = vg.apply(Swish(beta=1.5), vg.dense(x, 8, name="fc1"))
    scores = vg.dense(h, 3, name="fc2")
    net = vg.Graph("swish_net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    rng = np.random.default_rng(0)
    feeds = {"x": rng.standard_normal((4, 5)), "y": rng.integers(0, 3, 4)}
    report = vg.gradcheck(net, feeds, regularizer=vg.L2(0.7))
    print(report)
    return contract.ok, report.ok


if __name__ == "__main__":
    main()
