"""What `program.bisect` makes of each fault that runs by default: `python -m catch.bisections`.

Each runs on a copy with the fault, on the subjects in turn, until one shows who is guilty. With an
argument, `python -m catch.bisections BACKEND`, it is the process in the copy that does so.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Final, NamedTuple

import click

from catch.copies import copied, run, sound
from catch.fault import Fault
from catch.faults import FAULTS
from catch.matrix import Results, plant, variables
from catch.subjects import subjects
from catch.table import PAGE, by_default

BEGIN: Final = "<!-- bisections -->"
END: Final = "<!-- /bisections -->"
_SECONDS: Final = 240
_NOBODY: Final = "nobody"


class Told(NamedTuple):
    """Who was found guilty, on a graph of how many nodes, in how many seconds."""

    guilty: str
    nodes: int = 0
    seconds: float = 0.0


def found_here(backend: str) -> Told:
    """The first bisection of a subject that finds somebody."""
    for subject in subjects():
        found = subject.program(certify=False, backend=backend).bisect(
            subject.feeds(subject.rows[0])
        )
        if found and found.small is not None:
            return Told(found.guilty, len(found.small.order), found.seconds)
    return Told(_NOBODY)


def told_of(fault: Fault) -> Told:
    """What is found on a copy with the fault, on NumPy's backend and then on numba's."""
    with sound() as original, copied(original) as copy:
        plant(fault, copy)
        for backend in ("numpy", "numba") if fault.is_of_backends else ("numpy",):
            done = run(copy, ["-m", "catch.bisections", backend], _SECONDS, variables(fault))
            lines = [line for line in done.text.splitlines() if line.startswith("{")]
            if done.code == 0 and lines and (told := Told(**json.loads(lines[-1]))).nodes:
                return told
    return Told(_NOBODY)


def page(told: dict[str, Told]) -> str:
    """The generated part of the page."""
    found = [t for t in told.values() if t.nodes]
    nodes, seconds = median([t.nodes for t in found]), median([t.seconds for t in found])
    lines = [
        f"Of {len(told)} faults that are caught by default, it names somebody for {len(found)}: by "
        f"a graph of {nodes:g} nodes, in {seconds:.1f} s (medians).",
        "",
        "| fault | guilty | nodes | seconds |",
        "| --- | --- | --: | --: |",
    ]
    for name, t in told.items():
        numbers = f"{t.nodes} | {t.seconds:.1f}" if t.nodes else " | "
        lines.append(f"| {name} | {t.guilty} | {numbers} |")
    return "\n".join(lines)


@click.command()
@click.option("--jobs", default=1, show_default=True, help="Faults at a time.")
def main(jobs: int) -> None:
    """Bisects a program with each fault that is caught by default, and writes the page."""
    results = Results()
    faults: Sequence[Fault] = [f for f in FAULTS if by_default(results.of(f))]
    told: dict[str, Told] = {}
    with ThreadPoolExecutor(jobs) as pool:
        for fault, found in zip(faults, pool.map(told_of, faults), strict=True):
            told[fault.name] = found
            click.echo(f"{fault.name:<44} {found.guilty} {found.nodes} {found.seconds:.1f} s")
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n{page(told)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] in (["numpy"], ["numba"]):
        print(json.dumps(found_here(sys.argv[1])._asdict()))
    else:
        main()
