"""The folder of a run: its files, checked before training and written as it goes on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import click

from ...graph import Array, GraphError, RunError, VerigradError
from ...graph.errors import WriteError
from ...graph.writing import (
    check_writable,
    lock_folder,
    reaching,
    remove_leftovers,
    write_whole,
)
from ..files.program_file import save
from ..loggers.files import JSONLinesLogger
from ..loggers.named import KINDS, LINES
from ..optional import require
from ..program import Program
from ..training.callback import Callback
from ..training.following import KeepBest
from ..training.history import History, Row
from ..training.logged import measured
from .settings import Setting

CHECKPOINT: Final = "checkpoint.safetensors"
BUNDLE: Final = "failed-step.safetensors"
MODEL: Final = "model.safetensors"
METRICS: Final = LINES
CONFIG: Final = "config.toml"
DECLARED: Final = "declared.svg"
TRAINING: Final = "training.svg"
CURVES: Final = "curves.svg"
REPORT: Final = "report.html"
REPORT_TEXT: Final = "report.txt"
PICTURES: Final = (DECLARED, TRAINING)
FILES: Final = (
    CHECKPOINT, MODEL, BUNDLE, METRICS, CONFIG, CURVES, REPORT, REPORT_TEXT, *PICTURES,
    KINDS["csv"].name,
    *(name.replace(".svg", ".dot") for name in PICTURES),
)  # fmt: skip

Config = Mapping[str, Mapping[str, Setting]]


def existing_checkpoint(path: Path) -> Path:
    """The checkpoint in a folder; RunError where there is none."""
    checkpoint = path / CHECKPOINT
    with reaching(path):
        there = checkpoint.is_file()
    if not there:
        raise RunError(
            f"{path} holds no checkpoint ({CHECKPOINT}), which a run writes before its first step; "
            "verigrad train --out begins one"
        )
    return checkpoint


class Folder:
    """A folder that one process writes a run to. It is a context, locked until that ends.

    One that holds a run is opened only to go on or to lose it.
    """

    def __init__(self, path: Path) -> None:
        for module, extra in (("safetensors", "files"), ("tomli_w", "cli"), ("matplotlib", "plot")):
            require(module, extra)
        self.path = path
        self.checkpoint = path / CHECKPOINT
        self.bundle = path / BUNDLE
        self.lines = JSONLinesLogger(path / METRICS)
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._handle = lock_folder(path)
        except OSError as e:
            raise RunError(f"{path} cannot be written: {e.strerror or e}") from None
        try:
            check_writable(self.checkpoint)
            remove_leftovers(path)
        except RunError:
            self.close()
            raise

    @classmethod
    def new(cls, path: Path, overwrite: bool) -> Folder:
        """A folder for a new run. Raises RunError where it holds one that is not to be lost."""
        folder = cls(path)
        files = folder._held()
        if files and not overwrite:
            folder.close()
            resumed = f"; verigrad resume {path} goes on with it" if CHECKPOINT in files else ""
            raise RunError(
                f"{path} already holds a run ({', '.join(files)}); give another folder, or "
                f"--overwrite to lose that run{resumed}"
            )
        return folder

    @classmethod
    def existing(cls, path: Path) -> Folder:
        """The folder of a run to go on with. Raises RunError where there is no checkpoint."""
        existing_checkpoint(path)
        return cls(path)

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the lock."""
        os.close(self._handle)

    def begin(self, config: Config) -> None:
        """Writes what is known before the first step, in place of a run that was there."""
        # The checkpoint first: what is left of a run that is lost is not resumed as the new one.
        curves = (self.path / KINDS["tensorboard"].name).glob("events.out.tfevents.*")
        for path in (*(self.path / name for name in FILES), *curves):
            try:
                path.unlink(missing_ok=True)
            except OSError as e:
                raise RunError(f"{path} cannot be removed: {e.strerror or e}") from None
        self.describe(config, ())

    def describe(self, config: Config, rows: Iterable[Row]) -> None:
        """Writes the metrics so far, and the settings."""
        self.lines.begin({}, [measured(row) for row in rows])
        self.write(CONFIG, require("tomli_w", "cli").dumps(config))

    def draw(self, program: Program) -> None:
        """Draws the pictures that are not there; as DOT, and with a word, where none can be."""
        why = ""
        for name, g in zip(PICTURES, (program.declared, program.training), strict=True):
            if (self.path / name).exists():
                continue
            try:
                if not why:  # what draws no small graph draws no large one
                    g.to_svg(self.path / name)
            except GraphError as e:
                why = str(e).splitlines()[0]
            if why:
                dot = name.replace(".svg", ".dot")
                self.write(dot, g.to_dot())
                click.echo(f"{dot} stands for {name}: {why}", err=True)

    def report(self, program: Program, batch: Mapping[str, Array], history: History) -> None:
        """Writes the page of the run and its twin in text; the run stands where that fails, which
        is told. A disk that does not take it is an error, as it is for pictures."""
        try:
            program.report(self.path / REPORT, batch, history=history)
        except WriteError:
            raise
        except VerigradError as e:
            click.echo(f"{REPORT} could not be written: {e}", err=True)

    def save(self, program: Program, best: KeepBest | None = None) -> None:
        """Writes the model, whole or not at all: with the best weights, where any are kept."""
        if best is None:
            program.save(self.path / MODEL)
        else:
            save(program._content()._replace(instead=best.kept), self.path / MODEL)

    def write(self, name: str, text: str) -> None:
        """Writes a text file, whole or not at all."""
        write_whole(self.path / name, text)

    def _held(self) -> list[str]:
        """The files of a run that is there.

        A run that ended before its first checkpoint leaves no more than its settings and a file
        without metrics, and is none.
        """
        metrics = self.path / METRICS
        begun = metrics.exists() and not metrics.stat().st_size
        names = (MODEL, CHECKPOINT) if begun else (MODEL, METRICS, CONFIG, CHECKPOINT)
        return [name for name in names if (self.path / name).exists()]


class Written(Callback):
    """Adds each epoch to metrics.jsonl at once, a line each, and writes the model."""

    def __init__(self, folder: Folder, program: Program, best: KeepBest | None) -> None:
        self._folder = folder
        self._program = program
        self._best = best

    def on_epoch(self, row: Row) -> None:
        """Writes the line, and the model where its weights are the best or the last."""
        self._folder.lines.log(measured(row))
        if self._best is None or self._best.epoch == row.epoch:
            self._folder.save(self._program, self._best)
