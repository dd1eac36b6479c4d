"""Puts the inference form where dropout is declared or asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ..graph import Graph
from .base import Numbers, Pass, Refused, Rewrite
from .methods.dropout import Dropout, sites
from .methods.kinds import check_methods


@dataclass(frozen=True)
class ScaleDropout(Pass):
    """The counterpart of insert_dropout for inference: inverted dropout goes, vanilla scales.

    Before:

        graph net {
          %x: f32[N,3] = input
          %a: f32[N,3] = dropout{0.5,mode=vanilla}(%x)
          %b: f32[N,3] = dropout{0.5}(%a)
          return y=%b
        }

    After:

        graph net {
          %x: f32[N,3] = input
          %c0.5: f32[] = constant{0.5}
          %a: f32[N,3] = multiply(%x, %c0.5)
          return y=%a
        }

    Not where insert_dropout would not act. First in the inference pipeline, where it stands for
    the expectation of the training graph.
    """

    name: ClassVar[str] = "scale_dropout"
    needs: ClassVar[tuple[str, ...]] = ("forward",)
    numbers: ClassVar[Numbers] = "meaning"
    dropout: Dropout | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_methods(dropout=self.dropout)

    def rewrites(self, g: Graph) -> Iterator[Rewrite | Refused]:
        for site in sites(g, self.dropout):
            if isinstance(site, Refused):
                yield site
            elif site.mode == "vanilla":
                name = None if site.declared else f"{site.key}.dropout"
                scaled = site.value * site.keep
                yield Rewrite(
                    site.node,
                    scaled if name is None else scaled.but(name=name),
                    f"vanilla dropout is a factor of {site.keep:g} in inference",
                )
            elif site.declared:
                yield Rewrite(site.node, site.value, "inverted dropout does nothing in inference")
