"""The methods that the command line offers, by name: one row each."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from ...graph import GraphError, Initializer, RunError, cut, shortened, shown, suggest
from ...ops import init
from ...passes import SGD, AdaGrad, Adam, AdamW, Momentum, Nesterov, Optimizer, RMSProp
from ...passes.methods import learning_rates as schedules


class OptimizerRow(NamedTuple):
    """An optimizer, and its learning rate where none is given."""

    kind: type[Optimizer]
    lr: float


OPTIMIZERS: Final = {
    "sgd": OptimizerRow(SGD, 0.1),
    "momentum": OptimizerRow(Momentum, 0.02),
    "nesterov": OptimizerRow(Nesterov, 0.02),
    "adagrad": OptimizerRow(AdaGrad, 0.05),
    "rmsprop": OptimizerRow(RMSProp, 1e-3),
    "adam": OptimizerRow(Adam, 1e-3),
    "adamw": OptimizerRow(AdamW, 1e-3),
}

Rate = float | schedules.Schedule


def _warmup_cosine(lr: float, steps: int) -> Rate:
    warm = max(1, steps // 20)
    return schedules.warmup(schedules.cosine(lr, steps=max(1, steps - warm)), steps=warm)


class ScheduleRow(NamedTuple):
    """A schedule of the rate `lr` over so many steps, and what it does in words."""

    make: Callable[[float, int], Rate]
    words: str


SCHEDULES: Final = {
    "constant": ScheduleRow(lambda lr, steps: lr, "lr throughout"),
    "step": ScheduleRow(
        lambda lr, steps: schedules.step(lr, every=math.ceil(steps / 3)), "a tenth after each third"
    ),
    "exponential": ScheduleRow(
        lambda lr, steps: schedules.exponential(lr, decay=0.01 ** (1 / steps)), "to a hundredth"
    ),
    "cosine": ScheduleRow(lambda lr, steps: schedules.cosine(lr, steps=steps), "to 0"),
    "warmup-cosine": ScheduleRow(_warmup_cosine, "up in a twentieth of the run, then to 0"),
    "inverse": ScheduleRow(
        lambda lr, steps: schedules.inverse(lr, decay=9 / steps), "as 1/t, to a tenth"
    ),
    "plateau": ScheduleRow(
        lambda lr, steps: schedules.plateau(lr), "a tenth where validation stays for 5 epochs"
    ),
    "one-cycle": ScheduleRow(
        lambda lr, steps: schedules.one_cycle(lr, steps=steps), "up for 30 %, then to nearly 0"
    ),
}

ACTIVATIONS: Final = (
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "tanh",
    "sigmoid",
)

_PLAIN: Final[dict[str, Callable[[], Initializer]]] = {
    "he_normal": init.he_normal,
    "he_uniform": init.he_uniform,
    "xavier_normal": init.xavier_normal,
    "xavier_uniform": init.xavier_uniform,
    "lecun_normal": init.lecun_normal,
    "zeros": init.zeros,
}
_SIZED: Final[dict[str, Callable[[float], Initializer]]] = {
    "normal": init.normal,
    "uniform": lambda limit: init.uniform(-limit, limit),
    "constant": init.constant,
}
INITIALIZERS: Final = (*_PLAIN, *(f"{name}:NUMBER" for name in _SIZED))


def initializer(text: str) -> Initializer:
    """The initializer that a text names: `he_normal`, `normal:0.01`, `uniform:0.1` (+-0.1)."""
    name, colon, number = text.partition(":")
    try:
        if name in _PLAIN and not colon:
            return _PLAIN[name]()
        if name in _SIZED and number:
            return _SIZED[name](float(number))
    except (ValueError, GraphError) as e:
        raise RunError(f"--init {shortened(text)} cannot be: {cut(str(e), 300)}") from None
    hint = suggest(name, [*_PLAIN, *_SIZED]) if name not in (*_PLAIN, *_SIZED) else ""
    raise RunError(
        f"there is no initializer {shown(text)}{hint}; there are {', '.join(INITIALIZERS)}, "
        "e.g. normal:0.01"
    )
