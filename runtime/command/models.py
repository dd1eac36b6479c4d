"""The program that a command works on: one from a file, or the one that its options describe."""

from __future__ import annotations

from pathlib import Path

import click

from ...graph.writing import reaching
from ..loading import load
from ..program import Program
from .network import compiled
from .settings import Settings, refuse_settings

model_argument = click.argument("model", required=False, type=click.Path(path_type=Path))


def program_of(ctx: click.Context, model: Path | None, settings: Settings) -> Program:
    """The program in the file `model`, or in a run's folder; without one, that of the settings."""
    if model is None:
        return compiled(settings.load_data(), settings)
    fixed = [*(field for field in Settings._fields if field != "batch_size"), "config"]
    refuse_settings(ctx, f"{model} is compiled as it was saved", fixed)
    return load_model(model)


def load_model(path: Path) -> Program:
    """The program in a file, or in the folder of a run."""
    return load(file_of(path))


def file_of(path: Path) -> Path:
    """The file of a program, which may be that of a run's folder."""
    from .folder import MODEL

    with reaching(path):
        return path / MODEL if path.is_dir() else path
