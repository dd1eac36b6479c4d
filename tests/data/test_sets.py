"""`vg.data`: one record for every kind of data set, that fit takes and predict knows again."""

from __future__ import annotations

import copy
import gzip
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import verigrad as vg
from verigrad.runtime.data.schema import schema
from verigrad.runtime.data.source import load_rows

ROWS = 60


def columns(rng: np.random.Generator) -> dict[str, list[Any]]:
    size = rng.normal(50, 10, ROWS)
    town = rng.choice(["Ulm", "Köln", "a,b"], ROWS)
    price = 3 * size + 20 * (town == "Ulm")
    return {"size": size.tolist(), "town": town.tolist(), "price": price.tolist()}


def written(path: Path, held: dict[str, list[Any]]) -> Path:
    def cell(value: object) -> str:
        return f'"{value}"' if isinstance(value, str) else repr(value)

    rows = zip(*held.values(), strict=True)
    lines = [",".join(held), *[",".join(map(cell, row)) for row in rows]]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def net(data: vg.data.TaskData) -> vg.Graph:
    """A linear net on scaled features, for classes or a number."""
    x = vg.input("x", ("N", data.features), data.scaling.dtype)
    if data.task == "regression":
        y = vg.input("y", ("N",))
        out = vg.reshape(vg.dense(data.scaling.of(x), 1), ("N",))
        return vg.Graph("net", {"price": out}, loss=vg.mean_squared_error(out, y))
    labels = vg.input("y", ("N",), dtype="i64")
    scores = vg.dense(data.scaling.of(x), len(data.classes))
    return vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, labels))


def trained(data: vg.data.TaskData) -> vg.Program:
    program = vg.compile(net(data), optimizer=vg.Adam(lr=0.1))
    vg.fit(program, data.train, validation=data.validation, epochs=2, batch_size=20)
    return program


def test_the_digits_are_those_of_the_package() -> None:
    data, (train, test) = vg.data.digits(), vg.digits()
    assert [len(p.y) for p in data.parts] == [1295, 143, 359]
    assert (data.test.x == test.x).all()
    together = np.concatenate([data.train.y, data.validation.y])
    assert (np.sort(together) == np.sort(train.y)).all()
    assert data.classes == tuple("0123456789") and data.task == "classification"
    scaled = (data.train.x - data.scaling.mean) * data.scaling.inverse
    assert scaled.mean() == pytest.approx(0, abs=1e-6)
    other = vg.data.digits(split_seed=1)
    assert (other.test.x != data.test.x).any()


def test_names_reach_the_program_and_new_rows_are_read_by_them(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    held = columns(rng)
    data = vg.data.csv(written(tmp_path / "a.csv", held), "town")
    program = trained(data)
    program.save(tmp_path / "model")
    again = vg.load(tmp_path / "model")
    assert again.metadata["target"] == "town"
    known = schema(again.metadata, 3)
    assert known.classes == data.classes == ("Köln", "Ulm", "a,b")
    turned = {k: held[k] for k in ("price", "town", "size")}
    rows = load_rows(str(written(tmp_path / "b.csv", turned)), known)
    assert sorted(rows.x[:, 0].tolist()) == sorted(held["size"])


def test_what_a_program_is_told_by_hand_stays(tmp_path: Path, rng: np.random.Generator) -> None:
    data = vg.data.csv(written(tmp_path / "a.csv", columns(rng)), target="town")
    program = vg.compile(net(data), optimizer=vg.SGD(lr=0.1))
    program.metadata["classes"] = '["a", "b", "c"]'
    vg.fit(program, data.train, epochs=1)
    assert program.metadata["classes"] == '["a", "b", "c"]'
    assert "target" in program.metadata


def test_nothing_is_told_where_fit_refuses(tmp_path: Path, rng: np.random.Generator) -> None:
    data = vg.data.csv(written(tmp_path / "a.csv", columns(rng)), "town")
    program = vg.compile(net(data), optimizer=vg.SGD(lr=0.1))
    with pytest.raises(vg.RunError):
        vg.fit(program, data.train, epochs=0)
    assert program.metadata == {}


class Stream:
    """A frame of a library that nobody knows, with Arrow's protocol."""

    def __init__(self, table: Any) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


def test_all_kinds_of_tables_are_read_alike(tmp_path: Path, rng: np.random.Generator) -> None:
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    from pyarrow import feather, parquet

    held = columns(rng)
    table, frame = pyarrow.table(held), pandas.DataFrame(held)
    parquet.write_table(table, tmp_path / "a.parquet")
    feather.write_feather(table, tmp_path / "a.feather")
    due = vg.data.csv(written(tmp_path / "a.csv", held), "price")
    assert due.task == "regression" and due.columns == ("size", "town=Köln", "town=Ulm", "town=a,b")
    for data in (
        vg.data.parquet(tmp_path / "a.parquet", "price"),
        vg.data.parquet(str(tmp_path / "a.feather"), "price"),
        vg.data.table(table, "price"),
        vg.data.table(frame, "price"),
        vg.data.table(frame.set_index(np.arange(ROWS)[::-1]), "price"),
        vg.data.table(frame.astype({"town": "category"}), "price"),
        vg.data.table(Stream(table), "price"),
    ):
        assert data.columns == due.columns
        for part, expected in zip(data.parts, due.parts, strict=True):
            np.testing.assert_array_equal(part.x, expected.x)
            np.testing.assert_array_equal(part.y, expected.y)
    program = trained(due)
    assert vg.measure(program, due.test).accuracy is None


@pytest.mark.oracle
@pytest.mark.numpy_bits  # reads files alone: once is enough
def test_frames_of_polars_are_read_alike(rng: np.random.Generator) -> None:
    polars, pandas = pytest.importorskip("polars"), pytest.importorskip("pandas")
    held = columns(rng)
    due = vg.data.table(pandas.DataFrame(held), "price")
    frame = polars.DataFrame(held)
    for form in (frame, frame.with_columns(polars.col("town").cast(polars.Categorical))):
        data = vg.data.table(form, "price")
        assert data.columns == due.columns
        np.testing.assert_array_equal(data.train.x, due.train.x)
    with pytest.raises(vg.RunError, match=r"give frame\.collect\(\)"):
        vg.data.table(frame.lazy(), "price")


def test_columns_are_read_as_said(tmp_path: Path, rng: np.random.Generator) -> None:
    path = written(tmp_path / "a.csv", columns(rng))
    assert vg.data.csv(path, "price", drop="size").columns == ("town=Köln", "town=Ulm", "town=a,b")
    held = {"size": ["S", "M", "L"] * 20, "price": [0.5 * k for k in range(ROWS)]}
    ordered = vg.data.csv(written(tmp_path / "b.csv", held), "price", ordinal="size=S,M,L")
    assert set(ordered.train.x[:, 0]) == {0.0, 1.0, 2.0}
    assert vg.data.csv(path, "town", drop=("price",)).columns == ("size",)


def test_a_record_is_copied_with_what_it_tells() -> None:
    data = vg.data.digits()
    for again in (copy.deepcopy(data), pickle.loads(pickle.dumps(data)), copy.copy(data)):
        assert again.train.told == data.train.told != {}
        assert (again.train.x == data.train.x).all()


def test_pictures_of_a_folder(tmp_path: Path) -> None:
    def idx(name: str, array: np.ndarray) -> None:
        head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(head + array.tobytes()))

    for prefix, count in (("train", 40), ("t10k", 20)):
        idx(f"{prefix}-images-idx3-ubyte", np.zeros((count, 4, 4), np.uint8))
        idx(f"{prefix}-labels-idx1-ubyte", np.arange(count, dtype=np.uint8) % 10)
    data = vg.data.mnist(tmp_path)
    assert [p.x.shape[1] for p in data.parts] == [16, 16, 16]
    assert len(data.train.y) + len(data.validation.y) == 40
    assert len(data.test.y) == 20
    assert vg.data.fashion_mnist(str(tmp_path)).classes[0] == "T-shirt/top"


