"""Readers of files, tried on files that were right and then changed: `python -m fuzz.readers`.

Each input ends in an error of ours, which names the file, or in a right answer: no other
exception, no command that is run, no memory out of proportion, no end that does not come.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final, NamedTuple

import verigrad as vg

from .reading.guard import Guard, Taken, tracing
from .reading.mutations import mutated
from .reading.samples import READERS, Reader

LONGEST: Final = 3000
"""Of how many characters an error may be."""


class Failure(NamedTuple):
    """An input that did not end as it has to, which `input_of` makes again."""

    reader: str
    seed: int
    number: int
    problem: str

    def __str__(self) -> str:
        return f"{self.reader}, seed {self.seed}, input {self.number}: {self.problem}"


@dataclass
class Row:
    """What became of the inputs of one reader."""

    reader: str
    read: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    most_bytes: int = 0

    @property
    def inputs(self) -> int:
        return self.read + self.refused


@dataclass
class Report:
    """What was run, and what failed."""

    rows: list[Row]
    failures: list[Failure] = field(default_factory=list)

    @property
    def inputs(self) -> int:
        return sum(row.inputs for row in self.rows) + len(self.failures)

    def __str__(self) -> str:
        lines = [
            "| reader | inputs | refused | read | inputs/s | slowest, ms | most memory, kB |",
            "| --- | --: | --: | --: | --: | --: | --: |",
        ]
        for r in self.rows:
            rate = r.inputs / r.seconds if r.seconds else 0
            lines.append(
                f"| {r.reader} | {r.inputs:,} | {r.refused:,} | {r.read:,} | {rate:,.0f} | "
                f"{1e3 * r.slowest:,.0f} | {r.most_bytes / 1e3:,.0f} |"
            )
        return "\n".join([*lines, "", *map(str, self.failures)])


def input_of(reader: Reader, seed: int, number: int) -> bytes:
    """The bytes of one input: of its seed and number alone."""
    rng = Random(f"{seed} {reader.name} {number}")
    data = rng.choice(reader.seeds)
    if reader.inner and rng.random() < 0.6:
        data = rng.choice(reader.inner)(data, rng)
        if rng.random() < 0.9:
            return data
    return mutated(data, reader.seeds, rng)


class Trial:
    """Reads inputs in a folder of its own, and counts how they end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._guard = Guard(folder)

    def one(self, reader: Reader, data: bytes, row: Row) -> str | None:
        """Reads one input; what is wrong with how that ended, if anything is."""
        path = self._folder / reader.file
        path.unlink(missing_ok=True)  # to write over a file waits for the disk
        path.write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found, taken = self._guard.call(reader.read, path)
        problem = "; ".join(self._guard.broken) or _problem(reader, found)
        if problem is None:
            _count(row, found, taken)
        return problem


def _count(row: Row, found: object, taken: Taken) -> None:
    row.seconds += taken.seconds
    row.slowest = max(row.slowest, taken.seconds)
    row.most_bytes = max(row.most_bytes, taken.bytes)
    if isinstance(found, Exception):
        row.refused += 1
    else:
        row.read += 1


def _problem(reader: Reader, found: object) -> str | None:
    if not isinstance(found, Exception):
        return None
    text = f"{type(found).__name__}: {found}"
    if not isinstance(found, vg.VerigradError):
        return text[:500]
    if reader.named and reader.file not in text:
        return f"the error does not name the file: {text[:500]}"
    if len(text) > LONGEST:
        return f"an error of {len(text):,} characters: {text[:200]}"
    return None


def run(
    seconds: float,
    seed: int,
    inputs: float = math.inf,
    names: Sequence[str] = (),
    tell: Callable[[Failure], object] = lambda failure: None,
) -> Report:
    """Tries the readers in turn, until the time has passed or so many inputs were tried; `tell` is
    given each failure at once."""
    readers = [READERS[name] for name in names or READERS]
    report = Report([Row(reader.name) for reader in readers])
    end = perf_counter() + seconds
    with TemporaryDirectory() as folder, tracing():
        trial = Trial(Path(folder))
        for number, (reader, row) in _rounds(list(zip(readers, report.rows, strict=True))):
            if report.inputs >= inputs or perf_counter() >= end:
                break
            problem = trial.one(reader, input_of(reader, seed, number), row)
            if problem is not None:
                report.failures.append(Failure(reader.name, seed, number, problem))
                tell(report.failures[-1])
    return report


def _rounds(tried: list[tuple[Reader, Row]]) -> Iterator[tuple[int, tuple[Reader, Row]]]:
    """Numbered rounds without end, in each of which each reader has its turn, or waits."""
    for number in itertools.count():
        for reader, row in tried:
            if number % reader.every == 0:
                yield number, (reader, row)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fuzz.readers", description=__doc__)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--inputs", type=float, default=math.inf, help="of all readers together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", action="append", choices=READERS, default=[])
    parser.add_argument("--input", type=int, help="write this one input of the reader, and stop")
    asked = parser.parse_args()
    if asked.input is not None:
        (name,) = asked.reader
        path = Path(READERS[name].file)
        path.write_bytes(input_of(READERS[name], asked.seed, asked.input))
        print(path)
        return
    report = run(
        60 * asked.minutes, asked.seed, asked.inputs, asked.reader,
        tell=lambda failure: print(failure, file=sys.stderr, flush=True),
    )  # fmt: skip
    print(report)
    raise SystemExit(bool(report.failures))


if __name__ == "__main__":
    main()
