"""Figures whose titles hold what matplotlib, XML or a line of text would read otherwise."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from verigrad.runtime.figures.curves import draw_comparison, draw_curves
from verigrad.runtime.figures.figure import literal
from verigrad.runtime.figures.predicted import draw_confusion, draw_predicted


@pytest.mark.parametrize(
    "text",
    [
        "a$b",
        "$x$",
        r"\$x\$ $",
        r"$\frac$",
        "$_^$",
        "%s {} %",
        "<b>&amp;--",
        "\x01\udcff",
        "猫",
        "a_b",
    ],
)
def test_any_text_may_stand_in_a_title(text: str) -> None:
    numbers = np.arange(3.0)
    for drawn in (
        draw_curves(text, [1], [0.5], [None], [None], 0.5),
        draw_comparison(text, {}),
        draw_confusion(text, "", [text, f"{text} 2"], np.eye(2, dtype=int)),
        draw_predicted(text, "", numbers, numbers),
    ):
        ElementTree.fromstring(drawn)


def test_lines_become_one_and_dollars_stay() -> None:
    from matplotlib.cbook import is_math_text

    assert literal("a\nb\r\nc") == "a b c"
    for text in ("$x$", r"\$x\$", r"\\$x$"):
        assert not is_math_text(literal(text))
        assert literal(text).replace(r"\$", "$") == text
