"""Random pipelines: the optional passes in any order and number that their contracts allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import verigrad as vg
from verigrad.passes import Pass, Pipeline
from verigrad.passes.pipeline import FACTS

from .choices import Choices

OPTIONAL: Final = frozenset(
    {
        "keep_logs", "fold_batch_norm", "fold_constants", "simplify", "eliminate_common",
        "fuse_linear_relu", "fuse_softmax_nll", "add_in_place",
    }
)  # fmt: skip
"""Passes without which a program still computes what it means."""


def allowed(passes: Sequence[Pass]) -> bool:
    """Whether each pass finds the facts that it needs, in this order."""
    facts = set(FACTS)
    for p in passes:
        if not facts.issuperset(p.needs):
            return False
        facts = (facts | {*p.gives}) - {*p.breaks}
    return True


def pipeline(c: Choices, of: Pipeline) -> Pipeline:
    """A pipeline with some of its optional passes, mostly as it is, else each wherever it may be.

    What the order of those that stay means for the numbers, the passes say themselves.
    """
    kind = c.number(0, 3)
    if kind == 0:
        return of
    left = [p for p in of if p.name in OPTIONAL and c.flag(0.85)]
    fixed = [p for p in of if p.name not in OPTIONAL]
    if kind == 1:
        kept = {p.name for p in (*left, *fixed)}
        return of.without(*[name for name in of.names if name not in kept])
    for p in c.shuffled(left):
        last = len(fixed)  # schedule stays the last one
        orders = [[*fixed[:k], p, *fixed[k:]] for k in range(last)]
        possible = [order for order in orders if allowed(order)]
        fixed = c.one(possible) if possible else fixed
    return Pipeline(fixed)


def training(c: Choices) -> Pipeline:
    """A pipeline for training, in most of which tensors of any size are added in place."""
    return pipeline(c, vg.TRAINING.with_options({"smallest": c.one((1, 1, 8, 10_000))}))


def inference(c: Choices) -> Pipeline:
    """A pipeline for inference."""
    return pipeline(c, vg.INFERENCE)
