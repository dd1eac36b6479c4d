"""CSV files of which each row is read from its own bytes: they are what they are in memory."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from allocated import allocated
from hypothesis import example, given
from hypothesis import strategies as st
from test_csv_forms import *  # noqa: F403 - the same tests again, of files by ranges
from test_csv_text import *  # noqa: F403
from test_encoding import *  # noqa: F403
from test_target import *  # noqa: F403

import verigrad as vg
from verigrad.runtime.data import csv_file, csv_lines, csv_ranges, prepared, table
from verigrad.runtime.data.categories import Columns
from verigrad.runtime.data.csv_file import read_csv as read_table
from verigrad.runtime.data.parts import TaskData
from verigrad.runtime.data.rows import Rows
from verigrad.runtime.data.source import load_data


@pytest.fixture(autouse=True)
def _every_file_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pieces and blocks, so that rows lie across their ends."""
    monkeypatch.setattr(csv_file, "WHOLE", -1)
    monkeypatch.setattr(prepared, "HELD", -1)
    monkeypatch.setattr(csv_lines, "_PIECE", 7)
    for module in (csv_ranges, table):
        monkeypatch.setattr(module, "BLOCK", 3)


def houses(path: Path, rows: int = 200) -> Path:
    """Numbers, texts, truth values, gaps, and what stands in quotes over two lines."""
    rng = np.random.default_rng(3)
    with path.open("w", newline="", encoding="utf-8") as file:
        write = csv.writer(file).writerow
        write(["size", "town", "garden", "floor", "price"])
        for k in range(rows):
            size = "" if k % 17 == 5 else f"{rng.normal(90, 20):.3f}"
            town = ["Köln", "Ulm, an\nder Donau", 'say "Bonn"', "NA", "Rare"][k % 4 + (k == 59)]
            garden = ["yes", "no", ""][int(rng.integers(3))]
            write([size, town, garden, ["S", "M", "L"][k % 3], f"{rng.normal(300, 50):.2f}"])
    return path


