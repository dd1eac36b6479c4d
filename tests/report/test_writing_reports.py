"""Where a report is written, what it may hold, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reading import Page, data_in

import verigrad as vg
from verigrad.graph.errors import WriteError
from verigrad.runtime.profiling.report import KernelRow

HOSTILE = "</script><!-- <script> \"'\\ &amp; \u2028 é 😀 \ud83d"


def net(name: str = "net") -> vg.Graph:
    x, y = vg.input("x", ("N", 6)), vg.input("y", ("N",), dtype="i64")
    h = vg.relu(vg.dense(x, 5, name="fc1"))  # </script><script>alert("é😀")</script>
    return vg.Graph(name, loss=vg.softmax_cross_entropy(vg.dense(h, 3, name="fc2"), y))


PROGRAM = vg.compile(net(), optimizer=vg.SGD(0.1), certify=True)
FEEDS = {"x": np.ones((4, 6), np.float32), "y": np.array([0, 1, 2, 0])}


@dataclass(frozen=True)
class SaysSomethingHostile(vg.Pass):
    """A pass </script> whose reasons are what they are."""

    name = "says_something_hostile"

    def rewrites(self, g: vg.Graph) -> Iterator[vg.Refused]:
        yield vg.Refused(g.order[0], HOSTILE)


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    pipeline = vg.TRAINING.insert(SaysSomethingHostile(), after="simplify")
    page = Page(vg.compile(net(), optimizer=vg.SGD(0.1), pipeline=pipeline), tmp_path)
    (refused,) = page.stage("says_something_hostile")["refused"]
    assert refused["reason"] == HOSTILE
    relu = page.node(page.id("fc1.relu", "declared"))
    assert relu["where"]["code"].endswith('# </script><script>alert("é😀")</script>')
    written = page.path.read_text(encoding="utf-8").split('id="data">')[1].split("</script>")[0]
    assert json.loads(written) == data_in(page.path)
    assert "<" not in written and written.isascii()


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    text = Page(PROGRAM, tmp_path).path.read_text(encoding="utf-8")
    markup = re.sub(r'<script type="application/json".*?</script>', "", text, flags=re.DOTALL)
    assert not re.search(
        r"""(?:href|src)=["'](?!data:|#)|@import|\bfetch\(|https?://(?!www\.w3)""", markup
    )
    assert not re.search(r"/\*(CSS|JS|DATA)\*/", text)


