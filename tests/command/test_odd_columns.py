"""The command line's net on columns that never change, hardly change, or are hard to hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import verigrad as vg
from verigrad.runtime.command.network import compiled
from verigrad.runtime.command.settings import Settings
from verigrad.runtime.data.schema import schema
from verigrad.runtime.data.source import load_data, load_rows


@pytest.mark.parametrize(
    ("dtype", "backend"), [("f32", "numpy"), ("f32", "numba"), ("f64", "numpy")]
)
def test_a_signal_beside_an_offset_is_learned_and_a_constant_is_not(
    tmp_path: Path, rng: np.random.Generator, dtype: str, backend: str
) -> None:
    signal = rng.standard_normal(200)
    text = "time,still,filled,huge,kind\n" + "".join(
        f"{1.7e9 + s!r},0.1,{'NA' if i % 7 == 0 else 0.1},1e308,{'late' if s > 0 else 'early'}\n"
        for i, s in enumerate(signal.tolist())
    )
    (tmp_path / "data.csv").write_text(text)
    data = load_data(str(tmp_path / "data.csv"), "kind")
    program = compiled(data, Settings(hidden=(4,), dtype=dtype, backend=backend))
    vg.fit(program, data.train, epochs=20, batch_size=20)
    assert vg.measure(program, data.test).accuracy > 0.9
    (tmp_path / "new.csv").write_text(
        "time,still,filled,huge\n1700000001.5,0.101,0.101,1.01e308\n1699999998.5,0.099,,1e308\n"
    )
    rows = load_rows(str(tmp_path / "new.csv"), schema(program.metadata, 2))
    scores = program.predict(x=rows.x)["scores"]
    assert np.abs(scores).max() < 100
    assert [data.classes[i] for i in scores.argmax(axis=1)] == ["late", "early"]
