"""`verigrad export`: a model as a file that runs where verigrad is not."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from ...passes.base import ASSUMED
from ..program import Program
from .models import load_model

_ENDINGS: Final = ".c (C99, and its header), .py (one NumPy file) or .onnx (ONNX)"


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE",
    help=f"What to write; its ending says as what: {_ENDINGS}.",
)  # fmt: skip
@click.option("--training", is_flag=True, help="With the training step, and not inference alone.")
@click.option(
    "--batch", type=click.IntRange(min=1), metavar="N",
    help=f"The most rows of a call in C, whose memory is static.  [default: {ASSUMED}]",
)  # fmt: skip
def export(model: Path, output: Path, training: bool, batch: int | None) -> None:
    """Write MODEL as a file that runs without verigrad.

    MODEL is a file that train wrote, or its folder. A data set's scaling is part of it: the file
    takes numbers as they are, without gaps.
    """
    ending = output.suffix.lower()
    if ending not in _WRITTEN:
        raise click.UsageError(f"{output} says by no ending what to write; give one of {_ENDINGS}")
    if batch is not None and ending != ".c":
        raise click.UsageError(f"{output} takes any number of rows; --batch is for C alone")
    click.echo(_WRITTEN[ending](load_model(model), output, training, batch))


def _c(program: Program, output: Path, training: bool, batch: int | None) -> str:
    g = program.training if training else program.inference
    sizes = dict.fromkeys(g.symbols, batch) if batch is not None else None
    memory = program.to_c(output, training=training, sizes=sizes)
    return f"{output} and {output.with_suffix('.h').name}: {memory}"


def _numpy(program: Program, output: Path, training: bool, _: int | None) -> str:
    program.to_numpy(output, training=training)
    return str(output)


def _onnx(program: Program, output: Path, training: bool, _: int | None) -> str:
    program.to_onnx(output, training=training)
    return str(output)


_WRITTEN: Final = {".c": _c, ".py": _numpy, ".onnx": _onnx}
