"""Settings of the whole process: one thread at a time reads them, or changes them for a while."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Final

SETTINGS: Final = RLock()
"""Held while such a setting is read, and from when it is changed until it is put back: how many
threads the BLAS takes, and which warnings are shown. What has other bits under another setting, a
matrix product, reads it."""


@contextmanager
def unwarned() -> Iterator[None]:
    """No warning is shown while the block lasts."""
    with SETTINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
