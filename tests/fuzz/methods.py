"""Random optimizers of every dialect, learning rates, regularizers, dropout and clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import verigrad as vg
from verigrad.passes.methods.optimizers.optimizer import DIALECTS

from .choices import Choices

OPTIMIZERS: Final[Sequence[type[vg.Optimizer]]] = (
    vg.SGD, vg.Momentum, vg.Nesterov, vg.AdaGrad, vg.RMSProp, vg.Adam, vg.AdamW,
)  # fmt: skip
VALUES: Final[Mapping[str, Sequence[Any]]] = {
    "rho": (0.9, 0.5, 0.0),
    "rate_is": ("outside", "inside"),
    "dampening": (0.3, 0.0),
    "lookahead": (True, False),
    "eps": (1e-7, 1e-3),
    "eps_inside": (True, False),
    "start": (0.0, 0.1),
    "lr_decay": (0.1, 0.0),
    "decay": (0.99, 0.5, 0.0),
    "centered": (True, False),
    "momentum": (0.5, 0.0),
    "beta1": (0.9, 0.5, 0.0),
    "beta2": (0.999, 0.9, 0.0),
    "bias_correction": (True, False),
    "eps_hat": (True, False),
    "eps_root": (1e-6, 0.0),
    "first": (0, 1),
    "weight_decay": (0.05, 0.0),
}
"""Of each option of an optimizer, but for its rate, groups and dialect."""


def optimizer(c: Choices, parameters: Sequence[str]) -> vg.Optimizer:
    """Any optimizer, for parameters of these names."""
    kind = c.one(OPTIMIZERS)
    names = [n for n in kind.field_names if n not in ("lr", "groups", "dialect")]
    options = {n: c.one(VALUES[n]) for n in c.some(names, 0.3)}
    if options.get("dampening"):
        options |= {"lookahead": False} if "lookahead" in names else {}
    groups = [_group(c, parameters) for _ in range(c.number(1, 2))] if c.flag(0.2) else []
    return kind(rate(c), groups=groups, dialect=c.one(DIALECTS), **options)


def rate(c: Choices) -> Any:
    """A number, or a schedule."""
    lr = c.one((0.1, 0.01, 0.003))
    if c.flag(0.7):
        return lr
    s = vg.schedules
    made = c.one(
        (
            s.constant(lr), s.cosine(lr, steps=20, final=0.001), s.exponential(lr, 0.9),
            s.inverse(lr, 0.1), s.one_cycle(lr, steps=10), s.plateau(lr), s.step(lr, every=2),
        )
    )  # fmt: skip
    return s.warmup(made, steps=c.number(1, 4)) if c.flag(0.3) else made


def _group(c: Choices, parameters: Sequence[str]) -> vg.Group:
    name = c.one(parameters)
    pattern = c.one((name, "*", f"{name[:1]}*"))
    return vg.Group(pattern, lr=c.one((None, 0.02)), weight_decay=c.one((None, 0.1, 0.0)))


def regularizer(c: Choices) -> vg.Regularizer | None:
    return c.one((None, None, vg.L2(0.01), vg.L1(0.003), vg.ElasticNet(0.01, 0.02), vg.L2(0.0)))


def dropout(c: Choices) -> vg.Dropout | None:
    if c.flag(0.6):
        return None
    keep, given = c.one((0.6, 0.9, 1.0)), c.one((1.0, 0.8))
    return vg.Dropout(keep=keep, input=given, mode=c.one(("inverted", "vanilla")))


def clip(c: Choices) -> vg.Clip | None:
    return c.one((None, None, None, vg.ClipNorm(1.0), vg.ClipNorm(0.01), vg.ClipValue(0.1)))
