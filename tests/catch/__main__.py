"""`python -m catch`: runs what is missing of the matrix, and writes the page."""

from __future__ import annotations

import click

from catch.detectors import DETECTORS
from catch.faults import FAULTS
from catch.matrix import SOUND, Results, catch
from catch.table import written

NAMES = [f.name for f in (SOUND, *FAULTS)]


@click.command()
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="These faults alone.")
@click.option(
    "--by", multiple=True, type=click.Choice([d.name for d in DETECTORS]), help="These detectors."
)
@click.option("--again", is_flag=True, help="Also what is known already.")
@click.option("--jobs", default=1, show_default=True, help="Faults at a time.")
def main(only: tuple[str, ...], by: tuple[str, ...], again: bool, jobs: int) -> None:
    """Plants each fault in a copy of the package, and lets each detector look for it.

    What is known already is not run again: results are kept beside the page.
    """
    faults = [f for f in (SOUND, *FAULTS) if not only or f.name in only]
    detectors = [d for d in DETECTORS if not by or d.name in by]
    results = Results()
    if again:
        results.forget(faults, detectors)
    catch(faults, results, click.echo, jobs, detectors)
    written(FAULTS, results)


if __name__ == "__main__":
    main()
