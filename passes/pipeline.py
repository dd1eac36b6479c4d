"""Pipelines: passes in an order that is checked when it is built, verified between any two."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final, NamedTuple

from ..graph import (
    Frozen,
    Graph,
    PassError,
    Verifier,
    VerigradError,
    check_callable,
    check_kind,
    raised_at,
    shown,
    suggest,
)
from .base import SWEEPS, Pass, Refused, Rewrite, apply_rewrites

FACTS: Final = ("forward", "differentiable", "as declared", "free of copies")
"""What holds of a graph as it is declared."""

Callback = Callable[[str, Graph], None]
Begins = Callable[[Pass, Graph], None]


class Record(NamedTuple):
    """What a pass did to one node, or refused to do, and why."""

    stage: str
    node: str
    reason: str
    refused: bool

    def __str__(self) -> str:
        return f"{self.stage}: %{self.node}: {'- ' if self.refused else ''}{self.reason}"


class Step(NamedTuple):
    """A pass as it was run: in which sweep, from 0, and what it made of the graph before it."""

    stage: Pass
    sweep: int
    before: Graph
    after: Graph
    outcomes: tuple[Rewrite | Refused, ...]


class FixedPointError(PassError):
    """Passes that change a graph again and again."""


class Compilation(NamedTuple):
    """A graph after every pass, with the reasons and the seconds that each took.

    `steps` tell the same pass by pass as they were run; a later sweep that did nothing is no step.
    """

    stages: dict[str, Graph]
    records: tuple[Record, ...]
    seconds: dict[str, float]
    steps: tuple[Step, ...] = ()

    @property
    def graph(self) -> Graph:
        return self.stages[next(reversed(self.stages))]


class Pipeline(Frozen):
    """Passes in order: a value; `without` and `insert` give new ones, checked at once.

    Its text, `str(pipeline)`, is what `vg.pipeline` reads.
    """

    advice: ClassVar[str] = "insert, without and with_options make other pipelines"

    def __init__(self, passes: Iterable[Pass]) -> None:
        try:
            self.passes = tuple(passes)
        except TypeError:
            raise PassError(f"a pipeline is made of passes, not of {shown(passes)}") from None
        _check(self.passes)
        self._made = True

    @property
    def names(self) -> tuple[str, ...]:
        return tuple([p.name for p in self.passes])

    def __iter__(self) -> Iterator[Pass]:
        return iter(self.passes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pipeline) and self.passes == other.passes

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        from .text import print_passes

        return print_passes(self.passes)

    def __repr__(self) -> str:
        return f"<Pipeline {' -> '.join(self.names)}>"

    def without(self, *names: str) -> Pipeline:
        """The pipeline without the passes of those names."""
        for name in names:
            self._place(name)
        return Pipeline(p for p in self.passes if p.name not in names)

    def insert(self, new: Pass, *, after: str | None = None, before: str | None = None) -> Pipeline:
        """The pipeline with a pass more, after or before another."""
        if (after is None) == (before is None):
            raise PassError("insert takes after= or before=, the name of a pass")
        at = self._place(before) if after is None else self._place(after) + 1
        return Pipeline((*self.passes[:at], new, *self.passes[at:]))

    def with_options(self, options: Mapping[str, Any]) -> Pipeline:
        """The pipeline with each given option (not None) set on the passes that have a field of
        that name. Raises PassError where an option is given that no pass takes."""
        check_kind("options", options, Mapping, "a dict of options, e.g. {'seed': 1},", PassError)
        chosen = {k: v for k, v in options.items() if v is not None}
        for k in chosen:
            check_kind("options: a name", k, str, "a text", PassError)
            if not any(k in p.options() for p in self.passes):
                raise PassError(f"{k}= is given, but no pass of {self!r} takes it")
        passes = []
        for p in self.passes:
            mine = {k: v for k, v in chosen.items() if k in p.options()}
            passes.append(p.but(**mine) if mine else p)
        return Pipeline(passes)

    def _place(self, name: object) -> int:
        if not isinstance(name, str) or name not in self.names:
            raise PassError(
                f"there is no pass {shown(name)} in the pipeline{suggest(name, self.names)}"
            )
        return self.names.index(name)

    def steps(self, g: Graph) -> Iterator[tuple[Pass, Graph, Graph]]:
        """Each pass that is run, and the graph before and after it; passes that run to a fixed
        point come again in every sweep."""
        return run_steps(self.passes, g)

    def run(self, g: Graph, callback: Callback | None = None) -> Compilation:
        """The graph after each pass; every result is verified before the next pass sees it.

        `callback` is called with the name of each stage and its graph. An error in a pass says
        which one it was and which had run.
        """
        if callback is not None:
            check_callable("callback", callback, "a function of a name and a graph", PassError)
        verifier = Verifier()
        verifier.verify(g)
        stages = {"declared": g}
        records: list[Record] = []
        seconds: dict[str, float] = {}
        steps: list[Step] = []
        for batch in _batches(self.passes):
            start = time.perf_counter()
            for step in _sweeps(batch, g, stages, records, verifier):
                name = step.stage.name
                seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start
                if step.sweep and step.after is not stages[name]:
                    del stages[name]
                stages[name] = g = step.after
                if not step.sweep or step.after is not step.before:
                    steps.append(step)
                start = time.perf_counter()
            if callback is not None:
                for p in batch:
                    callback(p.name, stages[p.name])
        ordered = {n: stages[n] for n in ("declared", *self.names)}
        return Compilation(ordered, tuple(records), seconds, tuple(steps))


def run_steps(
    passes: Iterable[Pass],
    g: Graph,
    records: list[Record] | None = None,
    begins: Begins | None = None,
    *,
    verified: bool = True,
) -> Iterator[tuple[Pass, Graph, Graph]]:
    """Each pass as it is run, in whatever order they stand, and the graph before and after it.

    What it did is added to `records`; `begins` is called with it and its graph before it runs.
    """
    ran: dict[str, None] = {}
    records = [] if records is None else records
    verifier = Verifier() if verified else None
    for batch in _batches(tuple(passes)):
        for step in _sweeps(batch, g, ran, records, verifier, begins):
            yield step.stage, step.before, step.after
            ran[step.stage.name] = None
            g = step.after


def _sweeps(
    batch: tuple[Pass, ...],
    g: Graph,
    ran: Iterable[str],
    records: list[Record],
    verifier: Verifier | None,
    begins: Begins | None = None,
) -> Iterator[Step]:
    """Each pass as it is run; its graph is verified where something is to verify it."""
    for sweep in range(SWEEPS + 1):
        start = g
        for p in batch:
            if begins is not None:
                begins(p, g)
            before = g
            g, outcomes = _run_one(p, g, tuple(ran), records, verifier)
            yield Step(p, sweep, before, g, outcomes)
        if g is start or not batch[0].repeated:
            return
    names = ", ".join(p.name for p in batch)
    raise FixedPointError(f"{names}: no fixed point after {SWEEPS} sweeps")


def _run_one(
    p: Pass, g: Graph, ran: tuple[str, ...], records: list[Record], verifier: Verifier | None
) -> tuple[Graph, tuple[Rewrite | Refused, ...]]:
    """The graph after a pass, verified, and why; the same graph where nothing changed."""
    behind = f"after {', '.join(ran)}" if ran else "the first that runs"
    try:
        given = p.rewrites(g)
        if not isinstance(given, Iterable):
            raise PassError(f"rewrites gave {shown(given)}, where it is to yield each rewrite")
        outcomes = tuple(given)
        for r in outcomes:
            if not isinstance(r, (Rewrite, Refused)):
                raise PassError(
                    f"rewrites gave {shown(r)}, where vg.Rewrite(old, new, reason) or "
                    "vg.Refused(node, reason) is expected"
                )
        whole = type(p).apply is not Pass.apply
        rewrites = [r for r in outcomes if isinstance(r, Rewrite)]
        after = p.apply(g) if whole else apply_rewrites(g, rewrites)
        if not isinstance(after, Graph):
            raise PassError(f"apply gave {shown(after)}, where a Graph is expected")
        if after is not g and verifier is not None:
            verifier.verify(after)
    except VerigradError as e:
        e.args = (f"{e}\n  in the pass {p.name}, {behind}",)
        raise e from None
    except Exception as e:
        # One error, whose traceback reaches the line that failed.
        line = raised_at(e)
        at = f"\n  at {line.described}" if line is not None else ""
        failure = PassError(
            f"the pass {p.name} failed with {type(e).__name__}: {e}{at}\n  {behind}"
        )
        raise failure.with_traceback(e.__traceback__) from None
    refused = {r for r in records if r.refused and r.stage == p.name}
    for r in outcomes:
        n = r.old if isinstance(r, Rewrite) else r.node
        record = Record(p.name, g.names.get(n, n.op.name), r.reason, isinstance(r, Refused))
        if record not in refused:  # each sweep refuses the same again
            records.append(record)
            if record.refused:
                refused.add(record)
    return after, outcomes


def _batches(passes: tuple[Pass, ...]) -> Iterator[tuple[Pass, ...]]:
    """Passes one by one, and neighbours that run to a fixed point together."""
    repeated: list[Pass] = []
    for p in passes:
        if p.repeated:
            repeated.append(p)
            continue
        if repeated:
            yield tuple(repeated)
            repeated = []
        yield (p,)
    if repeated:
        yield tuple(repeated)


def _check(passes: tuple[Pass, ...]) -> None:
    seen: set[str] = {"declared"}
    for p in passes:
        check_pass(p)
        if p.name in seen:
            raise PassError(f"the pass {p.name} stands twice; a stage needs a name of its own")
        seen.add(p.name)
    check_order(passes)


def check_pass(p: object) -> None:
    """Raises unless it is a pass that does something."""
    if not isinstance(p, Pass):
        raise PassError(f"a pipeline is made of passes, not of {shown(p)}; write e.g. MyPass()")
    if type(p).rewrites is Pass.rewrites and type(p).apply is Pass.apply:
        raise PassError(
            f"{type(p).__name__} does nothing: it gives neither `rewrites(g)` nor `apply(g)`"
        )


def check_order(passes: Iterable[Pass], holds: Iterable[str] = FACTS) -> None:
    """Raises where a pass needs what does not hold before it, given what holds of the graph."""
    passes, facts = tuple(passes), set(holds)
    broken: dict[str, str] = {}
    for p in passes:
        for need in p.needs:
            if need in facts:
                continue
            if need in broken:
                raise PassError(f"{p.name} needs {need!r}, which {broken[need]}, before it, breaks")
            givers = [q.name for q in passes if need in q.gives]
            hint = f"; {givers[0]} gives it, but runs later" if givers else "; no pass gives it"
            raise PassError(f"{p.name} needs {need!r}{hint}")
        facts |= set(p.gives)
        for fact in p.breaks:
            facts.discard(fact)
            broken[fact] = p.name
