"""The ranks that train one program together: what each has of a batch, and what all agree on."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from ...graph import Array, NonFiniteError, RunError, ShardSymbol, shown
from ...ops.blas import THREADS, kept_to_one_thread
from ...passes import Part, Shards
from ...passes.sharding import buckets
from ..execution.own_rows import OwnRows, OwnRowsReader
from ..files.description import described
from ..program import Program
from ..ranks.communicator import Communicator, in_words
from .versions import versions

E = TypeVar("E", bound=BaseException)
P = TypeVar("P")
AUDIT: Final = 100
"""After so many steps, unless said, the states of all ranks are compared."""


@contextmanager
def reported(ranks: Communicator | None) -> Iterator[None]:
    """Within the block, an error that ends this rank is told to the others, if there are any."""
    try:
        yield
    except BaseException as e:
        if ranks is not None and not getattr(e, "known_to_all", False):
            ranks.fail(in_words(e))
        raise


def begun(program: Program) -> dict[str, Any]:
    """What a program and its surroundings are that ranks have to have in common, by the names that
    an error gives them."""
    told = described(program.declared, program.options, {})
    own = {k: v for k, v in versions().items() if k != "threads"}
    return {
        **told,
        **own,
        "the code of verigrad": _code(),
        "the state that it begins with": state_of(program),
    }


def state_of(program: Program) -> dict[str, int]:
    """A checksum of each parameter and state."""
    return {k: zlib.crc32(np.ascontiguousarray(a).data) for k, a in program._values.items()}


def _code() -> str:
    """A checksum of the package's own files."""
    root, total = Path(__file__).parents[2], 0
    for part in ("graph", "ops", "passes", "runtime"):
        for path in sorted((root / part).rglob("*.py")):
            total = zlib.crc32(path.read_bytes(), total)
    return f"{total:08x}"


