"""The results as Markdown: results.json read again, so that both say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .contenders import CONTENDERS, FLOOR, OURS
from .loaded import LOOPS, NICENESS, STATES
from .reference import STEPS, TOLERANCE

Results = Mapping[str, Any]


def markdown(results: Results) -> str:
    """The whole report."""
    parts = [
        *_setting(results),
        *_cases("A training step", results["training"], results),
        *_loaded(results),
        *_cases("A prediction", results["prediction"], results),
        *_startup(results["startup"]),
        *_plans(results["plans"]),
        *_growth(results),
        *_compile(results["compile"]),
    ]
    return "\n".join([*parts, ""])


def cell(row: Mapping[str, Any]) -> str:
    """One contender in one case: ratio to the floor (time, spread), or why there is none."""
    if row["status"] != "ok":
        return str(row["status"])
    digits = 0 if row["median"] >= 100 else 1
    spread = f"{row['median']:,.{digits}f} µs ± {50 * row['spread']:.0f} %"
    return f"{row['to_floor']:.2f} ({spread})" if row["to_floor"] is not None else f"({spread})"


def ahead(figures: Mapping[str, Mapping[str, Any]], name: str) -> str:
    """How many times faster than the best peer a contender of ours is, and which peer that is."""
    factor = figures.get(name, {}).get("to_best_peer")
    peers = {n: row["median"] for n, row in figures.items()
             if n not in OURS and n != FLOOR and row["median"] is not None}  # fmt: skip
    if factor is None or not peers:
        return "-"
    return f"{1 / factor:.2f} ({CONTENDERS[min(peers, key=peers.__getitem__)].title})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table; all columns but the first are aligned to the right."""
    rule = ["---", *["--:"] * (len(head) - 1)]
    return [f"| {' | '.join(line)} |" for line in (head, rule, *rows)]


def surroundings(results: Results, given: str) -> str:
    """The machine, the versions, and what each contender is given of it."""
    m = results["machine"]
    had = [f"{name} {v}" for name, v in results["versions"].items() if v is not None]
    return (
        f"{m['cpu']}, {m['cores']} cores, {given}"
        f"{' (pinned to as many cores)' if m['pinned'] else ''}; {m['system']}, "
        f"Python {m['python']}, BLAS of NumPy: {m['numpy_blas']}; {', '.join(had)}."
    )


def quick(results: Results) -> list[str]:
    """What a short run says of itself."""
    told = "**A short run on a busy machine, to be replaced: it shows the form, not the speed.**"
    return [told, ""] if results["quick"] else []


def _setting(results: Results) -> list[str]:
    s = results["settings"]
    return [
        *quick(results),
        surroundings(results, f"{results['machine']['threads']} threads for each contender"),
        "",
        f"Medians of {s['rounds']} rounds, {s['seconds']:g} s each; ± is half of what lies between "
        "the fastest and the slowest round. The first number is the ratio to the floor of the same "
        "round: the matrix products of the step alone, by NumPy's own BLAS.",
        "",
    ]


def _cases(title: str, cases: Sequence[Mapping[str, Any]], results: Results) -> list[str]:
    if not cases:
        return []
    shown = [n for n in results["contenders"] if any(n in c["contenders"] for c in cases)]
    others = [n for n in shown if n != FLOOR]
    ours = [n for n in OURS if n in shown]
    head = [
        "net (batch)", "task", "floor, µs",
        *(CONTENDERS[n].title for n in others),
        *(f"{CONTENDERS[n].title}, times as fast as the best peer" for n in ours),
    ]  # fmt: skip
    rows, notes = [], []
    for case in cases:
        figures = case["contenders"]
        floor = figures.get(FLOOR, {}).get("median")
        rows.append(
            [
                case["net"],
                case["task"],
                f"{floor:,.1f}" if floor is not None else "-",
                *(cell(figures[n]) if n in figures else "-" for n in others),
                *(ahead(figures, n) for n in ours),
            ]
        )
        notes += [(n, f["status"], f["reason"]) for n, f in figures.items() if f["reason"]]
    heading = [f"**{title}**: ratio to the floor (time, spread).", ""]
    return [*heading, *table(head, rows), "", *_notes(notes), *_compared(title)]


