"""What reading a file may not do: run code, write elsewhere, take much memory, or not end."""

from __future__ import annotations

import signal
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import process_time
from typing import Any, Final, NamedTuple, TypeVar

T = TypeVar("T")

SECONDS: Final = 10.0
"""How long a reader may compute for one file; it may wait thirty times as long."""
BYTES: Final = 16_000_000
TIMES: Final = 1200
"""What it may take beside that, for each byte of the file: deflate holds 1,032 in one."""
_RUNS: Final = frozenset((
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.remove", "os.rmdir",
    "subprocess.Popen", "socket.connect", "shutil.rmtree", "pickle.find_class", "ctypes.dlopen",
))  # fmt: skip


class HungError(BaseException):
    """A reader that takes too long; no `except Exception` of a reader holds it up."""


class Taken(NamedTuple):
    """What a call took: seconds of the processor."""

    seconds: float
    bytes: int


class Guard:
    """Calls readers, and looks at what they do beside giving an answer.

    `broken` is what the last one did that it may not.
    """

    def __init__(self, folder: Path) -> None:
        self.broken: list[str] = []
        self._folder = str(folder)
        self._armed = False
        sys.addaudithook(self._audit)

    def call(self, function: Callable[[Path], T], path: Path) -> tuple[T | Exception, Taken]:
        """What the function gives or raises for a file, and what that took."""
        self.broken = []
        allowed = BYTES + TIMES * path.stat().st_size
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        start = process_time()
        found: T | Exception
        try:
            with self._watching():
                found = function(path)
        except Exception as e:
            found = e
        except HungError:
            found = TimeoutError(f"it did not end in {SECONDS:g} s")
        taken = Taken(process_time() - start, tracemalloc.get_traced_memory()[1] - before)
        if taken.bytes > allowed:
            self.broken.append(f"it took {taken.bytes:,} bytes, of {allowed:,} allowed")
        return found, taken

    @contextmanager
    def _watching(self) -> Iterator[None]:
        def late(*_: object) -> None:
            raise HungError

        handlers = {}
        if hasattr(signal, "setitimer"):
            handlers = {s: signal.signal(s, late) for s in (signal.SIGPROF, signal.SIGALRM)}
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            signal.setitimer(signal.ITIMER_REAL, 30 * SECONDS)
        self._armed = True
        try:
            yield
        finally:
            self._armed = False
            if handlers:
                signal.setitimer(signal.ITIMER_PROF, 0)
                signal.setitimer(signal.ITIMER_REAL, 0)
            for s, handler in handlers.items():
                signal.signal(s, handler)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._armed or (event not in _RUNS and event != "open"):
            return
        if event == "open":
            path, mode = arguments[:2]
            if not isinstance(mode, str) or not set(mode) & set("wax+"):
                return
        else:
            path = arguments[0] if arguments and event in ("os.remove", "os.rmdir") else ""
        if not str(path).startswith(self._folder):
            self.broken.append(f"{event} of {arguments!r:.200}")


@contextmanager
def tracing() -> Iterator[None]:
    """Memory is counted within."""
    before = tracemalloc.is_tracing()
    if not before:
        tracemalloc.start()
    try:
        yield
    finally:
        if not before:
            tracemalloc.stop()
