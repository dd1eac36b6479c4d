"""JAX: one jitted step for forward, backward and update, whose buffers are donated."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..nets import BETA1, BETA2, EPS, RATES, RHO, Array, Net, batches, weights
from .contender import Predictor, Trainer

Tree = Any
_DECAY = 0.9
_BATCH_NORM_EPS = 1e-5


def first_values(net: Net) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The parameters and the running statistics, layer by layer."""
    params: list[dict[str, Any]] = []
    running: list[dict[str, Any]] = []
    for i, w in enumerate(weights(net)):
        layer = {"weight": jnp.array(w), "bias": jnp.zeros(w.shape[1])}
        if net.batch_norm and i < net.layers - 1:
            layer["scale"] = jnp.ones(w.shape[1])
            running.append({"mean": jnp.zeros(w.shape[1]), "var": jnp.ones(w.shape[1])})
        params.append(layer)
    return params, running


def train(net: Net, optimizer: str) -> Trainer:
    """One jitted call a step; the result is waited for."""
    rate = RATES[optimizer]

    def loss_of(params: Tree, running: Tree, key: Any, x: Any, y: Any) -> Any:
        h, new = x, []
        for i, p in enumerate(params):
            h = h @ p["weight"]
            if "scale" in p:
                mean, var = h.mean(axis=0), h.var(axis=0)
                h = (h - mean) * (p["scale"] * jax.lax.rsqrt(var + _BATCH_NORM_EPS))
                stats = {"mean": mean, "var": var}
                new.append({k: _DECAY * v + (1 - _DECAY) * stats[k] for k, v in running[i].items()})
            h = h + p["bias"]
            if i == net.layers - 1:
                break
            h = jax.nn.relu(h)
            if net.keep < 1:
                mask = jax.random.bernoulli(jax.random.fold_in(key, i), net.keep, h.shape)
                h = jnp.where(mask, h / net.keep, 0)
        picked = jnp.take_along_axis(jax.nn.log_softmax(h), y[:, None], axis=1)
        loss = -picked.mean()
        if net.l2:
            loss = loss + net.l2 / 2 * sum(jnp.sum(p["weight"] ** 2) for p in params)
        return loss, new

    def update(params: Tree, slots: Tree, grads: Tree, t: Any) -> tuple[Tree, Tree]:
        each = jax.tree.map
        if optimizer == "sgd":
            return each(lambda p, g: p - rate * g, params, grads), slots
        if optimizer == "momentum":
            v = each(lambda v, g: RHO * v + g, slots[0], grads)
            return each(lambda p, v: p - rate * v, params, v), (v,)
        m = each(lambda m, g: BETA1 * m + (1 - BETA1) * g, slots[0], grads)
        v = each(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, slots[1], grads)
        c1, c2 = 1 - BETA1**t, 1 - BETA2**t
        new = each(lambda p, m, v: p - rate * (m / c1) / (jnp.sqrt(v / c2) + EPS), params, m, v)
        return new, (m, v)

    def whole(held: Tree, x: Any, y: Any) -> tuple[Tree, Any]:
        params, slots, running, t = held
        t = t + 1
        key = jax.random.fold_in(jax.random.key(0), t)
        given = jax.value_and_grad(loss_of, has_aux=True)
        (loss, running), grads = given(params, running, key, x, y)
        params, slots = update(params, slots, grads, t)
        return (params, slots, running, t), loss

    jitted = jax.jit(whole, donate_argnums=0)
    data = [(jnp.array(x), jnp.array(y.astype(np.int32))) for x, y in batches(net)]
    count = len(data)
    held: list[Tree] = [None]

    def restart() -> None:
        params, running = first_values(net)
        slots = {"sgd": 0, "momentum": 1, "adam": 2}[optimizer]
        zeros = tuple(jax.tree.map(jnp.zeros_like, params) for _ in range(slots))
        held[0] = params, zeros, running, jnp.zeros((), jnp.int32)

    def step(i: int) -> Any:
        held[0], loss = jitted(held[0], *data[i % count])
        jax.block_until_ready((held[0], loss))
        return loss

    restart()
    return Trainer(step, restart)


def predict(net: Net, x: Array) -> Predictor:
    """One jitted call; the rows lie on the device beforehand."""
    params, _ = first_values(net)

    @jax.jit
    def forward(params: Tree, x: Any) -> Any:
        for i, p in enumerate(params):
            x = x @ p["weight"] + p["bias"]
            x = jax.nn.relu(x) if i < net.layers - 1 else x
        return x

    fed = jnp.array(x)
    return Predictor(lambda: jax.block_until_ready(forward(params, fed)))
