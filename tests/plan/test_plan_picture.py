"""The picture of a memory plan: a rectangle a buffer, calls across, addresses up."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

import verigrad as vg

SVG = "{http://www.w3.org/2000/svg}"
FORWARD, BACKWARD, UPDATE = "#cfe4f9", "#f8c39a", "#c9b0e8"


def classifier(*hidden: int) -> vg.Graph:
    x, y = vg.input("x", ("N", 20)), vg.input("y", ("N",), dtype="i64")
    scores = vg.mlp(x, [*hidden, 5])
    return vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def planned(**options: object) -> vg.Plan:
    return vg.compile(classifier(50, 30), optimizer=vg.Adam(lr=0.1), **options).plan(N=128)


@pytest.fixture(scope="module")
def plan() -> vg.Plan:
    return planned()


def texts(svg: str) -> list[str]:
    return [e.text or "" for e in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def drawn(svg: str) -> dict[str, dict[str, str]]:
    """What is drawn of each piece of a buffer, by its tooltip's first line."""
    pieces = {}
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        title, rectangle = group.find(f"{SVG}title"), group.find(f"{SVG}rect")
        assert title is not None and title.text is not None and rectangle is not None
        if " bytes at " in title.text:
            pieces[title.text.splitlines()[0]] = dict(rectangle.attrib)
    return pieces


def named(svg: str, name: str) -> dict[str, str]:
    (found,) = [box for told, box in drawn(svg).items() if told.startswith(f"{name}: ")]
    return found


def edges(box: dict[str, str]) -> tuple[float, float, float, float]:
    x, y, width, height = (float(box[k]) for k in ("x", "y", "width", "height"))
    return x, x + width, y + height, y


def test_every_buffer_is_a_rectangle_at_its_calls_and_addresses(plan: vg.Plan) -> None:
    svg = plan.to_svg()
    calls = 1 + max(plan.graph.schedule.groups.values())
    first = edges(named(svg, "row_starts"))  # is in use from the first call to the last
    across = (first[1] - first[0]) / calls
    for b in plan.buffers:
        pieces = [
            (told, edges(box))
            for told, box in drawn(svg).items()
            if f" {b.nbytes:,} bytes at {b.offset:,}, " in told and told.split(": ")[0] in b.holds
        ]
        if b.holds[0] in plan.graph.named:
            assert min(x for _, (x, *_) in pieces) == pytest.approx(
                first[0] + across * b.first, abs=0.02
            )
            assert max(x for _, (_, x, *_) in pieces) == pytest.approx(
                first[0] + across * (b.last + 1), abs=0.02
            )
    upper, lower = named(svg, "fc2"), named(svg, "fc1")
    assert edges(upper)[3] < edges(upper)[2] <= edges(lower)[3] < edges(lower)[2]


def test_no_two_rectangles_overlap(plan: vg.Plan) -> None:
    boxes = [edges(box) for box in drawn(plan.to_svg()).values()]
    for k, (left, right, below, above) in enumerate(boxes):
        for other in boxes[:k]:
            across = min(right, other[1]) - max(left, other[0])
            up = min(below, other[2]) - max(above, other[3])
            assert across < 0.02 or up < 0.8  # what is thinner than a pixel is drawn as one


def test_colours_are_those_of_the_parts(plan: vg.Plan) -> None:
    svg = plan.to_svg()
    assert named(svg, "fc1")["fill"] == FORWARD
    assert named(svg, "fc1.weight.grad")["fill"] == BACKWARD
    assert named(svg, "cast.2")["fill"] == UPDATE
    assert {"forward", "backward", "update", "scratch of one call"} <= {*texts(svg)}
    assert "stroke-dasharray" in named(svg, "scratch of fc1.grad")


