"""The loggers that `--log-to` names, which are told the options of the run as well."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..loggers import logger as told
from ..loggers.named import named_logger
from .run_options import RunOptions, config
from .settings import Settings


class _WithOptions(told.Logger):
    """A logger that is told the options of a command line, too."""

    def __init__(self, logger: told.Logger, options: told.Settings) -> None:
        self._logger = logger
        self._options = options

    def begin(self, settings: told.Settings, past: Sequence[told.Values]) -> None:
        self._logger.begin({**settings, **self._options}, past)

    def log(self, values: told.Values) -> None:
        self._logger.log(values)

    def end(self, status: told.Status) -> None:
        self._logger.end(status)


def loggers_of(
    settings: Settings, run_options: RunOptions, folder: Path | None
) -> list[told.Logger]:
    """A logger for each --log-to. Raises RunError for a name of none, and where one is not said
    where to write."""
    options = {
        name: ",".join(map(str, value)) if isinstance(value, list) else value
        for name, value in config(settings, run_options)["train"].items()
    }
    named = [named_logger(text, folder) for text in dict.fromkeys(run_options.log_to)]
    return [_WithOptions(logger, options) for logger in named if logger is not None]
