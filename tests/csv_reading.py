"""CSV files whose columns are all numbers but for the target, as tests read them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from verigrad.runtime.data.csv_file import read_csv as read_table
from verigrad.runtime.data.parts import Samples
from verigrad.runtime.data.prepared import rows_of
from verigrad.runtime.data.schema import Schema


def read_csv(path: Path, target: str | None, columns: Sequence[str] = ()) -> Samples:
    """The numbers in all columns but the target, or in those named, and the labels."""
    table = read_table(path)
    names = tuple(columns) or tuple([name for name in table.columns if name != target])
    kept = (math.nan,) * len(names)  # what is missing stays so
    return rows_of(table, Schema(columns=names, fill=kept), target)
