"""The numbers of runtime/checking/trajectories.json, from the formulas alone.

Run as a script, it writes the file anew. What is imported of verigrad gives the text of an
optimizer or a schedule, and computes nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from test_dialects import DEFAULTS, OPTIONS
from test_schedules import FORMULAS

import verigrad as vg
from verigrad.graph.text.attributes import print_value

STEPS = 8
RATES_OF = [0, 1, 2, 5, 6, 7, 9, 10, 11, 29, 30, 59, 60, 61, 99]
FILE = Path(vg.__file__).parent / "runtime" / "checking" / "trajectories.json"
Values = dict[str, np.ndarray]


def wave(*shape: int, phase: float) -> np.ndarray:
    """Numbers between -1 and 1 without a pattern that a method could profit from."""
    return np.sin(1.7 * np.arange(1, math.prod(shape) + 1) + phase).reshape(shape)


def start() -> Values:
    return {
        "fc1.weight": wave(2, 3, phase=0.1),
        "fc1.bias": 0.1 * wave(3, phase=0.2),
        "fc2.weight": wave(3, 2, phase=0.3),
        "fc2.bias": 0.1 * wave(2, phase=0.4),
    }


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


def optimizers() -> dict[str, Values]:
    found = {print_value(o): of_formula(make) for o, make in {**DEFAULTS, **OPTIONS}.values()}
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


def masks() -> dict[str, str]:
    """The i-th 16-bit word of Philox4x64 with key (seed, BLAKE2b of the name) and counter
    (0, 0, step, 0), below round(65536 keep)."""
    found = {}
    for seed, name, keep, step in ((0, "fc1", 0.5, 1), (7, "fc1", 0.8, 3), (0, "fc2", 0.9, 2**33)):
        digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
        key = np.array([seed, int.from_bytes(digest, "little")], np.uint64)
        philox = np.random.Philox(key=key, counter=np.array([0, 0, step, 0], np.uint64))
        numbers = [
            w >> (16 * k) & 0xFFFF for w in map(int, philox.random_raw(10)) for k in range(4)
        ]
        kept = "".join(str(int(n < round(65536 * keep))) for n in numbers[:37])
        found[json.dumps([seed, name, keep, step])] = kept
    return found


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
    }
    return json.loads(json.dumps(everything, default=np.ndarray.tolist))


if __name__ == "__main__":
    FILE.write_text(json.dumps(made(), indent=None, separators=(",", ":")) + "\n")
