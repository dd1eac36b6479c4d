"""One entry of a parameter: its symbolic derivative against a numeric one, and the verdict."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from ...graph import Array
from .numeric import STEPS, Derivative, derivative, one_sided
from .perturbation import Line, Place

PASS: Final = "PASS"
FAIL: Final = "FAIL"
INCONCLUSIVE: Final = "INCONCLUSIVE"
ORDER: Final = (PASS, INCONCLUSIVE, FAIL)
"""The verdicts, from good to bad."""
_CLEARLY: Final = 10.0
"""So many times its own estimated error a difference must be off, before it contradicts."""


class Scale(NamedTuple):
    """What an error is measured against: the tolerance, and the largest gradients."""

    tolerance: float
    parameter: float
    net: float


class Entry(NamedTuple):
    """One entry's result; `kink` says in words what is not smooth there, where that mattered."""

    where: Place
    verdict: str
    error: float
    symbolic: float
    numeric: Derivative
    kink: str = ""


def relative_error(a: float, n: float, largest: float) -> float:
    """|a - n| / max(|a| + |n|, 1e-3 largest, 1e-8); infinite where a number is not finite."""
    error = abs(a - n) / max(abs(a) + abs(n), 1e-3 * largest, 1e-8)
    return error if math.isfinite(error) else math.inf


def check_entry(line: Line, where: Place, symbolic: float, scale: Scale) -> Entry:
    """The verdict on one entry; where it disagrees, its kinks are looked for."""
    plain = _judged(where, symbolic, derivative(lambda h: line.loss(where, h)), scale)
    if plain.error <= scale.tolerance or not math.isfinite(plain.error):
        return plain
    if not any(line.crosses(where, h) for k in STEPS for h in (k, -k)):
        return plain if plain.verdict == PASS else _at_unknown_kink(line, plain, scale)
    return _at_known_kink(line, where, symbolic, scale)


def _judged(where: Place, a: float, n: Derivative, scale: Scale, kink: str = "") -> Entry:
    error = relative_error(a, n.value, scale.parameter)
    if error <= scale.tolerance:
        return Entry(where, PASS, error, a, n, kink)
    own = _CLEARLY * n.error
    if not math.isfinite(error) or abs(a - n.value) > own:
        return Entry(where, FAIL, error, a, n, kink)
    if own <= scale.tolerance * scale.net:
        # A gradient of 0, of a bias in front of batch normalization: its difference is rounding.
        return Entry(where, PASS, abs(a - n.value) / scale.net, a, n, kink)
    return Entry(where, INCONCLUSIVE, error, a, n, kink)


def _at_known_kink(line: Line, where: Place, a: float, scale: Scale) -> Entry:
    """The verdict by differences that cross no kink."""
    found = {h: line.followed(where, h)[1] for k in STEPS for h in (k, -k)}
    closest = min((h for h in found if found[h]), key=abs)
    first = found[closest][0]
    kink = f"%{line.forward.graph.names[first.node]} at {place(first.first)}"
    # With steps at which more is held than at the smallest, elements that move would stand still.
    held = [sum(c.held for h in (k, -k) for c in found[h]) for k in STEPS]
    start = max((k + 1 for k in range(len(STEPS)) if held[k] != held[-1]), default=0)
    steps = [STEPS[0] / 4**k for k in range(start, max(len(STEPS), start + 3))]
    here = derivative(lambda h: line.followed(where, h)[0], steps)
    exact = abs(closest) <= STEPS[-1]
    how = "exactly: the documented derivative" if exact else "on the side of the values"
    entry = _judged(where, a, here, scale, f"{kink}, {how}")
    if entry.verdict != FAIL or not exact:
        return entry
    for side, n in _both_sides(line, where).items():
        other = _judged(where, a, n, scale, f"{kink}, exactly: the derivative to the {side}")
        if other.error <= scale.tolerance:
            return other
    if held[-1]:
        words = f"{kink}, exactly: neither one-sided derivative, nor 0 for what is on the kink"
        return entry._replace(verdict=INCONCLUSIVE, kink=words)
    return entry


def _at_unknown_kink(line: Line, entry: Entry, scale: Scale) -> Entry:
    """The verdict where no op on the way says of a kink, but there may be one at the values."""
    right, left = _both_sides(line, entry.where).values()
    apart = abs(right.value - left.value) > _CLEARLY * (right.error + left.error)
    for n, side in ((right, "right"), (left, "left")):
        words = f"of an op that has no `kinks`: the derivative to the {side}"
        other = _judged(entry.where, entry.symbolic, n, scale, words)
        exact = _CLEARLY * n.error <= scale.tolerance * max(abs(n.value), 1e-3 * scale.parameter)
        if other.error <= scale.tolerance and (apart or (exact and entry.verdict != FAIL)):
            return other
    return entry


def _both_sides(line: Line, where: Place) -> dict[str, Derivative]:
    return {
        word: one_sided(lambda h: line.loss(where, h), side)
        for word, side in (("right", 1), ("left", -1))
    }


def place(where: Place) -> str:
    """A place in an array, such as [3,7]."""
    return f"[{','.join(map(str, where))}]"


def largest(gradient: Array) -> float:
    """The largest absolute value, 0 of nothing."""
    return float(abs(gradient).max(initial=0.0))
