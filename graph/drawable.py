"""What graphs have of pictures: DOT, SVG, and the difference between two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast

from .pictures.view import COLUMNS

if TYPE_CHECKING:
    from pathlib import Path

    from .difference import Difference
    from .graph import Graph
    from .pictures.options import Detail, Direction


class Drawable:
    """The pictures of a graph. All take the same options.

    `detail` is "nodes", "layers" (a box a layer with what it does) or "kernels" (a box a kernel
    call); unsaid, nodes where they are at most 40, else layers. `parts` are those of "forward",
    "backward" and "update" that are shown, `direction` "TB" or "LR". Without `types` nodes show
    neither types nor bytes; with `bookkeeping` also sizes, casts and arithmetic of scalars.
    `sizes`, e.g. {"N": 128}, gives bytes for them. Raises GraphError for an option that is none.
    """

    __slots__ = ()

    def to_dot(
        self,
        sizes: Mapping[str, int] | None = None,
        *,
        detail: Detail | None = None,
        parts: Iterable[str] = COLUMNS,
        direction: Direction = "TB",
        types: bool = True,
        bookkeeping: bool = False,
    ) -> str:
        """The picture in Graphviz's language."""
        from .pictures.drawing import to_dot
        from .pictures.options import checked

        g = cast("Graph", self)
        return to_dot(g, checked(g, sizes, detail, parts, direction, types, bookkeeping))

    def to_svg(
        self,
        path: str | Path | None = None,
        sizes: Mapping[str, int] | None = None,
        *,
        detail: Detail | None = None,
        parts: Iterable[str] = COLUMNS,
        direction: Direction = "TB",
        types: bool = True,
        bookkeeping: bool = False,
    ) -> str:
        """The picture as SVG; written to `path` too, where one is given.

        Raises GraphError where no program can draw it. `verigrad graph -o` writes PNG and PDF too.
        """
        from .pictures.drawing import to_svg
        from .pictures.files import write_svg
        from .pictures.options import checked

        g = cast("Graph", self)
        options = checked(g, sizes, detail, parts, direction, types, bookkeeping)
        return write_svg(path, lambda: to_svg(g, options))

    def diff(self, other: Graph) -> Difference:
        """What the other graph added, removed and rewrote: `print(a.diff(b))`, or a picture."""
        from .difference import Difference

        return Difference(cast("Graph", self), other)
