"""What was found of a case: failures, and what it covered."""

from __future__ import annotations

import re
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import verigrad as vg

from .coverage import Coverage

_VARYING: Final = re.compile(r"%[A-Za-z_][\w.-]*|-?[0-9][0-9.,e+-]*")
"""Names and numbers."""


class Failure(NamedTuple):
    """Something that must hold of a case, and does not."""

    layer: str
    """Which check found it."""
    what: str

    @property
    def kind(self) -> str:
        """What is the same for failures of one cause: the text, but for names and numbers."""
        line = self.what.splitlines()[0] if self.what else ""
        return f"{self.layer}: {_VARYING.sub('_', line)[:100]}"


class Outcome:
    """All that the checks of one case found."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self.seconds: Counter[str] = Counter()
        """By layer."""
        self.coverage: Coverage | None = None
        self.verdicts: Counter[str] = Counter()
        """What was proved, skipped or not to be computed, and how often."""

    def fail(self, layer: str, what: str) -> None:
        """Notes a failure."""
        self.failures.append(Failure(layer, what))

    def count(self, verdict: str) -> None:
        """Notes that a check came to a verdict."""
        self.verdicts[verdict] += 1

    @contextmanager
    def layer(self, name: str) -> Iterator[None]:
        """Times a check; whatever it raises is a failure: no valid program raises it."""
        start = time.perf_counter()
        try:
            yield
        except vg.VerigradError as e:
            self.fail(name, f"{type(e).__name__}: {e}")
        except Exception as e:
            at = "".join(traceback.format_tb(e.__traceback__)[-3:])
            self.fail(name, f"{type(e).__name__}: {e}\n{at}")
        finally:
            self.seconds[name] += time.perf_counter() - start
