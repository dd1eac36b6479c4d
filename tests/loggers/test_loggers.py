"""`vg.fit(..., loggers=)`: what loggers hear, what files hold, and what of those that fail."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import batch, net

import verigrad as vg
from verigrad.runtime.loggers.logger import Settings, Status, Values

FULL = Path("/dev/full")


class Told(vg.Logger):
    """Keeps all that it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []

    def begin(self, settings: Settings, past: Sequence[Values]) -> None:
        self.heard.append(("begin", (dict(settings), [*past])))

    def log(self, values: Values) -> None:
        self.heard.append(("log", dict(values)))

    def end(self, status: Status) -> None:
        self.heard.append(("end", status))

    @property
    def verbs(self) -> list[str]:
        return [verb for verb, _ in self.heard]


class Failing(Told):
    """Fails at one of the verbs."""

    def __init__(self, verb: str, error: BaseException) -> None:
        super().__init__()
        self.verb, self.error = verb, error

    def begin(self, settings: Settings, past: Sequence[Values]) -> None:
        super().begin(settings, past)
        self._fail("begin")

    def log(self, values: Values) -> None:
        super().log(values)
        self._fail("log")

    def end(self, status: Status) -> None:
        super().end(status)
        self._fail("end")

    def _fail(self, verb: str) -> None:
        if verb == self.verb:
            raise self.error


class Duck:
    """As a run of wandb has it: `log`, and nothing else that fit calls."""

    def __init__(self) -> None:
        self.rows: list[Mapping[str, float]] = []

    def log(self, values: Mapping[str, float]) -> None:
        self.rows.append(values)


def fitted(loggers: Any, **options: Any) -> vg.History:
    """Three epochs of two steps each."""
    fed = batch(np.random.default_rng(0), 20, 4, 3)
    program = vg.compile(net(4, 5, 3), optimizer=vg.Adam(0.01), seed=3)
    return vg.fit(program, fed, batch_size=10, loggers=loggers, **{"epochs": 3, **options})


def measured(history: vg.History) -> list[dict[str, float]]:
    return [{k: v for k, v in row.columns().items() if v is not None} for row in history]


def test_a_logger_hears_of_the_run_its_epochs_and_its_end() -> None:
    one, two = Told(), Duck()
    history = fitted([one, two])
    assert one.verbs == ["begin", "log", "log", "log", "end"]
    settings, past = one.heard[0][1]
    assert settings["graph"] == "net" and settings["optimizer"] == "adam(0.01)"
    assert (settings["rows"], settings["batch_size"], settings["steps"]) == (20, 10, 6)
    assert past == [] and one.heard[-1][1] == "finished"
    assert [v for verb, v in one.heard if verb == "log"] == measured(history) == two.rows
    assert [row["step"] for row in two.rows] == [2, 4, 6]
    assert "validation_loss" not in two.rows[0]


def test_the_run_is_the_same_with_loggers_as_without() -> None:
    assert fitted(Duck()).losses == fitted(()).losses == fitted([]).losses


@pytest.mark.parametrize("loggers", [3, "csv", [None], [Duck], object(), {"a": 1}])
def test_what_is_no_logger_is_refused(loggers: Any) -> None:
    with pytest.raises(vg.RunError, match=r"loggers has .*, where what has a method log\(values\)"):
        fitted(loggers)


def test_a_logger_that_nothing_would_call_is_refused() -> None:
    with pytest.raises(vg.GraphError, match="ends"):

        class Misspelled(vg.Logger):
            def ends(self, status: str) -> None:
                """Nothing calls it."""


@pytest.mark.parametrize("error", [vg.RunError("no room"), ValueError("no room"), OSError()])
def test_one_that_cannot_begin_ends_the_run_before_its_first_step(error: Exception) -> None:
    first, failing, last = Told(), Failing("begin", error), Told()
    with pytest.raises(vg.RunError, match=r"no room|OSError: without a word"):
        fitted([first, failing, last])
    assert first.verbs == ["begin", "end"] and first.heard[-1][1] == "failed"
    assert failing.verbs == ["begin", "end"] and last.verbs == []


@pytest.mark.parametrize("error", [vg.RunError("a\nb"), ValueError("a\nb"), OSError(28, "full")])
def test_one_that_fails_is_told_once_and_the_run_goes_on(error: Exception) -> None:
    failing, other = Failing("log", error), Told()
    with pytest.warns(vg.VerigradWarning, match="the logger Failing failed at epoch 1") as told:
        history = fitted([failing, other])
    assert len(told) == 1 and "\n" not in str(told[0].message)
    assert failing.verbs == ["begin", "log", "end"] and len(history) == 3
    assert other.verbs == ["begin", "log", "log", "log", "end"]


