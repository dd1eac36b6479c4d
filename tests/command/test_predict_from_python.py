"""A program that was trained in Python on `vg.data` predicts for files, by the names it keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from invoking import run

import verigrad as vg


@pytest.mark.parametrize("target", ["price", "town"])
def test_a_file_is_read_as_the_data_was(
    target: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    size, town = rng.normal(90, 20, 80), rng.choice(["Ulm", "Bonn"], 80)
    price = 3 * size + 500 * (town == "Bonn")
    rows = [f"{a:.1f},{b},{c:.0f}" for a, b, c in zip(size, town, price, strict=True)]
    path = tmp_path / "houses.csv"
    path.write_text("\n".join(["size,town,price", *rows]))
    data = vg.data.csv(path, target)
    x = vg.input("x", ("N", data.features), data.scaling.dtype)
    out = vg.dense(data.scaling.of(x), len(data.classes) or 1)
    if data.classes:
        y = vg.input("y", ("N",), dtype="i64")
        net = vg.Graph("net", {"scores": out}, loss=vg.softmax_cross_entropy(out, y))
    else:
        y, number = vg.input("y", ("N",)), vg.reshape(out, ("N",)) * 200.0 + 500.0
        net = vg.Graph("net", {"price": number}, loss=vg.mean_squared_error(number, y))
    program = vg.compile(net, optimizer=vg.Adam(lr=0.1))
    vg.fit(program, data.train, validation=data.validation, epochs=60)
    program.save(tmp_path / "model.safetensors")
    turned = tmp_path / "turned.csv"
    others = [f"{b},{c:.0f},{a:.1f}" for a, b, c in zip(size, town, price, strict=True)]
    turned.write_text("\n".join(["town,price,size", *others]))
    found = run("predict", str(tmp_path / "model.safetensors"), str(turned)).stdout.split()
    if data.classes:
        assert np.mean(np.array(found) == town) > 0.9
    else:
        np.testing.assert_allclose([float(f) for f in found], price, rtol=0.2)
