"""A check that runs on the device: a few rows, and what the interpreter computed of them.

It tells a compiler, a math library or a memory that is not as it should be, where no other program
of ours runs. It is part of a file only where a macro asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from ....graph import Array, Graph, Node, VerigradError
from ...certificate.points import classes_of
from ...interpreter import interpret
from ..graphs import Exported
from ..identifiers import Names
from .loops import wrapped
from .numbers import TYPES, listed, literal

ROWS: Final = 2
_NEAR: Final = {"f4": 1e-4, "f8": 1e-9}
"""How far a number may be off at least, beside the largest of its tensor; by NumPy's names."""
_TIMES: Final = 32
"""So many times as far as one unit in the last place of all that is read takes it."""
_FAR: Final = 0.05
"""Numbers that may be off so far tell nothing: such as those behind a step that divides a gradient
of 0, which is rounding alone, by its own size."""


class Expected(NamedTuple):
    """What is due of some rows: predictions, the loss of a step, and predictions behind it."""

    predicted: Mapping[str, Array]
    loss: Array | None
    after: Mapping[str, Array]

    @property
    def stages(self) -> tuple[list[Array], list[Array], list[Array]]:
        """The floats of each of the three."""
        loss = [] if self.loss is None else [self.loss]
        floats = [
            [a for a in outputs.values() if a.dtype.kind == "f"]
            for outputs in (self.predicted, self.after)
        ]
        return floats[0], loss, floats[1]


def device_check(e: Exported, prefix: str, names: Names) -> str:
    """The function `PREFIX_check` and its numbers; nothing where these rows give no finite ones,
    or a step has no loss."""
    if e.step is not None and e.step.loss is None:
        return ""
    rng = np.random.default_rng(0)
    feeds = _drawn(e, rng)
    due = _computed(e, e.values, feeds)
    moved = _computed(e, *[{k: _moved(a, rng) for k, a in m.items()} for m in (e.values, feeds)])
    if due is None or moved is None:
        return ""
    near = [_near(*pair) for pair in zip(due.stages, moved.stages, strict=True)]
    if near[2] > _FAR:
        due, near[2] = due._replace(after={}), 0.0
    if max(near) > _FAR:
        return ""
    return "\n\n".join(_Written(e, prefix, names, feeds, due, near).parts())


def _drawn(e: Exported, rng: np.random.Generator) -> dict[str, Array]:
    """A few rows for every input, labels among their classes."""
    feeds: dict[str, Array] = {}
    for g in e.graphs:
        classes = classes_of(g)
        for n in g.inputs:
            shape = n.type.bind({s: min(ROWS, e.sizes[s]) for s in g.symbols})
            drawn: Array = rng.standard_normal(shape)
            if not n.type.is_float:
                drawn = rng.integers(0, 2 if n.type.dtype == "bool" else classes.get(n, 2), shape)
            feeds.setdefault(g.names[n], np.asarray(drawn).astype(n.type.numpy))
    return feeds


def _computed(
    e: Exported, values: Mapping[str, Array], feeds: Mapping[str, Array]
) -> Expected | None:
    """What the interpreter computes; None where that is not finite, or refused."""

    def predicted(values: Mapping[str, Array]) -> dict[str, Array]:
        return {} if e.predict is None else interpret(e.predict, {**values, **feeds}).outputs

    try:
        with np.errstate(all="ignore"):
            found = Expected(predicted(values), None, {})
            if e.step is not None:
                step = interpret(e.step, {**values, **feeds})
                after = predicted({**values, **step.updates})
                found = Expected(found.predicted, step.outputs["loss"], after)
    except VerigradError:  # such as a batch normalization of one row
        return None
    return found if all(np.isfinite(a).all() for stage in found.stages for a in stage) else None


def _moved(a: Array, rng: np.random.Generator) -> Array:
    """Floats by about one unit in the last place up or down, but for 0: what that does to results,
    rounding may do, too."""
    if a.dtype.kind != "f":
        return a
    signs = np.where(rng.random(a.shape) < 0.5, -1.0, 1.0)
    return np.asarray(a * (1 + signs * np.finfo(a.dtype).eps)).astype(a.dtype)


def _near(due: list[Array], moved: list[Array]) -> float:
    """How far numbers may be off on another device, as a part of the largest of their tensor."""
    near = [_NEAR[a.dtype.str[1:]] for a in due]
    for a, b in zip(due, moved, strict=True):
        off = float(np.abs(a.astype(float) - b).max(initial=0))
        near.append(_TIMES * off / max(1.0, float(np.abs(a).max(initial=0))))
    return max(near, default=0.0)


