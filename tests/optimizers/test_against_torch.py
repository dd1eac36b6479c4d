"""A hundred steps of every optimizer that PyTorch has end where PyTorch's do, to 1e-11."""

from __future__ import annotations

from typing import Any

import pytest
from smooth_net import STEPS, Values, batch, moved, trained, worst

import verigrad as vg

CASES: dict[str, tuple[vg.Optimizer, str, dict[str, Any]]] = {
    "sgd": (vg.SGD(0.2), "SGD", {"lr": 0.2}),
    "sgd decayed": (vg.SGD(0.2, weight_decay=0.03), "SGD", {"lr": 0.2, "weight_decay": 0.03}),
    "sgd torch": (vg.SGD(0.2, dialect="torch"), "SGD", {"lr": 0.2}),
    "momentum": (vg.Momentum(0.05, 0.8), "SGD", {"lr": 0.05, "momentum": 0.8}),
    "momentum default": (vg.Momentum(0.03), "SGD", {"lr": 0.03, "momentum": 0.9}),
    "momentum decayed": (
        vg.Momentum(0.05, weight_decay=0.02, dialect="torch"),
        "SGD",
        {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.02},
    ),
    "dampened": (
        vg.Momentum(0.1, 0.9, dampening=0.4),
        "SGD",
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.4},
    ),
    "dampened decayed": (
        vg.Momentum(0.1, 0.9, dampening=0.4, weight_decay=0.02),
        "SGD",
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.4, "weight_decay": 0.02},
    ),
    "dampened wholly": (
        vg.Momentum(0.1, 0.5, dampening=1.0),
        "SGD",
        {"lr": 0.1, "momentum": 0.5, "dampening": 1.0},
    ),
    "dampened nothing": (
        vg.Momentum(0.1, 0.0, dampening=0.4),
        "SGD",
        {"lr": 0.1, "momentum": 0.0, "dampening": 0.4},
    ),
    "nesterov": (
        vg.Nesterov(0.05, 0.8, False),
        "SGD",
        {"lr": 0.05, "momentum": 0.8, "nesterov": True},
    ),
    "nesterov decayed": (
        vg.Nesterov(0.05, weight_decay=0.02, dialect="torch"),
        "SGD",
        {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.02},
    ),
    "adagrad": (vg.AdaGrad(0.1, dialect="torch"), "Adagrad", {"lr": 0.1}),
    "adagrad course eps": (vg.AdaGrad(0.1), "Adagrad", {"lr": 0.1, "eps": 1e-7}),
    "adagrad lr_decay": (
        vg.AdaGrad(0.1, lr_decay=0.05, dialect="torch"),
        "Adagrad",
        {"lr": 0.1, "lr_decay": 0.05},
    ),
    "adagrad started": (
        vg.AdaGrad(0.1, 1e-6, start=0.3, weight_decay=0.02, lr_decay=0.01),
        "Adagrad",
        {
            "lr": 0.1,
            "eps": 1e-6,
            "initial_accumulator_value": 0.3,
            "weight_decay": 0.02,
            "lr_decay": 0.01,
        },
    ),
    "rmsprop": (vg.RMSProp(0.005, dialect="torch"), "RMSprop", {"lr": 0.005}),
    "rmsprop decayed": (
        vg.RMSProp(0.005, 0.95, 1e-6, weight_decay=0.02),
        "RMSprop",
        {"lr": 0.005, "alpha": 0.95, "eps": 1e-6, "weight_decay": 0.02},
    ),
    "rmsprop centered": (
        vg.RMSProp(0.002, centered=True, eps=1e-3),
        "RMSprop",
        {"lr": 0.002, "centered": True, "eps": 1e-3},
    ),
    "rmsprop momentum": (
        vg.RMSProp(0.001, momentum=0.8, dialect="torch"),
        "RMSprop",
        {"lr": 0.001, "momentum": 0.8},
    ),
    "rmsprop centered momentum": (
        vg.RMSProp(0.001, 0.98, 1e-3, True, momentum=0.7, weight_decay=0.01),
        "RMSprop",
        {
            "lr": 0.001,
            "alpha": 0.98,
            "eps": 1e-3,
            "centered": True,
            "momentum": 0.7,
            "weight_decay": 0.01,
        },
    ),
    "adam": (vg.Adam(0.01, dialect="torch"), "Adam", {"lr": 0.01}),
    "adam course eps": (vg.Adam(0.01), "Adam", {"lr": 0.01, "eps": 1e-7}),
    "adam decayed": (
        vg.Adam(0.01, 0.8, 0.99, 1e-6, weight_decay=0.02),
        "Adam",
        {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.02},
    ),
    "adamw": (vg.AdamW(0.01, dialect="torch"), "AdamW", {"lr": 0.01}),
    "adamw decayed": (
        vg.AdamW(0.01, 0.85, 0.995, 1e-6, weight_decay=0.3),
        "AdamW",
        {"lr": 0.01, "betas": (0.85, 0.995), "eps": 1e-6, "weight_decay": 0.3},
    ),
    "adamw kept": (
        vg.AdamW(0.01, eps=1e-8, weight_decay=0.0),
        "AdamW",
        {"lr": 0.01, "weight_decay": 0},
    ),
}
GROUPED = {
    "sgd": (vg.SGD(0.2, weight_decay=0.1), "SGD", {"lr": 0.2, "weight_decay": 0.1}),
    "adam": (vg.Adam(0.01, dialect="torch"), "Adam", {"lr": 0.01}),
    "adamw": (
        vg.AdamW(0.01, dialect="torch", weight_decay=0.2),
        "AdamW",
        {"lr": 0.01, "weight_decay": 0.2},
    ),
}


