"""The page in a real browser, of nets without a loss, without layers, and with much at zero."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from browsing import Browse, band, node, section

import verigrad as vg


def test_kernel_and_buffer_are_those_of_the_planned_step(browse: Browse, course: Path) -> None:
    page = browse(course, "stage=inference%2Fschedule&node=fc2.relu")
    told = page.locator("#details").inner_text()
    assert section(page, "Lineage").count() == 1
    assert "kernel call" not in told and "measured" not in told and "arena" not in told
    page = browse(course, "stage=declared&node=fc2.relu")
    assert "kernel call" in section(page, "Lineage").inner_text()


def test_why_a_relu_behind_another_op_was_not_fused(browse: Browse, tmp_path: Path) -> None:
    x, y = vg.input("x", ("N", 4)), vg.input("y", ("N",), dtype="i64")
    h = vg.relu(vg.dense(x, 4, name="fc1") + x, name="joined")
    scores = vg.dense(h, 3, name="fc2")
    net = vg.Graph("residual", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    vg.compile(net).report(tmp_path / "report.html")
    page = browse(tmp_path / "report.html", "stage=fuse_linear_relu&node=joined")
    assert "refused: not fused: %fc1.add is add, not linear" in section(page, "Why").inner_text()


def test_what_has_no_layer_is_no_loss_where_there_is_none(browse: Browse, tmp_path: Path) -> None:
    x = vg.input("x", ("N", 4))
    vg.compile(vg.Graph("bare", {"x": x})).report(tmp_path / "report.html")
    page = browse(tmp_path / "report.html")
    assert node(page, "x").count() == 1
    assert band(page, "loss").count() == 0
    assert "Memory" not in page.get_by_role("tab").all_inner_texts()


def test_the_head_of_a_layer_lies_in_its_band(browse: Browse, course: Path) -> None:
    page = browse(course, "stage=inference%2Ffuse_linear_relu")
    page.locator("#fold-button").click()
    for head in page.locator("#graph1 .bandhead").all():
        frame, text = head.locator("rect").bounding_box(), head.locator("text").bounding_box()
        assert text["x"] + text["width"] <= frame["x"] + frame["width"]


def test_only_what_is_computed_is_remarked_as_zero(browse: Browse, tmp_path: Path) -> None:
    """Labels, one-hot rows and the gradient of a single class are mostly zeros by their nature."""
    x, y = vg.input("x", ("N", 20)), vg.input("y", ("N",), dtype="i64")
    dead = vg.relu(vg.dense(x, 8, name="fc1") - 100.0, name="dead")
    scores = vg.dense(dead, 20, name="fc2")
    net = vg.Graph("odd", loss=vg.softmax_cross_entropy(scores, y))
    feeds = {"x": np.eye(4, 20, dtype="f4"), "y": np.zeros(4, np.int64)}
    vg.compile(net).report(tmp_path / "report.html", feeds)
    page = browse(tmp_path / "report.html", "stage=differentiate")
    assert "mostly zeros" in node(page, "dead").get_attribute("aria-label")
    for name in ("x", "y", "fc2.log_softmax.grad"):
        assert "mostly zeros" not in node(page, name).get_attribute("aria-label")


def test_a_single_call_and_a_long_name_cover_nothing(browse: Browse, tmp_path: Path) -> None:
    name = "a_layer_of_a_long_name" * 12
    net = vg.Graph("odd", {"y": vg.relu(vg.dense(vg.input("x", ("N", 3)), 2, name=name))})
    vg.compile(net).report(tmp_path / "report.html")
    page = browse(tmp_path / "report.html")
    peak = page.locator(".peaktext").bounding_box()
    for tick in page.locator("svg.memory .tick").all():
        box = tick.bounding_box()
        beside = peak["x"] >= box["x"] + box["width"]
        assert beside or peak["y"] + peak["height"] <= box["y"], tick.text_content()
    head = page.locator("#graph1 .bandhead").last
    frame, text = head.locator("rect").bounding_box(), head.locator("text").bounding_box()
    assert text["x"] + text["width"] <= frame["x"] + frame["width"]


def test_a_line_that_is_not_known_is_no_empty_box(browse: Browse, tmp_path: Path) -> None:
    made: dict[str, vg.Node] = {}
    exec("y = vg.relu(vg.input('x', ('N', 3)))", {"vg": vg}, made)
    vg.compile(vg.Graph("odd", {"y": made["y"]})).report(tmp_path / "report.html")
    page = browse(tmp_path / "report.html", "stage=declared&node=y")
    assert all(text for text in page.locator("#details code").all_inner_texts())
