"""The folder of a run: its files, checked before training and written as it goes on."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from ...graph import RunError
from ..extras import require
from ..files import replacing, save
from ..program import Program
from ..training.callback import Callback
from ..training.following import KeepBest
from ..training.history import Row
from .settings import Setting

CHECKPOINT: Final = "checkpoint.safetensors"
MODEL: Final = "model.safetensors"
METRICS: Final = "metrics.jsonl"
CONFIG: Final = "config.toml"
DECLARED: Final = "declared.svg"
TRAINING: Final = "training.svg"
CURVES: Final = "curves.svg"
FILES: Final = (CHECKPOINT, MODEL, METRICS, CONFIG, DECLARED, TRAINING, CURVES)

Config = Mapping[str, Mapping[str, Setting]]


class Folder:
    """A folder that can be written. One that holds a run is opened only to go on or to lose it."""

    def __init__(self, path: Path) -> None:
        for module, extra in (("safetensors", "files"), ("tomli_w", "cli"), ("matplotlib", "plot")):
            require(module, extra)
        self.path = path
        self.checkpoint = path / CHECKPOINT
        try:
            path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path):
                pass
        except OSError as e:
            raise RunError(f"{path} cannot be written: {e.strerror or e}") from None

    @classmethod
    def new(cls, path: Path, overwrite: bool) -> Folder:
        """A folder for a new run. Raises RunError where it holds one that is not to be lost."""
        folder = cls(path)
        held = [name for name in (MODEL, METRICS, CONFIG, CHECKPOINT) if (path / name).exists()]
        if held and not overwrite:
            resumed = f"; verigrad resume {path} goes on with it" if CHECKPOINT in held else ""
            raise RunError(
                f"{path} already holds a run ({', '.join(held)}); give another folder, or "
                f"--overwrite to lose that run{resumed}"
            )
        return folder

    @classmethod
    def existing(cls, path: Path) -> Folder:
        """The folder of a run to go on with. Raises RunError where there is no checkpoint."""
        if not (path / CHECKPOINT).is_file():
            raise RunError(
                f"{path} holds no checkpoint ({CHECKPOINT}), which a run writes before its first "
                "step; verigrad train --out begins one"
            )
        return cls(path)

    def begin(self, program: Program, config: Config) -> None:
        """Writes what is known before the first step: settings, pictures, the first weights."""
        # The checkpoint first: what is left of a run that is lost is not resumed as the new one.
        for name in FILES:
            try:
                (self.path / name).unlink(missing_ok=True)
            except OSError as e:
                raise RunError(f"{self.path / name} cannot be removed: {e.strerror or e}") from None
        self.describe(program, config, ())
        self.save(program)

    def describe(self, program: Program, config: Config, rows: Iterable[Row]) -> None:
        """Writes settings and the metrics so far, and pictures where there are none; removes what
        a cut write left."""
        for name in FILES:
            for left in self.path.glob(f".{name}.*"):
                left.unlink(missing_ok=True)
        self.write(CONFIG, require("tomli_w", "cli").dumps(config))
        self.write(METRICS, "".join(map(_line, rows)))
        # A program from a file no longer knows the user's lines, which pictures tell.
        if not (self.path / DECLARED).exists():
            program.declared.to_svg(self.path / DECLARED)
        if not (self.path / TRAINING).exists():
            program.training.to_svg(self.path / TRAINING)

    def save(self, program: Program, best: KeepBest | None = None) -> None:
        """Writes the model, whole or not at all: with the best weights, where any are kept."""
        if best is None:
            program.save(self.path / MODEL)
        else:
            save(program, self.path / MODEL, instead=best.kept)

    def write(self, name: str, text: str) -> None:
        """Writes a text file, whole or not at all."""
        with replacing(self.path / name) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")


class Written(Callback):
    """Adds each epoch to metrics.jsonl at once, a line each, and writes the model."""

    def __init__(self, folder: Folder, program: Program, best: KeepBest | None) -> None:
        self._folder = folder
        self._program = program
        self._best = best

    def on_epoch(self, row: Row) -> None:
        """Writes the line, and the model where its weights are the best or the last."""
        path = self._folder.path / METRICS
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(_line(row))
        if self._best is None or self._best.epoch == row.epoch:
            self._folder.save(self._program, self._best)


def _line(row: Row) -> str:
    return json.dumps(row._asdict()) + "\n"