def test_a_take_over_divides_the_rectangle_and_has_a_dot(plan: vg.Plan) -> None:
    svg = plan.to_svg()
    before, after = named(svg, "fc1.relu.grad"), named(svg, "fc1.grad")
    assert edges(before)[1] == pytest.approx(edges(after)[0], abs=0.02)
    assert edges(before)[2:] == edges(after)[2:]
    dots = [float(e.attrib["cx"]) for e in ElementTree.fromstring(svg).iter(f"{SVG}circle")]
    assert pytest.approx(edges(after)[0], abs=0.02) in dots
    assert "takes over the buffer" in texts(svg)


def test_the_peak_is_marked_with_its_bytes(plan: vg.Plan) -> None:
    alive = [
        sum(b.nbytes for b in plan.buffers if b.first <= call <= b.last)
        for call in range(1 + max(b.last for b in plan.buffers))
    ]
    assert plan.alive == alive
    peak = alive.index(max(alive))
    assert f"peak: call {peak}, {max(alive) / 1000:.3g} kB alive" in texts(plan.to_svg())


def test_labels_name_what_there_is_room_for(plan: vg.Plan) -> None:
    shown = texts(plan.to_svg())
    assert shown[0] == "plan of net, N=128"
    assert {"fc1", "25.6 kB", "fc2", "15.4 kB"} <= set(shown)
    assert "loss" not in shown  # 4 bytes of 79,104


def test_axes_count_calls_and_bytes(plan: vg.Plan) -> None:
    shown = texts(plan.to_svg())
    assert {"0 B", "20 kB", "80 kB", "0", "5", "25", "kernel call", "address"} <= set(shown)


def test_tooltips_tell_statement_and_line(plan: vg.Plan) -> None:
    svg = ElementTree.fromstring(plan.to_svg())
    (told,) = [e.text for e in svg.iter(f"{SVG}title") if (e.text or "").startswith("fc1: ")]
    assert told is not None
    first, statement, *_, line = told.splitlines()
    assert re.fullmatch(r"fc1: 25,600 bytes at [\d,]+, calls \d+-\d+", first)
    assert statement == "%fc1: f32[N,50] = linear_relu(%x, %fc1.weight, %fc1.bias)"
    assert line.startswith("test_plan_picture.py:") and "vg.mlp(x, [*hidden, 5])" in line


def test_what_a_step_takes_is_compared(plan: vg.Plan) -> None:
    shown = texts(plan.to_svg())
    for words, nbytes in (
        ("a buffer for every result", plan.unplanned_nbytes),
        ("arena", plan.nbytes),
        ("parameters and state, beside it", plan.state_nbytes),
    ):
        assert shown[shown.index(words) + 1] == f"{nbytes / 1000:.3g} kB"


def test_the_same_plan_is_the_same_text(plan: vg.Plan, tmp_path: Path) -> None:
    path = tmp_path / "plan.svg"
    assert planned().to_svg(path) == plan.to_svg() == path.read_text(encoding="utf-8")


def test_it_has_a_title_and_a_description(plan: vg.Plan) -> None:
    svg = ElementTree.fromstring(plan.to_svg())
    assert svg.get("role") == "img"
    title, description = list(svg)[:2]
    assert title.text == "plan of net, N=128"
    assert f"an arena of {plan.nbytes:,} bytes" in (description.text or "")


# ---- other plans ---------------------------------------------------------------------------------


def test_a_plan_without_a_buffer_says_so() -> None:
    x = vg.input("x", ("N", 3))
    svg = vg.compile(vg.Graph("nothing", {"x": x})).plan(N=2).to_svg()
    assert "No result of this graph needs a buffer." in texts(svg)
    assert drawn(svg) == {}


def test_a_long_name_is_cut_in_the_picture_alone() -> None:
    name = "a" * 200
    svg = vg.compile(vg.Graph(name, {"y": vg.exp(vg.input("x", ("N", 3)))})).plan(N=2).to_svg()
    assert len(texts(svg)[0]) == 60 and f"<title>plan of {name}, N=2</title>" in svg


