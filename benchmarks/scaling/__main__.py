"""The benchmark of ranks: `make bench-scale`, or `python -m verigrad.benchmarks.scaling`.

Writes scaling.json and scaling.md into benchmarks/results.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import click

from ..__main__ import RESULTS, names_option
from ..driver import Settings
from ..machine import machine, versions
from ..nets import NETS, Net
from . import paper, report
from .contenders import CONTENDERS, Contender
from .driver import bytes_sent, measure
from .reductions import Sum, measured

BATCH: Final = 512
OPTIMIZERS: Final = ("sgd", "adam")
COMPARED: Final = ("fashion", "wide", "tiny", "course", "deep")
PARTS: Final = ("steps", "sums", "traffic", "model")
_PACKAGES: Final = ("numpy", "verigrad", "numba", "torch")
_NOTHING: Final = {"cases": [], "sums": [], "traffic": [], "model": {}}
_MODELLED: Final = ("fashion", "wide")
_STEPS: Final = 3
"""So many are made to count what is sent."""


@click.command()
@names_option("--nets", COMPARED, "Nets")
@names_option("--optimizers", OPTIMIZERS, "Optimizers")
@names_option("--contenders", tuple(CONTENDERS), "Contenders")
@names_option("--parts", PARTS, "Parts")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--seconds", type=float, default=0.3, show_default=True, help="A round, for each.")
@click.option("--quick", is_flag=True, help="Marks the results as a short run.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=RESULTS,
    show_default="benchmarks/results",
)
@click.option("--add", is_flag=True, help="Keep what scaling.json has that is not measured anew.")
@click.option("--report-only", is_flag=True, help="Make scaling.md anew from scaling.json.")
def main(
    nets: tuple[str, ...], optimizers: tuple[str, ...], contenders: tuple[str, ...],
    parts: tuple[str, ...], rounds: int, seconds: float, quick: bool, out: Path, add: bool,
    report_only: bool,
) -> None:  # fmt: skip
    """Time steps on one rank and on two, beside threads and PyTorch's DDP."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "scaling.json"
    if not report_only:
        kept = json.loads(path.read_text(encoding="utf-8")) if add else {}
        results = {**_NOTHING, **kept, "quick": quick}
        chosen = [replace(NETS[name], batch=BATCH) for name in nets]
        for _ in run(results, chosen, optimizers, contenders, parts, Settings(rounds, seconds, 2)):
            # After each part, as a whole run takes long.
            path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    text = report.markdown(json.loads(path.read_text(encoding="utf-8")))
    (out / "scaling.md").write_text(text, encoding="utf-8")
    click.echo(text)


def run(
    results: dict[str, Any],
    nets: Sequence[Net],
    optimizers: Sequence[str],
    contenders: Sequence[str],
    parts: Sequence[str],
    settings: Settings,
) -> Iterator[None]:
    """Measures what was asked for, into `results`; yields after each part of it."""

    def tell(what: str) -> None:
        click.echo(what, err=True)

    results["machine"] = machine(settings.threads)
    results["versions"] = {name: v for name, v in versions().items() if name in _PACKAGES}
    results["settings"] = {"rounds": settings.rounds, "seconds": settings.seconds}
    modelled = [net for net in nets if net.name in _MODELLED]
    with tempfile.TemporaryDirectory() as folder:
        caches = Path(folder)
        if "sums" in parts:
            results["sums"] = [s for ranks in (2, 4) for s in measured(ranks)]
            yield
        for net in nets if "steps" in parts else ():
            for optimizer in optimizers:
                figures = measure(net, optimizer, contenders, settings, caches, tell)
                case: dict[str, Any] = {"net": net.name, "title": net.title, "optimizer": optimizer}
                case["seconds"] = settings.seconds
                case["contenders"] = {name: asdict(f) for name, f in figures.items()}
                results["cases"] = with_case(results["cases"], case)
                yield
        if "traffic" in parts:
            results["traffic"] = list(_traffic(modelled, caches, tell))
            yield
    if "model" in parts:
        sums = [Sum(*s) for s in results["sums"]]
        two = [(s.bytes, s.seconds) for s in sums if s.ranks == 2 and s.way == "chosen"]
        results["model"] = paper.model(modelled, _times(results["cases"]), two)
        yield


def with_case(cases: Sequence[dict[str, Any]], case: dict[str, Any]) -> list[dict[str, Any]]:
    """The cases, one of them anew."""
    found = {(c["net"], c["optimizer"]): c for c in (*cases, case)}
    return sorted(found.values(), key=lambda c: COMPARED.index(c["net"]))


def _times(cases: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Seconds a step of the model's optimizer, by net and contender."""
    return {
        case["net"]: {
            name: statistics.median(f["rounds"])
            for name, f in case["contenders"].items()
            if f["rounds"]
        }
        for case in cases
        if case["optimizer"] == paper.OPTIMIZER
    }


def _traffic(
    nets: Sequence[Net], caches: Path, tell: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    """What ranks send, beside the model: more of them than there are cores send as much."""
    for net in nets:
        for engine in ("mpi", "processes"):
            for ranks in (2, 4, 8):
                tell(f"{net.title}: what {ranks} ranks send over {engine}")
                of = Contender("counted", "counted", engine, ranks, backend="numpy", shards=8)
                by_model, least = paper.sent_by_model(net, of)
                sent = bytes_sent(of, net, paper.OPTIMIZER, caches, _STEPS)
                yield {
                    "net": net.title,
                    "engine": engine,
                    "ranks": ranks,
                    "sent": sent,
                    "model": by_model,
                    "least": least,
                }


if __name__ == "__main__":
    main()
