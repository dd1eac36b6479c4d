"""Bars as SVG: for each part of a step what it took, beside what it should take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from .figure import drawn, literal

_MEASURED: Final = {"forward": "#1f5a99", "backward": "#2e8b57", "update": "#8a3ffc"}
_OTHER, _PREDICTED = "#555555", "#c2570c"
_MOST: Final = 40


class Bar(NamedTuple):
    """A part of a step: what it is called, the phase that it belongs to, and its seconds."""

    label: str
    phase: str
    measured: float
    predicted: float


def draw_bars(title: str, bars: Sequence[Bar]) -> str:
    """The bars in their order; of more than 40, those that take the longest."""
    shown, rest = _longest(bars)

    def draw(figure: Any) -> None:
        panel = figure.subplots()
        labels, lengths, colors, floors = [], [], [], []
        for k in shown:
            labels.append(literal(k.label))
            lengths.append(1e6 * k.measured)
            floors.append(1e6 * k.predicted)
            colors.append(_MEASURED.get(k.phase, _OTHER))
        if rest:
            labels.append(f"{len(rest)} others")
            lengths.append(1e6 * sum(k.measured for k in rest))
            floors.append(1e6 * sum(k.predicted for k in rest))
            colors.append(_OTHER)
        places = range(len(labels))
        panel.barh([p - 0.17 for p in places], lengths, height=0.42, color=colors)
        panel.barh([p + 0.23 for p in places], floors, height=0.28, color=_PREDICTED)
        for p, took, floor in zip(places, lengths, floors, strict=True):
            panel.annotate(
                f"{took:,.1f}, {took / floor:.1f} x",
                (max(took, floor), p),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=7,
            )
        panel.set_yticks(list(places), labels, fontsize=8)
        panel.set(xlabel="us", xlim=(0, 1.12 * max([*lengths, *floors])))
        panel.set_ylim(len(labels) - 0.4, -0.6)  # from the top, and no empty band
        panel.grid(axis="y", visible=False)
        panel.set_axisbelow(True)
        entries = dict.fromkeys(k.phase for k in shown)
        keys = [(f"{phase}, measured", _MEASURED.get(phase, _OTHER)) for phase in entries]
        handles = [
            panel.barh([0], [0], color=color, label=label)
            for label, color in [*keys, ("predicted", _PREDICTED)]
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))

    return drawn(title, (9, 1.2 + 0.25 * (len(shown) + bool(rest))), draw)


def _longest(bars: Sequence[Bar]) -> tuple[list[Bar], list[Bar]]:
    """The bars that are shown, in their order, and the others."""
    longest = sorted(range(len(bars)), key=lambda k: -max(bars[k].measured, bars[k].predicted))
    shown = set(longest[:_MOST])
    kept = [bar for k, bar in enumerate(bars) if k in shown]
    return kept, [bar for k, bar in enumerate(bars) if k not in shown]
