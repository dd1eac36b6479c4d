"""What an optimizer is: how a gradient becomes a new value, as nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Final, Literal, get_args

from ....graph import (
    Constant,
    GraphError,
    Node,
    Op,
    apply,
    check_choice,
    constant,
    field,
    is_number,
    shown,
)
from ....ops import cast
from ..arguments import Given, check_not_negative
from ..learning_rates import Schedule

Dialect = Literal["course", "cs231n", "torch", "onnx", "sklearn", "optax"]
"""Whose formulas and defaults an optimizer has."""
DIALECTS: Final = get_args(Dialect)


class Group(Given):
    """Other options for the parameters whose names match a pattern such as `*.bias`.

    `lr` and `weight_decay` take the place of the optimizer's where they are given. The first
    group that matches counts; patterns are those of `fnmatch`, upper and lower case apart.
    """

    name: ClassVar[str] = "group"
    pattern: str
    lr: float | Schedule | None = None
    weight_decay: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.pattern, str):
            raise GraphError(f"pattern is {shown(self.pattern)}, where e.g. '*.bias' is expected")
        if self.lr is not None:
            check_rate(self.lr)
        if self.weight_decay is not None:
            check_not_negative(weight_decay=self.weight_decay)


class Optimizer(Given):
    """Gives, for a parameter w and its gradient g, the update of w and of its own state.

    A subclass gives `states` and `updates`. A `dialect` sets the defaults and
    the forms in which the libraries differ, together; an argument that is given wins; a library
    without the method sets nothing. `groups` gives other options by the parameters' names.
    `weight_decay` adds weight_decay w to g, w where the gradient is taken.
    """

    name: ClassVar[str]
    dialects: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """What each dialect sets otherwise than the course's; all attributes of the optimizer."""
    decoupled: ClassVar[bool] = False
    """Whether the optimizer decays the parameter itself, and `weight_decay` is not added to g."""
    lr: float | Schedule
    weight_decay: float = field(default=0.0, kw_only=True)
    groups: Sequence[Group] = field(default=(), kw_only=True)
    dialect: Dialect = field(default="course", kw_only=True)

    def _told(self, values: dict[str, Any]) -> dict[str, Any]:
        values = super()._told(values)
        dialect = values.get("dialect", "course")
        check_choice("dialect", dialect, DIALECTS)
        return {**self.dialects.get(dialect, {}), **values}

    def changed(self) -> dict[str, Any]:
        """The fields that differ from what the dialect sets: what text and `repr` show."""
        shown = super().changed()
        meant = self.dialects.get(self.dialect, {})
        fields = {n: getattr(self, n) for n in self.field_names if n in shown or n in meant}
        return {n: v for n, v in fields.items() if n not in meant or v != meant[n]}

    def __post_init__(self) -> None:
        groups = (self.groups,) if isinstance(self.groups, Group) else self.groups
        if not isinstance(groups, (tuple, list)) or not all(isinstance(g, Group) for g in groups):
            raise GraphError(
                f"groups is {shown(self.groups)}, where e.g. [vg.Group('*.bias', lr=0.1)] is "
                "expected"
            )
        self._set("groups", tuple(groups))
        check_rate(self.lr)
        check_not_negative(weight_decay=self.weight_decay)

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
    if not is_number(lr) or lr < 0:
        raise GraphError(
            f"lr is {shown(lr)}, where a finite number from 0 is expected, or a schedule such as "
            "vg.schedules.cosine(0.1, steps=1000)"
        )
