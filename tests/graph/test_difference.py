"""The difference of two graphs: what was added, removed and rewritten, as text and as picture."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

import verigrad as vg
from verigrad.graph.pictures import rendering

BEFORE = vg.parse("""
graph net {
  %x: f32[N,2] = input
  %w: f32[2,2] = parameter{init=he_normal}
  %b: f32[2] = parameter{init=zeros}
  %h: f32[N,2] = linear(%x, %w, %b)
  %h.relu: f32[N,2] = relu(%h)
  %t: f32[N,2] = tanh(%h.relu)
  %u: f32[N,2] = exp(%t)
  %y: f32[N,2] = square(%u)
  return y=%y
}
""")
AFTER = vg.parse("""
graph net {
  %x: f32[N,2] = input
  %w: f32[2,2] = parameter{init=he_normal}
  %b: f32[2] = parameter{init=zeros}
  %h: f32[N,2] = linear_relu(%x, %w, %b)
  %t: f32[N,2] = tanh(%h)
  %u: f32[N,2] = exp(%t)
  %more: f32[N,2] = sigmoid(%u)
  %y: f32[N,2] = square(%u)
  return y=%y, more=%more
}
""")


def test_a_difference_names_what_changed() -> None:
    d = BEFORE.diff(AFTER)
    assert [AFTER.names[n] for n in d.added] == ["more"]
    assert [BEFORE.names[n] for n in d.removed] == ["h.relu"]
    assert [AFTER.names[n] for n in d.rewritten] == ["h", "t"]
    assert bool(d) and repr(d) == "<Difference of net: 1 added, 1 removed, 2 rewritten>"


def test_its_text_is_what_changed_with_a_line_around() -> None:
    assert (
        str(BEFORE.diff(AFTER))
        == """\
net: 1 added, 1 removed, 2 rewritten
  ...
  %b: f32[2] = parameter{init=zeros}
~ %h: f32[N,2] = linear(%x, %w, %b)
> %h: f32[N,2] = linear_relu(%x, %w, %b)
- %h.relu: f32[N,2] = relu(%h)
~ %t: f32[N,2] = tanh(%h.relu)
> %t: f32[N,2] = tanh(%h)
  %u: f32[N,2] = exp(%t)
  %y: f32[N,2] = square(%u)
+ %more: f32[N,2] = sigmoid(%u)
+ return more=%more"""
    )


def test_a_graph_does_not_differ_from_itself() -> None:
    d = BEFORE.diff(vg.parse(str(BEFORE)))
    assert not d and str(d) == "net: no difference"


def test_another_number_in_a_name_is_no_change() -> None:
    x = vg.input("x", ("N",))
    a = vg.Graph("g", {"y": vg.exp(vg.exp(x))})
    b = vg.Graph("g", {"z": vg.exp(vg.tanh(x)), "y": vg.exp(vg.exp(x))})
    d = a.diff(b)
    assert not d.removed and not d.rewritten and len(d.added) == 2


def test_what_is_written_and_returned_may_be_all_that_differs() -> None:
    w = vg.parameter("w", (2,))
    h = vg.exp(w, name="h")
    d = vg.Graph("g", {"y": h}).diff(vg.Graph("g", {"y": h}, updates={w: h}))
    assert d and str(d).splitlines() == ["g: other results", "  ...", "  %h: f32[2] = exp(%w)",
                                         "+ update %w = %h"]  # fmt: skip


def test_every_stage_can_be_compared_with_the_one_before() -> None:
    x, y = vg.input("x", ("N", 4)), vg.input("y", ("N",), dtype="i64")
    scores = vg.dense(vg.relu(vg.dense(x, 4)), 3)
    g = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    stages = list(vg.compile(g, optimizer=vg.Adam(lr=0.1)).stages.items())
    found = {name: old.diff(new) for (_, old), (name, new) in pairwise(stages)}
    differentiated, fused = found["differentiate"], found["fuse_linear_relu"]
    assert not differentiated.removed and not differentiated.rewritten
    removed = [n.op.name for n in fused.removed]
    assert removed == ["relu"] and "linear_relu" in {n.op.name for n in fused.rewritten}
    for d in found.values():
        known = {*d.b.nodes} - {*d.added}
        assert known == set(d.twins) and set(d.twins.values()) == {*d.a.nodes} - {*d.removed}


def test_the_picture_marks_what_changed_by_sign_and_colour() -> None:
    dot = BEFORE.diff(AFTER).to_dot()
    nodes = [line.strip() for line in dot.splitlines() if " [label=" in line]
    lines = {line.split(" ")[0].strip('"'): line for line in nodes}
    assert "+ more" in lines["more"] and "#b7e4b9" in lines["more"]
    assert "- h.relu" in lines["h.relu"] and "dashed" in lines["h.relu"]
    assert "~ h" in lines["h"] and "#ffd98a" in lines["h"]
    assert "#f4f4f4" in lines["u"]


def test_what_a_change_does_not_touch_is_left_out_and_counted() -> None:
    names = [f"n{k}" for k in range(6)]
    n = vg.input("x", ("N",))
    for name in names:
        n = vg.exp(n, name=name)
    a, b = vg.Graph("g", {"y": n}), vg.Graph("g", {"y": n, "z": vg.tanh(n, name="z")})
    dot = a.diff(b).to_dot()
    assert "left out: 6 nodes that are the same" in dot and "n1" not in dot


def test_a_difference_to_what_is_no_graph_is_an_error() -> None:
    with pytest.raises(vg.GraphError, match="diff: the other is 3, where a graph is expected"):
        BEFORE.diff(3)  # type: ignore[arg-type]


@pytest.mark.skipif(next(rendering.engines(), None) is None, reason="no Graphviz program is here")
def test_a_difference_writes_its_picture_to_a_file(tmp_path: Path) -> None:
    d = BEFORE.diff(AFTER)
    d.to_svg(tmp_path / "d.svg")
    assert (tmp_path / "d.svg").read_text(encoding="utf-8") == d.to_svg()