def test_a_plan_of_one_call_in_a_few_bytes() -> None:
    x = vg.input("x", ("N", 3))
    svg = vg.compile(vg.Graph("one", {"y": vg.exp(x)})).plan(N=2).to_svg()
    assert list(drawn(svg)) == ["y: 24 bytes at 0, call 0"]
    assert {"peak: call 0, 24 B alive", "60 B"} <= set(texts(svg))


def test_results_of_no_bytes_are_drawn() -> None:
    x = vg.input("x", ("N", 0))
    svg = vg.compile(vg.Graph("none", {"y": vg.exp(x)})).plan(N=2).to_svg()
    assert list(drawn(svg)) == ["y: 0 bytes at 0, call 0"]


def test_more_bytes_than_any_machine_has() -> None:
    x = vg.input("x", ("N", 3))
    svg = vg.compile(vg.Graph("huge", {"y": vg.exp(x)})).plan(N=10**17).to_svg()
    assert {"peak: call 0, 1.2 EB alive", "1 EB"} <= set(texts(svg))


def test_inference_has_one_part() -> None:
    h = vg.tanh(vg.dense(vg.input("x", ("N", 4)), 3))
    svg = vg.compile(vg.Graph("forward", {"y": vg.dense(h, 2)})).plan(N=8).to_svg()
    assert "forward" in texts(svg) and "backward" not in texts(svg)


def test_what_is_computed_again_is_named_and_the_limit_drawn() -> None:
    h = vg.input("x", ("N", 16))
    for _ in range(6):
        h = vg.gelu(vg.dense(h, 16))
    net = vg.Graph("net", loss=vg.mean_squared_error(h, vg.input("t", ("N", 16))))
    free = vg.compile(net).plan(N=256).nbytes
    limit = free * 9 // 10
    plan = vg.compile(net, memory_limit=limit, recompute=True).plan(N=256)
    shown = texts(plan.to_svg())
    assert plan.recomputed
    count = len(plan.recomputed)
    assert f"{count} result{'s' * (count > 1)} computed again: NAME.again" in shown
    assert f"limit {limit / 1000:.3g} kB" in shown
    assert any(".again: " in told for told in drawn(plan.to_svg()))


def test_a_limit_far_above_is_not_drawn() -> None:
    svg = vg.compile(classifier(4), memory_limit=10**9).plan(N=2).to_svg()
    assert not any(text.startswith("limit") for text in texts(svg))


def test_the_jitted_backend_has_the_same_plan(plan: vg.Plan) -> None:
    pytest.importorskip("numba")
    assert planned(backend="numba").to_svg() == plan.to_svg()


@vg.op
class Marked(vg.Op):
    """x, with any text as an attribute."""

    name = "marked"
    text: str

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0]


@pytest.mark.parametrize("text", ['"', "<script>&amp;", "</title>", "\x01", "é→😀", "%1$s"])
def test_any_text_of_a_node_stays_text(text: str) -> None:
    x = vg.input("größe", ("N", 3))
    g = vg.Graph("g", {"y": vg.apply(Marked(text), x)})
    titles = ElementTree.fromstring(vg.compile(g).plan(N=2).to_svg()).iter(f"{SVG}title")
    written = next(t.text for t in titles if (t.text or "").startswith("y: "))
    assert written is not None and "marked{" in written


def test_a_long_plan_is_drawn_whole() -> None:
    h = vg.input("x", ("N", 4))
    for _ in range(100):
        h = vg.tanh(vg.dense(h, 4))
    net = vg.Graph("deep", loss=vg.mean_squared_error(h, vg.input("t", ("N", 4))))
    plan = vg.compile(net, optimizer=vg.SGD(0.1)).plan(N=8)
    svg = plan.to_svg()
    assert len(drawn(svg)) >= len(plan.buffers) > 300
    assert len(svg) < 1000 * len(plan.buffers)
    numbers = [text for text in texts(svg) if text.isdigit()]
    assert len(numbers) <= 13