def test_the_same_program_gives_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        PROGRAM.report(tmp_path / folder / "report.html", FEEDS)
    for name in ("report.html", "report.txt"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_equal_programs_give_the_same_text(tmp_path: Path) -> None:
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for path in paths:
        vg.compile(net(), optimizer=vg.SGD(0.1), certify=True).report(path, FEEDS)
    a, b = (path.read_text() for path in paths)
    assert a == b
    assert " ms" not in a and str(tmp_path) not in a


def test_the_text_says_what_the_page_says(tmp_path: Path) -> None:
    page = Page(PROGRAM, tmp_path, feeds=FEEDS)
    assert page.text.startswith("report of net, N=4; verigrad ")
    assert "certificate: proved" in page.text
    assert str(PROGRAM.training).replace("\n", "\n  ").splitlines()[1].strip() in page.text
    assert "%fc1.relu -> %fc1: %fc1 is read by %fc1.relu alone" in page.text
    assert re.search(r"^  fc1\.weight\.grad +\S", page.text, re.MULTILINE)
    plan = page.data["plan"]
    assert f"call {plan['peak']['call']}: {plan['peak']['bytes']:,}" in page.text


def test_a_txt_is_the_text_alone(tmp_path: Path) -> None:
    PROGRAM.report(tmp_path / "report.txt")
    assert [p.name for p in tmp_path.iterdir()] == ["report.txt"]
    PROGRAM.report(tmp_path / "other.html")
    assert (tmp_path / "other.txt").read_text() == (tmp_path / "report.txt").read_text()


def test_the_state_is_as_it_was(tmp_path: Path) -> None:
    before = {k: v.tobytes() for k, v in {**PROGRAM.parameters, **PROGRAM.state}.items()}
    PROGRAM.report(tmp_path / "report.html", FEEDS)
    assert {k: v.tobytes() for k, v in {**PROGRAM.parameters, **PROGRAM.state}.items()} == before


# ---- what was measured -------------------------------------------------------------------------


def test_runs_checks_and_profiles_are_on_the_page(tmp_path: Path) -> None:
    program = vg.compile(net(), optimizer=vg.SGD(0.1))
    history = vg.fit(program, FEEDS, validation=FEEDS, epochs=3, batch_size=2)
    check = vg.gradcheck(net(), FEEDS)
    row = KernelRow(0, "forward", "linear", ("fc1",), 10, 20, 1e-6, 2e-6)
    profile = vg.Profile("net", {"N": 4}, [row], 1e-3)
    page = Page(program, tmp_path, history=history, gradcheck=check, profile=profile)
    told = page.data["history"]
    assert told["loss"] == history.losses and told["every"] == 1
    assert told["validation"] == [[r.step, r.validation_loss] for r in history]
    assert page.data["gradcheck"]["verdict"] == "PASS"
    assert [r["name"] for r in page.data["gradcheck"]["rows"]] == list(program.parameters)
    assert page.data["profile"]["step"] == profile.step
    calls = page.data["plan"]["calls"]
    assert [(c["measured"], c["predicted"]) for c in calls[:2]] == [(2e-6, 1e-6), (None, None)]
    assert "PASS" in page.text and "validation" in page.text


def test_a_check_that_failed_is_on_the_page(tmp_path: Path) -> None:
    check = vg.GradcheckReport("net", (), 1e-6, ("%fc1",))
    assert not check
    page = Page(PROGRAM, tmp_path, gradcheck=check)
    assert page.data["gradcheck"]["verdict"] == "FAIL" and "guilty: %fc1" in page.text


def test_a_long_run_is_told_by_means(tmp_path: Path) -> None:
    history = vg.History((), [float(k) for k in range(5001)])
    told = Page(PROGRAM, tmp_path, history=history).data["history"]
    assert told["every"] == 3 and len(told["loss"]) == 1667
    assert told["loss"][0] == 1.0 and told["loss"][-1] == 4999.0


def test_a_loss_that_is_not_finite_is_none(tmp_path: Path) -> None:
    told = Page(PROGRAM, tmp_path, history=vg.History((), [1.0, float("nan")])).data["history"]
    assert told["loss"] == [1.0, None]


def test_a_pass_that_is_at_fault_has_no_badge_that_says_proved(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Wrong(vg.Pass):
        """Doubles every relu."""

        name = "doubles_every_relu"

        def rewrites(self, g: vg.Graph) -> Iterator[vg.Rewrite]:
            for n in g.order:
                if n.op.name == "relu":
                    yield vg.Rewrite(n, n * 2.0, "twice is better")

    pipeline = vg.TRAINING.insert(Wrong(), before="fuse_linear_relu")
    page = Page(vg.compile(net(), optimizer=vg.SGD(0.1), pipeline=pipeline, certify=True), tmp_path)
    assert page.data["certificate"]["verdict"] == "refuted"
    assert page.stage("doubles_every_relu")["certificate"] == "refuted"
    assert "proved" not in {s["certificate"] for s in page.stages}


def test_badges_stand_at_what_may_not_change_the_meaning(tmp_path: Path) -> None:
    page = Page(PROGRAM, tmp_path)
    assert page.stage("fuse_linear_relu")["certificate"] == "proved"
    assert page.stage("differentiate")["certificate"] == ""
    assert page.stage("fuse_linear_relu", "inference")["certificate"] == ""
    unchecked = vg.compile(net(), optimizer=vg.SGD(0.1), certify=False)
    assert Page(unchecked, tmp_path).data["certificate"] is None


# ---- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["report", "report.pdf", "report.html.gz", "", ".html"])
def test_an_ending_that_is_not_known_is_an_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(vg.RunError, match=r"report\.html for the page"):
        PROGRAM.report(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(vg.RunError, match="cannot be written"):
        PROGRAM.report(tmp_path / "nowhere" / "report.html")


def test_a_disk_too_full_for_the_page_gets_no_text_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nearly_full(path: Path, data: bytes) -> int:
        if b"<html" in data:
            raise OSError(28, "No space left on device")
        return write(path, data)

    write = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", nearly_full)
    with pytest.raises(WriteError, match="No space left on device"):
        PROGRAM.report(tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "report.html").write_text("before")
    (tmp_path / "report.txt").write_text("before")

    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WriteError, match="No space left on device"):
        PROGRAM.report(tmp_path / "report.html")
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {
        "report.html": "before",
        "report.txt": "before",
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"history": [1.0]}, "what vg.fit returns"),
        ({"gradcheck": True}, "what vg.gradcheck returns"),
        ({"profile": "fast"}, "what program.profile returns"),
        ({"sizes": {"M": 3}}, "there is no symbol 'M'"),
        ({"sizes": {"N": -3}}, "whole number"),
        ({"sizes": 3}, "sizes such as"),
        ({"feeds": {"x": FEEDS["x"]}}, "input 'y' is not fed"),
        ({"feeds": FEEDS, "sizes": {"N": 5}}, "sizes says N=5, and what is fed has N=4"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(vg.RunError, match=re.escape(words)):
        PROGRAM.report(tmp_path / "report.html", given.pop("feeds", None), **given)
    assert list(tmp_path.iterdir()) == []
