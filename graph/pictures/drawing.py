"""A graph as a picture: Graphviz's text of it, and the SVG that a Graphviz program makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..location import warn
from ..roles import roles
from .dot import dot_of
from .labels import description
from .layers import layers_view
from .nodes import Seen, kernels_view, nodes_view
from .options import Options
from .rows import rows
from .view import View

if TYPE_CHECKING:
    from ..graph import Graph

MANY: Final = 40
HIGH: Final = 20
"""More nodes, or more rows of them, are shown by layers, unless asked for."""
_TORN: Final = "without columns: Graphviz cannot draw these"


def view(g: Graph, options: Options) -> View:
    """What a picture of the graph shows; where that is nothing, it says so."""
    seen = Seen(g, options)
    if not seen.nodes:
        nothing = f"nothing of {', '.join(options.parts)} is in this graph"
        return View(g.name, [], [], notes=[nothing])
    if options.detail == "kernels":
        return kernels_view(seen, options)
    nodes = nodes_view(seen, options)
    many = len(seen.nodes) > MANY or rows(nodes).height > HIGH
    if options.detail == "nodes" or not (options.detail or (many and seen.parts)):
        return nodes
    shown = layers_view(seen, options)
    more = f"layers; detail='nodes' shows {len(seen.nodes)} nodes"
    return shown._replace(notes=[more, *shown.notes])


def to_dot(g: Graph, options: Options) -> str:
    """The graph in Graphviz's language, the same text for the same graph."""
    return dot_of(view(g, options), options.direction)


def to_svg(g: Graph, options: Options) -> str:
    """The picture as SVG; raises GraphError where no program is found that can draw it."""
    return drawn(view(g, options), description(g, roles(g)), options.direction)


def to_image(g: Graph, form: str, options: Options) -> bytes:
    """The picture as "png" or "pdf"; raises GraphError as `to_svg` does."""
    return drawn_image(view(g, options), form, options.direction)


def drawn(shown: View, description: str, direction: str = "TB") -> str:
    """A view as SVG; where Graphviz cannot draw it in columns, without, which it says."""
    from .rendering import render

    svg, tried = render(_texts(shown, direction), shown.title, description)
    if tried:
        _tell_torn(shown)
    return svg


def drawn_image(shown: View, form: str, direction: str = "TB") -> bytes:
    """The same as "png" or "pdf"."""
    from .rendering import render_image

    image, tried = render_image(_texts(shown, direction), form)
    if tried:
        _tell_torn(shown)
    return image


def _texts(shown: View, direction: str) -> list[str]:
    """A view in columns, and without."""
    torn = shown._replace(notes=[*shown.notes, _TORN])
    return [dot_of(shown, direction), dot_of(torn, direction, in_columns=False)]


def _tell_torn(shown: View) -> None:
    warn(f"graph {shown.title} is drawn {_TORN}; read it as text, print(g), or by its layers")
