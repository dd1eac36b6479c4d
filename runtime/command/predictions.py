"""Predictions as they are written: a line a row, or a table with a column a class."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Final, NamedTuple

import click
import numpy as np

from ...graph import Array, on_one_line
from ...graph.writing import check_writable, write_whole
from ..data.arrow_file import PARQUET
from ..data.csv_file import ENDINGS as CSV
from ..optional import require
from .outputs import STDOUT

PREDICTION: Final = "prediction"
ENDINGS: Final = (*CSV, *PARQUET)


class Predictions(NamedTuple):
    """What is predicted for each row: the name of a class, or a number; and, where they are asked
    for, the probabilities f64[rows,C] of the classes, which are named."""

    values: Array
    classes: tuple[str, ...] = ()
    probabilities: Array | None = None

    @property
    def columns(self) -> dict[str, list[str] | list[float]]:
        """The columns of a table of them, by name."""
        columns: dict[str, list[str] | list[float]] = {PREDICTION: self.values.tolist()}
        if self.probabilities is not None:
            for name, column in zip(self.classes, self.probabilities.T, strict=True):
                columns[f"probability of {name}"] = [float(f"{p:.9g}") for p in column]
        return columns

    def lines(self) -> str:
        """A prediction a line; a name that is not all printable stands in quotes."""
        if self.values.dtype.kind == "f":
            return "\n".join(map(str, self.values.tolist()))
        shown = {name: on_one_line(name) for name in dict.fromkeys(self.values.tolist())}
        return "\n".join([shown[name] for name in self.values.tolist()])

    def csv(self, delimiter: str = ",") -> str:
        """A table with a header, as the csv module writes it."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(zip(*self.columns.values(), strict=True))
        return text.getvalue()

    def write(self, path: Path) -> None:
        """Writes a CSV or a Parquet file, whole or not at all."""
        if path.suffix.lower() in PARQUET:
            pa, parquet = (require(name, "tables") for name in ("pyarrow", "pyarrow.parquet"))
            file = pa.BufferOutputStream()
            parquet.write_table(pa.table(self.columns), file)
            write_whole(path, file.getvalue().to_pybytes())
            return
        write_whole(path, self.csv("\t" if path.suffix.lower() == ".tsv" else ","))


def check_output(path: Path | None) -> None:
    """Raises an error where predictions could not be written to that file, before there are any."""
    if path is None or path == STDOUT:
        return
    if path.suffix.lower() not in ENDINGS:
        raise click.UsageError(
            f"-o {path}: predictions are written as {', '.join(ENDINGS)}; the ending says which"
        )
    if path.suffix.lower() in PARQUET:
        require("pyarrow.parquet", "tables")
    check_writable(path)


def single(values: Array) -> Array:
    """Numbers of f32 as the f64 that are written with their few digits: 0.1, not 0.10000000149."""
    if values.dtype != np.float32:
        return values
    return np.array([float(str(value)) for value in values])
