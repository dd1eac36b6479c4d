"""Passes run one by one, each looked at: verified, compared and timed; and what fails, shrunk."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from ...graph import Graph, PassError, RefutedError, VerigradError, parse, raised_at
from ...passes import Pass, Record, unrolled
from ...passes.pipeline import FixedPointError, run_steps
from ...passes.text import print_passes
from ..certificate.derivatives import check_gradients, gradients_of
from ..certificate.same import check_same, disagreement, values_of
from .shrinking import shrunk

_CHANGING: Final = re.compile(r"%[\w.-]+|'[^']*'|\[[^\]]*\]|\d+")
"""What an error says of the graph that it is about: names, texts, shapes and numbers."""


class Step(NamedTuple):
    """A pass as it was run, and what was found of it."""

    one: Pass
    before: Graph
    after: Graph
    seconds: float
    """How long it took, the verifying with it and the comparing without."""
    records: tuple[Record, ...]
    compared: str
    """In words, how it was compared; nothing where it was not to be, or changed nothing."""


class StepError(PassError):
    """A pass that failed on a graph; `gist` is the same for failures of the same kind.

    `compared`: it failed by what it gives, and not by itself.
    """

    def __init__(
        self, one: Pass, before: Graph, message: str, gist: str, *, compared: bool = False
    ) -> None:
        super().__init__(message)
        self.one = one
        self.before = before
        self.gist = gist
        self.compared = compared


def checked_steps(
    passes: Sequence[Pass], g: Graph, *, compared: bool = False, verified: bool = True
) -> Iterator[Step]:
    """Each pass as it is run, verified unless that is not asked for.

    `compared`: what it gives is compared with what it was given, as `check_same` does, unless it
    defines what is computed. Raises StepError for whatever goes wrong in a pass or after it.
    """
    records: list[Record] = []
    running: list[tuple[Pass, Graph]] = []
    steps = run_steps(passes, g, records, lambda *now: running.append(now), verified=verified)
    while True:
        start, known = time.perf_counter(), len(records)
        try:
            step = next(steps, None)
        except (VerigradError, SystemExit) as e:
            p, before = running[-1]
            if isinstance(e, FixedPointError):  # which it does not reach from where it began
                before = next(g for q, g in running if q is p)
            raise _failed(p, before, e) from None
        except KeyboardInterrupt as e:
            line = raised_at(e)
            at = f", at {line.described}" if line is not None else ""
            e.add_note(f"in the pass {running[-1][0].name}{at}" if running else "")
            raise
        if step is None:
            return
        seconds = time.perf_counter() - start
        words = _compared(*step) if compared and step[1] is not step[2] else ""
        yield Step(*step, seconds, tuple(records[known:]), words)


def _failed(p: Pass, before: Graph, e: VerigradError | SystemExit) -> StepError:
    message = str(e)
    if isinstance(e, SystemExit):
        message = f"the pass {p.name} called sys.exit({e.code!r})"
    line = raised_at(e)
    gist = _CHANGING.sub("_", "\n".join(message.splitlines()[:2]))
    return StepError(p, before, message, f"{type(e).__name__} at {line}: {gist}")


def _compared(p: Pass, before: Graph, after: Graph) -> str:
    """How a pass was compared, in words; StepError where it does not keep what is computed."""
    whole = unrolled(after)
    if "gradients" in p.gives and before.loss is not None and gradients_of(whole):
        found = check_gradients(whole, gradients_of(whole))
        if found.verdict == "refuted":
            message = f"the gradients are not those of the loss: {found.reason}"
            gist = f"derivatives: {found.reason.split(', at %')[0]}"
            raise StepError(p, before, f"{message}\n  in the pass {p.name}", gist, compared=True)
        if found.verdict == "skipped":
            return f"defines what is computed: not compared, nor are its gradients: {found.reason}"
        return "defines what is computed: its gradients alone were compared, with derivatives"
    if p.defines:
        return "defines what is computed: not compared"
    try:
        check_same(before, after)
    except Exception as e:  # of an op that a user wrote, any
        gist = type(e).__name__
        message = str(e) if isinstance(e, VerigradError) else f"{gist}: {e}"
        if isinstance(e, RefutedError):
            now = disagreement(before, after, values_of(before))
            gist = f"compared: {now.layer if now is not None else ''}"
        message = f"{message}\n  in the pass {p.name}"
        raise StepError(p, before, message, gist, compared=True) from None
    return "keeps what is computed"


class Reduced(NamedTuple):
    """The smallest graph that was found on which some passes fail as they did before."""

    passes: tuple[Pass, ...]
    graph: Graph
    of: int
    """How many nodes the graph had that was made smaller."""

    @property
    def words(self) -> str:
        nodes = len(self.graph.order)
        return (
            f"the smallest graph on which {print_passes(self.passes)} fails so, of {nodes} "
            f"node{'s' if nodes != 1 else ''} where it had {self.of}"
        )


def reduced(
    failure: StepError,
    passes: Sequence[Pass],
    g: Graph,
    *,
    verified: bool = True,
    seconds: float = 20.0,
) -> Reduced:
    """The smallest graph that fails as `g` did under these passes, found in so much time: before
    the pass that fails, or, where that does not fail alone, before all of them."""

    end = time.perf_counter() + seconds

    def fails(passes: Sequence[Pass], g: Graph) -> bool:
        again = _read_again(g)
        try:
            for _ in checked_steps(passes, again, compared=failure.compared, verified=verified):
                if time.perf_counter() > end:
                    return False
        except StepError as now:
            return now.gist == failure.gist
        return False

    alone = (failure.one,)
    passes, g = (alone, failure.before) if fails(alone, failure.before) else (tuple(passes), g)
    inner = next((c for c in _of_one_node(g) if fails(passes, c)), g)
    left = max(0.0, end - time.perf_counter())
    small = shrunk(inner, lambda candidate: fails(passes, candidate), left)
    return Reduced(tuple(passes), small, len(g.order))


def _of_one_node(g: Graph) -> Iterator[Graph]:
    """What gives a single node of the graph, the first of them first."""
    for n in g.order:
        yield g.but(outputs={"y": n}, updates={})


def _read_again(g: Graph) -> Graph:
    """The graph as its text gives it, for that is what is kept; itself where arrays are missing."""
    try:
        return parse(str(g))
    except VerigradError:
        return g
