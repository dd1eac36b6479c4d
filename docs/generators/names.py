"""The page of all public names: what each takes, and what its docstring says."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import verigrad as vg

from .page import fenced, table, write_page

LAYERS: Final = {
    "graph": "Graphs",
    "ops": "Layers, losses and functions",
    "passes": "Methods and passes",
    "runtime": "Compiling, running, training, checking",
}
PIPELINES: Final = {id(vg.TRAINING): "vg.TRAINING", id(vg.INFERENCE): "vg.INFERENCE"}


class Named:
    """A default value that is shown by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


def signature(name: str, found: Any) -> str:
    """How it is called, as Python text; nothing where that cannot be told, as of an error."""
    try:
        sig = inspect.signature(found)
    except ValueError:
        return ""
    taken = [
        p.replace(default=Named(PIPELINES[id(p.default)])) if id(p.default) in PIPELINES else p
        for p in sig.parameters.values()
    ]
    text = re.sub(r"ForwardRef\((.*?)\)", r"\1", str(sig.replace(parameters=taken)))
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)
    if len(text) > 80:  # a comma within brackets, as of a dict's type, stays where it is
        text = re.sub(r"^\(|, (?=\*|/|\w+: |\w+=|\w+,)", lambda m: f"{m[0].rstrip()}\n    ", text)
        text = re.sub(r"\)( -> .*)?$", r"\n)\1", text)
    return fenced(f"vg.{name}{text}", "python")


def told(name: str) -> Iterator[str]:
    """The section of a name."""
    found = getattr(vg, name)
    yield f"### vg.{name}"
    if isinstance(found, ModuleType):
        yield inspect.getdoc(found) or ""
        for key in found.__all__:
            yield signature(f"{name}.{key}", getattr(found, key))
            yield inspect.getdoc(getattr(found, key)) or ""
        return
    if not callable(found):
        yield fenced(repr(found))
        return
    yield signature(name, found)
    yield inspect.getdoc(found) or ""
    if inspect.isclass(found):
        rows = [
            [f"`{key}`", (inspect.getdoc(member) or "").split("\n\n")[0].replace("\n", " ")]
            for key, member in vars(found).items()
            if not key.startswith("_") and (callable(member) or isinstance(member, property))
        ]
        if rows:
            yield table(["member", "what it is"], rows)


def layer(name: str) -> str:
    """The layer of the package that a name stands in."""
    found = getattr(vg, name)
    own = found.__name__ if isinstance(found, ModuleType) else "verigrad.passes.pipelines"
    module = str(getattr(found, "__module__", own))
    return [*module.split("."), "graph"][1]


def page() -> Iterator[str]:
    """The parts of the page."""
    yield "# Names\n\nEvery public name of `import verigrad as vg`, as its docstring tells of it."
    for key, title in LAYERS.items():
        yield f"## {title}"
        for name in sorted(vg.__all__, key=str.lower):
            if layer(name) == key:
                yield from told(name)


def write(folder: Path) -> None:
    """The page of all public names."""
    write_page(folder / "guide" / "names.md", *page())
