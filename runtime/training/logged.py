"""How a run is told to loggers, and what becomes of one that fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from ...graph import RunError, VerigradError, all_of, shown, warn
from ...graph.text.attributes import print_value
from ..loggers.logger import Log, Plain, Status, Values
from ..program import Program
from .callback import Callback
from .history import Row

Loggers = Log | Iterable[Log]


@contextmanager
def logging_to(
    loggers: Loggers, program: Program, past: Sequence[Row], run: Mapping[str, Plain]
) -> Iterator[Callback]:
    """A callback that tells loggers of a run while the block lasts.

    One that cannot begin is an error before the first step: RunError. One that fails later is told
    in a warning and hears no more of the run, which goes on: what is trained is worth more than its
    log.
    """
    told = [_Told(one) for one in _listed(loggers)]
    settings = {**_described(program), **run}
    status: Status = "failed"
    begun: list[_Told] = []
    try:
        for one in told:
            begun.append(one)
            one.begin(settings, [measured(row) for row in past])
        yield _Logged(begun)
        status = "finished"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        for one in begun:
            one.end(status)


def _listed(loggers: Loggers) -> tuple[Log, ...]:
    """All of them; RunError for what is none, a class in the place of its object too."""
    due = 'what has a method log(values), e.g. vg.CSVLogger("run.csv"),'
    alone: Iterable[Log] = (loggers,) if isinstance(loggers, Log) else loggers
    listed = all_of("loggers", alone, Log, due, RunError)
    for one in listed:
        if isinstance(one, type):
            raise RunError(f"loggers has {shown(one)}, where {due} is expected")
    return listed


def measured(row: Row) -> dict[str, float]:
    """What of an epoch was measured, by name."""
    return {name: value for name, value in row.columns().items() if value is not None}


class _Logged(Callback):
    def __init__(self, loggers: Sequence[_Told]) -> None:
        self._loggers = loggers

    def on_epoch(self, row: Row) -> None:
        for logger in self._loggers:
            logger.log(measured(row), row.epoch)


class _Told:
    """A logger, which may lack all verbs but `log`, and whether it has failed."""

    def __init__(self, logger: Log) -> None:
        self._logger = logger
        self._failed = False

    def begin(self, settings: dict[str, Plain], past: Sequence[Values]) -> None:
        begin = getattr(self._logger, "begin", None)
        try:
            if callable(begin):
                begin(settings, past)
            else:
                for values in past:
                    self._logger.log(values)
        except VerigradError:
            self._failed = True
            raise
        except Exception as e:
            self._failed = True
            raise RunError(f"the logger {self._name} cannot begin: {_words(e)}") from e

    def log(self, values: Values, epoch: int) -> None:
        if self._failed:
            return
        try:
            self._logger.log(values)
        except Exception as e:
            self._fail(f"failed at epoch {epoch} and hears no more of the run", e)

    def end(self, status: Status) -> None:
        """Also of one that failed: it may hold a file or a connection."""
        end = getattr(self._logger, "end", None)
        try:
            if callable(end):
                end(status)
        except Exception as e:
            if not self._failed:
                self._fail("failed at the end of the run", e)

    def _fail(self, how: str, e: Exception) -> None:
        self._failed = True
        warn(f"the logger {self._name} {how}, which goes on: {_words(e)}")

    @property
    def _name(self) -> str:
        return type(self._logger).__name__


def _words(e: Exception) -> str:
    """An error in a line."""
    said = str(e).strip()
    first = said.splitlines()[0] if said else "without a word"
    return first if isinstance(e, VerigradError) else f"{type(e).__name__}: {first}"


def _described(program: Program) -> dict[str, Plain]:
    """How the program was compiled, where that is not as usual."""
    described: dict[str, Plain] = {"graph": program.declared.name, "seed": program.options.seed}
    for name, value in program.options.changed().items():
        if name in ("optimizer", "regularizer", "dropout", "clip"):
            described[name] = print_value(value)
        elif isinstance(value, (str, int, float)):
            described[name] = value
    return described
