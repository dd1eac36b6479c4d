"""A memory plan as SVG: kernel calls across, addresses up, a rectangle for each buffer.

Below the map stand the part of the step that each call belongs to, and the bytes that are alive
there. What a buffer holds, and the user's lines that it comes from, are in its tooltip.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from ...graph import Node, roles
from ...graph.pictures.labels import size_text, tooltip
from ...graph.pictures.looks import INK, LOOKS
from ...graph.pictures.shapes import (
    GRAY,
    Box,
    dot,
    label,
    length,
    line,
    page,
    rectangle,
    ticks,
    told,
    words,
)

if TYPE_CHECKING:
    from .plan import Buffer, Plan

_WIDTH, _HEIGHT = 1280, 720
_LEFT, _RIGHT = 84, 1256
_TOP, _BOTTOM = 132, 574  # of the map
_STRIP: Final = 582
_ALIVE, _AXIS = 606, 676
_LONGEST: Final = 60  # of what stands beside the amounts
_PEAK, _PEAK_FILL = "#b3261e", "#f6d5d2"
_FAINT: Final = "#dddddd"


class _Piece(NamedTuple):
    """What a buffer holds from one kernel call to another: the last that was written there."""

    names: tuple[str, ...]
    first: int
    last: int
    part: str


def draw_plan(plan: Plan) -> str:
    """The picture: the same text for the same plan, drawn by no program."""
    picture = _Picture(plan)
    title = plan._title
    shown = title if len(title) <= _LONGEST else f"{title[: _LONGEST - 1]}…"
    parts = [iter([words(24, 34, shown, size=18, weight="bold")]), picture.amounts()]
    if plan.buffers:
        parts += [picture.legend(), picture.axes(), picture.peak_band(), picture.buffers()]
        parts += [picture.strip(), picture.curve(), picture.limit(), picture.peak_words()]
    else:
        parts.append(iter([words(24, 62, picture.description())]))
    return page(_WIDTH, _HEIGHT, title, picture.description(), *parts)


class _Picture:
    def __init__(self, plan: Plan) -> None:
        assert plan.graph.schedule is not None
        self.plan = plan
        self.graph = plan.graph
        self.roles = roles(plan.graph)
        self.group = plan.graph.schedule.groups
        self.calls: dict[int, list[Node]] = {}
        for n, call in self.group.items():
            self.calls.setdefault(call, []).append(n)
        self.pieces = {b: self._pieces(b) for b in plan.buffers}
        self.alive = plan.alive or [0]
        self.most = max(self.alive)
        self.peak = self.alive.index(self.most)
        self.limited = plan.limit is not None and plan.limit <= 1.5 * plan.nbytes
        self.top = plan.limit if plan.limit is not None and self.limited else max(plan.nbytes, 1)

    def x(self, call: float) -> float:
        """Where a kernel call begins."""
        return _LEFT + (_RIGHT - _LEFT) * call / len(self.alive)

    def y(self, address: float) -> float:
        """Where an address lies."""
        return _BOTTOM - (_BOTTOM - _TOP) * address / self.top

    # ---- above the map -----------------------------------------------------------------------

    def description(self) -> str:
        """The plan in a sentence, for who cannot see the picture."""
        if not self.plan.buffers:
            return "No result of this graph needs a buffer."
        return (
            f"{len(self.plan.buffers)} buffers in an arena of {self.plan.nbytes:,} bytes, over "
            f"{len(self.calls)} kernel calls; the most that is alive, {self.most:,} bytes, "
            f"is at call {self.peak}."
        )

    def legend(self) -> Iterator[str]:
        """The colours and marks that the picture holds."""
        x = 24.0
        for part in ("forward", "backward", "update"):
            if any(self.roles[n] == part for n in self.group):
                yield rectangle(Box(x, 52, 14, 12), LOOKS[part].fill, LOOKS[part].line)
                yield words(x + 19, 62, part)
                x += 34 + length(part)
        if any(not self._is_held(b) for b in self.plan.buffers):
            yield rectangle(Box(x, 52, 14, 12), "#ffffff", GRAY, dashed=True)
            yield words(x + 19, 62, "scratch of one call")
            x += 34 + length("scratch of one call")
        if any(len(pieces) > 1 for pieces in self.pieces.values()):
            yield line(x + 7, 50, x + 7, 66, INK)
            yield dot(x + 7, 58)
            yield words(x + 19, 62, "takes over the buffer")
        again = len(self.plan.recomputed)
        if again:
            yield words(24, 82, f"{again} result{'s' * (again > 1)} computed again: NAME.again")

    def amounts(self) -> Iterator[str]:
        """What a step takes, as bars of one scale."""
        plan, state = self.plan, LOOKS["state"]
        rows = [
            ("a buffer for every result", plan.unplanned_nbytes, "#ffffff", GRAY),
            ("arena", plan.nbytes, _FAINT, GRAY),
            ("alive at the peak", plan.lower_bound, _PEAK_FILL, _PEAK),
            ("parameters and state, beside it", plan.state_nbytes, state.fill, state.line),
        ]
        most = max(1, *(nbytes for _, nbytes, _, _ in rows))
        for k, (text, nbytes, fill, color) in enumerate(rows):
            y, width = 28 + 20 * k, 250 * nbytes / most
            yield words(920, y, text, anchor="end")
            yield rectangle(Box(928, y - 10, width, 12), fill, color)
            yield words(934 + width, y, size_text(nbytes))

    # ---- the map -----------------------------------------------------------------------------

    def axes(self) -> Iterator[str]:
        """Addresses in bytes, and the numbers of the kernel calls."""
        for address in ticks(self.top, 8):
            y = self.y(address)
            yield line(_LEFT, y, _RIGHT, y, _FAINT)
            yield words(_LEFT - 8, y + 4, size_text(address), anchor="end", fill=GRAY)
        for call in ticks(len(self.alive) - 1, 12):
            yield words(self.x(call + 0.5), _AXIS + 16, f"{call}", anchor="middle", fill=GRAY)
        for y, text in (((_TOP + _BOTTOM) / 2, "address"), ((_ALIVE + _AXIS) / 2, "alive")):
            yield words(20, y, text, anchor="middle", fill=GRAY, turned=True)
        yield words((_LEFT + _RIGHT) / 2, _AXIS + 34, "kernel call", anchor="middle", fill=GRAY)

    def buffers(self) -> Iterator[str]:
        """A rectangle for each buffer, divided where another result takes it over."""
        for b, pieces in self.pieces.items():
            y, held = self.y(b.offset + b.nbytes), self._is_held(b)
            height = self.y(b.offset) - y
            for piece in pieces:
                look = LOOKS[piece.part]
                fill = look.fill if held else look.behind
                x = self.x(piece.first)
                box = Box(x, y, self.x(piece.last + 1) - x, max(height, 0.75))
                drawn = rectangle(box, fill, look.line, dashed=not held)
                name = piece.names[-1] if held else "scratch"
                yield told(self._told(b, piece), drawn, *label(box, name, size_text(b.nbytes)))
            for _, later in pairwise(pieces):
                yield dot(self.x(later.first), y + height / 2, min(2.5, max(0.8, height / 2)))

    def peak_band(self) -> Iterator[str]:
        """The fullest call, behind what it holds."""
        x = self.x(self.peak)
        box = Box(x, _TOP, self.x(self.peak + 1) - x, _AXIS - _TOP)
        yield rectangle(box, _PEAK_FILL, "none")

    def peak_words(self) -> Iterator[str]:
        """The fullest call, before what it holds, with its bytes."""
        for x in (self.x(self.peak), self.x(self.peak + 1)):
            yield line(x, _TOP - 6, x, _AXIS, _PEAK, dashed=True)
        text = f"peak: call {self.peak}, {size_text(self.most)} alive"
        half = length(text) / 2
        x = min(max(self.x(self.peak + 0.5), _LEFT + half), _RIGHT - half)
        yield words(x, _TOP - 10, text, anchor="middle", fill=_PEAK, weight="bold")

    def limit(self) -> Iterator[str]:
        """The limit where it is near, with its bytes at the side that the peak leaves free."""
        if self.limited:
            yield line(_LEFT, _TOP, _RIGHT, _TOP, _PEAK)
            late = 2 * self.peak > len(self.alive)
            x, anchor = (_LEFT, "start") if late else (_RIGHT, "end")
            yield words(x, _TOP - 4, f"limit {size_text(self.top)}", anchor=anchor, fill=_PEAK)

    # ---- what a buffer holds -----------------------------------------------------------------

    def _is_held(self, b: Buffer) -> bool:
        """Whether a buffer holds results, and is no scratch of a kernel."""
        return b.holds[0] in self.graph.named

    def _pieces(self, b: Buffer) -> list[_Piece]:
        """A piece for each call that writes a result there; a scratch is of its call's part."""
        if not self._is_held(b):
            return [_Piece(b.holds, b.first, b.last, self.roles[self.calls[b.first][0]])]
        written: dict[int, list[Node]] = {}
        for name in b.holds:
            n = self.graph.named[name]
            written.setdefault(self.group[n], []).append(n)
        ends = [*(call - 1 for call in list(written)[1:]), b.last]
        return [
            _Piece(tuple([self.graph.names[n] for n in nodes]), first, last, self.roles[nodes[-1]])
            for (first, nodes), last in zip(written.items(), ends, strict=True)
        ]

    def _told(self, b: Buffer, piece: _Piece) -> str:
        """What a piece is, in full."""
        held = [self.graph.named[name] for name in piece.names if self._is_held(b)]
        calls = f"call{'s' * (piece.first < piece.last)} {piece.first}"
        calls += f"-{piece.last}" * (piece.first < piece.last)
        first = f"{', '.join(piece.names)}: {b.nbytes:,} bytes at {b.offset:,}, {calls}"
        return "\n".join([first, *(tooltip(self.graph, n) for n in held)])

    # ---- below the map -----------------------------------------------------------------------

    def strip(self) -> Iterator[str]:
        """A mark for each call, in the colour of its part."""
        for call, together in self.calls.items():
            look = LOOKS[self.roles[together[0]]]
            ops = ", ".join(f"{n.op.name} {self.graph.names[n]}" for n in together)
            box = Box(self.x(call), _STRIP, self.x(1) - self.x(0), 10)
            yield told(f"call {call}: {ops}", rectangle(box, look.fill, look.line))

    def curve(self) -> Iterator[str]:
        """The bytes that are alive at each call."""
        high = max(self.most, 1)
        steps = []
        for call, nbytes in enumerate(self.alive):
            steps.append(f"V{_AXIS - (_AXIS - _ALIVE) * nbytes / high:.2f}H{self.x(call + 1):.2f}")
        yield (
            f'<path d="M{_LEFT} {_AXIS}{"".join(steps)}V{_AXIS}" fill="{_FAINT}" '
            f'fill-opacity="0.6" stroke="{GRAY}" stroke-width="0.8"/>'
        )
        yield words(_LEFT - 8, _ALIVE + 8, size_text(self.most), anchor="end", fill=GRAY)
        yield words(_LEFT - 8, _AXIS, "0 B", anchor="end", fill=GRAY)
