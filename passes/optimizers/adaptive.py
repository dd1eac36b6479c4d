"""Optimizers with a rate for each element: AdaGrad, RMSProp, Adam, AdamW."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ...graph import Node, constant
from ...ops import (
    DecayAdd,
    DecayAddSquare,
    Descend,
    DescendScaled,
    add,
    cast,
    divide,
    equal,
    multiply,
    power,
    sqrt,
    square,
    subtract,
    where,
)
from .optimizer import Optimizer, check_decay, check_not_negative, in_dtype, renewed


class _Scaled(Optimizer):
    """What the adaptive optimizers share: eps, outside the root or inside it."""

    eps: float = 1e-7
    eps_inside: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_not_negative("eps", self.eps)

    def descend(self, w: Node, d: Node, s: Node, rate: Node, eps: Node | None = None) -> Node:
        """w - rate d / (sqrt(s) + eps), or rate d / sqrt(s + eps) with eps inside."""
        eps = constant(self.eps, "f64") if eps is None else eps
        if self.eps_inside:
            s, eps = add(s, in_dtype(eps, w)), constant(0.0, "f64")
        return renewed(DescendScaled(), w, d, s, in_dtype(rate, w), in_dtype(eps, w))


class AdaGrad(_Scaled):
    """s = s + g g; w -= lr g / (sqrt(s) + eps) (Duchi, Hazan and Singer 2011).

    `start` is the first s; `lr_decay`: lr / (1 + (t - 1) lr_decay), t from 1.
    """

    name: ClassVar[str] = "adagrad"
    dialects: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "cs231n": {"eps": 1e-7},
        "torch": {"eps": 1e-10},
        "onnx": {"eps": 1e-6},
        "optax": {"start": 0.1, "eps": 1e-7, "eps_inside": True},
    }
    eps: float = 1e-7
    start: float = 0.0
    lr_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_not_negative("start", self.start)
        check_not_negative("lr_decay", self.lr_decay)

    def states(self) -> dict[str, float]:
        return {"square_sum": self.start}

    def updates(self, w: Node, g: Node, states: Mapping[str, Node], step: Node) -> dict[Node, Node]:
        s = states["square_sum"]
        new = renewed(DecayAddSquare(1.0), s, g)
        rate = self.rate(step)
        if self.lr_decay:
            rate = rate / ((cast(step, "f64") - 1.0) * self.lr_decay + 1.0)
        return {s: new, w: self.descend(w, g, new, rate)}


class RMSProp(_Scaled):
    """s = d s + (1 - d) g g; w -= lr g / (sqrt(s) + eps) (Tieleman and Hinton 2012).

    `centered` subtracts the square of the running mean of g from s; `momentum` mu: b = mu b +
    g / (sqrt(s) + eps); w -= lr b (PyTorch's options).
    """

    name: ClassVar[str] = "rmsprop"
    dialects: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "cs231n": {"eps": 1e-8},
        "torch": {"eps": 1e-8},
        "optax": {"decay": 0.9, "eps": 1e-8, "eps_inside": True},
    }
    decay: float = 0.99
    eps: float = 1e-7
    centered: bool = False
    momentum: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_decay("decay", self.decay)
        check_decay("momentum", self.momentum)

    def states(self) -> dict[str, float]:
        names = ["square_mean", *["mean"] * self.centered, *["velocity"] * bool(self.momentum)]
        return dict.fromkeys(names, 0.0)

    def updates(self, w: Node, g: Node, states: Mapping[str, Node], step: Node) -> dict[Node, Node]:
        s = states["square_mean"]
        new = renewed(DecayAddSquare(self.decay, 1 - self.decay), s, g)
        updates = {s: new}
        variance = new
        if self.centered:
            mean = states["mean"]
            updates[mean] = renewed(DecayAdd(self.decay, 1 - self.decay), mean, g)
            variance = subtract(new, square(updates[mean]))
        if not self.momentum:
            return {**updates, w: self.descend(w, g, variance, self.rate(step))}
        b = states["velocity"]
        eps = in_dtype(constant(self.eps, "f64"), w)
        root = sqrt(add(variance, eps)) if self.eps_inside else add(sqrt(variance), eps)
        updates[b] = renewed(DecayAdd(self.momentum), b, divide(g, root))
        moved = renewed(Descend(), w, updates[b], self.rate_for(w, step))
        return {**updates, w: moved}


class Adam(_Scaled):
    """m = b1 m + (1 - b1) g; s = b2 s + (1 - b2) g g; w -= lr mhat / (sqrt(shat) + eps).

    With bias correction mhat = m / (1 - b1^t) and shat = s / (1 - b2^t), t from 1, computed in
    f64; without, mhat = m and shat = s (Kingma and Ba 2015; the course's two forms). `eps_hat`
    adds eps to sqrt(s) before the correction (ONNX, scikit-learn); `first` is t at the first
    update, where 0 is not corrected (ONNX); `eps_root` is added to shat (Optax).
    """

    name: ClassVar[str] = "adam"
    dialects: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "cs231n": {"eps": 1e-8},
        "torch": {"eps": 1e-8},
        "onnx": {"eps": 1e-6, "eps_hat": True, "first": 0},
        "sklearn": {"eps": 1e-8, "eps_hat": True},
        "optax": {"eps": 1e-8},
    }
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-7
    bias_correction: bool = True
    eps_hat: bool = False
    eps_root: float = 0.0
    first: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_decay("beta1", self.beta1)
        check_decay("beta2", self.beta2)
        check_not_negative("eps_root", self.eps_root)

    def states(self) -> dict[str, float]:
        return {"first_moment": 0.0, "second_moment": 0.0}

    def updates(self, w: Node, g: Node, states: Mapping[str, Node], step: Node) -> dict[Node, Node]:
        m, s = states["first_moment"], states["second_moment"]
        new_m = renewed(DecayAdd(self.beta1, 1 - self.beta1), m, g)
        new_s = renewed(DecayAddSquare(self.beta2, 1 - self.beta2), s, g)
        rate, c = self._corrected(step)
        eps = constant(self.eps, "f64")
        root = new_s
        if self.eps_root:
            root = add(new_s, in_dtype(constant(self.eps_root, "f64") * c * c, w))
        scaled = eps * c if self.bias_correction and not self.eps_hat else eps
        new_w = self.descend(self.decayed(w, step), new_m, root, rate, scaled)
        return {m: new_m, s: new_s, w: new_w}

    def decayed(self, w: Node, step: Node) -> Node:
        """The parameter that the step is taken from."""
        return w

    def _corrected(self, step: Node) -> tuple[Node, Node]:
        """lr c / (1 - b1^t) and c = sqrt(1 - b2^t): see `descend_scaled`."""
        one = constant(1.0, "f64")
        if not self.bias_correction:
            return self.rate(step), one
        t = cast(step, "f64")
        if self.first != 1:
            t = t + float(self.first - 1)
        c = sqrt(1.0 - power(constant(self.beta2, "f64"), t))
        m = 1.0 - power(constant(self.beta1, "f64"), t)
        if self.first < 1:
            counted = equal(t, 0.0)
            c, m = where(counted, one, c), where(counted, one, m)
        return self.rate(step) * c / m, c


class AdamW(Adam):
    """Adam, with w decayed by lr weight_decay w beside the step (Loshchilov and Hutter 2019).

    Every parameter is decayed, unless a group says otherwise.
    """

    name: ClassVar[str] = "adamw"
    decoupled: ClassVar[bool] = True
    weight_decay: float = 0.01

    def decayed(self, w: Node, step: Node) -> Node:
        kept = 1.0 - self.rate(step) * self.weight_decay
        return multiply(w, in_dtype(kept, w), name=w.asked_name)
