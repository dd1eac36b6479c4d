"""The numbers of runtime/checking/trajectories.json, from the formulas alone.

Run as a script, it writes the file anew. What is imported of verigrad gives the text of an
optimizer or a schedule, and computes nothing.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from stored_values import (
    Values,
    dropped,
    first_values,
    losses,
    masks,
    penalties,
    samples,
    start,
    wave,
)
from test_dialects import DEFAULTS, OPTIONS
from test_schedules import FORMULAS

import verigrad as vg
from verigrad.graph.text.attributes import print_value

STEPS = 8
RATES_OF = [0, 1, 2, 5, 6, 7, 9, 10, 11, 29, 30, 59, 60, 61, 99]
FILE = Path(vg.__file__).parent / "runtime" / "checking" / "trajectories.json"


def batch(step: int) -> Values:
    return {"x": wave(4, 2, phase=step), "y": 0.5 * wave(4, 2, phase=step + 0.5)}


def gradients(p: Values, feeds: Values) -> Values:
    """Of the mean over all elements of (tanh(x W1 + b1) W2 + b2 - y)^2."""
    x, y = feeds["x"], feeds["y"]
    h = np.tanh(x @ p["fc1.weight"] + p["fc1.bias"])
    d = 2 * (h @ p["fc2.weight"] + p["fc2.bias"] - y) / y.size
    dh = d @ p["fc2.weight"].T * (1 - h * h)
    return {
        "fc1.weight": x.T @ dh,
        "fc1.bias": dh.sum(axis=0),
        "fc2.weight": h.T @ d,
        "fc2.bias": d.sum(axis=0),
    }


def of_formula(make: Any) -> Values:
    p, updates = start(), {name: make() for name in start()}
    for step in range(STEPS):
        g = gradients(p, batch(step))
        p = {name: updates[name](p[name], g[name], step + 1) for name in p}
    return p


def looked_ahead(lr: float, rho: float) -> Values:
    """v' = rho v - lr grad f(w + rho v); w' = w + v'."""
    w, v = start(), {name: np.zeros_like(a) for name, a in start().items()}
    for step in range(STEPS):
        g = gradients({k: w[k] + rho * v[k] for k in w}, batch(step))
        v = {k: rho * v[k] - lr * g[k] for k in w}
        w = {k: w[k] + v[k] for k in w}
    return w


def decayed(rho: float) -> Values:
    """v' = rho v + (grad f(w) + 0.1 w); w' = w - 0.05 v'."""
    w, v = start(), {name: np.zeros_like(a) for name, a in start().items()}
    for step in range(STEPS):
        g = gradients(w, batch(step))
        v = {k: rho * v[k] + g[k] + 0.1 * w[k] for k in w}
        w = {k: w[k] - 0.05 * v[k] for k in w}
    return w


def optimizers() -> dict[str, Values]:
    found = {print_value(o): of_formula(make) for o, make in {**DEFAULTS, **OPTIONS}.values()}
    for optimizer in (vg.SGD(0.05, weight_decay=0.1), vg.Momentum(0.05, weight_decay=0.1)):
        found[print_value(optimizer)] = decayed(0.9 if isinstance(optimizer, vg.Momentum) else 0.0)
    for dialect in ("course", "cs231n"):
        found[print_value(vg.Nesterov(0.05, dialect=dialect))] = looked_ahead(0.05, 0.9)
    return found


def running_values() -> dict[str, Any]:
    """(1 - momentum) of the batch's mean, and of its variance over N or over N - 1."""
    batches = [3 + 2 * wave(rows, 2, phase=rows) for rows in (4, 2, 5)]
    cases = {}
    for momentum, unbiased in ((0.9, False), (0.9, True), (0.5, False), (0.0, True)):
        mean, variance = np.zeros(2), np.ones(2)
        for x in batches:
            mean = momentum * mean + (1 - momentum) * x.mean(axis=0)
            kept = x.var(axis=0, ddof=1 if unbiased else 0)
            variance = momentum * variance + (1 - momentum) * kept
        key = json.dumps({"momentum": momentum, "unbiased": unbiased})
        cases[key] = {"bn.running_mean": mean, "bn.running_var": variance}
    return {"batches": batches, "cases": cases}


def clips() -> dict[str, Values]:
    """Steps of descent with a rate of 0.1, on gradients that were bounded: by value, or all of them
    together by norm; one norm is never reached."""
    bounds = {
        "clip_value(0.05)": lambda g: {k: np.clip(a, -0.05, 0.05) for k, a in g.items()},
        "clip_norm(0.1)": lambda g: _by_norm(g, 0.1),
        "clip_norm(1000.0)": lambda g: _by_norm(g, 1000.0),
    }
    found = {}
    for text, bound in bounds.items():
        p = start()
        for step in range(STEPS):
            g = bound(gradients(p, batch(step)))
            p = {k: a - 0.1 * g[k] for k, a in p.items()}
        found[text] = p
    return found


def _by_norm(g: Values, limit: float) -> Values:
    norm = math.sqrt(sum(float((a * a).sum()) for a in g.values()))
    return {k: a * min(1.0, limit / (norm + 1e-6)) for k, a in g.items()}


def made() -> Any:
    """All of it, as JSON has it."""
    rates = {
        print_value(schedule): [RATES_OF, [formula(t) for t in RATES_OF]]
        for schedule, formula in FORMULAS.values()
    }
    everything = {
        "start": start(),
        "batches": [batch(step) for step in range(STEPS)],
        "optimizers": optimizers(),
        "schedules": rates,
        "batch_norm": running_values(),
        "dropout": masks(),
        "dropped": dropped(),
        "first_values": first_values(),
        "losses": losses(),
        "penalties": penalties(),
        "clips": clips(),
        "samples": samples(),
    }
    return json.loads(json.dumps(everything, default=np.ndarray.tolist))


if __name__ == "__main__":
    FILE.write_text(json.dumps(made(), indent=None, separators=(",", ":")) + "\n")
