"""What TensorBoard's own reader reads of what is written for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import batch, net

import verigrad as vg
from verigrad.runtime.loggers.logger import Logger

pytestmark = [pytest.mark.oracle, pytest.mark.numpy_bits]  # once, not for each backend
SETTINGS = {"optimizer": "adam(0.01)", "note": "a | b\nc"}


@pytest.fixture
def read() -> Callable[[Path], Any]:
    """All that the reader of TensorBoard finds in a folder."""
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    def read(folder: Path) -> Any:
        found = events.EventAccumulator(str(folder))
        found.Reload()
        return found

    return read


def points(found: Any, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in found.Scalars(name)]


def logged(
    logger: Logger, *rows: dict[str, float], past: tuple[dict[str, float], ...] = ()
) -> None:
    logger.begin(SETTINGS, past)
    for row in rows:
        logger.log(row)
    logger.end("finished")


def test_it_reads_the_epochs_of_a_run(read: Any, tmp_path: Path) -> None:
    folder = tmp_path / "my runs" / "ä 1"
    program = vg.compile(net(4, 5, 3), optimizer=vg.Adam(0.01))
    fed = batch(np.random.default_rng(0), 20, 4, 3)
    history = vg.fit(
        program, fed, validation=fed, epochs=3, batch_size=10,
        loggers=vg.TensorBoardLogger(folder),
    )  # fmt: skip
    found = read(folder)
    for name in ("epoch", "train_loss", "train_accuracy", "validation_loss", "seconds"):
        expected = [(row.step, np.float32(getattr(row, name))) for row in history]
        assert points(found, name) == expected
    text = found.Tensors("settings/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "| optimizer | adam(0.01) |" in text and "| rows | 20 |" in text


def test_a_run_takes_the_place_of_an_earlier_one(read: Any, tmp_path: Path) -> None:
    one, two, three = ({"step": s, "loss": float(s)} for s in (1, 2, 3))
    for _ in range(2):
        logged(vg.TensorBoardLogger(tmp_path), one, two)
    assert points(read(tmp_path), "loss") == [(1, 1.0), (2, 2.0)]
    logged(vg.TensorBoardLogger(tmp_path), three, past=(one,))
    assert points(read(tmp_path), "loss") == [(1, 1.0), (3, 3.0)]


def test_numbers_that_are_not_finite_are_points(read: Any, tmp_path: Path) -> None:
    logged(vg.TensorBoardLogger(tmp_path), {"step": 1, "a": math.inf, "odd name!": math.nan})
    found = read(tmp_path)
    assert points(found, "a") == [(1, math.inf)]
    assert len(found.Tags()["scalars"]) == 2


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(vg.RunError, match="cannot be written"):
        logged(vg.TensorBoardLogger(tmp_path / "file"))
    with pytest.raises(vg.RunError, match="a path is 3"):
        vg.TensorBoardLogger(3)  # type: ignore[arg-type]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    logger = vg.TensorBoardLogger(tmp_path)
    logger.begin({}, ())
    record = logger._writer._py_recordio_writer
    record.close()
    with Path("/dev/full").open("wb", buffering=0) as full:
        record._writer = full
        with pytest.raises(vg.RunError, match="No space left on device"):
            logger.log({"step": 1, "loss": 1.0})
