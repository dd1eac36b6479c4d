"""The update formulas of every library, written in NumPy from their documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from smooth_net import Update

A = np.ndarray


def sgd(lr: float) -> Callable[[], Update]:
    return lambda: lambda w, g, t: w - lr * g


def stateful(*names: str) -> Callable[[Any], Any]:
    """A formula `f(s, w, g, t, **options)` on a dict of states that start at 0."""

    def wrap(f: Any) -> Any:
        def with_options(**options: Any) -> Callable[[], Update]:
            def make() -> Update:
                s: dict[str, Any] = dict.fromkeys(names, 0.0)
                return lambda w, g, t: f(s, w, g, t, **options)

            return make

        return with_options

    return wrap


@stateful("v")
def momentum(s: dict[str, Any], w: A, g: A, t: int, lr: float, rho: float) -> A:
    s["v"] = rho * s["v"] + g
    return w - lr * s["v"]


@stateful("v")
def momentum_inside(s: dict[str, Any], w: A, g: A, t: int, lr: Any, rho: float) -> A:
    s["v"] = rho * s["v"] - (lr(t) if callable(lr) else lr) * g
    return w + s["v"]


@stateful("v")
def momentum_onnx(
    s: dict[str, Any], w: A, g: A, t: int, lr: float, rho: float, beta: float, nesterov: bool
) -> A:
    """ONNX `Momentum`: T = t - 1 counts the updates made before; beta is 1 at T = 0."""
    s["v"] = rho * s["v"] + (beta if t - 1 > 0 else 1.0) * g
    return w - lr * (g + rho * s["v"]) if nesterov else w - lr * s["v"]


@stateful("v")
def nesterov_torch(s: dict[str, Any], w: A, g: A, t: int, lr: float, rho: float) -> A:
    s["v"] = rho * s["v"] + g
    return w - lr * (g + rho * s["v"])


@stateful("v")
def nesterov_sklearn(s: dict[str, Any], w: A, g: A, t: int, lr: float, rho: float) -> A:
    s["v"] = rho * s["v"] - lr * g
    return w + rho * s["v"] - lr * g


@stateful("s")
def adagrad(s: dict[str, Any], w: A, g: A, t: int, lr: float, eps: float, decay: float = 0) -> A:
    s["s"] = s["s"] + g * g
    return w - lr / (1 + (t - 1) * decay) * g / (np.sqrt(s["s"]) + eps)


@stateful("s")
def adagrad_optax(s: dict[str, Any], w: A, g: A, t: int, lr: float) -> A:
    s["s"] = (0.1 if t == 1 else s["s"]) + g * g
    return w - lr * g / np.sqrt(s["s"] + 1e-7)


@stateful("s")
def rmsprop(s: dict[str, Any], w: A, g: A, t: int, lr: float, d: float, eps: float) -> A:
    s["s"] = d * s["s"] + (1 - d) * g * g
    return w - lr * g / (np.sqrt(s["s"]) + eps)


@stateful("s", "m", "b")
def rmsprop_optax(
    s: dict[str, Any], w: A, g: A, t: int, lr: Any, centered: bool = False, mu: float = 0.0
) -> A:
    s["s"] = 0.9 * s["s"] + 0.1 * g * g
    s["m"] = 0.9 * s["m"] + 0.1 * g
    variance = s["s"] - s["m"] ** 2 if centered else s["s"]
    s["b"] = mu * s["b"] + (lr(t) if callable(lr) else lr) * g / np.sqrt(variance + 1e-8)
    return w - s["b"]


@stateful("m", "s")
def adam(
    s: dict[str, Any], w: A, g: A, t: int, lr: float, eps: float, wd: float = 0, root: float = 0
) -> A:
    s["m"] = 0.9 * s["m"] + (1 - 0.9) * g
    s["s"] = 0.999 * s["s"] + (1 - 0.999) * g * g
    m, v = s["m"] / (1 - 0.9**t), s["s"] / (1 - 0.999**t)
    return w - lr * (m / (np.sqrt(v + root) + eps) + wd * w)


@stateful("m", "s")
def almost_adam(s: dict[str, Any], w: A, g: A, t: int, lr: float, eps: float) -> A:
    s["m"] = 0.9 * s["m"] + (1 - 0.9) * g
    s["s"] = 0.999 * s["s"] + (1 - 0.999) * g * g
    return w - lr * s["m"] / (np.sqrt(s["s"]) + eps)


@stateful("m", "s")
def adam_eps_hat(
    s: dict[str, Any], w: A, g: A, t: int, lr: float, eps: float, from_zero: bool, wd: float = 0
) -> A:
    """ONNX (T from 0, where nothing is corrected) and scikit-learn (t from 1)."""
    s["m"] = 0.9 * s["m"] + (1 - 0.9) * g
    s["s"] = 0.999 * s["s"] + (1 - 0.999) * g * g
    n = t - 1 if from_zero else t
    rate = lr * np.sqrt(1 - 0.999**n) / (1 - 0.9**n) if n else lr
    return w - rate * s["m"] / (np.sqrt(s["s"]) + eps) - lr * wd * w
