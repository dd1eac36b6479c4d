"""One entry of a parameter: its symbolic derivative against a numeric one, and the verdict."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from ...graph import Array
from .numeric import CLEARLY, FIRST, STEPS, Derivative, derivative, elsewhere, one_sided
from .perturbation import Line, Place

PASS: Final = "PASS"
FAIL: Final = "FAIL"
INCONCLUSIVE: Final = "INCONCLUSIVE"
ORDER: Final = (PASS, INCONCLUSIVE, FAIL)
"""The verdicts, from good to bad."""
_SHARE: Final = 1e-3
"""Of the largest gradient of the parameter: an entry smaller than that is measured by it."""
_LARGE: Final = STEPS[1]
"""Differences with smaller steps than this have lost digits."""


class Scale(NamedTuple):
    """What an error is measured against: the tolerance, the largest gradients, and how far rounding
    scatters the loss beyond its last place."""

    tolerance: float
    parameter: float
    net: float
    noise: float = 0.0


class Entry(NamedTuple):
    """One entry's result; `kink` says in words what is not smooth there, where that mattered, and
    `singular` which node has no finite slope."""

    where: Place
    verdict: str
    error: float
    relative_to: str
    symbolic: float
    numeric: Derivative
    kink: str = ""
    singular: str = ""


def relative_error(a: float, n: float, largest: float) -> float:
    """|a - n| / max(|a| + |n|, 1e-3 largest), 0 where all are; infinite where one is not finite."""
    gap, size = abs(a - n), max(abs(a) + abs(n), _SHARE * largest)
    if not math.isfinite(gap):
        return math.inf
    return gap / size if gap else 0.0


def check_entry(line: Line, where: Place, symbolic: float, scale: Scale) -> Entry:
    """The verdict on one entry, by differences that cross no kink of an op that tells its own.

    One that does not pass at steps of the usual size is tried at all others, and one that fails
    has to fail beyond what rounding makes of the loss as well.
    """
    entry = _at_all_steps(line, where, symbolic, scale)
    if entry.verdict == FAIL and math.isfinite(entry.error):
        scale = scale._replace(noise=line.noise)
        return _at_all_steps(line, where, symbolic, scale)
    return entry


def _at_all_steps(line: Line, where: Place, symbolic: float, scale: Scale) -> Entry:
    entry = _at_usual_steps(line, where, symbolic, scale)
    if entry.verdict == PASS or not math.isfinite(symbolic):
        return entry
    return _at_other_steps(line, entry, scale)


def _at_other_steps(line: Line, entry: Entry, scale: Scale) -> Entry:
    """The verdict by the steps at which the numeric derivative is exact, if there are any."""
    where, a = entry.where, entry.symbolic

    def loss(h: float) -> float:
        value, crossed = line.crossing(where, h)
        return line.followed(where, h)[0] if crossed else value

    own, most = abs(float(line.value[where])), largest(line.value)
    derivatives = elsewhere(loss, own, most, scale.tolerance, scale.noise)
    others = [_judged(where, a, n, scale, entry.kink) for n in derivatives]
    finest = others[0] if others and not entry.kink else entry
    return next((other for other in others if other.verdict == PASS), finest)


def _at_usual_steps(line: Line, where: Place, symbolic: float, scale: Scale) -> Entry:
    """What is done depends on the net and its values alone: never on the tolerance, or on how the
    entry fares."""
    tried = {h: line.crossing(where, h) for step in STEPS for h in (step, -step)}

    def loss(h: float) -> float:
        return tried[h][0] if h in tried else line.loss(where, h)

    crossed = [step for step in STEPS if tried[step][1] or tried[-step][1]]
    clear = min(crossed) / 4 if crossed else FIRST
    if clear < _LARGE:
        return _at_known_kink(line, where, symbolic, scale)
    plain = _judged(where, symbolic, derivative(loss, clear, scale.noise), scale)
    if plain.verdict == PASS or not math.isfinite(symbolic):
        return plain
    if not math.isfinite(plain.error):
        return _at_edge(line, plain, scale)
    return _at_unknown_kink(line, plain, scale)


def _judged(where: Place, a: float, n: Derivative, scale: Scale, kink: str = "") -> Entry:
    error = relative_error(a, n.value, scale.parameter)
    small = abs(a) + abs(n.value) < _SHARE * scale.parameter
    relative_to = f"{_SHARE} max|a|" if small else "|a| + |n|"

    def entry(verdict: str) -> Entry:
        return Entry(where, verdict, error, relative_to, a, n, kink)

    own = CLEARLY * n.error
    if error <= scale.tolerance:
        # Where the loss is so large that no gradient of the net would show, 0 says nothing.
        drowned = a == n.value == 0.0 and own > scale.net > 0.0
        return entry(INCONCLUSIVE if drowned else PASS)
    if not math.isfinite(error) or abs(a - n.value) > own:
        return entry(FAIL)
    if own <= scale.tolerance * scale.net:
        # A gradient of 0, of a bias in front of batch normalization: its difference is rounding.
        error, relative_to = abs(a - n.value) / scale.net, "max|a| of all"
        return entry(PASS)
    return entry(INCONCLUSIVE)


def _at_known_kink(line: Line, where: Place, a: float, scale: Scale) -> Entry:
    """The verdict by differences that cross no kink."""
    crossings = {h: line.followed(where, h)[1] for k in STEPS for h in (k, -k)}
    closest = min((h for h in crossings if crossings[h]), key=abs)
    first = crossings[closest][0]
    kink = f"%{line.forward.graph.names[first.node]} at {place(first.first)}"
    # With steps at which more is held than at the smallest, elements that move would stand still.
    counts = [sum(c.held for h in (k, -k) for c in crossings[h]) for k in STEPS]
    start = max((k + 1 for k in range(len(STEPS)) if counts[k] != counts[-1]), default=0)
    here = derivative(lambda h: line.followed(where, h)[0], FIRST / 4**start, scale.noise)
    exact = abs(closest) <= STEPS[-1]
    how = "exactly: the documented derivative" if exact else "on the side of the values"
    entry = _judged(where, a, here, scale, f"{kink}, {how}")
    if entry.verdict != FAIL or not exact:
        return entry
    for side, n in _both_sides(line, where, scale.noise).items():
        other = _judged(where, a, n, scale, f"{kink}, exactly: the derivative to the {side}")
        if other.error <= scale.tolerance:
            return other
    if counts[-1]:
        words = f"{kink}, exactly: neither one-sided derivative, nor 0 for what is on the kink"
        return entry._replace(verdict=INCONCLUSIVE, kink=words)
    return entry


def _at_edge(line: Line, entry: Entry, scale: Scale) -> Entry:
    """The verdict where the loss is finite to one side alone, as that of sqrt(w)^3 at 0."""
    for side, n in _both_sides(line, entry.where, scale.noise).items():
        if math.isfinite(n.value):
            words = f"where the loss begins: the derivative to the {side}"
            return _judged(entry.where, entry.symbolic, n, scale, words)
    return entry._replace(verdict=INCONCLUSIVE)


def _at_unknown_kink(line: Line, entry: Entry, scale: Scale) -> Entry:
    """The verdict where no op on the way says of a kink, but there may be one at the values."""
    right, left = _both_sides(line, entry.where, scale.noise).values()
    apart = abs(right.value - left.value) > CLEARLY * (right.error + left.error)
    for n, side in ((right, "right"), (left, "left")):
        words = f"of an op that has no `kinks`: the derivative to the {side}"
        other = _judged(entry.where, entry.symbolic, n, scale, words)
        exact = CLEARLY * n.error <= scale.tolerance * max(abs(n.value), _SHARE * scale.parameter)
        if other.error <= scale.tolerance and (apart or (exact and entry.verdict != FAIL)):
            return other
    return entry


def _both_sides(line: Line, where: Place, noise: float) -> dict[str, Derivative]:
    return {
        word: one_sided(lambda h: line.loss(where, h), side, noise)
        for word, side in (("right", 1), ("left", -1))
    }


def place(where: Place) -> str:
    """A place in an array, such as [3,7]."""
    return f"[{','.join(map(str, where))}]"


def largest(gradient: Array) -> float:
    """The largest absolute value that is finite, 0 of nothing."""
    return float(abs(gradient[np.isfinite(gradient)]).max(initial=0.0))
