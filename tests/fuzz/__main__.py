"""`python -m fuzz`: random programs until the time is up, and a report of what was found."""

from __future__ import annotations

import os
import sys
import time
from math import inf
from pathlib import Path

import click

from .case import case
from .work import How, Tally, tallies, worked


@click.command()
@click.option(
    "--minutes", type=float, help="How long; 10, where neither programs nor seed is said."
)
@click.option("--programs", type=int, help="How many, if the time suffices.")
@click.option("--seed", type=int, help="The one program of this seed.")
@click.option("--first", type=int, default=None, help="The first seed; by the clock, unless said.")
@click.option("--backend", type=click.Choice(["numpy", "numba"]), default="numpy")
@click.option("--exact-only", is_flag=True, help="No plan, no kernel: the exact layer alone.")
@click.option("--shards", is_flag=True, help="Batches cut into shards, where they can be.")
@click.option("--quick", is_flag=True, help="Ends at the first failure, and makes none small.")
@click.option("--jobs", type=int, default=lambda: os.cpu_count() or 1, help="Processes.")
@click.option("--report", type=click.Path(path_type=Path), help="Where the report goes as well.")
def main(
    minutes: float | None, programs: int | None, seed: int | None, first: int | None,
    backend: str, exact_only: bool, shards: bool, quick: bool, jobs: int, report: Path | None,
) -> None:  # fmt: skip
    """Random programs, each valid by construction, through all checks; ends with 1 if any fails."""
    how = How(backend, exact_only, shrink=not quick, shards=shards)
    if seed is not None:
        click.echo(case(seed, backend).told())
        total = worked([seed], how)
        click.echo("\n\n".join(map(str, total.found)) or "all checks hold")
        sys.exit(bool(total.found))
    if first is None:
        first = int(time.time()) * 1000
    if minutes is None:
        minutes = 10 if programs is None else inf
    start, total = time.monotonic(), Tally()
    for tally in tallies(first, programs, 60 * minutes, jobs, how):
        total.add(tally)
        for found in tally.found:
            click.echo(f"\r{found}\n")
        if quick and total.found:
            break
        _progress(total, time.monotonic() - start)
        if report is not None:
            _written(report, first, total, start)
    click.echo()
    click.echo(_report(first, total, start))
    sys.exit(bool(total.found))


def _report(first: int, total: Tally, start: float) -> str:
    return "\n".join([f"seeds from {first}", *total.lines(time.monotonic() - start)])


def _written(path: Path, first: int, total: Tally, start: float) -> None:
    """The report so far, for whoever cuts the run off."""
    path.write_text(_report(first, total, start) + "\n", encoding="utf-8")


def _progress(total: Tally, took: float) -> None:
    """One line, written over and over."""
    rate = total.programs / max(took, 1e-9)
    text = f"{total.programs:,} programs, {rate:.1f} a second, {len(total.found)} failures"
    if sys.stdout.isatty():
        click.echo(f"\r{text}   ", nl=False)
    elif total.programs % 1000 < 20:
        click.echo(text)


if __name__ == "__main__":
    main()
