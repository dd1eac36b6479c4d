"""A page for each pass, of its docstring, its golden files and its place in the pipelines."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import verigrad as vg

from .page import ROOT, fenced, folded, ir, picture, source, table, write_page

GOLDEN: Final = ROOT / "tests" / "golden"
PIPELINES: Final = {"training": vg.TRAINING, "inference": vg.INFERENCE}
NUMBERS: Final = {
    "nothing": "keeps every bit",
    "reassociate": "adds sums in another order",
    "meaning": "changes what is computed",
}

TOLD: Final = re.compile(
    r"(?P<what>.*?)\n\nBefore:\n\n(?P<before>.*?)\n\n"
    r"After(?: \(with (?P<option>.*?)\))?:\n\n(?P<after>.*?\n    })(?P<rest>.*)",
    re.DOTALL,
)

MARK: Final = re.compile(r"(options|changes-meaning|not-idempotent): ")
"""How a line of a golden file begins that tells its test what to do."""


class Told(NamedTuple):
    """A pass's docstring: what it does, a graph before and after with an option, and the rest."""

    what: str
    before: str
    after: str
    rest: str
    option: str | None

    @property
    def first(self) -> str:
        """What it does in one sentence, in one line."""
        return self.what.split("\n\n")[0].replace("\n", " ")


def told(kind: type[vg.Pass]) -> Told:
    """The docstring in its parts; raises ValueError where it is not of them."""
    doc = inspect.getdoc(kind) or ""
    parts = TOLD.fullmatch(doc)
    if parts is None:
        raise ValueError(f"the docstring of {kind.name} has no graph before and after")
    before, after = map(textwrap.dedent, parts.group("before", "after"))
    return Told(parts["what"], before, after, parts["rest"].strip(), parts["option"])


def kinds() -> list[type[vg.Pass]]:
    """Every pass of verigrad: in the order of the pipelines, then those that stand in none."""
    placed = dict.fromkeys(type(p) for one in PIPELINES.values() for p in one.passes)
    own = [k for k in vg.Pass.kinds().values() if k.__module__.startswith("verigrad.")]
    return list(placed | dict.fromkeys(own))


def page(kind: type[vg.Pass], pictures: Path) -> Iterator[str]:
    """The parts of a pass's page."""
    doc = told(kind)
    module = sys.modules[kind.__module__].__doc__ or ""
    yield f"# {kind.name}\n\n{module}\n\n{doc.what}"
    yield doc.rest
    yield "## Before and after"
    before, after = vg.parse(doc.before), vg.parse(doc.after)
    picture(before, pictures / f"{kind.name}.before.svg")
    picture(after, pictures / f"{kind.name}.after.svg")
    picture(before.diff(after), pictures / f"{kind.name}.changed.svg")
    yield "::::{container} beside"
    for when, text in (("before", doc.before), ("after", doc.after)):
        said = f"{when}, with `{doc.option}`" if doc.option and when == "after" else when
        path = f"pictures/{kind.name}.{when}.svg"
        shown = f"[![The graph {when} {kind.name}]({path})]({path})"
        yield f":::{{container}}\n*{said}*\n\n{shown}\n\n{ir(text)}\n:::"
    yield "::::"
    path = f"pictures/{kind.name}.changed.svg"
    yield "In one picture: green came, red went, amber was rewritten."
    yield f"[![What {kind.name} changed]({path})]({path})"
    yield "## Its place\n\n" + "\n".join(f"- {line}" for line in place(kind))
    yield from cases(kind)
    yield "## Its source"
    yield folded(
        f"The {len(source(kind).splitlines())} lines of the pass", fenced(source(kind), "python")
    )


def place(kind: type[vg.Pass]) -> Iterator[str]:
    """Where it stands in the pipelines, and what it asks and promises."""
    for name, pipeline in PIPELINES.items():
        names = [p.name for p in pipeline.passes]
        if kind.name not in names:
            continue
        k = names.index(kind.name)
        around = [("behind", names[k - 1 : k]), ("before", names[k + 1 : k + 2])]
        said = [f"{where} [{n[0]}]({n[0]}.md)" for where, n in around if n]
        yield f"{name}: {k + 1} of {len(names)}, {' and '.join(said)}"
    if not any(type(p) is kind for one in PIPELINES.values() for p in one.passes):
        yield "in no pipeline of its own accord"
    for what in ("needs", "gives", "breaks"):
        facts = getattr(kind, what)
        if facts:
            yield f"{what} {', '.join(f'*{f}*' for f in facts)}"
    yield NUMBERS[kind().numbers] + (
        ", and is part of what a program means: the certificate compares with it"
        if kind().defines
        else ""
    )
    if kind.repeated:
        yield "runs to a fixed point, together with the repeated passes beside it"
    options = [f"`{k}`" for k in inspect.signature(kind).parameters]
    if options:
        yield f"options: {', '.join(options)}"


def cases(kind: type[vg.Pass]) -> Iterator[str]:
    """Each golden file: what it shows, the reasons that the pass gives, and both graphs."""
    acts: list[str] = []
    left: list[str] = []
    for path in sorted((GOLDEN / kind.name).glob("*.ir")):
        given, _, expected = path.read_text(encoding="utf-8").partition("\n// -----\n")
        start = given.index("\ngraph ") + 1
        says = [line.removeprefix("// ") for line in given[:start].splitlines()]
        shows = " ".join(line for line in says if not MARK.match(line))
        options = [f"With {line.partition(': ')[2]}:" for line in says if line[:8] == "options:"]
        reasons = [line[3:] for line in expected.splitlines() if line.startswith("// ")]
        after = "\n".join(line for line in expected.splitlines() if not line.startswith("// "))
        same = after.strip() in ("", given[start:].strip())
        why = [fenced("\n".join(reasons))] if reasons else []
        graphs = [ir(given[start:]), *([] if same else ["becomes", ir(after)])]
        (left if same else acts).append(folded(shows, *options, *why, *graphs))
    if acts:
        yield "## What it does\n\nEach is a test; a click shows the reasons given, and both graphs."
        yield from acts
    if left:
        yield "## What it leaves, and why"
        yield from left


def index() -> Iterator[str]:
    """The parts of the page that lists the passes."""
    yield (
        "# Passes\n\nEach takes a graph and gives a graph, and says why it rewrote a node, or why "
        "it left one. Every page is made of the pass's docstring and of its golden files, which "
        "are its tests."
    )
    placed = set()
    for name, pipeline in PIPELINES.items():
        rows = [
            [str(k), link(type(p)), told(type(p)).first, NUMBERS[p.numbers]]
            for k, p in enumerate(pipeline.passes, 1)
        ]
        placed |= {p.name for p in pipeline.passes}
        yield f"## For {name}\n\n{table(['', 'pass', 'what it does', 'numbers'], rows)}"
    rows = [[link(k), told(k).first] for k in kinds() if k.name not in placed]
    yield f"## In no pipeline\n\n{table(['pass', 'what it does'], rows)}"
    yield "```{toctree}\n:hidden:\n\n" + "\n".join(k.name for k in kinds()) + "\n```"


def link(kind: type[vg.Pass]) -> str:
    """The link to its page."""
    return f"[{kind.name}]({kind.name}.md)"


def write(folder: Path) -> None:
    """All pages of passes, and the one that lists them."""
    passes = folder / "passes"
    write_page(passes / "index.md", *index())
    for kind in kinds():
        write_page(passes / f"{kind.name}.md", *page(kind, passes / "pictures"))
