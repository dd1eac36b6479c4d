"""Gradient descent, and descent with momentum: SGD, Momentum, Nesterov."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from ...graph import Node, apply, constant
from ...ops import DecayAdd, Descend, add, equal, multiply, negative, where
from .optimizer import Optimizer, check_choice, check_decay, in_dtype, renewed

_PLACES: Final = ("outside", "inside")


class SGD(Optimizer):
    """w -= lr g (stochastic gradient descent); the same in every dialect."""

    name: ClassVar[str] = "sgd"

    def updates(self, w: Node, g: Node, states: Mapping[str, Node], step: Node) -> dict[Node, Node]:
        return {w: renewed(Descend(), w, g, self.rate_for(w, step))}


class _Velocity(Optimizer):
    """What the optimizers with a velocity share: rho, and whether the rate is in the velocity."""

    rho: float = 0.9
    rate_is: str = "outside"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_decay("rho", self.rho)
        check_choice("rate_is", self.rate_is, _PLACES)

    def states(self) -> dict[str, float]:
        return {"velocity": 0.0}


class Momentum(_Velocity):
    """v = rho v + g; w -= lr v.

    `rate_is="inside"`: v = rho v - lr g; w += v (cs231n, scikit-learn); the two agree while lr
    is constant. `dampening` d: v = rho v + (1 - d) g, but v = g at the first step (PyTorch).
    """

    name: ClassVar[str] = "momentum"
    dialects: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "cs231n": {"rate_is": "inside"},
        "sklearn": {"rate_is": "inside"},
    }
    rho: float = 0.9
    dampening: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_decay("dampening", self.dampening)

    def updates(self, w: Node, g: Node, states: Mapping[str, Node], step: Node) -> dict[Node, Node]:
        v = states["velocity"]
        if self.dampening:
            later = constant(1 - self.dampening, "f64")
            g = multiply(g, in_dtype(where(equal(step, 1), 1.0, later), w))
        rate = self.rate_for(w, step)
        if self.rate_is == "inside":
            new = renewed(DecayAdd(self.rho), v, multiply(g, negative(rate)))
            return {v: new, w: add(w, new, name=w.asked_name)}
        new = renewed(DecayAdd(self.rho), v, g)
        return {v: new, w: renewed(Descend(), w, new, rate)}


class Nesterov(_Velocity):
    """v' = rho v - lr grad f(w + rho v); w' = w + v': the gradient at the look-ahead point.

    With `lookahead` the forward and backward graph read w + rho v where they read w; `parameters`,
    `predict`, `loss` and `gradients` stay at w. Without, the form of the libraries, which keeps
    the look-ahead point itself as its parameter: v = rho v + g; w -= lr (g + rho v), or with
    `rate_is="inside"` v = rho v - lr g; w += rho v - lr g. Source: Sutskever et al. 2013.
    """

    name: ClassVar[str] = "nesterov"
    dialects: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "torch": {"lookahead": False},
        "onnx": {"lookahead": False},
        "sklearn": {"lookahead": False, "rate_is": "inside"},
        "optax": {"lookahead": False},
    }
    rho: float = 0.9
    lookahead: bool = True

    def look_ahead(self, w: Node, states: Mapping[str, Node]) -> Node | None:
        return apply(DecayAdd(1.0, self.rho), w, states["velocity"]) if self.lookahead else None

    def updates(self, w: Node, g: Node, states: Mapping[str, Node], step: Node) -> dict[Node, Node]:
        v = states["velocity"]
        rate = self.rate_for(w, step)
        if self.lookahead or self.rate_is == "inside":
            scaled = multiply(g, negative(rate))
            new = renewed(DecayAdd(self.rho), v, scaled)
            moved = new if self.lookahead else apply(DecayAdd(self.rho), new, scaled)
            return {v: new, w: add(w, moved, name=w.asked_name)}
        new = renewed(DecayAdd(self.rho), v, g)
        ahead = apply(DecayAdd(self.rho), new, g)
        return {v: new, w: renewed(Descend(), w, ahead, rate)}
