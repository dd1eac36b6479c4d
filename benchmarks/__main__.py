"""The benchmark: `make bench`, or `python -m verigrad.benchmarks` where the peers are installed.

Writes results.json, results.md, growth.svg and compile.svg into benchmarks/results, of which the
page on speed and the bars of the README are made: `make docs`.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click

from . import compile_time, growth, loaded, report
from .contenders import CONTENDERS, FLOOR
from .driver import Case, Settings, measure, prediction_cases, training_cases
from .machine import machine, versions
from .nets import NETS, OPTIMIZERS
from .ratios import summary
from .startup import plans, startup

RESULTS = Path(__file__).parent / "results"
PARTS = ("training", "loaded", "prediction", "startup", "plans", "growth", "compile")


class Names(click.ParamType):  # type: ignore[type-arg]
    """Names with commas between them, each one of those that there are."""

    name = "names"

    def __init__(self, known: tuple[str, ...]) -> None:
        self.known = known

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, ...]:
        names = tuple(value.split(",")) if isinstance(value, str) else tuple(value)
        for name in names:
            if name not in self.known:
                self.fail(f"{name!r} is none of {', '.join(self.known)}", param, ctx)
        return names


def names_option(option: str, known: tuple[str, ...], what: str) -> Any:
    return click.option(
        option, type=Names(known), default=known, help=f"{what}: {', '.join(known)}."
    )


@click.command()
@names_option("--nets", tuple(NETS), "Nets")
@names_option("--optimizers", OPTIMIZERS, "Optimizers")
@names_option("--contenders", tuple(CONTENDERS), "Contenders; the floor is always there")
@names_option("--parts", PARTS, "Parts")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--seconds", type=float, default=0.3, show_default=True, help="A round, for each.")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--quick", is_flag=True, help="Short sweeps; marks the results as a short run.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=RESULTS,
    show_default="benchmarks/results",
)
@click.option("--report-only", is_flag=True, help="Make results.md anew from results.json.")
def main(
    nets: tuple[str, ...], optimizers: tuple[str, ...], contenders: tuple[str, ...],
    parts: tuple[str, ...], rounds: int, seconds: float, threads: int, quick: bool, out: Path,
    report_only: bool,
) -> None:  # fmt: skip
    """Run verigrad and its peers side by side."""
    out.mkdir(parents=True, exist_ok=True)
    if not report_only:
        names = tuple(n for n in CONTENDERS if n in contenders or n == FLOOR)
        settings = Settings(rounds, seconds, threads)
        results = run(nets, optimizers, names, parts, settings, quick)
        (out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    if results["growth"]:
        growth.draw(results["growth"], out / "growth.svg")
    if results["compile"]:
        compile_time.draw(results["compile"], out / "compile.svg")
    (out / "results.md").write_text(report.markdown(results), encoding="utf-8")
    click.echo((out / "results.md").read_text(encoding="utf-8"))


def run(
    nets: tuple[str, ...],
    optimizers: tuple[str, ...],
    names: tuple[str, ...],
    parts: tuple[str, ...],
    settings: Settings,
    quick: bool,
) -> dict[str, Any]:
    """All that was asked for, as it goes into results.json."""
    chosen = [NETS[name] for name in nets]
    predicting = [net for net in chosen if net.name in ("course", "fashion")]

    def tell(what: str) -> None:
        click.echo(what, err=True)

    with tempfile.TemporaryDirectory() as folder:
        caches = Path(folder)

        def measured(cases: list[Case]) -> list[dict[str, Any]]:
            return [
                {
                    "net": case.net.title,
                    "task": case.optimizer or f"{case.rows:,} row{'s' if case.rows > 1 else ''}",
                    "contenders": summary(measure(case, names, settings, caches, tell)),
                }
                for case in cases
            ]

        return {
            "machine": machine(settings.threads),
            "versions": versions(),
            "settings": {"rounds": settings.rounds, "seconds": settings.seconds},
            "quick": quick,
            "contenders": names,
            "training": measured(training_cases(chosen, optimizers) if "training" in parts else []),
            "loaded": [
                {
                    "net": case.net.title,
                    "task": case.optimizer,
                    **loaded.loaded(case, names, settings, caches, tell),
                }
                for case in training_cases(chosen, optimizers)
                if "loaded" in parts
            ],
            "prediction": measured(prediction_cases(predicting) if "prediction" in parts else []),
            "startup": startup(names, settings, tell) if "startup" in parts else {},
            "plans": plans(chosen) if "plans" in parts else [],
            "growth": growth.growth(names, settings, caches, quick, tell)
            if "growth" in parts
            else [],
            "compile": compile_time.compile_times(quick, tell) if "compile" in parts else [],
        }


if __name__ == "__main__":
    main()
