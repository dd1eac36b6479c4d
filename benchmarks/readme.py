"""Puts results.md into the README, between the two comments that mark its place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
RESULTS: Final = Path(__file__).parent / "results"
OPEN: Final = "<!-- benchmark -->"
CLOSE: Final = "<!-- /benchmark -->"


def embedded(markdown: str) -> str:
    """The text as it stands in the README: links lead into the folder of the results."""
    return re.sub(r"\]\((\w+\.\w+)\)", r"](benchmarks/results/\1)", markdown)


def held(readme: str) -> str:
    """What stands between the marks; raises ValueError where they are missing."""
    if readme.count(OPEN) != 1 or readme.count(CLOSE) != 1:
        raise ValueError(f"the README needs the marks {OPEN} and {CLOSE}, once each")
    return readme.partition(OPEN)[2].partition(CLOSE)[0]


def spliced(readme: str, markdown: str) -> str:
    """The README with the results in their place."""
    held(readme)
    before, rest = readme.split(OPEN)
    return f"{before}{OPEN}\n{embedded(markdown)}{CLOSE}{rest.split(CLOSE)[1]}"


def write(results: Path = RESULTS, readme: Path = ROOT / "README.md") -> None:
    markdown = (results / "results.md").read_text(encoding="utf-8")
    text = spliced(readme.read_text(encoding="utf-8"), markdown)
    readme.write_text(text, encoding="utf-8")
