"""Optimizers: how a gradient becomes a new value, as nodes."""

from __future__ import annotations

import math
from typing import ClassVar

from ..graph import GraphError, Node, Value, apply, constant, state
from ..ops import DecayAdd, DecayAddSquare, Descend, DescendScaled, cast, power, sqrt


class Optimizer(Value):
    """Gives, for a parameter w and its gradient g, the update of w and of its own state.

    A subclass gives `updates`; state comes from `vg.state`, named after the parameter.
    """

    name: ClassVar[str]

    def updates(self, w: Node, g: Node, name: str, step: Node) -> dict[Node, Node]:
        """The new value of w, and of each state, by what is updated.

        `name` is the parameter's; `step`: i64[] counts the updates from 1.
        """
        raise GraphError(f"optimizer {self.name} has no `updates`")


class SGD(Optimizer):
    """w -= lr g (stochastic gradient descent)."""

    name: ClassVar[str] = "sgd"
    lr: float

    def __post_init__(self) -> None:
        check_rate(self.lr)

    def updates(self, w: Node, g: Node, name: str, step: Node) -> dict[Node, Node]:
        return {w: apply(Descend(), w, g, constant(self.lr, w.type.dtype), name=name)}


class Momentum(Optimizer):
    """v = rho v + g; w -= lr v (the course's; as in PyTorch, the rate is outside v)."""

    name: ClassVar[str] = "momentum"
    lr: float
    rho: float = 0.9

    def __post_init__(self) -> None:
        check_rate(self.lr)
        check_decay("rho", self.rho)

    def updates(self, w: Node, g: Node, name: str, step: Node) -> dict[Node, Node]:
        v = _beside(w, f"{name}.velocity")
        new = apply(DecayAdd(self.rho), v, g, name=v.name)
        return {
            v: new,
            w: apply(Descend(), w, new, constant(self.lr, w.type.dtype), name=name),
        }


class Adam(Optimizer):
    """m = b1 m + (1 - b1) g; s = b2 s + (1 - b2) g g; w -= lr mhat / (sqrt(shat) + eps).

    With bias correction mhat = m / (1 - b1^t) and shat = s / (1 - b2^t), t from 1, computed in
    f64; without, mhat = m and shat = s (Kingma and Ba 2015; the course's two forms).
    """

    name: ClassVar[str] = "adam"
    lr: float
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-7
    bias_correction: bool = True

    def __post_init__(self) -> None:
        check_rate(self.lr)
        check_decay("beta1", self.beta1)
        check_decay("beta2", self.beta2)
        if not 0 < self.eps < math.inf:
            raise GraphError(f"eps is {self.eps!r}, where a positive number is expected")

    def updates(self, w: Node, g: Node, name: str, step: Node) -> dict[Node, Node]:
        m, s = _beside(w, f"{name}.first_moment"), _beside(w, f"{name}.second_moment")
        new_m = apply(DecayAdd(self.beta1, 1 - self.beta1), m, g, name=m.name)
        new_s = apply(DecayAddSquare(self.beta2, 1 - self.beta2), s, g, name=s.name)
        rate, eps = self._rate_and_eps(step)
        dtype = w.type.dtype
        new_w = apply(
            DescendScaled(), w, new_m, new_s, cast(rate, dtype), cast(eps, dtype), name=name
        )
        return {m: new_m, s: new_s, w: new_w}

    def _rate_and_eps(self, step: Node) -> tuple[Node, Node]:
        """lr c / (1 - b1^t) and eps c, with c = sqrt(1 - b2^t): see `descend_scaled`."""
        rate, eps = constant(self.lr, "f64"), constant(self.eps, "f64")
        if not self.bias_correction:
            return rate, eps
        t = cast(step, "f64")
        c = sqrt(1.0 - power(constant(self.beta2, "f64"), t))
        return rate * c / (1.0 - power(constant(self.beta1, "f64"), t)), eps * c


def _beside(w: Node, name: str) -> Node:
    """State of the parameter's type, at first 0."""
    return state(name, [d for d in w.type.shape if isinstance(d, int)], dtype=w.type.dtype)


def check_rate(lr: float) -> None:
    """Raises GraphError unless the learning rate is a finite number from 0."""
    if isinstance(lr, bool) or not isinstance(lr, (int, float)) or not 0 <= lr < math.inf:
        raise GraphError(f"lr is {lr!r}, where a finite number from 0 is expected")


def check_decay(name: str, value: float) -> None:
    """Raises GraphError unless the value is a number from 0, below 1."""
    if not (isinstance(value, (int, float)) and 0 <= value < 1):
        raise GraphError(f"{name} is {value!r}, where a number from 0, below 1, is expected")
