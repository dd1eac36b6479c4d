"""Turns gradients into updates of the parameters and of the optimizer's state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar

from ..graph import Graph, GraphError, Node, PassError, constant, state
from ..ops import add, init, multiply
from .base import Pass
from .methods.kinds import check_methods
from .methods.learning_rates import Schedule
from .methods.learning_rates.plateau import LR_SCALE, plateau_in
from .methods.optimizers import Optimizer
from .step import step_counter


@dataclass(frozen=True)
class AttachOptimizer(Pass):
    """Each output `NAME.grad` becomes updates of NAME and its state; the step counter counts on.

    Before:

        graph net {
          %x: f32[2] = input
          %w: f32[2] = parameter{init=zeros}
          %loss: f32[] = sum(%x)
          %w.grad: f32[2] = multiply(%w, %x)
          return loss=%loss, w.grad=%w.grad
        }

    After (with SGD(0.1)):

        graph net {
          %x: f32[2] = input
          %w: f32[2] = parameter{init=zeros}
          %step: i64[] = state{init=zeros}
          %c0.1: f32[] = constant{0.1}
          %c1: i64[] = constant{1}
          %loss: f32[] = sum(%x)
          %w.grad: f32[2] = multiply(%w, %x)
          %w.1: f32[2] = descend(%w, %w.grad, %c0.1)
          %step.1: i64[] = add(%step, %c1)
          update %w = %w.1
          update %step = %step.1
          return loss=%loss
        }

    What is frozen has no gradient, and so no update, no state and no decay; a group may match
    frozen parameters alone. Without an optimizer the gradients stay outputs. After differentiation.
    """

    name: ClassVar[str] = "attach_optimizer"
    defining: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("gradients",)
    gives: ClassVar[tuple[str, ...]] = ("updates",)
    optimizer: Optimizer | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_methods(optimizer=self.optimizer)

    def apply(self, g: Graph) -> Graph:
        if self.optimizer is None:
            return g
        step = step_counter(g)
        counted = add(step, constant(1, "i64"), name="step")
        names = {p: g.names[p] for p in g.trained}
        own = _one_of_each_rate({p: self.optimizer.for_parameter(k) for p, k in names.items()})
        chosen_by_pattern(self.optimizer, [g.names[p] for p in g.parameters])
        states = {p: _states(p, name, own[p]) for p, name in names.items()}
        ahead = {p: own[p].look_ahead(p, states[p]) for p in names}
        read_as = {p: read for p, read in ahead.items() if read is not None}
        g = g.replace(read_as) if read_as else g
        outputs, updates = dict(g.outputs), dict(g.updates)
        for p, name in names.items():
            if p in g.updates:
                raise PassError(
                    f"the parameter {name!r} has an update already, beside the optimizer's; "
                    "declare it as vg.state, or compile without an optimizer"
                )
            gradient = outputs.pop(f"{name}.grad", None)
            if gradient is None:
                raise PassError(f"there is no gradient of the parameter {name!r}")
            if own[p].weight_decay and not own[p].decoupled:
                read = ahead[p]
                at = p if read is None else read
                gradient = add(gradient, multiply(at, own[p].weight_decay))
            for old, new in own[p].updates(p, gradient, states[p], counted).items():
                updates[old] = new if new.asked_name else new.but(name=old.asked_name)
        updates[step] = counted
        return g.but(outputs=outputs, updates=updates)


def _one_of_each_rate(own: dict[Node, Optimizer]) -> dict[Node, Optimizer]:
    """The same optimizers, where equal schedules are one object: a plateau's state is shared.

    Raises GraphError where different schedules read it.
    """
    rates = {o.lr: o.lr for o in own.values() if isinstance(o.lr, Schedule)}
    lowered = [rate for rate in rates if plateau_in(rate) is not None]
    if len(lowered) > 1:
        raise GraphError(
            f"{lowered[0]!r} and {lowered[1]!r} both read the state {LR_SCALE}, where one schedule "
            "with a plateau is expected; give all groups the same"
        )
    return {p: o.but(lr=rates[o.lr]) if isinstance(o.lr, Schedule) else o for p, o in own.items()}


def _states(p: Node, name: str, optimizer: Optimizer) -> dict[str, Node]:
    """The optimizer's state for a parameter: of its type, and named after it."""
    shape = [d for d in p.type.shape if isinstance(d, int)]
    return {
        key: state(
            f"{name}.{key}", shape, init.constant(start) if start else "zeros", dtype=p.type.dtype
        )
        for key, start in optimizer.states().items()
    }


def chosen_by_pattern(optimizer: Optimizer, names: Iterable[str]) -> None:
    """Raises GraphError where a group's pattern matches no parameter."""
    there = list(names)
    for group in optimizer.groups:
        if not any(fnmatchcase(name, group.pattern) for name in there):
            raise GraphError(
                f"no parameter matches the group {group.pattern!r}; there are {', '.join(there)}"
            )
