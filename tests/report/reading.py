"""A net, and reading its report back: the data of a page, and what stands in it by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

import verigrad as vg

Data = dict[str, Any]
FEEDS = {
    "x": np.random.default_rng(0).standard_normal((20, 6)).astype(np.float32),
    "y": np.random.default_rng(0).integers(0, 3, 20),
}


def two_layer(
    read_twice: bool = False, activation: Callable[[vg.Node], vg.Node] = vg.relu
) -> vg.Graph:
    x = vg.input("x", ("N", 6))
    y = vg.input("y", ("N",), dtype="i64")
    fc1 = vg.dense(x, 5, name="fc1")
    scores = vg.dense(activation(fc1), 3, name="fc2")
    outputs = {"scores": scores, **({"before": vg.exp(fc1)} if read_twice else {})}
    return vg.Graph("two_layer", outputs, loss=vg.softmax_cross_entropy(scores, y))


class Scripts(HTMLParser):
    """The text of the element that holds the data, as a browser finds it."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = False
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag == "script" and ("id", "data") in attrs

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts.append(data)


def data_in(path: Path) -> Data:
    """The data of a page."""
    scripts = Scripts()
    scripts.feed(path.read_text(encoding="utf-8"))
    (text,) = scripts.texts
    data: Data = json.loads(text)
    return data


class Page:
    """The data of a program's page, its stages whole, and their nodes by name."""

    def __init__(self, program: vg.Program, folder: Path, **told: Any) -> None:
        self.path = folder / "report.html"
        program.report(self.path, told.pop("feeds", None), **told)
        self.data = data_in(self.path)
        self.text = self.path.with_suffix(".txt").read_text(encoding="utf-8")
        self.stages: list[Data] = self.data["stages"]
        for stage in self.stages:
            if "same" in stage:
                whole = self.stages[stage["same"]]
                stage |= {k: whole[k] for k in ("nodes", "outputs", "updates", "layers")}

    def stage(self, name: str, pipeline: str = "training") -> Data:
        (found,) = [s for s in self.stages if (s["name"], s["pipeline"]) == (name, pipeline)]
        return found

    def id(self, name: str, stage: str, pipeline: str = "training") -> int:
        (found,) = [n["id"] for n in self.stage(stage, pipeline)["nodes"] if n["name"] == name]
        return int(found)

    def node(self, number: int) -> Data:
        found: Data = self.data["nodes"][number]
        return found

    def name(self, number: int) -> str:
        """The name of a node where it first stands."""
        rows = [n for s in self.stages for n in s["nodes"]]
        return str(next(n["name"] for n in rows if n["id"] == number))

    def lineage(self, number: int, pipeline: str = "training") -> list[tuple[str, int, str]]:
        """What became of a node, to the last of it, by stages of one pipeline."""
        found, at = [], -1
        while True:
            steps = self.data["lineage"].get(str(number), [])
            ours = [s for s in steps if s[3] > at and self.stages[s[3]]["pipeline"] == pipeline]
            if not ours:
                return found
            # A node that stays, and is read through another, is followed as itself.
            stage, number, why, at = ours[0]
            found.append((stage, number, why))