class Team:
    """The ranks of a run: a `Communicator` in the terms of training.

    All ranks make the same calls in the same order.
    """

    def __init__(self, program: Program, ranks: Communicator, audit: int) -> None:
        self._program = program
        self._ranks = ranks
        self._audit = audit
        self._alike = 0
        shards = program.options.shards
        if not isinstance(shards, Shards):
            raise RunError(
                "fit shares batches between ranks, and the program has no shards; compile it so, "
                "vg.compile(..., shards=8)"
            )
        part = Part(ranks.rank, ranks.size, ranks.number)
        self._step = program._variants.of_rank(part)
        reader = self._step.reader
        assert isinstance(reader, OwnRowsReader)
        self._rows: ShardSymbol = reader.rows

    @property
    def first(self) -> bool:
        """Whether this rank speaks for all: it writes files and shows progress."""
        return self._ranks.rank == 0

    @contextmanager
    def training(self) -> Iterator[None]:
        """Within the block a step of the program is made by all ranks, on one thread each."""
        variants = self._program._variants
        self._ranks.open(buckets(self._step.graph))
        variants.ranked = self._step
        try:
            with nullcontext() if self._threads_are_given() else kept_to_one_thread():
                yield
        finally:
            variants.ranked = None

    def _threads_are_given(self) -> bool:
        """Whether the program or the environment says how many threads a rank takes."""
        asked = self._program.options.threads is not None
        return asked or any(name in os.environ for name in THREADS)

    # ---- the rows of a batch -----------------------------------------------------------------

    def own(self, rows: Array) -> Array:
        """Of something with an element for each row of a batch, those of this rank's shards."""
        start, stop = self._rows.rows(len(rows))
        own: Array = rows[start:stop]
        return own

    def own_of(self, fed: Mapping[str, Array], name: str) -> Array:
        """The rows of this rank's shards of an input, where they are fed, or the whole batch is."""
        return fed[name] if isinstance(fed, OwnRows) else self.own(fed[name])

    def dealt(self, parts: Sequence[P]) -> Sequence[P]:
        """Those of many parts that this rank is to do: every so many."""
        return parts[self._ranks.rank :: self._ranks.size]

    def collected(self, done: Sequence[dict[str, Array]]) -> list[dict[str, Array]]:
        """What all ranks made of the parts that were dealt, in the order of these."""
        file = BytesIO()
        named: dict[str, Any] = {
            f"{k}/{n}": a for k, one in enumerate(done) for n, a in one.items()
        }
        np.savez(file, **named)
        by_rank = [_read(told) for told in self._ranks.gather(file.getvalue())]
        turns = zip_longest(*by_rank)
        return [one for turn in turns for one in turn if one is not None]

    # ---- what all agree on -------------------------------------------------------------------

    def check_alike(self, told: Mapping[str, Any]) -> None:
        """Raises RunError, in all ranks, naming the first that differs between them."""
        everybody = [json.loads(t) for t in self._gather(told)]
        for key in told:
            values = [each.get(key) for each in everybody]
            if any(v != values[0] for v in values):
                listed = "; ".join(f"{shown(v)} on {_ranks(k)}" for v, k in _by_value(values))
                raise known_to_all(
                    RunError(
                        f"the ranks do not train alike: {key} is {listed}; start all of them with "
                        "the same program, data, options and versions"
                    )
                )
        self._alike = self._program.step_number

    def total(self, number: int) -> int:
        """The sum of whole numbers over all ranks."""
        return sum([json.loads(t) for t in self._gather(number)])

    def any(self, answer: bool) -> bool:
        """Whether any rank says so."""
        return any(json.loads(t) for t in self._gather(bool(answer)))

    def told_by_first(self, words: str) -> str:
        """What rank 0 says."""
        told: str = json.loads(self._gather(words)[0])
        return told

    def audit(self, step: int) -> None:
        """After some steps, compares the states of all ranks: RunError naming what differs."""
        if step % self._audit:
            return
        mine = state_of(self._program)
        everybody: list[dict[str, int]] = [json.loads(t) for t in self._gather(mine)]
        differing = [k for k in mine if any(each.get(k) != mine[k] for each in everybody)]
        if differing:
            names = ", ".join(f"%{k}" for k in differing[:8])
            more = f" and {len(differing) - 8} more" if len(differing) > 8 else ""
            values = [each[differing[0]] for each in everybody]
            groups = " against ".join(_ranks(k) for _, k in _by_value(values))
            raise known_to_all(
                RunError(
                    f"after step {step} the ranks do not hold the same: {names}{more} differ, "
                    f"{groups}; a memory or a processor is at fault. They were alike after step "
                    f"{self._alike}: go on from a checkpoint of then or before, without that "
                    "machine"
                )
            )
        self._alike = step

    # ---- how a run ends ----------------------------------------------------------------------

    def want_stop(self, wanted: bool) -> None:
        """Says whether a signal to this rank asks to stop, with all that it sends from now on."""
        self._ranks.wants_stop = wanted

    @property
    def stops(self) -> bool:
        """Whether a rank wants to stop, as all of them know by now."""
        return self._ranks.stops

    def stop(self, check: Callable[[], None]) -> None:
        """Acts on the signals that have come to any rank, by `check`; where it raises in one, all
        end."""
        raised: BaseException | None = None
        try:
            check()
        except BaseException as e:  # a user's handler may raise any
            raised = e
        ending = [k for k, t in enumerate(self._gather(raised is not None)) if json.loads(t)]
        self._ranks.stops = False
        if raised is not None:
            raise known_to_all(raised)
        if ending:
            raise known_to_all(KeyboardInterrupt(f"{_ranks(ending)} was interrupted"))

    def agreed(self, e: NonFiniteError) -> NonFiniteError:
        """The error of a step that all ranks refuse alike, as the rank tells it that has its cause:
        the others see what they received of it alone."""
        here = e.diagnosis is not None and e.diagnosis.op != "receive"
        told = [json.loads(t) for t in self._gather([here, str(e)])]
        words = next((text for own, text in told if own), told[0][1])
        return NonFiniteError(words, e.diagnosis) if words != str(e) else e

    def _gather(self, told: Any) -> list[bytes]:
        return self._ranks.gather(json.dumps(told).encode())


def known_to_all(e: E) -> E:
    """An error that all ranks raise, so that none needs to be told of it."""
    e.known_to_all = True  # type: ignore[attr-defined]
    return e


def _read(told: bytes) -> list[dict[str, Array]]:
    """What a rank made of its parts."""
    made: dict[int, dict[str, Array]] = {}
    with np.load(BytesIO(told), allow_pickle=False) as arrays:
        for key in arrays:
            k, _, name = key.partition("/")
            made.setdefault(int(k), {})[name] = arrays[key]
    return [made[k] for k in sorted(made)]


def _by_value(values: Sequence[Any]) -> list[tuple[Any, list[int]]]:
    """The different values, each with the ranks that have it."""
    found: list[tuple[Any, list[int]]] = []
    for rank, value in enumerate(values):
        group = next((ranks for v, ranks in found if v == value), None)
        if group is None:
            found.append((value, [rank]))
        else:
            group.append(rank)
    return found


def _ranks(ranks: Sequence[int]) -> str:
    listed = ", ".join(map(str, ranks))
    return f"rank{'s' * (len(ranks) > 1)} {listed}"
