"""Which line of the user's program a node comes from."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple, TextIO

from .errors import VerigradWarning

# Not resolved: code objects hold the path by which the package was found, links and all.
_ROOT: Final = Path(__file__).parent.parent
_OURS: Final = tuple(str(_ROOT / part) + os.sep for part in ("graph", "ops", "passes", "runtime"))


class Location(NamedTuple):
    """A file and a line of it, counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line}"

    @property
    def source(self) -> str:
        """The text of the line, or nothing where the file cannot be read."""
        import linecache

        return linecache.getline(self.file, self.line).strip()

    @property
    def described(self) -> str:
        """File, line and text: `net.py:7: h = vg.dense(x, 100)`."""
        return f"{self}: {self.source}" if self.source else str(self)


_NOWHERE: Final = Location("", 0)
_inherited: ContextVar[Location | None] = ContextVar("_inherited", default=None)


def user_line() -> Location | None:
    """The first frame outside graph, ops, passes and runtime, or what `created_at` says; none of
    what is `unplaced`."""
    inherited = _inherited.get()
    if inherited is not None:
        return inherited if inherited is not _NOWHERE else None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return Location(frame.f_code.co_filename, frame.f_lineno) if frame is not None else None


def raised_at(e: BaseException) -> Location | None:
    """The first line of the user's on the way to where an exception was raised."""
    trace = e.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OURS):
        trace = trace.tb_next
    return None if trace is None else Location(trace.tb_frame.f_code.co_filename, trace.tb_lineno)


def warn(text: str) -> None:
    """Warns of what is allowed and hardly meant, at the user's line; shown once for each."""
    import warnings

    level = 1
    frame: FrameType | None = sys._getframe(0)
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, VerigradWarning, stacklevel=level)


@contextmanager
def warnings_heard(hear: Callable[[str], bool]) -> Iterator[None]:
    """Within the block, each of our warnings is told to `hear`; what that does not take is shown as
    before."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("always", VerigradWarning)
        before = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if not (issubclass(category, VerigradWarning) and hear(str(message))):
                before(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        yield


@contextmanager
def created_at(where: Location | None) -> Iterator[None]:
    """Nodes made inside were caused by the line that made another node: a gradient by its op."""
    token = _inherited.set(where if where is not None else _inherited.get())
    try:
        yield
    finally:
        _inherited.reset(token)


def unplaced() -> AbstractContextManager[None]:
    """Nodes made inside are of no line of a user's: what calls us there is a command."""
    return created_at(_NOWHERE)
