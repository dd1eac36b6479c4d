"""Branches whose condition is known as the file is read."""

from __future__ import annotations

from typing import Final

from ..call import Call, Rules
from ..values import Value


def _if(c: Call) -> list[Value | None]:
    chosen = "then_branch" if bool(c.known(0).reshape(-1)[0]) else "else_branch"
    return [*c.reader.branch(c.graph(chosen))]


RULES: Final[Rules] = {"If": _if}
