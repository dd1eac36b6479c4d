"""The warnings of ours that a run gives, gathered by the thread that makes it."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ...graph import warnings_heard
from .shared import Shared


class _Heard(threading.local):
    """The warnings of a thread's run."""

    messages: list[str] | None = None


_HEARD: Final = _Heard()


@contextmanager
def hearing() -> Iterator[list[str]]:
    """Gathers the warnings of ours that this thread gives while the block lasts."""
    before = _HEARD.messages
    heard: list[str] = []
    with LISTENING:
        _HEARD.messages = heard
        try:
            yield heard
        finally:
            _HEARD.messages = before


@contextmanager
def _listening() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* (cancelled|not used)", UserWarning)  # of joblib
        with warnings_heard(_hear):
            yield


def _hear(warning: str) -> bool:
    """Whether a run of this thread has it."""
    heard = _HEARD.messages
    if heard is not None:
        heard.append(warning)
    return heard is not None


LISTENING: Final = Shared(_listening)
"""While a process makes runs, or waits for them: no word of results that nobody fetched, where a
sweep is stopped."""
