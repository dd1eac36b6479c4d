"""The reference: the losses and scores that every contender must show, in f64 NumPy.

Written from the formulas alone, apart from verigrad. A contender whose losses leave the
reference's by more than the tolerance has computed something else, and its row is void.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from .nets import BETA1, BETA2, EPS, RATES, RHO, Array, Net, batches, weights

STEPS: Final = 20
"""Steps of the compared trajectory."""
TOLERANCE: Final = 2e-4
"""Of a loss, relative, after any of these steps: f32 against f64. Weights that were moved by
roundings of f32 changed the reference itself by 4e-5 at most (wide, Adam)."""
SCORE_TOLERANCE: Final = 1e-4
"""Of a score or a probability, relative to the largest."""
_BATCH_NORM_EPS: Final = 1e-5


def trajectory(
    net: Net, optimizer: str, steps: int = STEPS, eps_hat: bool = False
) -> dict[str, list[float]]:
    """The `loss` and the `data_loss` (without the penalty) of each step; dropout left out.

    With `eps_hat` Adam adds epsilon to the root before its correction, as scikit-learn does.
    """
    w = [a.astype(np.float64) for a in weights(net)]
    last = net.layers - 1
    normalized = range(last if net.batch_norm else 0)
    params = [
        *w,
        *[np.zeros(n) for n in net.sizes[1:]],
        *[np.ones(net.sizes[i + 1]) for i in normalized],
    ]
    state = [(np.zeros_like(p), np.zeros_like(p)) for p in params]
    data = [(x.astype(np.float64), y) for x, y in batches(net)]
    losses: dict[str, list[float]] = {"loss": [], "data_loss": []}
    for step in range(steps):
        x, y = data[step % len(data)]
        loss, grads = _gradients(net, params, x, y)
        penalty = net.l2 / 2 * sum(float((a * a).sum()) for a in params[: net.layers])
        losses["data_loss"].append(loss)
        losses["loss"].append(loss + penalty)
        for i in range(net.layers):
            grads[i] = grads[i] + net.l2 * params[i]
        for p, g, (m, v) in zip(params, grads, state, strict=True):
            _update(optimizer, p, g, m, v, step + 1, eps_hat)
    return losses


def scores(net: Net, x: Array) -> Array:
    """The scores of a net as it starts, f64 [N,classes]; without batch normalization."""
    h = x.astype(np.float64)
    for i, w in enumerate(weights(net)):
        h = h @ w.astype(np.float64)
        h = np.maximum(h, 0) if i < net.layers - 1 else h
    return h


def probabilities(values: Array) -> Array:
    """The softmax of each row."""
    shifted = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def departure(found: Sequence[float], expected: Sequence[float]) -> float:
    """The largest relative difference of two trajectories; infinite where one has no number."""
    if len(found) != len(expected):
        return float("inf")
    differences = [abs(f - e) / abs(e) for f, e in zip(found, expected, strict=True)]
    return max(d if np.isfinite(d) else float("inf") for d in differences)


def score_departure(found: Array, expected: Array) -> float:
    """The largest difference of two results, of the largest expected; infinite where unlike."""
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def _gradients(net: Net, params: list[Array], x: Array, y: Array) -> tuple[float, list[Array]]:
    """The data loss and its gradient for each of weights, biases and scales."""
    n, last = net.layers, net.layers - 1
    weight, bias, scale = params[:n], params[n : 2 * n], params[2 * n :]
    inputs, normal, deviations = [x], [], []
    for i in range(n):
        h = inputs[-1] @ weight[i]
        if i < last and net.batch_norm:
            deviations.append(np.sqrt(h.var(axis=0) + _BATCH_NORM_EPS))
            normal.append((h - h.mean(axis=0)) / deviations[-1])
            h = normal[-1] * scale[i]
        h = h + bias[i]
        inputs.append(np.maximum(h, 0) if i < last else h)
    p = probabilities(inputs.pop())
    picked = np.arange(len(y)), y
    loss = float(-np.log(p[picked]).mean())
    dy = p
    dy[picked] -= 1
    dy /= len(y)
    grads = [np.zeros(0)] * len(params)
    for i in reversed(range(n)):
        if i < last:
            dy = dy * (inputs[i + 1] > 0)
        grads[n + i] = dy.sum(axis=0)
        if i < last and net.batch_norm:
            grads[2 * n + i] = (dy * normal[i]).sum(axis=0)
            centered = dy - dy.mean(axis=0) - normal[i] * (dy * normal[i]).mean(axis=0)
            dy = centered * scale[i] / deviations[i]
        grads[i] = inputs[i].T @ dy
        dy = dy @ weight[i].T
    return loss, grads


def _update(optimizer: str, p: Array, g: Array, m: Array, v: Array, t: int, eps_hat: bool) -> None:
    """One update in place: `m` is the velocity or the first moment, `v` the second."""
    rate = RATES[optimizer]
    if optimizer == "adam":
        m += (1 - BETA1) * (g - m)
        v += (1 - BETA2) * (g * g - v)
        c1, c2 = 1 - BETA1**t, np.sqrt(1 - BETA2**t)
        eps = EPS / c2 if eps_hat else EPS
        p -= rate * (m / c1) / (np.sqrt(v) / c2 + eps)
        return
    if optimizer == "momentum":
        m *= RHO
        m += g
        g = m
    p -= rate * g
