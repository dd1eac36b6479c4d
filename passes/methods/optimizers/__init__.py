"""Optimizers: each gives the updates of a parameter and of its state, as nodes."""

from .adaptive import AdaGrad, Adam, AdamW, RMSProp
from .descent import SGD, Momentum, Nesterov
from .optimizer import DIALECTS, Dialect, Group, Optimizer

__all__ = [
    "DIALECTS",
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Dialect",
    "Group",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "RMSProp",
]
