"""Learning-rate schedules, as users name them: `vg.schedules.cosine(0.1, steps=1000)`."""

# ruff: noqa: N813 - classes under the names that they have in text

from .plateau import Plateau as plateau
from .schedule import ConstantRate as constant
from .schedule import Cosine as cosine
from .schedule import Exponential as exponential
from .schedule import Inverse as inverse
from .schedule import OneCycle as one_cycle
from .schedule import Schedule
from .schedule import Step as step
from .schedule import Warmup as warmup

__all__ = [
    "Schedule",
    "constant",
    "cosine",
    "exponential",
    "inverse",
    "one_cycle",
    "plateau",
    "step",
    "warmup",
]