def named(frame: Any) -> Any:
    """A frame in which each row has a text of its own."""
    return frame.assign(town=[f"t {i}" for i in range(ROWS)])


BAD: list[tuple[Callable[[Any, Path], object], str]] = [
    (lambda f, p: vg.data.table(3, "price"), "the table is 3, where a frame of pandas"),
    (lambda f, p: vg.data.table(np.ones((3, 2)), "price"), "of arrays, give vg.fit a pair"),
    (lambda f, p: vg.data.table(f["town"], "price"), "where a frame of pandas"),
    (lambda f, p: vg.data.table(f, "prize"), "no column 'prize'; did you mean 'price'"),
    (lambda f, p: vg.data.table(f, None), "target is None"),
    (lambda f, p: vg.data.table(f, "price", task="classify"), "task is 'classify'"),
    (lambda f, p: vg.data.table(f, "price", drop=3), "drop is 3, where names of columns"),
    (lambda f, p: vg.data.table(f, "price", drop=[3]), r"drop is \[3\], where names of columns"),
    (lambda f, p: vg.data.table(f, "price", drop="prise"), "prise"),
    (lambda f, p: vg.data.table(f.iloc[:0], "price"), "the table is empty"),
    (
        lambda f, p: vg.data.table(named(f), "price"),
        "leave it out with drop='town', or, .* one_hot=",
    ),
    (lambda f, p: vg.data.table(f.assign(town=[object()] * ROWS), "price"), "the table cannot be"),
    (lambda f, p: vg.data.csv(p / "none.csv", "a"), "No such file"),
    (lambda f, p: vg.data.csv(3, "a"), "a path is 3"),
    (lambda f, p: vg.data.parquet(p, "a"), "cannot be read"),
    (lambda f, p: vg.data.mnist(p), "has no file train-images"),
    (lambda f, p: vg.data.cifar10(p / "x"), "x"),
    (lambda f, p: vg.data.digits(split_seed=-1), "seed is -1"),
]


@pytest.mark.parametrize(("call", "said"), BAD, ids=[said for _, said in BAD])
def test_what_is_wrong_is_said_in_words_of_python(
    call: Callable[[Any, Path], object], said: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(vg.VerigradError, match=said) as caught:
        call(pandas.DataFrame(columns(rng)), tmp_path)
    assert "--" not in str(caught.value)


def test_dates_are_refused_with_an_argument(rng: np.random.Generator) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(columns(rng)).assign(**{"sale date": pandas.Timestamp("2020-01-01")})
    with pytest.raises(vg.RunError, match="leave them out with drop='sale date'"):
        vg.data.table(frame, "price")
