"""Values of runtime/checking/trajectories.json that are made in one go, from formulas alone: masks,
first values, losses, penalties and the rows of samplers."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import numpy as np

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


def raw(seed: int, name: str, count: int, step: int = 0) -> list[int]:
    """The first 64-bit words of that Philox generator."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    key = np.array([seed, int.from_bytes(digest, "little")], np.uint64)
    philox = np.random.Philox(key=key, counter=np.array([0, 0, step, 0], np.uint64))
    return list(map(int, philox.random_raw(count)))


def masks() -> dict[str, str]:
    """The i-th 16-bit word of Philox4x64 with key (seed, BLAKE2b of the name) and counter
    (0, 0, step, 0), below round(65536 keep)."""
    found = {}
    for seed, name, keep, step in ((0, "fc1", 0.5, 1), (7, "fc1", 0.8, 3), (0, "fc2", 0.9, 2**33)):
        numbers = [w >> (16 * k) & 0xFFFF for w in raw(seed, name, 10, step) for k in range(4)]
        kept = "".join(str(int(n < round(65536 * keep))) for n in numbers[:37])
        found[json.dumps([seed, name, keep, step])] = kept
    return found


def dropped() -> dict[str, float]:
    """The mean of w (x m) for the weights w = 1, 2, ...: m the mask of step 0 times what it is
    scaled by; and in inference its expectation, or what vanilla dropout multiplies by."""
    found = {}
    for mode, keep in (("inverted", 0.5), ("vanilla", 0.8)):
        scale, rest = (1 / keep, 1.0) if mode == "inverted" else (1.0, keep)
        numbers = [w >> (16 * k) & 0xFFFF for w in raw(3, "drop", 3) for k in range(4)]
        kept = [scale * (n < round(65536 * keep)) for n in numbers[:12]]
        for stage, mask in (("loss", kept), ("evaluate", [rest] * 12)):
            weighed = [(i + 1) * m for i, m in enumerate(mask)]
            found[json.dumps([mode, keep, stage])] = sum(weighed) / 12
    return found


def first_values() -> dict[str, Any]:
    """Box and Muller's normal numbers, or uniform ones, of the words of a parameter's name."""
    shape, found = (6, 4), {}
    rows, columns = shape
    for name, deviation, mean in (
        ("he_normal", math.sqrt(2 / rows), 0.0),
        ("xavier_normal", math.sqrt(2 / (rows + columns)), 0.0),
        ("lecun_normal", math.sqrt(1 / rows), 0.0),
        ("normal", 0.5, 0.25),
    ):
        u = [((w >> 11) + 0.5) * 2.0**-53 for w in raw(5, "w", 2 * rows * columns)]
        arguments = [0.5, 0.25] if name == "normal" else []
        found[json.dumps([name, *arguments])] = [
            mean + deviation * math.sqrt(-2 * math.log(a)) * math.cos(2 * math.pi * b)
            for a, b in zip(u[::2], u[1::2], strict=True)
        ]
    for name, low, high in (
        ("he_uniform", -math.sqrt(6 / rows), math.sqrt(6 / rows)),
        ("xavier_uniform", -math.sqrt(6 / (rows + columns)), math.sqrt(6 / (rows + columns))),
        ("uniform", -0.5, 2.0),
    ):
        u = [((w >> 11) + 0.5) * 2.0**-53 for w in raw(5, "w", 2 * rows * columns)[::2]]
        arguments = [low, high] if name == "uniform" else []
        found[json.dumps([name, *arguments])] = [low + (high - low) * a for a in u]
    return {"shape": shape, "seed": 5, "cases": found}


def softmax_loss(
    scores: np.ndarray, labels: list[int], by_class: Any = None, smoothing: float = 0.0
) -> float:
    """The mean, weighed by class, of (1 - e) times the label's and e / C times every class's."""
    w = np.ones(scores.shape[1]) if by_class is None else np.array(by_class)
    rows = []
    for s, y in zip(scores, labels, strict=True):
        log_p = s - np.log(np.exp(s).sum())
        spread = smoothing / len(s) * float(np.dot(w, log_p))
        rows.append(-(1 - smoothing) * w[y] * log_p[y] - spread)
    return float(sum(rows) / w[labels].sum())


