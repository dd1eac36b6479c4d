"""The page in a real browser: stages, nodes, lineage and search, by mouse and by keyboard."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from browsing import LEFT, MINUS, Browse, band, ghost, node, press, section, selected, stage


def keys_of(page: Any) -> list[str]:
    keys: list[str] = page.evaluate("page.model.stages.map((s) => s.key)")
    return keys


def test_it_opens_at_the_last_stage_of_training(browse: Browse, course: Path) -> None:
    page = browse(course)
    assert page.title() == "course · verigrad"
    assert stage(page) == "schedule"
    assert page.locator("#verdict").inner_text() == "✓ proved"
    assert node(page, "fc1").count() == 1


def test_keys_step_through_all_stages(browse: Browse, course: Path) -> None:
    page = browse(course, "stage=declared")
    keys = keys_of(page)
    assert "fuse_linear_relu" in keys and "inference/declared" in keys
    seen = [stage(page)]
    for _ in keys[1:]:
        press(page, "j")
        seen.append(stage(page))
        assert f"stage={seen[-1].replace('/', '%2F')}" in page.url
    assert seen == keys
    press(page, "j")  # there is no other
    assert stage(page) == keys[-1]
    for _ in keys[1:]:
        press(page, "k")
    assert stage(page) == keys[0]


def test_stages_that_changed_nothing_are_one_line(browse: Browse, course: Path) -> None:
    page = browse(course)
    quiet = page.locator("#stages .quiet").first
    assert re.search(r"\d+ pass(es)? changed nothing", quiet.inner_text())
    before = page.locator("#stages [data-stage]").count()
    quiet.click()
    assert page.locator("#stages [data-stage]").count() > before
    assert page.locator("#stages .quiet").first.get_attribute("aria-expanded") == "true"


def test_a_stage_tells_what_it_did(browse: Browse, course: Path) -> None:
    page = browse(course)
    text = page.locator("[data-stage=fuse_linear_relu]").inner_text()
    assert f"{MINUS}1" in text and "~1" in text and "✓" in text
    assert re.search(r"\d (µs|ms|s)", text)


def test_a_node_tells_its_lineage_through_all_stages(browse: Browse, course: Path) -> None:
    page = browse(course)
    node(page, "fc1").click()
    assert page.locator("#details h2").inner_text() == "%fc1"
    lineage = section(page, "Lineage")
    text = lineage.inner_text()
    for part in ("declared %fc1", "declared %fc1.relu", "differentiate", "fuse_linear_relu %fc1"):
        assert part in text
    assert re.search(r"kernel call #\d+", text) and re.search(r"buffer [\d,]+:[\d,]+", text)

    lineage.get_by_role("button", name="declared").nth(1).click()
    assert stage(page) == "declared" and selected(page) == "fc1.relu"
    section(page, "Lineage").get_by_role("button", name="fuse_linear_relu").click()
    assert stage(page) == "fuse_linear_relu" and selected(page) == "fc1"


def test_a_node_is_followed_over_stages(browse: Browse, course: Path) -> None:
    page = browse(course, "stage=schedule&node=fc1")
    while stage(page) != "declared":
        press(page, "k")
        assert selected(page) in ("fc1", "fc1.relu")
    while stage(page) != "schedule":
        press(page, "j")
    assert selected(page) == "fc1"


def test_why_a_relu_was_not_fused(browse: Browse, course: Path) -> None:
    page = browse(course, "stage=fuse_linear_relu")
    node(page, "fc2.relu").click()
    why = section(page, "Why")
    assert "refused" in why.inner_text() and "fc2" in why.inner_text()
    why.get_by_role("button", name="fuse_linear_relu").first.click()
    assert stage(page) == "fuse_linear_relu"


def test_a_node_leads_to_its_gradient_and_back(browse: Browse, course: Path) -> None:
    page = browse(course, "stage=differentiate&node=fc1.weight")
    edges = section(page, "Edges")
    edges.locator("dt", has_text=re.compile("^gradient$")).locator("+ dd button").first.click()
    assert selected(page) == "fc1.weight.grad"
    back = section(page, "Edges").locator("dt", has_text="gradient of")
    back.locator("+ dd button", has_text=re.compile("^%fc1.weight$")).click()
    assert selected(page) == "fc1.weight"


def test_a_node_tells_line_formula_cost_and_values(browse: Browse, course: Path) -> None:
    page = browse(course, "stage=declared&node=fc1")
    assert "vg.dense(x, 16" in section(page, "Your line").inner_text()
    told = section(page, "What it computes").inner_text()
    assert "x weight + bias" in told and "Gradient rule" in told and "dy" in told
    assert re.search(r"flops\s+[\d,]+", section(page, "Size and time").inner_text())
    values = section(page, "Values in one batch")
    assert values.get_by_role("img").count() == 1 and "mean" in values.inner_text()
    page = browse(course, "stage=schedule&node=fc1")
    assert re.search(r"measured\s+\d", section(page, "Size and time").inner_text())


def test_search_finds_nodes_and_reasons(browse: Browse, course: Path) -> None:
    page = browse(course)
    press(page, "/")
    page.keyboard.type("fc2 linear")
    options = page.locator("#found [role=option]")
    assert options.count() >= 1
    press(page, "Enter")
    assert selected(page) == "fc2"
    press(page, "/")
    page.keyboard.type("fuse_linear_relu fc2.relu")
    press(page, "Enter")
    assert "refused" in section(page, "Why").inner_text()
    press(page, "/")
    page.keyboard.type("nothing is called so")
    assert "nothing found" in page.locator("#found").inner_text()
    press(page, "Escape")
    assert not page.locator("#found").is_visible()


def test_changes_are_walked_from_stage_to_stage(browse: Browse, course: Path) -> None:
    page = browse(course, "stage=declared")
    seen = set()
    for _ in range(12):
        press(page, "n")
        seen.add(stage(page))
        assert re.search("added|removed|rewritten", page.locator("#details .tag").inner_text())
    assert len(seen) > 1


def test_layers_fold_and_open_at_a_click(browse: Browse, course: Path) -> None:
    page = browse(course)
    assert band(page, "fc1").get_attribute("aria-expanded") == "true"
    band(page, "fc1").click()
    assert band(page, "fc1").get_attribute("aria-expanded") == "false"
    assert node(page, "fc1").count() == 0 and node(page, "fc3").count() == 1
    assert re.search(r"\d+ ops · .+B · 208 parameters", band(page, "fc1").text_content())
    press(page, "Enter")  # the head has the cursor
    page.locator("#graph1").focus()
    press(page, "Enter")
    assert node(page, "fc1").count() == 1
    press(page, "x")
    assert page.locator("#graph1 [data-id]").count() == 0
    press(page, "x")
    assert node(page, "fc1").count() == 1


def test_arrows_walk_along_edges(browse: Browse, course: Path) -> None:
    page = browse(course, "stage=declared&node=fc1")
    page.locator("#graph1").focus()
    press(page, "ArrowDown")
    assert selected(page) == "fc1.relu"
    press(page, "ArrowDown")
    assert selected(page) == "fc2"
    press(page, "ArrowUp", "ArrowUp")
    assert selected(page) == "fc1"
    press(page, "ArrowLeft")
    assert selected(page) in ("fc1.weight", "fc1.bias")
    assert page.locator("#graph1").get_attribute("aria-activedescendant")
    press(page, "Escape")
    assert selected(page) is None


def test_two_stages_side_by_side_select_the_same(browse: Browse, course: Path) -> None:
    page = browse(course, "stage=fuse_linear_relu")
    press(page, "s")
    assert page.locator(".pane").count() == 2
    node(page, "fc1").click()
    assert selected(page, LEFT) in ("fc1", "fc1.relu")
    node(page, "fc1.relu", LEFT).click()
    assert selected(page, LEFT) == "fc1.relu" and selected(page) == "fc1"
    press(page, "+")
    views = page.evaluate("page.panes.shown.map((pane) => pane.scene.getAttribute('transform'))")
    assert views[0] == views[1]
    page.get_by_label("stage on the left").select_option("declared")
    assert page.locator(LEFT).get_attribute("aria-label") == "graph of stage declared"
    assert "other=declared" in page.url


def test_changes_are_told_apart_without_colour(browse: Browse, course: Path) -> None:
    page = browse(course, "stage=fuse_linear_relu")
    assert node(page, "fc1").locator(".mark text").text_content() == "~"
    assert ghost(page, "fc1.relu").locator(".mark text").text_content() == MINUS
    assert ghost(page, "fc1").locator(".mark text").text_content() == MINUS
    press(page, "c")
    assert page.locator("#graph1 .mark").count() == 0


def test_a_stage_is_read_as_text(browse: Browse, course: Path) -> None:
    page = browse(course, "stage=fuse_linear_relu")
    press(page, "t")
    lines = page.locator("#text1 .line")
    assert lines.first.inner_text() == "graph course {"
    assert re.search(r"~ +%fc1: f32\[N,16\] = linear_relu", page.locator("#text1").inner_text())
    assert page.locator("#text1 .ghost").count() == 2
    page.locator("#text1 .line", has_text="= linear_relu").click()
    assert page.locator("#details h2").inner_text() == "%fc1"
    press(page, "g")
    assert selected(page) == "fc1"


def test_the_graph_is_zoomed_and_moved(browse: Browse, course: Path) -> None:
    page = browse(course)
    view = "(({x, y, k}) => [x, y, k])(page.panes.active.view)"
    _, _, first = page.evaluate(view)
    press(page, "+")
    assert page.evaluate(view)[2] > first
    press(page, "0")
    assert page.evaluate(view)[2] == 1
    box = page.locator("#graph1").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.wheel(0, -200)
    page.wait_for_function(f"{view}[2] > 1")
    x, y, _ = page.evaluate(view)
    page.mouse.down()
    page.mouse.move(box["x"] + 340, box["y"] + 230, steps=4)
    page.mouse.up()
    moved = page.evaluate(view)
    assert [moved[0] - x, moved[1] - y] == pytest.approx([40, 30])
    assert selected(page) is None  # a drag selects nothing
    press(page, "f")
    assert page.evaluate(view)[2] < 1
