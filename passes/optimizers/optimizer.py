"""What an optimizer is: how a gradient becomes a new value, as nodes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, ClassVar, Final

from ...graph import Constant, GraphError, Node, Op, Value, apply, constant
from ...ops import cast
from ..schedules import Schedule

DIALECTS: Final = ("course", "cs231n", "torch", "onnx", "sklearn", "optax")
"""Whose formulas and defaults an optimizer has."""


class Group(Value):
    """Other options for the parameters whose names match a pattern such as `*.bias`.

    `lr` and `weight_decay` take the place of the optimizer's where they are given.
    """

    name: ClassVar[str] = "group"
    pattern: str
    lr: float | Schedule | None = None
    weight_decay: float | None = None

    def __post_init__(self) -> None:
        if self.lr is not None:
            check_rate(self.lr)
        if self.weight_decay is not None:
            check_not_negative("weight_decay", self.weight_decay)


class Optimizer(Value):
    """Gives, for a parameter w and its gradient g, the update of w and of its own state.

    A subclass gives `states` and `updates`. A `dialect` sets the defaults and
    the forms in which the libraries differ, together; an argument that is given wins. `groups`
    gives other options by the parameters' names. `weight_decay` adds weight_decay w to g.
    """

    name: ClassVar[str]
    dialects: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """What each dialect sets otherwise than the course's; all attributes of the optimizer."""
    decoupled: ClassVar[bool] = False
    """Whether the optimizer decays the parameter itself, and `weight_decay` is not added to g."""
    lr: float | Schedule
    weight_decay: float = 0.0
    groups: tuple[Group, ...] = ()
    dialect: str = "course"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # The rate comes first, then what is the optimizer's own, and last what all have.
        last = ("weight_decay", "groups", "dialect")
        own = [n for n in cls.__annotations__ if n in cls.field_names and n not in last]
        rest = [n for n in cls.field_names if n not in ("lr", *own, *last)]
        cls.field_names = ("lr", *own, *rest, *last)

    if not TYPE_CHECKING:

        def __init__(self, *args, **fields):
            given = {**dict(zip(self.field_names, args, strict=False)), **fields}
            dialect = given.get("dialect", "course")
            check_choice("dialect", dialect, DIALECTS)
            meant = self.dialects.get(dialect, {})
            told = {k: v for k, v in meant.items() if k not in given}
            super().__init__(*args, **fields, **told)

    def __post_init__(self) -> None:
        check_rate(self.lr)
        check_not_negative("weight_decay", self.weight_decay)

    def states(self) -> dict[str, float]:
        """What each parameter has beside it, and its first value: {"velocity": 0.0}."""
        return {}

    def look_ahead(self, w: Node, states: Mapping[str, Node]) -> Node | None:
        """What the forward and backward graph read in the place of w; None: w itself."""
        return None

    def updates(self, w: Node, g: Node, states: Mapping[str, Node], step: Node) -> dict[Node, Node]:
        """The new value of w, and of each of its states, by what is updated.

        `step`: i64[] counts the updates from 1.
        """
        raise GraphError(f"optimizer {self.name} has no `updates`")

    def for_parameter(self, name: str) -> Optimizer:
        """The optimizer with the options of the first group whose pattern matches the name."""
        for group in self.groups:
            if fnmatchcase(name, group.pattern):
                options = {"lr": group.lr, "weight_decay": group.weight_decay}
                return self.but(**{k: v for k, v in options.items() if v is not None})
        return self

    def rate(self, step: Node) -> Node:
        """The learning rate of an update, f64[]: a schedule counts its steps from 0."""
        if isinstance(self.lr, Schedule):
            return self.lr.at(cast(step, "f64") - 1.0)
        return constant(self.lr, "f64")

    def rate_for(self, w: Node, step: Node) -> Node:
        """The learning rate in the dtype of a parameter."""
        return in_dtype(self.rate(step), w)


def renewed(op: Op, old: Node, *inputs: Node) -> Node:
    """The new value op(old, *inputs), under the name of the old one."""
    return apply(op, old, *inputs, name=old.asked_name)


def in_dtype(scalar: Node, w: Node) -> Node:
    """An f64 scalar, cast once to the dtype of a parameter."""
    if isinstance(scalar.op, Constant):
        return constant(scalar.op.value.array, w.type.dtype)
    return scalar if w.type.dtype == "f64" else cast(scalar, w.type.dtype)


def check_rate(lr: object) -> None:
    """Raises GraphError unless the learning rate is a finite number from 0, or a schedule."""
    if isinstance(lr, Schedule):
        return
    if isinstance(lr, bool) or not isinstance(lr, (int, float)) or not 0 <= lr < math.inf:
        raise GraphError(
            f"lr is {lr!r}, where a finite number from 0 is expected, or a schedule such as "
            "vg.schedules.cosine(0.1, steps=1000)"
        )


def check_decay(name: str, value: object) -> None:
    """Raises GraphError unless the value is a number from 0, below 1."""
    if isinstance(value, bool) or not (isinstance(value, (int, float)) and 0 <= value < 1):
        raise GraphError(f"{name} is {value!r}, where a number from 0, below 1, is expected")


def check_not_negative(name: str, value: object) -> None:
    """Raises GraphError unless the value is a finite number from 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise GraphError(f"{name} is {value!r}, where a finite number from 0 is expected")


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raises GraphError unless the value is one of the choices."""
    if value not in choices:
        raise GraphError(f"{name} is {value!r}, where one of {', '.join(choices)} is expected")
