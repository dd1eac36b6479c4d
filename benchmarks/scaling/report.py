"""The figures on scaling as Markdown, made of scaling.json alone."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..ratios import ratio
from ..reference import TOLERANCE
from ..report import quick, surroundings, table
from .contenders import BACKENDS, CONTENDERS
from .paper import RANKS
from .reductions import Sum
from .reductions import table as sums_table

Results = Mapping[str, Any]
Rounds = Mapping[str, Sequence[float]]

_SHARING: Final = (
    "one-of-8", "threads", "processes-of-8", "processes-of-2", "mpi-of-8", "mpi-of-2",
)  # fmt: skip
_TWO: Final = tuple(way for way in _SHARING if "processes" in way or "mpi" in way)


def markdown(results: Results) -> str:
    """The whole report."""
    s = results["settings"]
    lines = [
        *quick(results),
        surroundings(results, "as many for each contender as it has threads"),
        "",
        f"Medians of {s['rounds']} rounds, {_seconds(results)} s each, in which contenders take "
        "turns; a ratio is the median of those within a round. Each shows the losses of a "
        f"reference in f64 within {TOLERANCE:.0e}, or has no figure.",
        "",
    ]
    lines += [*cases_told(results["cases"]), *_traffic(results["traffic"])]
    lines += [*_sums(results["sums"]), *model_told(results["model"])]
    return "\n".join(lines)


def _seconds(results: Results) -> str:
    """How long rounds were, from the shortest of all cases to the longest."""
    found = {case["seconds"] for case in results["cases"]} or {results["settings"]["seconds"]}
    return " to ".join(f"{s:g}" for s in sorted({min(found), max(found)}))


def cases_told(cases: Sequence[Mapping[str, Any]]) -> list[str]:
    """What was timed: beside one rank, beside DDP, and with as many rows for each rank."""
    strong = [line for backend in BACKENDS for line in _strong(cases, backend)]
    return [*strong, *_peers(cases), *_weak(cases), *_failures(cases)]


def model_told(model: Mapping[str, Any]) -> list[str]:
    """What the model says beside what was measured, and of more ranks."""
    return [*_checked(model), *_extended(model)]


def times_as_fast(rounds: Rounds, name: str, beside: str) -> float | None:
    """How many times as fast as another, in the same rounds; None where one was not timed."""
    if not rounds.get(name) or not rounds.get(beside):
        return None
    return ratio(rounds[beside], rounds[name])


def best(rounds: Rounds, names: Sequence[str]) -> str | None:
    """The fastest of those that were timed."""
    timed = {n: statistics.median(rounds[n]) for n in names if rounds.get(n)}
    return min(timed, key=timed.__getitem__) if timed else None


def _rounds(case: Mapping[str, Any]) -> Rounds:
    return {name: f["rounds"] for name, f in case["contenders"].items()}


def _strong(cases: Sequence[Mapping[str, Any]], backend: str) -> list[str]:
    shown = [
        way for way in _SHARING if any(case["contenders"].get(f"{backend}-{way}") for case in cases)
    ]
    if not shown:
        return []
    titles = [CONTENDERS[f"{backend}-{way}"].title.partition(", ")[2] for way in shown]
    rows = []
    for case in cases:
        rounds, one = _rounds(case), f"{backend}-one"
        cells = [_times(times_as_fast(rounds, f"{backend}-{way}", one)) for way in shown]
        rows.append([case["title"], case["optimizer"], _milliseconds(rounds.get(one)), *cells])
    heading = f"**Strong scaling, {backend}**: times as fast as one rank of one thread."
    return [heading, "", *table(["net (batch)", "optimizer", "one rank", *titles], rows), ""]


def _peers(cases: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = []
    for case in cases:
        rounds = _rounds(case)
        if not rounds.get("ddp-two"):
            continue
        row = [
            case["title"], case["optimizer"],
            _milliseconds(rounds.get("ddp-one")), _milliseconds(rounds["ddp-two"]),
            _times(times_as_fast(rounds, "ddp-two", "ddp-one")),
        ]  # fmt: skip
        for backend in BACKENDS:
            name = best(rounds, [f"{backend}-{way}" for way in _TWO])
            ahead = times_as_fast(rounds, name, "ddp-two") if name else None
            way = f" ({CONTENDERS[name].title.partition(', ')[2]})" if name else ""
            row += [_milliseconds(rounds.get(name or "")), _times(ahead) + way]
        rows.append(row)
    if not rows:
        return []
    head = ["net (batch)", "optimizer", "DDP, one process", "DDP, two", "times as fast as one"]
    for backend in BACKENDS:
        head += [f"{backend}, the fastest two ranks", "times as fast as DDP's two"]
    return ["**Beside PyTorch's DDP** (gloo).", "", *table(head, rows), ""]


def _weak(cases: Sequence[Mapping[str, Any]]) -> list[str]:
    """Two ranks beside one that has half of their rows: at 1, each has what it had alone."""
    ways = [
        (f"{backend}-{way}", f"{backend}-half")
        for backend in BACKENDS
        for way in ("processes-of-2", "mpi-of-2")
    ]
    ways.append(("ddp-two", "ddp-half"))
    shown = [w for w in ways if any(_rounds(c).get(w[0]) and _rounds(c).get(w[1]) for c in cases)]
    if not shown:
        return []
    rows = []
    for case in cases:
        gains = [times_as_fast(_rounds(case), two, half) for two, half in shown]
        if any(gain is not None for gain in gains):
            rows.append([case["title"], case["optimizer"], *map(_times, gains)])
    titles = [CONTENDERS[two].title for two, _ in shown]
    heading = (
        "**Weak scaling**: the time of one rank with half of the rows, of that of two ranks with "
        "all of them; 1 is ideal."
    )
    return [heading, "", *table(["net (batch)", "optimizer", *titles], rows), ""]


def _failures(cases: Sequence[Mapping[str, Any]]) -> list[str]:
    found = dict.fromkeys(
        (name, f["failed"]) for c in cases for name, f in c["contenders"].items() if f["failed"]
    )
    lines = [f"- {CONTENDERS[name].title} has no figure: {why}" for name, why in found]
    return [*lines, ""] if lines else []


def _traffic(found: Sequence[Mapping[str, Any]]) -> list[str]:
    if not found:
        return []
    rows = [
        [
            t["net"], t["engine"], str(t["ranks"]), f"{t['sent']:,.0f}", f"{t['model']:,.0f}",
            f"{t['least']:,.0f}", f"{t['sent'] / t['least']:.4f}",
        ]
        for t in found
    ]  # fmt: skip
    head = ["net", "engine", "ranks", "a rank sends, bytes a step", "by the model",
            "at least, 2 n (R - 1) / R", "of that"]  # fmt: skip
    return ["**Bytes sent**, the mean of all ranks.", "", *table(head, rows), ""]


def _sums(sums: Sequence[Sequence[Any]]) -> list[str]:
    if not sums:
        return []
    heading = "**The fixed order beside MPI's own Allreduce**."
    return [heading, "", *sums_table([Sum(*s) for s in sums]).splitlines(), ""]


def _checked(model: Mapping[str, Any]) -> list[str]:
    if not model.get("checked"):
        return []
    rows = [
        [
            c["net"], c["what"], _milliseconds([c["model"]]), _milliseconds([c["measured"]]),
            f"{100 * (c['model'] / c['measured'] - 1):+.0f} %",
        ]
        for c in model["checked"]
    ]  # fmt: skip
    rates = "; ".join(
        f"{net}: {c[0] / 1e9:,.1f} Gflop/s and {c[1] / 1e9:,.1f} GB/s"
        for net, c in model["cores"].items()
    )
    latency, nbytes = model["messages"]
    told = (
        f"A rank's rates, fitted to the steps of one rank ({rates}), and messages between two, to "
        f"the sums above ({1e6 * latency:,.0f} us and {nbytes / 1e9:,.1f} GB/s)."
    )
    head = ["net", "ranks", "by the model", "measured", "off by"]
    return ["**The model beside what was measured**, SGD. " + told, "", *table(head, rows), ""]


def _extended(model: Mapping[str, Any]) -> list[str]:
    if not model.get("extended"):
        return []
    return [
        *_more_ranks(
            [p for p in model["extended"] if p["kind"] == "strong"],
            "**By the model, a batch of 512 on more ranks**: time of a step, times as fast as one "
            "rank, and what of it is spent waiting.",
        ),
        *_more_ranks(
            [p for p in model["extended"] if p["kind"] == "weak"],
            "**By the model, 256 rows for each rank**: time of a step, rows a second for each rank "
            "as a part of those of one alone, and what is spent waiting.",
        ),
    ]


def _more_ranks(points: Sequence[Mapping[str, Any]], heading: str) -> list[str]:
    shown = [r for r in dict.fromkeys(p["ranks"] for p in points) if r in RANKS]
    strong = points[0]["kind"] == "strong"
    rows = []
    for net, network in dict.fromkeys((p["net"], p["network"]) for p in points):
        of = {p["ranks"]: p for p in points if (p["net"], p["network"]) == (net, network)}
        row = [net, network, *(_point(of[r], of[1]["seconds"], strong) for r in shown)]
        if strong:
            row.append(f"{min(of, key=lambda r: of[r]['seconds']):,}")
        rows.append(row)
    head = ["net", "network", *(f"{r:,} rank{'s' * (r > 1)}" for r in shown)]
    return [heading, "", *table([*head, "fastest with"] if strong else head, rows), ""]


def _point(point: Mapping[str, Any], alone: float, strong: bool) -> str:
    gain = f"{alone / point['seconds']:.{1 if strong else 2}f}"
    waits = 100 * point["waits"] / point["seconds"]
    return f"{_milliseconds([point['seconds']])}, {gain}, {waits:.0f} %"


def _milliseconds(rounds: Sequence[float] | None) -> str:
    if not rounds:
        return "-"
    milliseconds = 1e3 * statistics.median(rounds)
    digits = 3 if milliseconds < 1 else 2 if milliseconds < 10 else 1
    return f"{milliseconds:,.{digits}f} ms"


def _times(factor: float | None) -> str:
    return "-" if factor is None else f"{factor:.2f}"
