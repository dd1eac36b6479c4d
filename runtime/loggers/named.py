"""Loggers by name, as a command line has them: a kind, and where it writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from ...graph import RunError, shown, suggest
from .files import CSVLogger, JSONLinesLogger
from .logger import Logger
from .mlflow import MLflowLogger
from .tensorboard import TensorBoardLogger


class Kind(NamedTuple):
    """A kind of logger: how it is made, what it is called in a run's folder, and its `WHERE`."""

    make: Callable[[str, str | None], Logger]
    name: str
    where: str


LINES: Final = "metrics.jsonl"
"""What a run's folder always holds."""
KINDS: Final = {
    "csv": Kind(lambda path, _: CSVLogger(path), "metrics.csv", "FILE"),
    "jsonl": Kind(lambda path, _: JSONLinesLogger(path), LINES, "FILE"),
    "tensorboard": Kind(lambda path, _: TensorBoardLogger(path), "tensorboard", "FOLDER"),
    "mlflow": Kind(lambda uri, name: MLflowLogger(uri or None, name=name), "", "STORE"),
}


def named_logger(text: str, folder: Path | None) -> Logger | None:
    """The logger that a text names, such as csv or csv:FILE; unsaid, it writes into the folder of
    the run, and MLflow where it is set up to. None where the folder holds that anyway.

    Raises RunError for another kind, and where nothing says where.
    """
    kind, _, where = text.partition(":")
    if kind not in KINDS:
        raise RunError(f"there is no logger {shown(kind)}{suggest(kind, KINDS)}; {_forms()}")
    made = KINDS[kind]
    if not where and made.name:
        if folder is None:
            raise RunError(f"{kind} is not told where: {kind}:{made.where}, or --out DIR, names it")
        if made.name == LINES:
            return None
        where = str(folder / made.name)
    return made.make(where, folder.resolve().name if folder is not None else None)


def _forms() -> str:
    return "there are " + ", ".join([f"{name}[:{kind.where}]" for name, kind in KINDS.items()])
