"""What holds of the page in a real browser: its address, its colours, who can use it, its size."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import Browse, node, press, selected, stage

import verigrad as vg
from verigrad.runtime.report.page import filled

HOSTILE = "</script><img src=x onerror=alert(1)>'\"&amp;🔥<!--"
VIEWS = (
    "stage=fuse_linear_relu&node=fc1",
    "stage=fuse_linear_relu&node=fc1&side=1&tab=values",
    "stage=fuse_linear_relu&view=text&tab=profile&side=1",
    "stage=attach_optimizer&tab=loss&fold=layer+fc1",
    "stage=differentiate&tab=gradcheck&node=fc2.relu",
    "stage=schedule&tab=certificate",
)


def data_of(path: Path) -> Any:
    found = re.search(r'id="data">(.*?)</script>', path.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return json.loads(found[1])


def test_the_address_restores_what_is_shown(browse: Browse, course: Path) -> None:
    page = browse(course, "stage=fuse_linear_relu")
    node(page, "fc1").click()
    press(page, "s", "b", "d")
    page.get_by_role("tab", name="Loss").click()
    page.locator("#graph1 .bandhead[aria-label^='fc3: ']").click()
    again = browse(course, page.url.split("#")[1])
    for asked in ("stage", "node", "view", "side", "tab", "bookkeeping", "theme"):
        assert again.evaluate(f"page.state.{asked}") == page.evaluate(f"page.state.{asked}")
    assert again.locator("#panes").aria_snapshot() == page.locator("#panes").aria_snapshot()
    assert again.locator("#details").inner_text() == page.locator("#details").inner_text()
    assert again.url == page.url
    page.evaluate("location.hash = '#stage=declared&node=fc3'")
    page.wait_for_function("page.state.stage === 'declared'")
    assert stage(page) == "declared" and selected(page) == "fc3"


@pytest.mark.parametrize("fragment", ["stage=no", "stage=declared&node=no&tab=no&other=no", "%%%"])
def test_an_address_that_says_what_is_not_there(
    browse: Browse, course: Path, fragment: str
) -> None:
    page = browse(course, fragment)
    assert stage(page) and selected(page) is None


def test_it_is_light_or_dark(browse: Browse, course: Path) -> None:
    ground = "getComputedStyle(document.querySelector('#left')).backgroundColor"
    light = browse(course, color_scheme="light")
    dark = browse(course, color_scheme="dark")
    assert light.evaluate(ground) == "rgb(255, 255, 255)" != dark.evaluate(ground)
    light.get_by_role("button", name="light or dark").click()
    assert light.evaluate(ground) == dark.evaluate(ground)
    assert "theme=dark" in light.url


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_no_fault(browse: Browse, course: Path, view: str, theme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = browse(course, f"{view}&theme={theme}")
    assert axe.run(page).response["violations"] == []
    press(page, "?")
    assert page.get_by_role("dialog").is_visible()
    assert axe.run(page).response["violations"] == []


def test_all_is_reached_by_tab(browse: Browse, course: Path) -> None:
    page = browse(course, "stage=schedule&node=fc1")
    reached = set()
    for _ in range(200):
        press(page, "Tab")
        what = "document.activeElement.closest('header, nav, main, aside, [role=tablist], .panel')"
        reached.add(page.evaluate(f"{what}?.id || {what}?.className || ''"))
        seen = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert seen == "solid" or page.evaluate("document.activeElement.matches('body, rect')")
    assert {"bar", "left", "panes", "details", "tabs", "panel-memory"} <= reached


def test_the_plan_shows_what_is_alive(browse: Browse, course: Path) -> None:
    page = browse(course)
    plan = data_of(course)["plan"]
    peak = plan["peak"]["call"]
    alive = [b for b in plan["buffers"] if b["first"] <= peak <= b["last"]]
    assert sum(b["size"] for b in alive) == plan["peak"]["bytes"]
    assert page.locator("#panel-memory .side tbody tr").count() == len(alive)
    buffer = page.locator(".buffer[aria-label^='%fc1: ']")
    buffer.hover()
    assert page.locator("#buffer-told").inner_text().startswith("%fc1: 640 B at ")
    buffer.click()
    assert selected(page) == "fc1"
    assert "selected" in buffer.get_attribute("class")
    page.locator(".buffer[tabindex='0']").focus()
    press(page, "ArrowRight")
    assert page.locator("#buffer-told").inner_text() == page.evaluate(
        "document.activeElement.getAttribute('aria-label')"
    )


def test_tabs_tell_of_times_losses_checks_and_values(browse: Browse, course: Path) -> None:
    page = browse(course)
    names = page.get_by_role("tab").all_inner_texts()
    assert names == ["Memory", "Profile", "Loss", "Gradient check", "Values", "Certificate"]
    page.get_by_role("tab", name="Memory").focus()
    for name in names[1:]:
        press(page, "ArrowRight")
        assert page.get_by_role("tabpanel", name=name).is_visible()
    assert "proved" in page.get_by_role("tabpanel").inner_text()
    values = page.locator("#panel-values tbody tr th").all_text_contents()
    assert values == ["fc1", "fc2", "fc3"]
    page.get_by_role("tab", name="Certificate").click()
    assert page.get_by_role("tabpanel").count() == 0
    bare = vg.compile(vg.Graph("bare", {"y": vg.relu(vg.input("x", ("N", 2)))}))
    path = course.with_name("bare.html")
    bare.report(path)
    page = browse(path)
    assert "Loss" not in page.get_by_role("tab").all_inner_texts()


def test_where_gradients_vanish(browse: Browse, tmp_path: Path) -> None:
    x, y = vg.input("x", ("N", 8)), vg.input("y", ("N",), dtype="i64")
    h = x
    for k in range(8):
        h = vg.sigmoid(vg.dense(h, 8, name=f"fc{k}"))
    net = vg.Graph("deep", loss=vg.softmax_cross_entropy(vg.dense(h, 3, name="out"), y))
    feeds = {"x": np.linspace(-900, 900, 64).reshape(8, 8).astype("f4"), "y": np.arange(8) % 3}
    path = tmp_path / "report.html"
    vg.compile(net).report(path, feeds)
    page = browse(path, "tab=values&stage=declared")
    rows = page.locator("#panel-values tbody tr").all_inner_texts()
    assert [r.split()[0] for r in rows] == [*(f"fc{k}" for k in range(8)), "out"]
    assert "gradient vanishes" in rows[0] and "saturated" in rows[0]
    assert "gradient vanishes" not in rows[-2]
    assert "saturated" in node(page, "fc0.sigmoid").get_attribute("aria-label")


def test_hostile_names_stay_text(browse: Browse, course: Path, tmp_path: Path) -> None:
    def changed(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: changed(v) for k, v in value.items()}
        if isinstance(value, list):
            return [changed(v) for v in value]
        return value.replace("fc1", HOSTILE) if isinstance(value, str) else value

    path = tmp_path / "hostile.html"
    path.write_text(filled({**changed(data_of(course)), "graph": HOSTILE}), encoding="utf-8")
    page = browse(path)
    assert page.locator("h1").inner_text() == HOSTILE
    press(page, "/")
    page.keyboard.type(HOSTILE)
    press(page, "Enter")
    assert HOSTILE in page.locator("#details h2").inner_text()
    again = browse(path, page.url.split("#")[1])
    assert again.locator("#details").inner_text() == page.locator("#details").inner_text()
    for key in "tsgnx":
        press(page, key)
    assert page.locator("img, iframe").count() == 0
    assert page.locator("script").count() == 2


def test_three_hundred_nodes_answer_at_once(browse: Browse, deep: Path) -> None:
    """In processor time of the page's thread, which other work on the machine does not lengthen."""
    page = browse(deep)
    assert page.evaluate("page.stage.nodes.length") >= 300
    press(page, "x")
    assert page.locator("#graph1 [data-id]").count() > 200
    meter = page.context.new_cdp_session(page)
    meter.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        frame = "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
        page.evaluate(frame)
        metrics = meter.send("Performance.getMetrics")["metrics"]
        return float(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))

    took: list[tuple[str, float]] = []
    for key in "kkjjnnstgsxxff":
        before = spent()
        press(page, key)
        took.append((key, round(1e3 * (spent() - before))))
    print("milliseconds:", took)
    assert max(ms for _, ms in took) < 300


def test_it_prints_all_panels(browse: Browse, course: Path) -> None:
    page = browse(course, "theme=dark")
    page.emulate_media(media="print")
    assert page.locator(".panel:visible").count() == 6
    assert not page.locator("#tabs").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_beside_its_data_it_is_small() -> None:
    """At most 150 kB, with no address of anything to load."""
    page = filled({})
    assert len(page.encode()) < 150_000
    links = set(re.findall(r"https?://[^\s\"']+", page))
    assert links <= {"http://www.w3.org/2000/svg"}  # a name, from where nothing is loaded
    assert "innerHTML" not in page