class _Written:
    """The text of the check."""

    def __init__(
        self,
        e: Exported,
        prefix: str,
        names: Names,
        feeds: Mapping[str, Array],
        due: Expected,
        near: Sequence[float],
    ) -> None:
        self._e, self._prefix, self._names = e, prefix, names
        self._feeds, self._due, self._near = feeds, due, near
        self._called: dict[str, str] = {}

    def parts(self) -> Iterator[str]:
        """Numbers, the helper that compares, and the function."""
        yield f"#ifdef {self._prefix.upper()}_CHECK"
        for g in self._e.graphs:
            for n in g.inputs:
                if n.type.rank and g.names[n] not in self._called:
                    yield self._array(g.names[n], n, self._feeds[g.names[n]])
        found = []
        for what, outputs in (("due", self._due.predicted), ("after", self._due.after)):
            for key, n in self._outputs if outputs else ():
                if n.type.is_float:
                    yield self._array(f"{what}.{key}", n, outputs[key])
        for key, n in self._outputs:
            count = max(1, self._due.predicted[key].size)
            own = self._called[f"found.{key}"] = self._names.new(f"check.found.{key}")
            found.append(f"static {TYPES[n.type.dtype]} {own}[{count}];")
        for dtype in dict.fromkeys(n.type.dtype for _, n in self._outputs if n.type.is_float):
            yield _COMPARED.format(
                T=TYPES[dtype],
                d=dtype,
            )
        body = [wrapped(line) for line in self._body()]
        yield "\n".join([*found, f"int {self._prefix}_check(void) {{", *body, "}"])
        yield "#endif"

    @property
    def _outputs(self) -> list[tuple[str, Node]]:
        return [*self._e.predict.outputs.items()] if self._e.predict is not None else []

    def _array(self, name: str, n: Node, value: Array) -> str:
        own = self._called[name] = self._names.new(f"check.{name}")
        kind, count = TYPES[n.type.dtype], max(1, value.size)
        numbers = listed(value if value.size else np.zeros(1), n.type.dtype)
        return f"static const {kind} {own}[{count}] = {numbers};"

    def _body(self) -> Iterator[str]:
        low, up = self._prefix, self._prefix.upper()
        if self._e.step is not None:
            yield f"    {low}_init();"
        if self._outputs:
            yield from self._predicts("due", 1)
        if self._e.step is not None:
            assert self._due.loss is not None and self._e.step.loss is not None
            dtype = self._e.step.loss.type.dtype
            due = literal(self._due.loss, dtype)
            near, size = literal(self._near[1], dtype), f"fabs{'f' if dtype == 'f32' else ''}"
            loss = self._names.new("check.loss")
            yield f"    {TYPES[dtype]} {loss} = 0;"
            arguments = ", ".join([*self._arguments(self._e.step), f"&{loss}"])
            yield f"    if ({low}_step({arguments}) != {up}_OK)"
            yield "        return 2;"
            yield f"    if (!({size}({loss} - {due}) <= {near} * (1 + {size}({due}))))"
            yield "        return 2;"
            if self._due.after:
                yield from self._predicts("after", 3)
            yield f"    {low}_init();"
        yield "    return 0;"

    def _predicts(self, what: str, wrong: int) -> Iterator[str]:
        assert self._e.predict is not None
        outputs = self._e.predict.outputs
        found = [self._called[f"found.{key}"] for key in outputs]
        arguments = ", ".join([*self._arguments(self._e.predict), *found])
        call = f"{self._prefix}_predict({arguments})"
        yield f"    if ({call} != {self._prefix.upper()}_OK)"
        yield f"        return {wrong};"
        for key, n in self._outputs:
            if not n.type.is_float:
                continue
            count = self._due.predicted[key].size
            near = literal(self._near[wrong - 1], n.type.dtype)
            arrays = f"{self._called[f'found.{key}']}, {self._called[f'{what}.{key}']}"
            yield f"    if (!vg_near_{n.type.dtype}({count}, {near}, {arrays}))"
            yield f"        return {wrong};"

    def _arguments(self, g: Graph) -> list[str]:
        fed = [
            self._called[g.names[n]]
            if n.type.rank
            else literal(self._feeds[g.names[n]], n.type.dtype)
            for n in g.inputs
        ]
        return [*fed, *[str(min(ROWS, self._e.sizes[s])) for s in g.symbols]]


_COMPARED: Final = """/* Whether numbers are those that are due, but for a part of the largest. */
static int vg_near_{d}(size_t count, {T} near, const {T} *found, const {T} *due) {{
    {T} most = 1;
    for (size_t i = 0; i < count; i++) {{
        const {T} size = due[i] < 0 ? -due[i] : due[i];
        most = size > most ? size : most;
    }}
    for (size_t i = 0; i < count; i++)
        if (!(found[i] - due[i] <= near * most && due[i] - found[i] <= near * most))
            return 0;
    return 1;
}}"""
