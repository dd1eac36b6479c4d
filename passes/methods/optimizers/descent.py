"""Gradient descent, and descent with momentum: SGD, Momentum, Nesterov."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal, get_args

from ....graph import GraphError, Node, apply, check_choice, check_flag, constant, field, shown
from ....ops import DecayAdd, Descend, add, equal, multiply, negative, where
from ..arguments import check_decay, check_not_negative
from .optimizer import Optimizer, in_dtype, renewed

Place = Literal["outside", "inside"]
"""Whether a velocity is multiplied by the learning rate, or sums up what has been."""
PLACES: Final = get_args(Place)


class SGD(Optimizer):
    """w -= lr g (stochastic gradient descent); the same in every dialect."""

    name: ClassVar[str] = "sgd"

    def updates(self, w: Node, g: Node, states: Mapping[str, Node], step: Node) -> dict[Node, Node]:
        return {w: renewed(Descend(), w, g, self.rate_for(w, step))}


class _Velocity(Optimizer):
    """What the optimizers with a velocity share: rho, dampening, and where the rate is."""

    rho: float = 0.9
    rate_is: Place = field(default="outside", kw_only=True)
    dampening: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_decay(rho=self.rho)
        check_not_negative(dampening=self.dampening)
        check_choice("rate_is", self.rate_is, PLACES)

    def states(self) -> dict[str, float]:
        return {"velocity": 0.0}

    def damped(self, g: Node, step: Node) -> Node:
        """What the velocity takes in: (1 - dampening) g, and g at the first step."""
        # Without a momentum there is no velocity to dampen, as in PyTorch.
        if not self.dampening or not self.rho:
            return g
        later = constant(1 - self.dampening, "f64")
        return multiply(g, in_dtype(where(equal(step, 1), 1.0, later), g))


class Momentum(_Velocity):
    """v = rho v + g; w -= lr v.

    `rate_is="inside"`: v = rho v - lr g; w += v (cs231n, scikit-learn); the two agree while lr
    is constant. `dampening` d: v = rho v + (1 - d) g, but v = g at the first step (PyTorch; ONNX
    calls 1 - d `beta`).
    """

    name: ClassVar[str] = "momentum"
    dialects: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "cs231n": {"rate_is": "inside"},
        "sklearn": {"rate_is": "inside"},
    }

    def updates(self, w: Node, g: Node, states: Mapping[str, Node], step: Node) -> dict[Node, Node]:
        v, g = states["velocity"], self.damped(g, step)
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
    `rate_is="inside"` v = rho v - lr g; w += rho v - lr g. `dampening` as in Momentum, of the
    libraries' form alone: v = rho v + (1 - d) g (ONNX). Source: Sutskever et al. 2013.
    """

    name: ClassVar[str] = "nesterov"
    dialects: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "torch": {"lookahead": False},
        "onnx": {"lookahead": False},
        "sklearn": {"lookahead": False, "rate_is": "inside"},
        "optax": {"lookahead": False},
    }
    lookahead: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_flag(lookahead=self.lookahead)
        if self.lookahead and self.dampening:
            raise GraphError(
                f"dampening is {shown(self.dampening)}, which the look-ahead form does not have; "
                "write lookahead=False"
            )

    def look_ahead(self, w: Node, states: Mapping[str, Node]) -> Node | None:
        return apply(DecayAdd(1.0, self.rho), w, states["velocity"]) if self.lookahead else None

    def updates(self, w: Node, g: Node, states: Mapping[str, Node], step: Node) -> dict[Node, Node]:
        v = states["velocity"]
        rate = self.rate_for(w, step)
        if self.lookahead or self.rate_is == "inside":
            scaled = multiply(g, negative(rate))
            new = renewed(DecayAdd(self.rho), v, self.damped(scaled, step))
            moved = new if self.lookahead else apply(DecayAdd(self.rho), new, scaled)
            return {v: new, w: add(w, moved, name=w.asked_name)}
        new = renewed(DecayAdd(self.rho), v, self.damped(g, step))
        ahead = apply(DecayAdd(self.rho), new, g)
        return {v: new, w: renewed(Descend(), w, ahead, rate)}
