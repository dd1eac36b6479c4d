"""Some hundred changed files end as they have to, and the fuzz of readers sees what does not."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from effort import tries

import verigrad as vg
from fuzz import readers
from fuzz.reading import guard
from fuzz.reading.samples import READERS, Reader


@pytest.mark.parametrize("name", READERS)
def test_a_changed_file_is_refused_by_name_or_read_right(name: str) -> None:
    count = tries(60 if READERS[name].every == 1 else 15)
    report = readers.run(math.inf, seed=20261129, inputs=count, names=[name])
    assert not report.failures, str(report)
    (row,) = report.rows
    assert row.inputs == count and row.refused > 0.2 * count


@pytest.mark.parametrize("name", READERS)
def test_a_right_file_is_read(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    path = tmp_path / reader.file
    for data in reader.seeds:
        path.write_bytes(data)
        if b"system" in data:
            with pytest.raises(vg.RunError, match="nothing in it was run"):
                reader.read(path)
        else:
            assert reader.read(path) is not None


def test_inputs_are_those_of_their_seed() -> None:
    for reader in READERS.values():
        first = [readers.input_of(reader, 3, n) for n in range(20)]
        assert first == [readers.input_of(reader, 3, n) for n in range(20)]
        assert first != [readers.input_of(reader, 4, n) for n in range(20)]
        assert len(set(first)) > 10


def ends(error: Exception) -> Callable[[Path], object]:
    def read(path: Path) -> object:
        raise error

    return read


def wrong_answer(path: Path) -> object:
    assert not path.exists(), "another answer"
    return None


def endless(path: Path) -> object:
    while True:
        pass


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a foreign error": (ends(KeyError("x")), "KeyError"),
    "no name": (ends(vg.RunError("it is wrong")), "does not name the file"),
    "a long error": (ends(vg.RunError("file " * 9999)), "an error of"),
    "a wrong answer": (wrong_answer, "another answer"),
    "a command": (lambda path: subprocess.run([sys.executable, "-V"], check=True), "Popen"),
    "a file elsewhere": (lambda path: Path(os.devnull).open("w").close(), "open of"),
    "memory": (lambda path: bytearray(2 * guard.BYTES), "bytes, of"),
    "no end": (endless, "did not end"),
    "an endless sleep": (lambda path: time.sleep(60), "did not end"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(
    fault: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    read, said = FAULTS[fault]
    monkeypatch.setattr(guard, "SECONDS", 0.02)
    monkeypatch.setitem(READERS, "faulty", Reader("faulty", "file", (b"content",), read))
    told: list[readers.Failure] = []
    report = readers.run(math.inf, seed=0, inputs=2, names=["faulty"], tell=told.append)
    assert report.inputs == len(report.failures) == 2 and told == report.failures
    assert all(said in failure.problem for failure in report.failures)
    assert "faulty, seed 0, input 1" in str(report)


def test_a_run_ends_when_its_time_has_passed() -> None:
    start = time.perf_counter()
    report = readers.run(0.3, seed=0, names=["idx", "CIFAR-10 binary"])
    assert report.inputs > 10 and time.perf_counter() - start < 10
