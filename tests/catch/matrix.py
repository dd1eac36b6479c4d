"""Running the detectors on a copy with a fault, and what they found, kept from run to run."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

from catch import user_passes
from catch.copies import Copy, copied, run, sound
from catch.detectors import DETECTORS, Detector
from catch.fault import Fault

RESULTS: Final = Path(__file__).with_name("results.json")
SOUND: Final = Fault("sound", "sound", "", "", "", "")
"""The package as it is: no detector may find anything."""


class Found(NamedTuple):
    """What a detector found of a fault: `caught` is None where it cannot meet the fault."""

    caught: bool | None
    seconds: float
    words: str = ""


class Results:
    """All that was found, in a file, by fault and detector; stale where the fault was changed."""

    def __init__(self, path: Path = RESULTS) -> None:
        self._path = path
        self._lock = Lock()
        self._held = self._read()

    def _read(self) -> dict[str, dict[str, list[object]]]:
        held: dict[str, dict[str, list[object]]] = (
            json.loads(self._path.read_text(encoding="utf-8")) if self._path.exists() else {}
        )
        return held

    def of(self, fault: Fault) -> dict[str, Found]:
        """What is known of a fault."""
        return {k: Found(*v) for k, v in self._held.get(_key(fault), {}).items()}  # type: ignore[arg-type]

    def forget(self, faults: Sequence[Fault], detectors: Sequence[Detector]) -> None:
        """What these detectors found of these faults is to be found anew."""
        for fault in faults:
            for detector in detectors:
                self._held.get(_key(fault), {}).pop(detector.name, None)

    def put(self, fault: Fault, detector: str, found: Found) -> None:
        """Keeps what was found: the file is written whole, or not at all, and what another process
        has found meanwhile stays."""
        with self._lock:
            for other, told in self._read().items():
                self._held[other] = told | self._held.get(other, {})
            self._held.setdefault(_key(fault), {})[detector] = list(found)
            text = json.dumps(self._held, indent=1, sort_keys=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=self._path.parent, delete=False, encoding="utf-8"
            ) as file:
                file.write(text + "\n")
            Path(file.name).replace(self._path)


def _key(fault: Fault) -> str:
    """The fault's name, and a hash of what it is."""
    told = "\0".join((fault.file, fault.old, fault.new)).encode()
    return f"{fault.name} {hashlib.blake2b(told, digest_size=4).hexdigest()}"


def catch(
    faults: Sequence[Fault],
    results: Results,
    tell: Callable[[str], None],
    jobs: int = 1,
    detectors: Sequence[Detector] = DETECTORS,
) -> None:
    """Runs each detector on each fault that it has not been run on yet."""
    missing = [(f, [d for d in detectors if d.name not in results.of(f)]) for f in faults]
    if not any(wanted for _, wanted in missing):
        return
    with sound() as original, ThreadPoolExecutor(jobs) as pool:

        def one(fault: Fault, wanted: Sequence[Detector]) -> None:
            with copied(original) as copy:
                plant(fault, copy)
                for detector in wanted:
                    found = _detect(detector, fault, copy)
                    results.put(fault, detector.name, found)
                    verdict = "caught" if found.caught else "-"
                    tell(f"{fault.name:<34} {detector.name:<10} {verdict:<7} {found.seconds:.1f} s")

        for future in [pool.submit(one, f, wanted) for f, wanted in missing if wanted]:
            future.result()


def plant(fault: Fault, copy: Copy) -> None:
    """Puts a fault into a copy."""
    if fault.file:
        copy.write(fault.file, fault.applied(copy.read(fault.file)))


def variables(fault: Fault) -> dict[str, str]:
    """What a process finds in its environment where a fault is a pass of a user."""
    return {user_passes.VARIABLE: fault.name} if fault.is_pass else {}


def _detect(detector: Detector, fault: Fault, copy: Copy) -> Found:
    """Whether one of the detector's processes ends with an error, and after how long."""
    commands = detector.command(fault)
    if not commands:
        return Found(None, 0.0)
    used = 0.0
    for arguments in commands:
        done = run(copy, arguments, detector.seconds, variables(fault))
        used += done.seconds
        if done.code is None:
            return Found(False, used, "out of time")
        if done.code:
            words = [line for line in done.text.splitlines() if line.strip()]
            return Found(True, used, _said(words))
    return Found(False, used)


def _said(lines: Sequence[str]) -> str:
    """The line that says best what was found."""
    marks = ("FAILED", "FAIL ", "Error: ")
    told = [line for mark in marks for line in lines if mark in line]
    return (told or list(lines) or [""])[0].strip()[:200]
