"""A real browser, and the pages that it opens; skipped where there is none (`make test-page`)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import Browse

import verigrad as vg


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, without a window."""
    sync_api = pytest.importorskip("playwright.sync_api")
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("there is no Chromium")
    # It refuses to run as root in its sandbox, as in a container.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def browse(chromium: Any) -> Iterator[Browse]:
    """Opens a file at a fragment; no page that it opened may complain or ask for anything."""
    told: list[str] = []
    contexts = []

    def opened(path: Path, fragment: str = "", **options: Any) -> Any:
        size = {"width": 1600, "height": 1000}
        context = chromium.new_context(**{"viewport": size, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(5000)
        address = path.as_uri()
        page.on("console", lambda m: told.append(f"console: {m.text}"))
        page.on("pageerror", lambda e: told.append(f"error: {e}"))
        page.on(
            "request",
            lambda r: r.url.split("#")[0] == address or told.append(f"request: {r.url}"),
        )
        page.goto(f"{address}#{fragment}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert told == []


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a small net that was trained, with all that a page can show; one of its relus
    cannot be fused, as what it is of is read twice."""
    x, y = vg.input("x", ("N", 12)), vg.input("y", ("N",), dtype="i64")
    h = vg.relu(vg.dense(x, 16, name="fc1"))
    before = vg.dense(h, 16, name="fc2")
    scores = vg.dense(vg.relu(before) + before, 3, name="fc3")
    net = vg.Graph("course", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    options: dict[str, Any] = {"optimizer": vg.Momentum(lr=0.05), "regularizer": vg.L2(1e-3)}
    program = vg.compile(net, certify=True, **options)
    rng = np.random.default_rng(1)
    data = rng.normal(size=(40, 12)).astype("f4"), rng.integers(0, 3, 40)
    history = vg.fit(program, data, epochs=2, batch_size=10, validation=data)
    feeds = {"x": data[0][:10], "y": data[1][:10]}
    path = tmp_path_factory.mktemp("pages") / "course.html"
    check = vg.gradcheck(net, feeds)
    profile = program.profile(feeds, steps=2)
    program.report(path, feeds, history=history, gradcheck=check, profile=profile)
    return path


@pytest.fixture(scope="session")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a net whose compiled graph has more than 300 nodes."""
    x, y = vg.input("x", ("N", 8)), vg.input("y", ("N",), dtype="i64")
    h = vg.relu(vg.dense(x, 8, name="stem"))
    for k in range(10):
        h = vg.relu(h + vg.dense(h, 8, name=f"block{k}"))
    scores = vg.dense(h, 3, name="head")
    net = vg.Graph("deep", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    program = vg.compile(net, optimizer=vg.Adam(lr=0.01), regularizer=vg.L2(1e-3))
    path = tmp_path_factory.mktemp("pages") / "deep.html"
    program.report(path)
    return path
