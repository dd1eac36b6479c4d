"""Copies of the package in temporary folders, in which faults are planted: never the checkout."""

from __future__ import annotations

import compileall
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
LIMITED: Final = 'ulimit -t "$1"; shift; exec "$@"'
"""A shell's words that run a command for a number of seconds of a processor."""
_WAIT: Final = 20.0
"""On a busy machine, a second of a processor may take so many."""
_LOOK: Final = 0.02
_PARTS: Final = ("graph", "ops", "passes", "runtime", "tests", "examples")
_FILES: Final = ("__init__.py", "__main__.py", "py.typed", "README.md", "pyproject.toml")


class Copy:
    """A whole copy of the package and its tests, which Python finds under the package's name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.package = folder / "verigrad"

    def read(self, file: str) -> str:
        """A source file."""
        return (self.package / file).read_text(encoding="utf-8")

    def write(self, file: str, text: str) -> None:
        """Sets a source file; the copy may share the old one with others, so that goes first."""
        path = self.package / file
        path.unlink()
        path.write_text(text, encoding="utf-8")

    def environment(self) -> dict[str, str]:
        """The variables of a process that is to find the copy and its tests.

        A kernel is kept by the hash of all that it is made of: one cache serves all copies.
        """
        tests = self.package / "tests"
        paths = [self.folder, *(tests / p for p in ("", "golden", "ops", "plan"))]
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "PYTHONHASHSEED": "0",
            "OPENBLAS_NUM_THREADS": "2",
            "VERIGRAD_CACHE": str(ROOT / "build" / "catch-kernels"),
        }


@contextmanager
def sound() -> Iterator[Copy]:
    """A copy without a fault, its modules compiled, to be copied from."""
    with tempfile.TemporaryDirectory(prefix="catch-") as folder:
        copy = Copy(Path(folder) / "sound")
        copy.package.mkdir(parents=True)
        for part in _PARTS:
            ignored = shutil.ignore_patterns("__pycache__", ".*")
            shutil.copytree(ROOT / part, copy.package / part, ignore=ignored)
        for file in _FILES:
            shutil.copy2(ROOT / file, copy.package / file)
        compileall.compile_dir(copy.package, quiet=2)
        yield copy


@contextmanager
def copied(original: Copy) -> Iterator[Copy]:
    """Another copy, whose files are links to those of the first until they are written."""
    with tempfile.TemporaryDirectory(prefix="copy-", dir=original.folder.parent) as folder:
        copy = Copy(Path(folder) / "copy")
        shutil.copytree(original.folder, copy.folder, copy_function=os.link)
        yield copy


class Done(NamedTuple):
    """How a process ended: `code` is None where it took longer than it may."""

    code: int | None
    text: str
    seconds: float
    """Of a processor, whatever else the machine does."""


def run(
    copy: Copy, arguments: list[str], seconds: float, variables: Mapping[str, str] | None = None
) -> Done:
    """Runs Python on a copy, in the folder of it, for so many seconds of a processor at most."""
    command = ["sh", "-c", LIMITED, "sh", str(int(seconds)), sys.executable, *arguments]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as told:
        process = subprocess.Popen(
            command,
            cwd=copy.folder,
            env=copy.environment() | dict(variables or {}),
            stdout=told,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        code, used = _waited(process, time.monotonic() + _WAIT * seconds)
        told.seek(0)
        return Done(code, told.read(), used)


def _waited(process: subprocess.Popen[bytes], until: float) -> tuple[int | None, float]:
    """Waits for a process, or ends it and all that it began: its exit code, and its seconds."""
    late = False
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        if time.monotonic() > until and not late:
            late = True
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(_LOOK)
    process.returncode = os.waitstatus_to_exitcode(status)
    # The second is what ends one that does not heed the first.
    late = late or process.returncode in (-signal.SIGXCPU, -signal.SIGKILL)
    return None if late else process.returncode, usage.ru_utime + usage.ru_stime
