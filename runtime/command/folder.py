"""The folder of a run: its files, checked before training and written as it goes on."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ...graph import RunError
from ..extras import require
from ..files import replacing
from ..program import Program
from ..training.callback import Callback
from ..training.history import Row
from .settings import Setting

MODEL: Final = "model.safetensors"
METRICS: Final = "metrics.jsonl"
CONFIG: Final = "config.toml"
DECLARED: Final = "declared.svg"
TRAINING: Final = "training.svg"
CURVES: Final = "curves.svg"


class Folder:
    """A folder that can be written and holds no other run."""

    def __init__(self, path: Path, overwrite: bool) -> None:
        for module, extra in (("safetensors", "files"), ("tomli_w", "cli"), ("matplotlib", "plot")):
            require(module, extra)
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path):
                pass
        except OSError as e:
            raise RunError(f"{path} cannot be written: {e.strerror or e}") from None
        held = [name for name in (MODEL, METRICS, CONFIG) if (path / name).exists()]
        if held and not overwrite:
            raise RunError(
                f"{path} already holds a run ({', '.join(held)}); give another folder, or "
                "--overwrite to lose that run"
            )

    def begin(self, program: Program, config: Mapping[str, Mapping[str, Setting]]) -> None:
        """Writes what is known before the first step: settings, pictures, the first weights."""
        toml = require("tomli_w", "cli")
        self.write(CONFIG, toml.dumps(config))
        self.write(METRICS, "")
        program.declared.to_svg(self.path / DECLARED)
        program.training.to_svg(self.path / TRAINING)
        self.save(program)

    def save(self, program: Program) -> None:
        """Writes the model, whole or not at all."""
        program.save(self.path / MODEL)

    def write(self, name: str, text: str) -> None:
        """Writes a text file, whole or not at all."""
        with replacing(self.path / name) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")


class Metrics(Callback):
    """Adds each epoch to metrics.jsonl at once, a line each."""

    def __init__(self, folder: Folder) -> None:
        self._path = folder.path / METRICS

    def on_epoch(self, row: Row) -> None:
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(row._asdict()) + "\n")