def test_one_that_fails_at_the_end_is_told() -> None:
    with pytest.warns(vg.VerigradWarning, match="failed at the end of the run, which goes on"):
        assert len(fitted([Failing("end", KeyError("x"))])) == 3


def test_an_interruption_is_one() -> None:
    class Stops(vg.Callback):
        def on_epoch(self, row: vg.Row) -> None:
            raise KeyboardInterrupt

    told = Told()
    with pytest.raises(KeyboardInterrupt):
        fitted(told, callbacks=Stops())
    assert told.heard[-1] == ("end", "interrupted")


def test_a_run_that_is_not_finite_has_failed() -> None:
    told = Told()
    program = vg.compile(net(4, 5, 3), optimizer=vg.SGD(1e30), seed=3)
    with pytest.raises(vg.NonFiniteError):
        fed = batch(np.random.default_rng(0), 20, 4, 3)
        vg.fit(program, fed, batch_size=10, steps=50, loggers=told)
    assert told.heard[-1] == ("end", "failed")


@pytest.mark.parametrize("name", ["run.csv", "näme with, comma"])
def test_a_table_holds_the_epochs(name: str, tmp_path: Path) -> None:
    history = fitted(vg.CSVLogger(tmp_path / name))
    with (tmp_path / name).open(newline="", encoding="utf-8") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    assert rows == measured(history)


def test_a_table_that_gains_a_column_is_whole(tmp_path: Path) -> None:
    logger = vg.CSVLogger(tmp_path / "run.csv")
    logger.begin({}, [])
    assert (tmp_path / "run.csv").read_text() == ""
    for values in ({"a": 1}, {"a": 2, 'b, "c"': math.inf}, {'b, "c"': math.nan}):
        logger.log(values)
    assert (tmp_path / "run.csv").read_text() == 'a,"b, ""c"""\n1,\n2,inf\n,nan\n'


def test_lines_hold_the_epochs(tmp_path: Path) -> None:
    history = fitted(vg.JSONLinesLogger(str(tmp_path / "run.jsonl")))
    lines = (tmp_path / "run.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == measured(history)


@pytest.mark.parametrize("kind", [vg.CSVLogger, vg.JSONLinesLogger])
def test_a_resumed_run_leaves_what_one_leaves_that_never_stopped(kind: Any, tmp_path: Path) -> None:
    class Dies(vg.Callback):
        def on_epoch(self, row: vg.Row) -> None:
            if row.epoch == 2:
                raise ZeroDivisionError

    def columns(path: Path) -> list[str]:
        """Without the seconds, which are the last."""
        cut = {".csv": ",", ".jsonl": ', "seconds"'}[path.suffix]
        return [line.rsplit(cut, 1)[0] for line in path.read_text().splitlines()]

    ending = ".csv" if kind is vg.CSVLogger else ".jsonl"
    whole, stopped = tmp_path / f"whole{ending}", tmp_path / f"stopped{ending}"
    fitted(kind(whole))
    with pytest.raises(ZeroDivisionError):
        fitted([kind(stopped)], callbacks=Dies(), checkpoint=tmp_path / "run")
    duck = Duck()
    fitted([kind(stopped), duck], checkpoint=tmp_path / "run", resume=True)
    assert columns(stopped) == columns(whole)
    assert [row["epoch"] for row in duck.rows] == [1, 2, 3]


@pytest.mark.parametrize("kind", [vg.CSVLogger, vg.JSONLinesLogger])
def test_files_that_cannot_be_are_told_before_the_first_step(kind: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "none" / "run", tmp_path / "file" / "run"):
        with pytest.raises(vg.RunError, match="cannot be written"):
            fitted(kind(path))
    for odd in (3, None, "a\0b"):
        with pytest.raises(vg.RunError):
            kind(odd)


@pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("kind", [vg.CSVLogger, vg.JSONLinesLogger])
def test_a_disk_that_becomes_full_ends_no_run(kind: Any, tmp_path: Path) -> None:
    path = tmp_path / "run"

    class Fills(vg.Callback):
        def on_step(self, step: int, loss: float) -> None:
            if step == 3:
                path.unlink()
                path.symlink_to(FULL)

    with pytest.warns(vg.VerigradWarning, match="failed at epoch 2 .*No space left on device"):
        assert len(fitted(kind(path), callbacks=Fills())) == 3
