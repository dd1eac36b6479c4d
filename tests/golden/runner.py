"""Checks a pass against graphs as text: what goes in, what must come out, and all that must hold.

A file holds the input graph, `// -----`, and the expected graph with a comment for each reason
that the pass gives; or `// error: ...`. Comments before the input say what the file shows, and
may hold:

    // options: dropout=dropout(keep=0.5)      fields of the pass
    // changes-meaning: why                    the numbers are not compared
    // not-idempotent: why                     a second run must change the graph again
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

import verigrad as vg
from verigrad.passes.base import SWEEPS
from verigrad.passes.text import parse_pass

RULE = "// -----"
SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -2.0)


class Case(NamedTuple):
    """A pass, the text that it is given, and what is expected of it."""

    one: vg.Pass
    before: str
    expected: str
    changes_meaning: bool = False
    not_idempotent: bool = False


def read(path: Path) -> tuple[Case, str]:
    """The case of a golden file, and the comments that it begins with."""
    head, _, expected = path.read_text().partition(f"\n{RULE}\n")
    start = head.index("\ngraph ") + 1
    comments, before = head[:start], head[start:]
    marks = dict(
        line.removeprefix("// ").partition(": ")[::2]
        for line in comments.splitlines()
        if ": " in line
    )
    name = path.parent.name
    one = parse_pass(f"{name}{{{marks['options']}}}" if "options" in marks else name)
    meaning, twice = "changes-meaning" in marks, "not-idempotent" in marks
    return Case(one, before, expected.strip("\n"), meaning, twice), comments


def update(path: Path) -> None:
    """Rewrites the expected part of a golden file with what the pass now gives."""
    case, comments = read(path)
    path.write_text(f"{comments}{case.before}\n{RULE}\n{given(case)}\n")


def given(case: Case) -> str:
    """What the pass gives, as a golden file writes it."""
    try:
        after, reasons = run(case.one, vg.parse(case.before))
    except vg.VerigradError as e:
        return "\n".join(f"// error: {line}" for line in str(e).splitlines())
    return "\n".join([str(after), *reasons])


def run(one: vg.Pass, g: vg.Graph) -> tuple[vg.Graph, list[str]]:
    """The graph after the pass, to its fixed point if it is repeated, and the reasons given."""
    reasons: dict[str, None] = {}
    for _ in range(SWEEPS if one.repeated else 1):
        for r in one.rewrites(g):
            n = r.old if isinstance(r, vg.Rewrite) else r.node
            refused = "refused: " if isinstance(r, vg.Refused) else ""
            reasons[f"// %{g.names.get(n, n.op.name)}: {refused}{r.reason}"] = None
        before, g = g, one.apply(g)
        if g is before:
            break
    return g, list(reasons)


def problems(case: Case, *, reasons: bool = True) -> Iterator[str]:
    """What does not hold of the case, in words; nothing where all does."""
    g = vg.parse(case.before)
    if str(g) != case.before:
        yield f"the input is not canonical:\n{_diff(case.before, str(g))}"
    try:
        after, given_reasons = run(case.one, g)
    except vg.VerigradError:
        text = given(case)
        if text != case.expected:
            yield f"the error is another one:\n{_diff(case.expected, text)}"
        return
    text = "\n".join([str(after), *given_reasons] if reasons else [str(after)])
    if text != case.expected:
        yield f"the result is another one:\n{_diff(case.expected, text)}"
    if str(vg.parse(str(after))) != str(after):
        yield "the result does not survive a round trip through its text"
    try:
        vg.verify(after)
    except vg.GraphError as e:
        yield f"the result does not verify: {e}"
        return
    yield from _idempotence(case, after)
    if not case.changes_meaning:
        yield from _numbers(g, after, close=case.one.numbers == "reassociate")


def _idempotence(case: Case, after: vg.Graph) -> Iterator[str]:
    try:
        again = str(run(case.one, after)[0])
    except vg.VerigradError as e:
        again = str(e)
    if case.not_idempotent and again == str(after):
        yield "the pass is idempotent here, which the file denies"
    if not case.not_idempotent and again != str(after):
        yield f"the pass is not idempotent:\n{_diff(str(after), again)}"


def _numbers(before: vg.Graph, after: vg.Graph, *, close: bool) -> Iterator[str]:
    """Outputs and updates that both have must be the same to the bit, NaN and -0 included.

    `close`: as near as sums in another order are, on numbers that are finite.
    """
    same = nearly_same if close else same_bits
    drawn = [random_values((before, after), size) for size in (3, 1)]
    if not close:
        drawn += [special_values((before, after), 3, turn) for turn in range(len(SPECIAL))]
    for feeds in drawn:
        a, b = (vg.interpret(g, feeds) for g in (before, after))
        compared = 0
        for x, y in ((a.outputs, b.outputs), (a.updates, b.updates)):
            for key in x.keys() & y.keys():
                compared += 1
                if not same(x[key], y[key]):
                    yield f"the numbers of {key} differ:\n{x[key]}\n{y[key]}"
                    return
        if not compared:
            yield "no number can be compared: the graphs have no output in common"
            return


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays are equal to the bit; one NaN is as good as another."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    same = (a == b) & (np.signbit(a) == np.signbit(b)) if a.dtype.kind == "f" else a == b
    return bool(np.all(same | ((a != a) & (b != b))))


def nearly_same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays are equal but for rounding."""
    return a.dtype == b.dtype and a.shape == b.shape and np.allclose(a, b, 1e-4, 1e-5)


def random_values(graphs: tuple[vg.Graph, ...], size: int, seed: int = 0) -> dict[str, np.ndarray]:
    """A value for each source, symbols of that size; integers are 0 or 1, variances above 0."""
    rng = np.random.default_rng(seed)
    values: dict[str, np.ndarray] = {}
    for g in graphs:
        for n in (*g.inputs, *g.parameters, *g.state):
            shape = n.type.bind(dict.fromkeys(n.type.symbols, size))
            drawn = rng.standard_normal(shape) if n.type.is_float else rng.integers(0, 2, shape)
            drawn = np.abs(drawn) if g.names[n].endswith("var") else drawn
            values.setdefault(g.names[n], np.asarray(drawn).astype(n.type.numpy))
    return values


def special_values(graphs: tuple[vg.Graph, ...], size: int, turn: int) -> dict[str, np.ndarray]:
    """The same with NaN, infinity, zeros and ones for floats, each elsewhere in every turn."""
    values = random_values(graphs, size)
    for k, (name, array) in enumerate(values.items()):
        if array.dtype.kind == "f":
            turned = np.roll(SPECIAL, turn * (k + 1) + k)
            values[name] = np.resize(turned, array.shape).astype(array.dtype)
    return values


def _diff(expected: str, found: str) -> str:
    lines = difflib.unified_diff(
        expected.splitlines(), found.splitlines(), "expected", "found", lineterm=""
    )
    return "\n".join(lines)
