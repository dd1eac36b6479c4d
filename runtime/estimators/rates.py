"""The optimizers of scikit-learn's solvers, and how their learning rate changes between epochs."""

from __future__ import annotations

import math
from typing import Any, Final

from ...passes import Optimizer
from ...passes.methods.learning_rates import Schedule, plateau
from ...passes.methods.learning_rates.plateau import LR_SCALE
from ...passes.methods.optimizers import SGD, Adam, Momentum, Nesterov
from ..program import Program

_SMALLEST: Final = 1e-6
"""At this rate "adaptive" ends instead of dividing it again."""
_ALL: Final = math.nextafter(1.0, 0.0)


class Rate:
    """The learning rate of a run, as the estimator's `learning_rate` changes it."""

    def __init__(self, kind: str, first: float, power: float) -> None:
        self.kind = kind
        self.first = first
        self.power = power
        self.now = first

    def end_epoch(self, program: Program, samples: int) -> None:
        """After so many samples: "invscaling" divides the first rate by (samples + 1)^power."""
        if self.kind == "invscaling":
            self._set(program, self.first / (samples + 1) ** self.power)

    def lower(self, program: Program) -> bool:
        """Divides the rate by 5 where it is "adaptive"; False where the run is to end instead."""
        if self.kind != "adaptive" or self.now <= _SMALLEST:
            return False
        self._set(program, self.now / 5.0)
        return True

    def _set(self, program: Program, rate: float) -> None:
        self.now = rate
        program.state[LR_SCALE] = rate / self.first


def rate_of(estimator: Any) -> Rate:
    """The rate that a fit begins with: only that of solver "sgd" ever changes."""
    own = estimator.solver == "sgd" and estimator.optimizer is None
    kind = estimator.learning_rate if own else "constant"
    return Rate(kind, float(estimator.learning_rate_init), float(estimator.power_t))


def optimizer_of(estimator: Any, rate: Rate) -> Optimizer:
    """The estimator's own optimizer, or that of its solver."""
    e = estimator
    if e.optimizer is not None:
        given: Optimizer = e.optimizer
        return given
    if e.solver == "adam":
        return Adam(rate.first, beta1=e.beta_1, beta2=e.beta_2, eps=e.epsilon, dialect="sklearn")
    # A state of the program scales the rate where it changes.
    lr: float | Schedule = rate.first if rate.kind == "constant" else plateau(rate.first)
    if e.momentum == 0:
        return SGD(lr)
    kind = Nesterov if e.nesterovs_momentum else Momentum
    # A velocity that forgets nothing, as scikit-learn allows it: 1, to the last place.
    return kind(lr, rho=min(float(e.momentum), _ALL), dialect="sklearn")
