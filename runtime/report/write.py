"""Writing a report: the page and its twin in text, or the text alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from ...graph import Array, RunError, check_kind, shown, sizes_of, suggest, whole_symbols
from ...graph.writing import check_writable, given_path, write_whole
from ...passes.base import ASSUMED
from ..profiling.report import Profile
from ..variants import Variants
from .data import Data, Told, collect
from .page import filled
from .text import as_text

PAGE: Final = ".html"
TEXT: Final = ".txt"
_NAMES: Final = ("report.html", "report.txt")


class Asked(NamedTuple):
    """What a user gave beside the path: feeds, and what runs and checks have returned."""

    feeds: Mapping[str, Any] | None = None
    history: Any = None
    gradcheck: Any = None
    profile: Profile | None = None
    sizes: Mapping[str, int] | None = None


def write_report(variants: Variants, path: str | Path, asked: Asked) -> None:
    """Writes the page and, beside it, its twin in text; of a path that ends in .txt the text alone.

    Raises RunError before anything is written where the path has another ending or cannot be
    written, or where what was given does not fit; WriteError where writing fails.
    """
    paths = checked_paths(path)
    data = data_of(variants, asked)
    # The page first: where the disk takes no more, it is the larger that fails.
    texts = {PAGE: filled(data)} if PAGE in paths else {}
    texts[TEXT] = as_text(data)
    for ending, text in texts.items():
        write_whole(paths[ending], text)


def data_of(variants: Variants, asked: Asked) -> Data:
    """All that a report tells; RunError where what was given does not fit."""
    _check(asked)
    arrays, sizes = _batch(variants, asked)
    certifier = variants.certifier
    told = Told(
        arrays,
        certifier.certificate if certifier is not None else None,
        asked.history,
        asked.gradcheck,
        asked.profile,
    )
    return collect(variants, sizes, told)


def checked_paths(path: str | Path) -> dict[str, Path]:
    """Where each form goes, by its ending; RunError where one cannot be written."""
    given = given_path(path)
    if given.suffix not in (PAGE, TEXT):
        raise RunError(
            f"{given} would hold a report, which its ending does not say; write {_NAMES[0]} for "
            f"the page and its twin in text, or {_NAMES[1]} for the text alone"
        )
    paths = {given.suffix: given} | {TEXT: given.with_suffix(TEXT)}
    for each in paths.values():
        check_writable(each)
    return paths


def _check(asked: Asked) -> None:
    """Raises RunError for what is not of the kind that it has to be."""
    due = {
        "history": (asked.history, "History", "what vg.fit returns"),
        "gradcheck": (asked.gradcheck, "GradcheckReport", "what vg.gradcheck returns"),
    }
    for name, (value, kind, words) in due.items():
        # By name: these classes stand on higher floors.
        if value is not None and kind not in [c.__name__ for c in type(value).__mro__]:
            raise RunError(f"{name} is {shown(value)}, where {words} is expected")
    if asked.profile is not None:
        check_kind("profile", asked.profile, Profile, "what program.profile returns", RunError)


def _batch(variants: Variants, asked: Asked) -> tuple[dict[str, Array] | None, dict[str, int]]:
    """The numbers of the batch with the state, where there are feeds; and a size a symbol."""
    compiled = [c for c in (variants.training, variants.inference) if c is not None]
    graphs = [g for c in compiled for g in c.stages.values()]
    symbols = whole_symbols(s for g in graphs for n in g.nodes for s in n.type.symbols)
    sizes = dict.fromkeys(symbols, ASSUMED)
    asked_sizes = {} if asked.sizes is None else sizes_of("sizes", asked.sizes, error=RunError)
    for s in asked_sizes:
        if s not in sizes:
            raise RunError(f"sizes: there is no symbol {shown(s)}{suggest(s, sizes)}")
    if asked.feeds is None:
        return None, sizes | asked_sizes
    reader = variants.executable.reader
    fed, bound = reader.read(asked.feeds)
    for s, n in bound.items():
        if asked_sizes.setdefault(s, n) != n:
            raise RunError(f"sizes says {s}={asked_sizes[s]}, and what is fed has {s}={n}")
    state = variants.values.read(variants.values)
    inputs = {name: array for (name, _), array in zip(reader.inputs, fed, strict=True)}
    return {**state, **inputs}, sizes | asked_sizes
