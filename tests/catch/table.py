"""The catch matrix as a page: a row a fault, a column a detector, and what is not caught."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from catch.detectors import DETECTORS
from catch.fault import Fault
from catch.matrix import SOUND, Found, Results

PAGE: Final = Path(__file__).with_name("README.md")
BEGIN: Final = "<!-- matrix -->"
END: Final = "<!-- /matrix -->"
_CERTIFICATE: Final = [d.name for d in DETECTORS if d.default]


def by_default(found: Mapping[str, Found]) -> bool:
    """Whether what any run does without being asked catches a fault."""
    return any(_caught_by(found, name) for name in _CERTIFICATE)


def _caught_by(found: Mapping[str, Found], name: str) -> bool:
    return name in found and bool(found[name].caught)


def table(faults: Sequence[Fault], results: Results) -> str:
    """The page's generated part."""
    found = {f: results.of(f) for f in faults}
    caught = {f for f in faults if by_default(found[f])}
    asked = {f for f in faults if _caught_by(found[f], "selfcheck")}
    anyhow = {f for f in faults if any(x.caught for x in found[f].values())}
    named = " | ".join(d.name for d in DETECTORS)
    lines = [
        f"{len(faults)} faults: {len(caught)} are caught by what runs by default "
        f"({', '.join(_CERTIFICATE)}), {len(caught | asked)} by that or by selfcheck, "
        f"{len(anyhow)} by something.",
        "",
        f"| fault | by default | {named} |",
        "| --- | --- | " + " | ".join("--:" for _ in DETECTORS) + " |",
        _row(SOUND, results.of(SOUND), "the package as it is"),
    ]
    for group, members in groupby(faults, key=lambda f: f.group):
        lines.append(f"| **{group}** | |{' |' * len(DETECTORS)}")
        lines += [_row(f, found[f]) for f in members]
    return "\n".join([*lines, "", *_uncaught(f for f in faults if f not in caught)])


def _row(fault: Fault, found: Mapping[str, Found], name: str | None = None) -> str:
    cells = [_cell(found.get(d.name)) for d in DETECTORS]
    verdict = "yes" if by_default(found) else "-"
    return f"| {name or fault.name} | {verdict} | {' | '.join(cells)} |"


def _cell(found: Found | None) -> str:
    """Seconds where it is caught, - where not, and nothing where the two do not meet."""
    if found is None or found.caught is None:
        return ""
    return f"{found.seconds:.1f}" if found.caught else "-"


def _uncaught(faults: Iterable[Fault]) -> list[str]:
    """What runs by default does not catch, by the reason."""
    reasons: dict[str, list[str]] = {}
    for f in faults:
        reasons.setdefault(f.reason or "No reason is known.", []).append(f"`{f.name}`")
    return [f"- {', '.join(names)}: {reason}" for reason, names in reasons.items()]


def written(faults: Sequence[Fault], results: Results) -> None:
    """Writes the table between the marks of the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    whole = f"{before}{BEGIN}\n{table(faults, results)}\n{END}{after}"
    PAGE.write_text(whole, encoding="utf-8")
