"""Optimizers with a rate for each element: AdaGrad, RMSProp, Adam, AdamW."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import numpy as np

from ....graph import GraphError, Node, check_choice, check_flag, constant, field, shown
from ....ops import (
    DecayAdd,
    DecayAddSquare,
    Descend,
    DescendScaled,
    add,
    cast,
    divide,
    equal,
    maximum,
    multiply,
    power,
    sqrt,
    square,
    subtract,
    where,
)
from ..arguments import check_decay, check_not_negative
from .descent import PLACES, Place
from .optimizer import Optimizer, in_dtype, renewed

_F64: Final = np.dtype("f8")


def check_eps(eps: float, dtype: np.dtype[Any] = _F64) -> None:
    """Raises GraphError unless eps is a number above 0, in the dtype of the parameter too: an
    element whose gradients were all 0 is divided by it."""
    check_not_negative(eps=eps)
    if dtype.type(eps) == 0:
        raise GraphError(
            f"eps is {eps!r}, which is 0 in {dtype}, and elements whose gradients were all 0 would "
            "be divided by it; write eps=1e-8"
        )


class _Scaled(Optimizer):
    """What the adaptive optimizers share: eps outside the root, or inside it."""

    eps_inside: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_flag(eps_inside=self.eps_inside)

    def descend(self, w: Node, d: Node, s: Node, *scalars: Node) -> Node:
        """w - rate d / (sqrt(s) + eps), or rate d / sqrt(s + eps) with eps inside.

        `scalars`: rate, eps and, where the parameter is decayed, what is kept of it, all f64[].
        """
        rate, eps, *kept = scalars
        if self.eps_inside:
            s, eps = add(s, in_dtype(eps, w)), constant(0.0, "f64")
        return renewed(DescendScaled(), w, d, s, *(in_dtype(n, w) for n in (rate, eps, *kept)))


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
        check_eps(self.eps)
        check_not_negative(start=self.start, lr_decay=self.lr_decay)

    def states(self) -> dict[str, float]:
        return {"square_sum": self.start}

    def updates(self, w: Node, g: Node, states: Mapping[str, Node], step: Node) -> dict[Node, Node]:
        check_eps(self.eps, w.type.numpy)
        s = states["square_sum"]
        new = renewed(DecayAddSquare(1.0), s, g)
        rate = self.rate(step)
        if self.lr_decay:
            rate = rate / ((cast(step, "f64") - 1.0) * self.lr_decay + 1.0)
        return {s: new, w: self.descend(w, g, new, rate, constant(self.eps, "f64"))}


class RMSProp(_Scaled):
    """s = d s + (1 - d) g g; w -= lr g / (sqrt(s) + eps) (Tieleman and Hinton 2012).

    `centered` subtracts the square of the running mean of g from s (what rounding takes below 0
    is 0); `momentum` mu: b = mu b + g / (sqrt(s) + eps); w -= lr b (PyTorch's options), with
    `rate_is="inside"` b = mu b + lr g / (sqrt(s) + eps); w -= b (Optax).
    """

    name: ClassVar[str] = "rmsprop"
    dialects: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "cs231n": {"eps": 1e-8},
        "torch": {"eps": 1e-8},
        "optax": {"decay": 0.9, "eps": 1e-8, "eps_inside": True, "rate_is": "inside"},
    }
    decay: float = 0.99
    eps: float = 1e-7
    centered: bool = False
    momentum: float = 0.0
    rate_is: Place = "outside"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_decay(decay=self.decay, momentum=self.momentum)
        check_eps(self.eps)
        check_flag(centered=self.centered)
        check_choice("rate_is", self.rate_is, PLACES)

    def states(self) -> dict[str, float]:
        names = ["square_mean", *["mean"] * self.centered, *["velocity"] * bool(self.momentum)]
        return dict.fromkeys(names, 0.0)

    def updates(self, w: Node, g: Node, states: Mapping[str, Node], step: Node) -> dict[Node, Node]:
        check_eps(self.eps, w.type.numpy)
        s = states["square_mean"]
        new = renewed(DecayAddSquare(self.decay, 1 - self.decay), s, g)
        updates = {s: new}
        variance = new
        if self.centered:
            mean = states["mean"]
            updates[mean] = renewed(DecayAdd(self.decay, 1 - self.decay), mean, g)
            variance = maximum(subtract(new, square(updates[mean])), 0.0)
        eps = constant(self.eps, "f64")
        if not self.momentum:
            return {**updates, w: self.descend(w, g, variance, self.rate(step), eps)}
        b, rate = states["velocity"], self.rate_for(w, step)
        small = in_dtype(eps, w)
        root = sqrt(add(variance, small)) if self.eps_inside else add(sqrt(variance), small)
        scaled = divide(g, root)
        if self.rate_is == "inside":
            updates[b] = renewed(DecayAdd(self.momentum), b, multiply(scaled, rate))
            return {**updates, w: subtract(w, updates[b], name=w.asked_name)}
        updates[b] = renewed(DecayAdd(self.momentum), b, scaled)
        return {**updates, w: renewed(Descend(), w, updates[b], rate)}


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
        check_decay(beta1=self.beta1, beta2=self.beta2)
        check_eps(self.eps)
        check_not_negative(eps_root=self.eps_root)
        check_flag(bias_correction=self.bias_correction, eps_hat=self.eps_hat)
        if not isinstance(self.first, int) or self.first not in (0, 1):
            raise GraphError(f"first is {shown(self.first)}, where 0 or 1 is expected")

    def states(self) -> dict[str, float]:
        return {"first_moment": 0.0, "second_moment": 0.0}

    def updates(self, w: Node, g: Node, states: Mapping[str, Node], step: Node) -> dict[Node, Node]:
        check_eps(self.eps, w.type.numpy)
        m, s = states["first_moment"], states["second_moment"]
        new_m = renewed(DecayAdd(self.beta1, 1 - self.beta1), m, g)
        new_s = renewed(DecayAddSquare(self.beta2, 1 - self.beta2), s, g)
        rate, c = self._corrected(step)
        eps = constant(self.eps, "f64")
        root = new_s
        if self.eps_root:
            root = add(new_s, in_dtype(constant(self.eps_root, "f64") * c * c, w))
        if self.bias_correction and not self.eps_hat:
            eps = eps * c * c if self.eps_inside else eps * c
        new_w = self.descend(w, new_m, root, rate, eps, *self.kept(step))
        return {m: new_m, s: new_s, w: new_w}

    def kept(self, step: Node) -> list[Node]:
        """What is kept of the parameter beside the step, f64[]; nothing where all is."""
        return []

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

    w = (1 - lr weight_decay) w - lr mhat / (sqrt(shat) + eps). Every parameter is decayed, unless
    a group says otherwise.
    """

    name: ClassVar[str] = "adamw"
    decoupled: ClassVar[bool] = True
    dialects: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        **Adam.dialects,
        "optax": {**Adam.dialects["optax"], "weight_decay": 1e-4},
    }
    weight_decay: float = field(default=0.01, kw_only=True)

    def kept(self, step: Node) -> list[Node]:
        return [1.0 - self.rate(step) * self.weight_decay] if self.weight_decay else []