def by_torch(torch: Any, start: Values, make: Any) -> list[Values]:
    """The parameters after each step of PyTorch's own; `make` takes the tensors by name."""
    p = {name: torch.tensor(w, requires_grad=True) for name, w in start.items()}
    optimizer = make(p)
    after = []
    for step in range(STEPS):
        feeds = {k: torch.tensor(v) for k, v in batch(step).items()}
        optimizer.zero_grad()
        h = torch.tanh(feeds["x"] @ p["fc1.weight"] + p["fc1.bias"])
        scores = h @ p["fc2.weight"] + p["fc2.bias"]
        torch.nn.functional.mse_loss(scores, feeds["y"]).backward()
        optimizer.step()
        after.append({name: w.detach().numpy().copy() for name, w in p.items()})
    return after


@pytest.mark.parametrize("case", CASES)
def test_a_hundred_steps_end_where_torch_does(torch: Any, case: str) -> None:
    optimizer, kind, options = CASES[case]
    start, after = trained(optimizer)
    expected = by_torch(
        torch, start, lambda p: getattr(torch.optim, kind)(list(p.values()), **options)
    )
    assert moved(start, after) > 0.01
    assert worst(after, expected) < 1e-11


@pytest.mark.parametrize("case", GROUPED)
def test_groups_are_those_of_torch(torch: Any, case: str) -> None:
    optimizer, kind, options = GROUPED[case]
    bias = vg.Group("*.bias", weight_decay=0.0)
    late = vg.Group("fc2.*", lr=0.005)
    start, after = trained(optimizer.but(groups=(bias, late)))

    def make(p: dict[str, Any]) -> Any:
        biases = [w for name, w in p.items() if name.endswith(".bias")]
        groups = [
            {"params": [p["fc1.weight"]]},
            {"params": biases, "weight_decay": 0.0},
            {"params": [p["fc2.weight"]], "lr": 0.005},
        ]
        return getattr(torch.optim, kind)(groups, **options)

    assert worst(after, by_torch(torch, start, make)) < 1e-11