def losses() -> dict[str, Any]:
    """Each loss of two tensors, from its definition, element by element."""
    a, b = 2 * wave(4, 3, phase=0.7), wave(4, 3, phase=0.9)
    share, labels, weights = 1 / (1 + np.exp(-b)), [2, 0, 1, 2], [1.0, 0.5, 2.0, 0.25]
    d, s = a - b, 1 / (1 + np.exp(-a))
    near = np.abs(d) <= 0.7
    hinged = [
        sum(max(0.0, x - row[y] + 0.5) for j, x in enumerate(row) if j != y)
        for row, y in zip(a, labels, strict=True)
    ]
    mean = {
        ("mean_squared_error",): d * d,
        ("mean_absolute_error",): np.abs(d),
        ("huber", 0.7): np.where(near, d * d / 2, 0.7 * (np.abs(d) - 0.35)),
        ("poisson_nll",): np.exp(a) - b * a,
    }
    found = {json.dumps(key): float(value.mean()) for key, value in mean.items()}
    found |= {
        json.dumps(["weighed", *key]): float(value.mean(axis=1) @ weights / sum(weights))
        for key, value in mean.items()
    }
    entropy = -(share * np.log(s) + (1 - share) * np.log(1 - s))
    found['["binary_cross_entropy_with_logits"]'] = float(entropy.mean())
    found['["hinge", 0.5]'] = float(np.mean(hinged))
    found['["softmax_cross_entropy"]'] = softmax_loss(a, labels)
    found['["softmax_cross_entropy", "smoothed"]'] = softmax_loss(a, labels, None, 0.2)
    both = softmax_loss(a, labels, [0.5, 1.0, 2.0], 0.2)
    found['["softmax_cross_entropy", "smoothed", "weighed by class"]'] = both
    found['["log", "1 - sigmoid"]'] = float(np.log(1 - s).mean())
    arrays = {"a": a, "b": b, "share": share, "labels": labels, "weights": weights}
    return {"arrays": arrays, "cases": found}


def penalties() -> dict[str, float]:
    """What a penalty adds to the loss: of the weights alone."""
    w = np.concatenate([start()["fc1.weight"].ravel(), start()["fc2.weight"].ravel()])
    one, two = float(np.abs(w).sum()), float((w * w).sum())
    return {
        "l1(0.3)": 0.3 * one,
        "l2(0.4)": 0.2 * two,
        "elastic_net(l1=0.3,l2=0.4)": 0.3 * one + 0.2 * two,
    }


def samples() -> dict[str, list[list[int]]]:
    """The rows of each step of two epochs: 11 rows, 4 at a time, their labels 0 to 2."""
    labels = [0, 1, 0, 2, 1, 0, 0, 1, 2, 0, 1]
    of_class = [[i for i, y in enumerate(labels) if y == c] for c in range(3)]
    found: dict[str, list[list[int]]] = {"labels": [labels]}
    orders = {"sequential": [[*range(11)]] * 2, "shuffled": []}
    for epoch in range(2):
        drawn = raw(9, "sampler.epoch", 11, epoch)
        orders["shuffled"].append(sorted(range(11), key=drawn.__getitem__))
    for name, epochs in orders.items():
        found[name] = [o[k : k + 4] for o in epochs for k in (0, 4, 8)]
    found["replacement"] = [
        [w % 11 for w in raw(9, "sampler.replacement", 4, step)] for step in range(6)
    ]
    found["balanced"] = []
    for step in range(6):
        drawn = raw(9, "sampler.balanced", 4, step)
        rows = [of_class[(4 * step + i) % 3] for i in range(4)]
        found["balanced"].append([r[w % len(r)] for r, w in zip(rows, drawn, strict=True)])
    return found
