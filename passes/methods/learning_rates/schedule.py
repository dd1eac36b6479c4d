"""Learning-rate schedules: functions of the step, as nodes."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from ....graph import (
    Array,
    Constant,
    GraphError,
    Initializer,
    Node,
    State,
    compute,
    constant,
    depth_first,
    input,
    is_number,
    shown,
    whole_number,
)
from ....ops import cos, first_value, floor, greater, maximum, minimum, power, where
from ..arguments import Given, check_finite, check_not_negative, check_positive


class Schedule(Given):
    """A learning rate as a function of the step, counted from 0.

    A subclass gives `at`. Schedules may be nested: `warmup(cosine(0.1, steps=900), steps=100)`.
    In text they are called as in Python, `schedules.cosine(lr=0.1,steps=900)`.
    """

    name: ClassVar[str]
    _not_hooks: ClassVar[tuple[str, ...]] = ("rates",)

    def at(self, step: Node) -> Node:
        """The rate at `step`: f64, of any shape, element by element."""
        raise GraphError(f"schedule {self.name} has no `at`")

    def rates(self, steps: int, start: int = 0) -> Array:
        """The rates of `steps` steps, f64[steps], computed by the schedule's own graph.

        A state that the schedule reads has its first value.
        """
        start, steps = whole_number("start", start), whole_number("steps", steps)
        t = input("step", ("N",), dtype="f64")
        y = self.at(t)
        try:
            values: dict[Node, Array] = {t: start + np.arange(steps, dtype=np.float64)}
            for n in depth_first([y]):
                if n not in values:
                    values[n] = _evaluated(n, values, steps)
            return np.broadcast_to(values[y], (steps,)).copy()
        except (MemoryError, OverflowError, ValueError):
            raise GraphError(
                f"the rates of {shown(steps)} steps from {shown(start)} on cannot be held; ask for "
                "fewer at a time"
            ) from None


def _evaluated(n: Node, values: dict[Node, Array], size: int) -> Array:
    if isinstance(n.op, Constant):
        return n.op.array
    if isinstance(n.op, State) and isinstance(n.op.init, Initializer):
        return first_value(n.op.init, n.type, 0, n.asked_name or "")
    return compute(n, [values[i] for i in n.inputs], {"N": size})


Rate = float | Schedule


class ConstantRate(Schedule):
    """lr(t) = lr."""

    name: ClassVar[str] = "schedules.constant"
    lr: float

    def __post_init__(self) -> None:
        check_positive(lr=self.lr)

    def at(self, step: Node) -> Node:
        return constant(self.lr, "f64")


class Step(Schedule):
    """lr(t) = lr factor^floor(t / every)."""

    name: ClassVar[str] = "schedules.step"
    lr: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        check_positive(lr=self.lr, every=self.every, factor=self.factor)

    def at(self, step: Node) -> Node:
        return power(constant(self.factor, "f64"), floor(step / float(self.every))) * self.lr


class Exponential(Schedule):
    """lr(t) = lr decay^t."""

    name: ClassVar[str] = "schedules.exponential"
    lr: float
    decay: float

    def __post_init__(self) -> None:
        check_positive(lr=self.lr, decay=self.decay)

    def at(self, step: Node) -> Node:
        return power(constant(self.decay, "f64"), step) * self.lr


class Inverse(Schedule):
    """lr(t) = lr / (1 + decay t)."""

    name: ClassVar[str] = "schedules.inverse"
    lr: float
    decay: float

    def __post_init__(self) -> None:
        check_positive(lr=self.lr)
        check_not_negative(decay=self.decay)

    def at(self, step: Node) -> Node:
        return self.lr / (step * self.decay + 1.0)


class Cosine(Schedule):
    """lr(t) = final + (lr - final) (1 + cos(pi t / steps)) / 2 up to `steps`, then final.

    Source: Loshchilov and Hutter 2017, without restarts.
    """

    name: ClassVar[str] = "schedules.cosine"
    lr: float
    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        check_positive(lr=self.lr, steps=self.steps)
        check_finite(final=self.final)

    def at(self, step: Node) -> Node:
        done = minimum(step / float(self.steps), 1.0)
        return (cos(done * math.pi) + 1.0) * ((self.lr - self.final) / 2) + self.final


class Warmup(Schedule):
    """Linear from lr / steps at step 0 to the rate, reached after `steps`; then `then`.

    `then` is a rate, or a schedule that counts its own steps from the end of the warm-up.
    """

    name: ClassVar[str] = "schedules.warmup"
    then: Rate
    steps: int

    def __post_init__(self) -> None:
        check_positive(steps=self.steps)
        if not isinstance(self.then, Schedule):
            check_positive(then=self.then)

    def at(self, step: Node) -> Node:
        after = _rate(self.then, maximum(step - float(self.steps), 0.0))
        return after * minimum((step + 1.0) / float(self.steps), 1.0)


class OneCycle(Schedule):
    """Up from lr / div to lr by a cosine, then down to lr / (div final_div) by another.

    The rise takes the share `rise` of `steps`. Source: Smith and Topin 2019.
    """

    name: ClassVar[str] = "schedules.one_cycle"
    lr: float
    steps: int
    rise: float = 0.3
    div: float = 25.0
    final_div: float = 1e4

    def __post_init__(self) -> None:
        check_positive(lr=self.lr, steps=self.steps, div=self.div, final_div=self.final_div)
        if not is_number(self.rise) or not 0 < self.rise < 1:
            raise GraphError(
                f"rise is {shown(self.rise)}, where a share between 0 and 1 is expected"
            )

    def at(self, step: Node) -> Node:
        low, last = self.lr / self.div, self.lr / self.div / self.final_div
        top = self.rise * self.steps - 1
        end = self.steps - 1
        up = _between(low, self.lr, minimum(step / top, 1.0) if top > 0 else step * 0.0 + 1.0)
        down = _between(self.lr, last, minimum(maximum((step - top) / (end - top), 0.0), 1.0))
        return where(greater(step, float(top)), down, up)


def _between(start: float, end: float, done: Node) -> Node:
    """From start to end by half a cosine, as `done` goes from 0 to 1."""
    return (cos(done * math.pi) + 1.0) * ((start - end) / 2) + end


def _rate(rate: Rate, step: Node) -> Node:
    return rate.at(step) if isinstance(rate, Schedule) else constant(rate, "f64")