def both(path: Path, target: str, **asked: Any) -> tuple[TaskData, TaskData]:
    """The data set of a file that is held in memory, and of one that is not."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(csv_file, "WHOLE", path.stat().st_size)
        whole = vg.data.csv(path, target, in_memory=True, **asked)
    return whole, vg.data.csv(path, target, in_memory=False, **asked)


def same(due: TaskData, found: TaskData) -> None:
    for expected, part in zip(due.parts, found.parts, strict=True):
        assert isinstance(expected.x, np.ndarray) and isinstance(part.x, Rows)
        assert np.array_equal(expected.x, part.x) and np.array_equal(expected.y, part.y)
    plain = [data._replace(train=None, validation=None, test=None) for data in (due, found)]  # type: ignore[arg-type]
    assert plain[0] == plain[1]
    assert due.train.told == found.train.told  # type: ignore[attr-defined]
    for a, b in zip(due.scaling, found.scaling, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("target", ["price", "town", "floor"])
def test_all_that_is_told_of_a_file_is_that_of_one_in_memory(target: str, tmp_path: Path) -> None:
    path = houses(tmp_path / "a.csv")
    asked = {} if target == "floor" else {"ordinal": "floor=S,M,L"}
    due, found = both(path, target, drop="garden", na_is_a_class=True, **asked)
    same(due, found)
    held = vg.data.csv(path, target, in_memory=True, drop="garden", na_is_a_class=True, **asked)
    assert held.notes == due.notes and isinstance(held.train.x, np.ndarray)
    assert all(np.array_equal(a.x, b.x) for a, b in zip(held.parts, due.parts, strict=True))
    assert any("missing" in note for note in due.notes)
    seeds = [seed for seed in range(20) if target != "town" and _rare_is_tested(path, target, seed)]
    for seed in (4, *seeds[:1]):
        same(*both(path, target, na_is_a_class=True, split_seed=seed))
    assert target == "town" or seeds


def _rare_is_tested(path: Path, target: str, seed: int) -> bool:
    notes = vg.data.csv(path, target, split_seed=seed).notes
    return any("that no row to train on has" in note for note in notes)


def test_any_rows_are_read_in_any_order(tmp_path: Path) -> None:
    due, found = both(houses(tmp_path / "a.csv"), "price")
    for rows in ([3, 100, 3, 0], [], range(143, -1, -1), slice(5, 9)):
        numbers = rows if isinstance(rows, slice) else np.array(rows, int)
        assert np.array_equal(found.train.x[numbers], due.train.x[numbers])


def test_training_is_that_on_the_table_in_memory(tmp_path: Path) -> None:
    losses = []
    for data in both(houses(tmp_path / "a.csv"), "price"):
        x, y = vg.input("x", ("N", data.features)), vg.input("y", ("N",))
        out = vg.reshape(vg.dense(data.scaling.of(x), 1), ("N",)) * 50 + 300
        net = vg.Graph("net", {"price": out}, loss=vg.mean_squared_error(out, y))
        program = vg.compile(net, optimizer=vg.Adam(lr=0.01))
        history = vg.fit(program, data.train, validation=data.validation, epochs=2, batch_size=30)
        losses.append((history.losses, history.rows[-1].validation_loss))
    assert losses[0] == losses[1]


CELLS = st.sampled_from([
    "1", "2.5", "-3e2", "", " NA", "x", "é\u2028", "yes", "no", "2020-01-01", "1_0", "inf",
    "9007199254740993", "a\nb", 'q"q', "a,b", " ",
])  # fmt: skip


@given(
    cells=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=12),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    mark=st.booleans(),
    gaps=st.sets(st.integers(0, 12)),
)
@example(cells=[("1", "x", "a\nb"), ("2", "y", "z")], end="\r\n", mark=True, gaps={1, 2})
def test_any_table_is_read_alike(
    cells: list[tuple[str, ...]], end: str, mark: bool, gaps: set[int], tmp_path_factory: Any
) -> None:
    """Its cells, kinds and lines; or the same error."""
    path = tmp_path_factory.mktemp("tables") / "a.csv"
    quoted = ['"' + '","'.join(cell.replace('"', '""') for cell in row) + '"' for row in cells]
    lines = ["a,b,c", *[(end if k in gaps else "") + row for k, row in enumerate(quoted)]]
    path.write_bytes(("\ufeff" * mark + end.join(lines)).encode())
    found: list[object] = []
    for in_memory in (True, False):
        try:
            columns = read_table(path, in_memory).columns.values()
            rows = range(len(cells))
            told = [(c.kind, c.found, c.example, [c.where(k) for k in rows]) for c in columns]
            found.append((told, [c.texts() for c in columns]))
        except vg.RunError as e:
            found.append(str(e))
    assert found[0] == found[1]


@pytest.mark.parametrize("at", [0, 99, 100, 101, 250, 299])
@pytest.mark.parametrize("cell", ["word", "1,5", "2020-01-01", "1_0", "nan", ""])
def test_a_column_is_what_all_of_its_cells_are(at: int, cell: str, tmp_path: Path) -> None:
    """Also where it is long, and one cell of it is no number."""
    path = tmp_path / "a.csv"
    cells = [f'"{cell}"' if k == at else f"{k / 7}" for k in range(300)]
    path.write_text("\n".join(["a,b", *[f"{c},{k}" for k, c in enumerate(cells)]]))
    due, found = (read_table(path, m).columns["a"] for m in (True, False))
    assert (due.kind, due.example) == (found.kind, found.example)
    texts = tmp_path / "b.csv"
    texts.write_text("\n".join(["a,b", *[f"t{k % 151},{k}" for k in range(300)], "3,4"]))
    due, found = (read_table(texts, m).columns["a"] for m in (True, False))
    assert (due.kind, due.example) == (found.kind, found.example)


def test_a_file_that_has_changed_is_told(tmp_path: Path) -> None:
    path = houses(tmp_path / "a.csv")
    data = vg.data.csv(path, "price", in_memory=False)
    text = path.read_bytes()
    path.write_bytes(b"," * len(text))
    with pytest.raises(vg.RunError, match=r"a\.csv has changed since it was first read; read it"):
        _ = data.train.x[:5]


def test_the_size_of_a_file_says_how_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = houses(tmp_path / "a.csv")
    columns = Columns(drop=("town",))
    found = {}
    for whole in (path.stat().st_size, path.stat().st_size - 1):
        for held in (200 * 3 * 8, 200 * 3 * 8 - 1):  # sizes, gardens and prices
            monkeypatch.setattr(csv_file, "WHOLE", whole)
            monkeypatch.setattr(prepared, "HELD", held)
            found[whole, held] = load_data(str(path), "floor", columns=columns).train.x
    first, second, third, last = found.values()
    assert all(isinstance(x, np.ndarray) for x in (first, second, third))
    assert isinstance(last, Rows)
    assert all(np.array_equal(first, x) for x in (second, third, last))
    assert isinstance(vg.data.csv(path, "floor", in_memory=True).train.x, np.ndarray)
    with pytest.raises(vg.RunError, match="in_memory is 1, where True or False is expected"):
        vg.data.csv(path, "floor", in_memory=1)  # type: ignore[arg-type]


def test_a_large_table_takes_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row more takes its place in the file, its number and its label, and no cell."""
    monkeypatch.setattr(csv_lines, "_PIECE", 1 << 14)
    for module in (csv_ranges, table):
        monkeypatch.setattr(module, "BLOCK", 64)
    rng = np.random.default_rng(0)

    def measured(rows: int, in_memory: bool) -> None:
        path = tmp_path / f"{rows}.csv"
        if not path.exists():
            cells = np.char.mod("%.9f", rng.random((rows, 6)))
            text = [",".join(f"c{k}" for k in range(6)), *map(",".join, cells)]
            path.write_text("\n".join(text))
        monkeypatch.setattr(csv_file, "WHOLE", path.stat().st_size)
        data = vg.data.csv(path, "c0", in_memory=in_memory)
        assert data.scaling.mean.shape == (5,)

    grown = {}
    for in_memory in (True, False):
        few, many = (
            [measured(rows, in_memory), allocated(partial(measured, rows, in_memory))]
            for rows in (1500, 3000)
        )
        grown[in_memory] = (many[1] - few[1]) / 1500
    assert 4 * grown[False] < grown[True], grown
