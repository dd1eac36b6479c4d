"""What `verigrad train` writes, as ONNX: files that take the columns of a table as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from onnx_runs import Session, checked, predicted

import verigrad as vg
from verigrad.runtime.command.cli import cli
from verigrad.runtime.command.models import load_model
from verigrad.runtime.data.csv_file import read_csv
from verigrad.runtime.data.encoding import Encoding, encoded, features
from verigrad.runtime.data.schema import schema
from verigrad.runtime.data.source import load_rows

pytestmark = [pytest.mark.oracle, pytest.mark.numpy_bits]


@pytest.fixture(autouse=True)
def certified(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `train` compiles."""
    monkeypatch.setitem(vg.compile.__kwdefaults__, "certify", True)


def trained(folder: Path, lines: list[str], *options: str) -> vg.Program:
    """A model of that CSV file, in the folder `run`."""
    (folder / "table.csv").write_text("\n".join(lines))
    given = ["--data", str(folder / "table.csv"), "--out", str(folder / "run"), "--epochs", "3"]
    result = CliRunner().invoke(cli, ["train", *given, *options])
    assert result.exit_code == 0, result.output
    return load_model(folder / "run")


def agrees(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_scaling_and_what_is_missing_are_in_the_file(onnx: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    table = rng.normal([1000.0, -3.0, 0.01], [200.0, 1.0, 0.002], (60, 3))
    labels = np.where(table[:, 0] > 1000, "high", "low")
    lines = [f"{a:.6g},{b:.6g},{c:.6g},{y}" for (a, b, c), y in zip(table, labels, strict=True)]
    lines[3] = lines[3].replace(lines[3].split(",")[1], "", 1)
    program = trained(tmp_path, ["a,b,c,kind", *lines], "--target", "kind")
    raw = np.array([[900.0, -2.0, 0.011], [1100.0, np.nan, 0.009]], np.float32)
    filled = np.where(np.isnan(raw), json.loads(program.metadata["fill"]), raw)
    agrees(predicted(program, tmp_path, {"x": raw})["scores"], program.predict(x=filled)["scores"])
    path = tmp_path / "step.onnx"
    exported = CliRunner().invoke(
        cli, ["export", str(tmp_path / "run"), "-o", str(path), "--training"]
    )
    assert (exported.exit_code, exported.output) == (0, f"{path}\n")
    told = {p.key: p.value for p in checked(path).metadata_props}
    assert json.loads(told["classes"]) == ["high", "low"]
    loss = program.step(x=filled, y=np.array([0, 1]))
    outputs = Session(path).run({"x": raw, "y": np.array([0, 1])})
    assert outputs["loss"] == pytest.approx(loss, rel=1e-5)


def test_a_regression_takes_texts_and_gives_the_unit_of_its_target(
    onnx: Any, tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    town, rooms = rng.choice(["Rome", "Oslo", ""], 60), rng.integers(1, 9, 60)
    price = 1e5 * rooms + 3e5 * (town == "Rome") + rng.normal(0, 1e4, 60)
    lines = [f"{t},{'' if k == 2 else r},{p:.0f}"
             for k, (t, r, p) in enumerate(zip(town, rooms, price, strict=True))]  # fmt: skip
    options = "--target", "price", "--task", "regression"
    program = trained(tmp_path, ["town,rooms,price", *lines], *options)
    known = schema(program.metadata, None)
    x = load_rows(str(tmp_path / "table.csv"), known).x
    rooms_fed = np.where(np.arange(60) == 2, np.nan, rooms).astype("f4")
    feeds = {"town": town.astype(object), "rooms": rooms_fed}
    expected = program.predict(x=x)["predictions"]
    found = predicted(program, tmp_path, feeds)["predictions"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    program.to_onnx(tmp_path / "step.onnx", training=True)
    checked(tmp_path / "step.onnx")
    y = price.astype(program.declared["y"].type.numpy)
    outputs = Session(tmp_path / "step.onnx").run({**feeds, "y": y})
    assert outputs["loss"] == pytest.approx(program.step(x=x, y=y), rel=1e-5)


ENCODINGS = [
    Encoding("scores"),
    Encoding("home town", "one-hot", ("Rome", None, "São Paulo", "Oslo")),
    Encoding("size", "ordinal", ("small", "medium", "large")),
    Encoding("garden", "boolean"),
]


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_a_table_of_texts_is_fed_column_by_column(onnx: Any, dtype: str, tmp_path: Path) -> None:
    """Texts, truth values, an order, numbers, gaps in each; a column is called as an output is."""
    lines = """scores,home town,size,garden
        1.5,Rome,large,true
        ,Oslo,small,false
        -3,,medium,
        0.25,São Paulo,,true
        7,Atlantis,large,false"""
    (tmp_path / "table.csv").write_text(lines.replace("        ", ""), encoding="utf-8")
    x = encoded(read_csv(tmp_path / "table.csv"), ENCODINGS).x
    fill = np.nan_to_num(np.nanmean(x, axis=0))
    inputs = vg.input("x", ("N", x.shape[1]), dtype=dtype)
    net = vg.Graph("net", {"scores": vg.dense(inputs, 2)})
    program = vg.compile(net, dtype=dtype)
    told = {"encodings": ENCODINGS, "columns": features(ENCODINGS), "fill": fill.tolist()}
    program.metadata.update({k: json.dumps(v) for k, v in told.items()})
    expected = program.predict(x=np.where(np.isnan(x), fill, x))["scores"]
    program.to_onnx(tmp_path / "net.onnx")
    model = checked(tmp_path / "net.onnx")
    assert [v.name for v in model.graph.input] == ["scores.1", "home town", "size", "garden"]
    number = np.dtype("f4" if dtype == "f32" else "f8")
    feeds = {
        "scores.1": np.array([1.5, np.nan, -3, 0.25, 7], number),
        "home town": np.array(["Rome", "Oslo", "", "São Paulo", "Atlantis"], object),
        "size": np.array(["large", "small", "medium", "", "large"], object),
        "garden": np.array([1, 0, np.nan, 1, 0], number),
    }
    session = Session(tmp_path / "net.onnx")
    for rows in (5, 1, 0):
        few = {k: a[:rows] for k, a in feeds.items()}
        agrees(session.run(few)["scores"], expected[:rows])


@pytest.mark.parametrize("encodings", ["", "3", "[[1]]", '[["a", "two", []]]', "[[", "{}"])
def test_damaged_encodings_are_named(onnx: Any, encodings: str, tmp_path: Path) -> None:
    x = vg.input("x", ("N", 2))
    program = vg.compile(vg.Graph("g", {"y": vg.relu(x)}))
    program.metadata["encodings"] = encodings
    with pytest.raises(vg.RunError, match="'encodings' is damaged"):
        program.to_onnx(tmp_path / "net.onnx")
