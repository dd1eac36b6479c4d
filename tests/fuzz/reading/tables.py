"""CSV files: what they are, changes of their cells, and when they are read right."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from csv_reading import read_csv

import verigrad as vg
from verigrad.runtime.data.parts import Samples
from verigrad.runtime.data.schema import Schema
from verigrad.runtime.data.source import load_data, load_rows

from .mutations import NUMBERS, TEXTS

KNOWN: Final = Schema(("x", "y"), ("a", "b;c"), "kind", (0.5, 1.0), 3)
"""What a model keeps of the tables that it was trained on."""

_ROWS: Final = [(i, f"{i / 7:.4g}" if i % 5 else "NA", "xy"[i % 2]) for i in range(20)]


def written(delimiter: str, quoting: int, end: str) -> bytes:
    """The table, with these between values and lines."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerows([("a", "b;c", "kind"), *_ROWS])
    return file.getvalue().encode()


TABLES: Final = (
    written(",", csv.QUOTE_MINIMAL, "\n"),
    written("\t", csv.QUOTE_ALL, "\r\n"),
    written(";", csv.QUOTE_NONNUMERIC, "\n"),
    b"\xef\xbb\xbf" + written(",", csv.QUOTE_MINIMAL, "\r"),
)


def cells_changed(data: bytes, rng: Random) -> bytes:
    """The table with other text in a cell, quoted as it is due; or with a column more or less."""
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    row = rng.choice(rows) if rows else []
    kind = rng.random()
    if row and kind < 0.8:
        text = rng.choice((*NUMBERS, *TEXTS[:-15], b"", b"na", b"1,5", b'say "x"', b"a\nb"))
        row[rng.randrange(len(row))] = text.decode("utf-8", "replace")
    elif kind < 0.9:
        rows = [[*cells[1:], cells[0]] if cells else cells for cells in rows]
    else:
        row.append("1")
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=rng.choice(",;\t")).writerows(rows)
    return file.getvalue().encode()


def read_table(path: Path) -> object:
    """The data set of a table, whether its rows are held in memory or read by ranges; its samples
    are read again from what the csv module writes."""
    assert _told(path, in_memory=True) == _told(path, in_memory=False)
    samples = read_csv(path, "kind")
    _check(path, samples)
    data = load_data(str(path), "kind")
    parts = (data.train, data.validation, data.test)
    assert sum(len(part.x) for part in parts) == len(samples.x)
    assert all(np.isfinite(part.x).all() for part in parts)
    return data


def _told(path: Path, *, in_memory: bool) -> object:
    """All that is told of a table, or the error."""
    try:
        data = vg.data.csv(path, "kind", in_memory=in_memory)
    except vg.RunError as e:
        return str(e)
    held = [(np.asarray(x).tobytes(), y.tobytes()) for x, y in data.parts]
    return held, data.notes, data.columns, data.classes


def read_rows(path: Path) -> object:
    """The rows to predict for, none missing and no value either."""
    rows = load_rows(str(path), KNOWN)
    assert np.isfinite(rows.x).all() and rows.x.shape[1] == len(KNOWN.columns)
    assert rows.labels is None or len(rows.labels) == len(rows.x)
    return rows


def _check(path: Path, samples: Samples) -> None:
    assert samples.labels is not None and len(samples.labels) == len(samples.x)
    assert not np.isinf(samples.x).any()
    again = path.with_name("again.csv")
    with again.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*samples.columns, "kind"])
        for cells, label in zip(samples.x.tolist(), samples.labels.tolist(), strict=True):
            writer.writerow([*(repr(v) if v == v else "" for v in cells), label])
    found = read_csv(again, "kind")
    np.testing.assert_array_equal(found.x, samples.x)
    assert found.labels is not None and found.labels.tolist() == samples.labels.tolist()
