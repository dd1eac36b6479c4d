"""Every optimizer in every dialect follows that library's formula with its default options."""

from __future__ import annotations

from collections.abc import Callable

import formulas as f
import pytest
from smooth_net import Update, by_hand, moved, trained, worst

import verigrad as vg
from verigrad.passes.methods.optimizers import DIALECTS

KINDS = (vg.SGD, vg.Momentum, vg.Nesterov, vg.AdaGrad, vg.RMSProp, vg.Adam, vg.AdamW)
Case = tuple[vg.Optimizer, Callable[[], Update]]


def of_each(kind: type, lr: float, makes: dict[str, Callable[[], Update]]) -> dict[str, Case]:
    """A case for each dialect; "course" stands for those that the method has no form in."""
    return {
        f"{kind.name} {dialect}": (
            kind(lr, dialect=dialect),
            makes[dialect if dialect in makes else "course"],
        )
        for dialect in DIALECTS
        if dialect in makes or kind.name != "nesterov"
    }


DEFAULTS: dict[str, Case] = {
    **of_each(vg.SGD, 0.2, {"course": f.sgd(0.2)}),
    **of_each(
        vg.Momentum,
        0.05,
        {
            "course": f.momentum(lr=0.05, rho=0.9),
            "cs231n": f.momentum_inside(lr=0.05, rho=0.9),
            "sklearn": f.momentum_inside(lr=0.05, rho=0.9),
        },
    ),
    **of_each(
        vg.Nesterov,
        0.05,
        {
            "torch": f.nesterov_torch(lr=0.05, rho=0.9),
            "onnx": f.momentum_onnx(lr=0.05, rho=0.9, beta=1.0, nesterov=True),
            "sklearn": f.nesterov_sklearn(lr=0.05, rho=0.9),
            "optax": f.nesterov_torch(lr=0.05, rho=0.9),
        },
    ),
    **of_each(
        vg.AdaGrad,
        0.1,
        {
            "course": f.adagrad(lr=0.1, eps=1e-7),
            "torch": f.adagrad(lr=0.1, eps=1e-10),
            "onnx": f.adagrad(lr=0.1, eps=1e-6),
            "optax": f.adagrad_optax(lr=0.1),
        },
    ),
    **of_each(
        vg.RMSProp,
        0.005,
        {
            "course": f.rmsprop(lr=0.005, d=0.99, eps=1e-7),
            "cs231n": f.rmsprop(lr=0.005, d=0.99, eps=1e-8),
            "torch": f.rmsprop(lr=0.005, d=0.99, eps=1e-8),
            "optax": f.rmsprop_optax(lr=0.005),
        },
    ),
    **of_each(
        vg.Adam,
        0.01,
        {
            "course": f.adam(lr=0.01, eps=1e-7),
            "cs231n": f.adam(lr=0.01, eps=1e-8),
            "torch": f.adam(lr=0.01, eps=1e-8),
            "onnx": f.adam_eps_hat(lr=0.01, eps=1e-6, from_zero=True),
            "sklearn": f.adam_eps_hat(lr=0.01, eps=1e-8, from_zero=False),
            "optax": f.adam(lr=0.01, eps=1e-8),
        },
    ),
    **of_each(
        vg.AdamW,
        0.01,
        {
            "course": f.adam(lr=0.01, eps=1e-7, wd=0.01),
            "cs231n": f.adam(lr=0.01, eps=1e-8, wd=0.01),
            "torch": f.adam(lr=0.01, eps=1e-8, wd=0.01),
            "onnx": f.adam_eps_hat(lr=0.01, eps=1e-6, from_zero=True, wd=0.01),
            "sklearn": f.adam_eps_hat(lr=0.01, eps=1e-8, from_zero=False, wd=0.01),
            "optax": f.adam(lr=0.01, eps=1e-8, wd=1e-4),
        },
    ),
}
OPTIONS: dict[str, Case] = {
    "onnx beta": (
        vg.Momentum(0.05, 0.8, dampening=0.25, dialect="onnx"),
        f.momentum_onnx(lr=0.05, rho=0.8, beta=0.75, nesterov=False),
    ),
    "onnx beta nesterov": (
        vg.Nesterov(0.05, 0.8, dampening=0.25, dialect="onnx"),
        f.momentum_onnx(lr=0.05, rho=0.8, beta=0.75, nesterov=True),
    ),
    "onnx decay": (
        vg.AdaGrad(0.1, lr_decay=0.1, dialect="onnx"),
        f.adagrad(lr=0.1, eps=1e-6, decay=0.1),
    ),
    "optax rmsprop centered": (
        vg.RMSProp(0.002, centered=True, dialect="optax"),
        f.rmsprop_optax(lr=0.002, centered=True),
    ),
    "optax rmsprop momentum of a schedule": (
        vg.RMSProp(vg.schedules.exponential(0.002, 0.97), momentum=0.8, dialect="optax"),
        f.rmsprop_optax(lr=lambda t: 0.002 * 0.97 ** (t - 1), mu=0.8),
    ),
    "momentum inside of a schedule": (
        vg.Momentum(vg.schedules.exponential(0.1, 0.97), dialect="cs231n"),
        f.momentum_inside(lr=lambda t: 0.1 * 0.97 ** (t - 1), rho=0.9),
    ),
    "almost adam": (
        vg.Adam(0.001, bias_correction=False),
        f.almost_adam(lr=0.001, eps=1e-7),
    ),
    "almost adam by position": (
        vg.Adam(0.001, 0.9, 0.999, 1e-5, False),
        f.almost_adam(lr=0.001, eps=1e-5),
    ),
    "adam eps_root": (
        vg.Adam(0.01, eps_root=1e-4, dialect="optax"),
        f.adam(lr=0.01, eps=1e-8, root=1e-4),
    ),
    "adam eps inside": (
        vg.Adam(0.01, eps=1e-4, eps_inside=True),
        f.adam(lr=0.01, eps=0.0, root=1e-4),
    ),
    "a name wins": (
        vg.Adam(0.01, dialect="torch", eps=1e-3),
        f.adam(lr=0.01, eps=1e-3),
    ),
    "a name wins with the course's own value": (
        vg.Adam(0.01, dialect="onnx", eps=1e-7, eps_hat=False, first=1),
        f.adam(lr=0.01, eps=1e-7),
    ),
}


def test_every_optimizer_has_a_case_in_every_dialect() -> None:
    lookahead = {"nesterov course", "nesterov cs231n"}  # in test_nesterov.py
    assert set(DEFAULTS) | lookahead == {f"{k.name} {d}" for k in KINDS for d in DIALECTS}


@pytest.mark.parametrize("case", DEFAULTS)
def test_a_dialect_is_the_formula_of_its_library(case: str) -> None:
    optimizer, make = DEFAULTS[case]
    start, after = trained(optimizer)
    assert moved(start, after) > 0.01
    assert worst(after, by_hand(start, make)) < 1e-11


@pytest.mark.parametrize("case", OPTIONS)
def test_an_option_is_the_formula_of_its_library(case: str) -> None:
    optimizer, make = OPTIONS[case]
    start, after = trained(optimizer)
    assert moved(start, after) > 0.01
    assert worst(after, by_hand(start, make)) < 1e-11


def test_one_over_t_is_the_decay_of_adagrad() -> None:
    """AdaGrad's lr_decay is the 1/t schedule."""
    _, decayed = trained(vg.AdaGrad(0.1, lr_decay=0.1))
    _, scheduled = trained(vg.AdaGrad(vg.schedules.inverse(0.1, 0.1)))
    assert worst(scheduled, decayed) < 1e-11
