"""A pass of your own, put into the pipeline: relu's cap at 6, as relu6 has it.

Run it with `python examples/own_pass.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

import verigrad as vg


@dataclass(frozen=True)
class CapRelu(vg.Pass):
    """relu(x) becomes minimum(relu(x), cap)."""

    name: ClassVar[str] = "cap_relu"
    needs: ClassVar[tuple[str, ...]] = ("forward", "differentiable")
    numbers = "meaning"
    cap: float = 6.0

    def rewrites(self, g: vg.Graph) -> Iterator[vg.Rewrite | vg.Refused]:
        for n in g.order:
            if n.op.name != "relu":
                continue
            if any(user.op.name == "minimum" for user in g.users[n]):
                yield vg.Refused(n, "it is capped already")
            else:
                yield vg.Rewrite(n, vg.minimum(n, self.cap), f"capped at {self.cap:g}")


def main() -> np.ndarray:
    x = vg.input("x", ("N", 4))
    y = vg.input("y", ("N",), dtype="i64")
    scores = vg.mlp(x, [16, 3])
    net = vg.Graph("capped", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))

    cap = CapRelu(cap=1.0)
    program = vg.compile(
        net,
        optimizer=vg.SGD(lr=0.1),
        pipeline=vg.TRAINING.insert(cap, before="differentiate"),
        inference_pipeline=vg.INFERENCE.insert(cap, after="scale_dropout"),
    )
    for record in program.records:
        if record.stage == "cap_relu":
            print(record)
    print(program.stages["cap_relu"])

    try:
        vg.TRAINING.insert(cap, after="differentiate")
    except vg.PassError as e:
        print(f"refused: {e}")

    rows = np.full((2, 4), 100.0, np.float32)
    program.parameters["fc2.weight"] = np.ones((16, 3))
    return program.predict(x=rows)["scores"]


if __name__ == "__main__":
    print(main())