def _loaded(results: Results) -> list[str]:
    """The same beside busy loops and beside none; files from before these were run have none."""
    cases = results.get("loaded", ())
    if not cases:
        return []
    tables = [case[state] for case in cases for state in STATES]
    shown = [n for n in results["contenders"] if any(n in t for t in tables) and n != FLOOR]
    ours = [n for n in OURS if n in shown]
    head = [
        "net (batch)", "task", "state",
        *(CONTENDERS[n].title for n in shown),
        *(f"{CONTENDERS[n].title}, times as long as with threads=1" for n in ours),
        *(f"{CONTENDERS[n].title}, times as fast as the best peer" for n in ours),
    ]  # fmt: skip
    rows = [
        [
            case["net"],
            case["task"],
            state,
            *(_time(case[state].get(n)) for n in shown),
            *(_to_one_thread(case[state].get(n)) for n in ours),
            *(ahead(case[state], n) for n in ours),
        ]
        for case in cases
        for state in STATES
    ]
    heading = (
        f"**A training step beside other work**: medians, quiet, and beside {LOOPS} busy loops "
        f"whose priority is lower by {NICENESS}; rounds of both take turns."
    )
    return [heading, "", *table(head, rows), ""]


def _time(row: Mapping[str, Any] | None) -> str:
    if row is None or row["median"] is None:
        return "-" if row is None else str(row["status"])
    return f"{row['median']:,.{0 if row['median'] >= 100 else 1}f} µs"


def _to_one_thread(row: Mapping[str, Any] | None) -> str:
    factor = None if row is None else row.get("to_one_thread")
    return "-" if factor is None else f"{factor:.2f}"


def _compared(title: str) -> list[str]:
    if title != "A training step":
        return []
    return [
        f"Every contender starts from the same weights and shows the losses of {STEPS} steps of an "
        f"f64 reference within {TOLERANCE:.0e}, or is void. The net `regularized` is compared "
        "without dropout, whose masks differ by library, and timed with it.",
        "",
    ]


def _notes(notes: Sequence[tuple[str, str, str]]) -> list[str]:
    """Why rows are void, unavailable or failed, each reason once."""
    lines = [f"- {CONTENDERS[n].title} {status}: {reason}" for n, status, reason in
             dict.fromkeys(notes)]  # fmt: skip
    return [*lines, ""] if lines else []


def _startup(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    if not found:
        return []
    rows = []
    for name, row in found.items():
        if row["status"] != "ok":
            rows.append([CONTENDERS[name].title, row["status"], "-", "-", "-"])
            continue
        rows.append(
            [
                CONTENDERS[name].title,
                f"{row['import_seconds']:.2f} s",
                f"{row['cold_seconds']:.2f} s",
                f"{row['warm_seconds']:.2f} s",
                f"{row['peak_bytes'] / 1e6:,.0f} MB" if row["peak_bytes"] else "-",
            ]
        )
    head = ["course, Adam", "import", "to the first step, caches empty", "caches filled",
            "peak memory of the process"]  # fmt: skip
    return [*table(head, rows), ""]


def _plans(found: Sequence[Mapping[str, Any]]) -> list[str]:
    if not found:
        return []
    rows = [
        [
            p["net"], p["optimizer"], f"{p['nbytes']:,}", f"{p['lower_bound']:,}",
            f"{p['nbytes'] / p['lower_bound']:.3f}",
            f"{100 * p['nbytes'] / p['unplanned_nbytes']:.0f} %",
        ]
        for p in found
    ]  # fmt: skip
    head = ["plan of", "optimizer", "bytes", "live bytes at most", "ratio", "of unplanned"]
    return [*table(head, rows), ""]


def _growth(results: Results) -> list[str]:
    if not results["growth"]:
        return []
    return ["![How a step's time grows with batch, width and depth](growth.svg)", ""]


def _compile(points: Sequence[Mapping[str, Any]]) -> list[str]:
    if not points:
        return []
    rows = [
        [str(p["layers"]), f"over {p['over']:g} s", "-", "-"]
        if "over" in p
        else [str(p["layers"]), f"{p['nodes']:,}", f"{p['compile_seconds']:.2f} s",
              f"{p['plan_seconds']:.2f} s"]
        for p in points
    ]  # fmt: skip
    head = ["layers", "nodes", "compile", "plan of one batch size"]
    picture = "![How compile time grows with the number of nodes](compile.svg)"
    return [*table(head, rows), "", picture, ""]
