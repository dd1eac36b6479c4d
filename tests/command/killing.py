"""Kills runs at every boundary of a write and goes on with them; prints what came out as JSON.

Run as a script, in a process that has one thread: each run is a fork of it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import verigrad as vg
from verigrad.graph.writing import write_whole
from verigrad.runtime.command import resume as resume_command
from verigrad.runtime.command import train as train_command
from verigrad.runtime.command import training_run
from verigrad.runtime.command.cli import cli
from verigrad.runtime.data.source import load_data
from verigrad.runtime.loading import load_run

TRAIN = (
    "train", "--hidden", 8, "--steps", 20, "--batch-size", 100, "--keep", 0.8, "--lr", 0.05,
    "--keep-best", "accuracy", "--early-stopping", 9, "--out",
)  # fmt: skip
WRITES = (
    (os, "fsync"), (Path, "write_bytes"), (Path, "write_text"),
    (Path, "chmod"), (Path, "replace"), (Path, "unlink"), (Path, "open"),
)  # fmt: skip


def die() -> None:
    """As an out-of-memory killer would have it."""
    os.kill(os.getpid(), signal.SIGKILL)


class Deadly:
    """Counts calls, and dies instead of the n-th, or in the middle of it where it writes."""

    def __init__(self, n: int, halfway: bool = False) -> None:
        self.left = n
        self.halfway = halfway

    def around(self, owner: Any, name: str) -> None:
        call = getattr(owner, name)

        def deadly(*args: Any, **given: Any) -> Any:
            self.left -= 1
            if not self.left:
                if self.halfway and name in ("write_bytes", "write_text"):
                    call(args[0], args[1][: len(args[1]) // 2], **given)
                die()
            return call(*args, **given)

        setattr(owner, name, deadly)


def child(action: Callable[[], None]) -> int:
    """Does it in a process of its own: its exit code, or minus the signal that killed it."""
    pid = os.fork()
    if not pid:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            action()
        except SystemExit as e:
            os._exit(int(e.code or 0))
        finally:
            os._exit(70)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def command(*arguments: object, arm: Callable[[], None] = lambda: None) -> int:
    """Runs verigrad in a child that was armed before."""

    def action() -> None:
        arm()
        cli([str(a) for a in arguments])

    return child(action)


def outcome(folder: Path) -> dict[str, Any]:
    """All that a run leaves, but for the seconds."""
    program, run = load_run(folder / "checkpoint.safetensors")
    assert run is not None
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    position = {
        **run.told["position"],
        "rows": [[*r[:6], *r[7:]] for r in run.told["position"]["rows"]],
    }
    values = {**program.parameters, **program.state, **run.arrays}
    return {
        "files": sorted(p.name for p in folder.iterdir()),
        "model": (folder / "model.safetensors").read_bytes().hex(),
        "config": (folder / "config.toml").read_text(),
        "rows": [{k: v for k, v in row.items() if k != "seconds"} for row in rows],
        "position": position,
        "callbacks": run.told["callbacks"],
        "values": {k: v.tobytes().hex() for k, v in values.items()},
    }


def differences(folder: Path, expected: dict[str, Any]) -> list[str]:
    """What a resumed run left otherwise than one that was never stopped."""
    found = outcome(folder)
    return [key for key in expected if found[key] != expected[key]]


def at_writes(folder: Path, halfway: bool, every: int = 1) -> dict[str, Any]:
    """Dies at every so-manieth call that writes, one run after another."""
    expected = reference(folder)
    told: dict[str, Any] = {"killed": 0, "unbegun": 0, "wrong": []}
    for n in range(1, 10_000, every):

        def arm(n: int = n) -> None:
            deadly = Deadly(n, halfway)
            for owner, name in WRITES:
                deadly.around(owner, name)

        out = folder / "killed"
        shutil.rmtree(out, ignore_errors=True)
        code = command(*TRAIN, out, arm=arm)
        if code == 0:
            return told
        told["killed"] += code == -signal.SIGKILL
        if not (out / "checkpoint.safetensors").exists():
            told["unbegun"] += 1
            if command("resume", out) != 2:
                told["wrong"].append([n, "resumed without a checkpoint"])
            continue
        vg.load(out / "checkpoint.safetensors")
        if command("resume", out) or differences(out, expected):
            told["wrong"].append([n, differences(out, expected)])
    raise AssertionError("the run never ended")


def at_steps(folder: Path, steps: list[int]) -> dict[str, Any]:
    """Dies after the given numbers of steps, one life after another, in one run."""
    expected = reference(folder)
    out = folder / "killed"
    codes = []
    for n in steps:

        def arm(n: int = n) -> None:
            Deadly(n).around(vg.Program, "_step")

        arguments = ("resume", out) if (out / "checkpoint.safetensors").exists() else (*TRAIN, out)
        codes.append(command(*arguments, arm=arm))
    codes.append(command("resume", out))
    return {"codes": codes, "wrong": differences(out, expected)}


def reference(folder: Path) -> dict[str, Any]:
    """What a run leaves that is never stopped; in this process, so that none of the others has to
    import anything."""
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        cli([str(a) for a in (*TRAIN, folder / "whole")], standalone_mode=False)
    return outcome(folder / "whole")


def prepare() -> None:
    """Reads the data once, and draws and reports nothing: what matters here is when files are
    written."""
    data = load_data("digits")
    train_command.load_data = resume_command.load_data = lambda *_: data  # type: ignore[assignment]

    def to_svg(g: vg.Graph, path: Path) -> None:
        write_whole(path, "<svg/>")

    def report(p: vg.Program, path: Path, *_: object, **__: object) -> None:
        write_whole(path, "<p/>")
        write_whole(path.with_suffix(".txt"), f"step {p.step_number}")

    vg.Graph.to_svg = to_svg  # type: ignore[assignment,method-assign]
    vg.Program.report = report  # type: ignore[method-assign]
    training_run.draw_curves = lambda *_: "<svg/>"


if __name__ == "__main__":
    prepare()
    what, where, given = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
    print(json.dumps({"writes": at_writes, "steps": at_steps}[what](where, *given)))
