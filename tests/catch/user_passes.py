"""A user's passes that are wrong: each multiplies something that updates read by nearly 1."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import verigrad as vg
from verigrad.ops import BatchVariance, DecayAdd, DecayAddSquare, Descend, DescendScaled, Linear

VARIABLE: Final = "VERIGRAD_CATCH_PASS"
"""The environment variable that names the pass which programs are compiled with."""
BY: Final = 0.999
KINDS: Final[dict[str, tuple[tuple[type[vg.Op], ...], int]]] = {
    "scaled-bias": ((Linear,), 2),
    "scaled-weight": ((Linear,), 1),
    "scaled-velocity": ((DecayAdd,), 0),
    "scaled-gradient": ((DecayAdd, Descend), 1),
    "scaled-rate": ((Descend, DescendScaled), -1),
    "scaled-second-moment": ((DecayAddSquare,), 0),
    "scaled-old-parameter": ((Descend, DescendScaled), 0),
    "scaled-batch-mean": ((BatchVariance,), 0),
}
"""What is read by which ops, and as which of their inputs."""


@dataclass(frozen=True)
class ScaleSomething(vg.Pass):
    """The first node of a kind that is found reads 0.999 times what it should."""

    name: ClassVar[str] = "scale_something"
    kind: str = "scaled-bias"

    def rewrites(self, g: vg.Graph) -> Iterator[vg.Rewrite]:
        ops, place = KINDS[self.kind]
        for n in g.order:
            if isinstance(n.op, ops):
                inputs = list(n.inputs)
                inputs[place] = inputs[place] * BY
                yield vg.Rewrite(n, n.but(inputs=tuple(inputs)), "a user's fault")
                return


def pipelines() -> dict[str, Any]:
    """What programs are compiled with: pipelines with the user's pass, where one is named."""
    kind = os.environ.get(VARIABLE)
    if kind is None:
        return {}
    return {"pipeline": vg.TRAINING.insert(ScaleSomething(kind), after="attach_optimizer")}
