"""Puts random masks where dropout is declared or asked for: the training form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ..graph import Graph, Node, apply
from ..ops import DropoutMask, multiply
from .base import Numbers, Pass, Refused, Rewrite
from .methods.dropout import Dropout, Site, sites
from .methods.kinds import check_methods
from .step import step_counter


@dataclass(frozen=True)
class InsertDropout(Pass):
    """Multiplies activations by a mask that is a function of (seed, layer, step) alone.

    Before:

        graph net {
          %x: f32[N,4] = input
          %fc1.weight: f32[4,3] = parameter{init=he_normal}
          %fc1.bias: f32[3] = parameter{init=zeros}
          %fc1: f32[N,3] = linear(%x, %fc1.weight, %fc1.bias)
          %fc1.dropout: f32[N,3] = dropout{0.5}(%fc1)
          return y=%fc1.dropout
        }

    After:

        graph net {
          %x: f32[N,4] = input
          %fc1.weight: f32[4,3] = parameter{init=he_normal}
          %fc1.bias: f32[3] = parameter{init=zeros}
          %step: i64[] = state{init=zeros}
          %fc1: f32[N,3] = linear(%x, %fc1.weight, %fc1.bias)
          %fc1.mask: f32[N,3] = dropout_mask{key=fc1,keep=0.5,shape=[N,3],scale=2.0}(%step)
          %fc1.dropout: f32[N,3] = multiply(%fc1, %fc1.mask)
          return y=%fc1.dropout
        }

    Not behind an activation that no later linear layer reads (the scores), nor twice where a
    declared dropout stands. Before differentiation, so that the gradient passes the same mask.
    """

    name: ClassVar[str] = "insert_dropout"
    needs: ClassVar[tuple[str, ...]] = ("forward", "differentiable")
    numbers: ClassVar[Numbers] = "meaning"
    dropout: Dropout | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_methods(dropout=self.dropout)

    def rewrites(self, g: Graph) -> Iterator[Rewrite | Refused]:
        step: Node | None = None
        for site in sites(g, self.dropout):
            if isinstance(site, Refused):
                yield site
                continue
            x, keep = site.value, site.keep
            if keep == 1:
                yield Rewrite(site.node, x, "keep is 1: nothing is dropped")
                continue
            step = step_counter(g) if step is None else step
            op = DropoutMask(
                site.key,
                keep,
                x.type.shape,
                scale=1 / keep if site.mode == "inverted" else 1.0,
                seed=self.seed,
                dtype=x.type.dtype,
            )
            mask = apply(op, step, name=f"{site.key}.mask")
            new = multiply(x, mask, name=None if site.declared else f"{site.key}.dropout")
            yield Rewrite(site.node, new, _reason(g, site))


def _reason(g: Graph, site: Site) -> str:
    return f"{site.mode} dropout of %{g.names[site.value]}, keep {site.keep:g}, key {site.key}"
