"""What may be asked of a picture, and what is made of it where nothing is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from ..arguments import MOST, sizes_of
from ..errors import GraphError
from ..fields import check_choice, check_flag
from ..quoting import shown
from .view import COLUMNS

if TYPE_CHECKING:
    from ..graph import Graph

Detail = Literal["layers", "nodes", "kernels"]
Direction = Literal["TB", "LR"]
DETAILS: Final = ("layers", "nodes", "kernels")
DIRECTIONS: Final = ("TB", "LR")


class Options(NamedTuple):
    """How a graph is shown. Without a `detail`, by nodes where they are few, else by layers."""

    sizes: Mapping[str, int]
    detail: Detail | None = None
    parts: tuple[str, ...] = COLUMNS
    direction: Direction = "TB"
    types: bool = True
    bookkeeping: bool = False


def checked(
    g: Graph,
    sizes: Mapping[str, int] | None,
    detail: Detail | None,
    parts: Iterable[str],
    direction: Direction,
    types: bool,
    bookkeeping: bool,
) -> Options:
    """The options of a picture of g; raises GraphError for what is none."""
    if detail is not None:
        check_choice("detail", detail, DETAILS)
    check_choice("direction", direction, DIRECTIONS)
    check_flag(types=types, bookkeeping=bookkeeping)
    if detail == "kernels" and g.schedule is None:
        raise GraphError(
            f"detail='kernels' shows kernel calls, and graph {g.name} has no schedule; draw a "
            "compiled graph, such as program.training, or say detail='nodes'"
        )
    return Options(
        {} if sizes is None else sizes_of("sizes", sizes, MOST),
        detail,
        _parts(parts),
        direction,
        types,
        bookkeeping,
    )


def _parts(asked: Iterable[str]) -> tuple[str, ...]:
    due = "some of " + ", ".join(map(repr, COLUMNS)) + ", e.g. parts=('forward',)"
    if isinstance(asked, str) or not isinstance(asked, Iterable):
        raise GraphError(f"parts is {shown(asked)}, where {due} are expected")
    parts = tuple(asked)
    for part in parts:
        if part not in COLUMNS:
            raise GraphError(f"parts has {shown(part)}, where {due} are expected")
    if not parts:
        raise GraphError(f"parts is empty, where {due} are expected")
    return tuple(c for c in COLUMNS if c in parts)
