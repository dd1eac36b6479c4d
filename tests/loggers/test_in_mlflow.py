"""What MLflow reads of what is kept there, in a store of its own."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import batch, net

import verigrad as vg

pytestmark = [pytest.mark.oracle, pytest.mark.numpy_bits, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file that MLflow keeps its runs in: it takes seconds to make one."""
    return f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}"


@pytest.fixture
def client(store: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    return pytest.importorskip("mlflow").MlflowClient(tracking_uri=store)


def fitted(**options: Any) -> vg.History:
    program = vg.compile(net(4, 5, 3), optimizer=vg.Adam(0.01))
    fed = batch(np.random.default_rng(0), 20, 4, 3)
    return vg.fit(program, fed, batch_size=10, **{"epochs": 3, **options})


def only_run(client: Any, experiment: str) -> Any:
    found = client.get_experiment_by_name(experiment)
    (run,) = client.search_runs([found.experiment_id])
    return run


def test_it_holds_the_epochs_of_a_run(client: Any, store: str) -> None:
    logger = vg.MLflowLogger(store, experiment="ä / 1", name="first")
    history = fitted(loggers=logger)
    run = only_run(client, "ä / 1")
    assert (run.info.status, run.info.run_name, run.info.run_id) == (
        "FINISHED", "first", logger.run_id,
    )  # fmt: skip
    assert run.data.params["optimizer"] == "adam(0.01)" and run.data.params["steps"] == "6"
    for name in ("epoch", "train_loss", "train_accuracy", "seconds"):
        kept = client.get_metric_history(run.info.run_id, name)
        found = [(m.step, m.value) for m in kept]
        assert found == [(row.step, getattr(row, name)) for row in history]


def test_a_run_that_fails_is_one_there(client: Any, store: str) -> None:
    class Fails(vg.Callback):
        def on_epoch(self, row: vg.Row) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fitted(loggers=vg.MLflowLogger(store, experiment="failing"), callbacks=Fails())
    assert only_run(client, "failing").info.status == "FAILED"


def test_a_resumed_run_holds_its_past(client: Any, store: str) -> None:
    logger = vg.MLflowLogger(store, experiment="resumed")
    logger.begin({"long": "x" * 10_000}, [{"step": 1, "loss": 4.0}])
    logger.log({"step": 2, "loss": math.nan, "most": math.inf})
    logger.end("interrupted")
    run = only_run(client, "resumed")
    found = [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "loss")]
    assert found[0] == (1, 4.0) and found[1][0] == 2 and math.isnan(found[1][1])
    assert run.info.status == "KILLED" and len(run.data.params["long"]) == 6_000


def test_a_store_that_cannot_be_is_told_before_the_first_step(client: Any, tmp_path: Path) -> None:
    with pytest.raises(vg.RunError, match="the logger MLflowLogger cannot begin"):
        (tmp_path / "garbage.db").write_bytes(b"garbage" * 1000)
        fitted(loggers=vg.MLflowLogger(f"sqlite:///{tmp_path / 'garbage.db'}"))


def test_a_store_that_goes_away_ends_no_run(
    client: Any, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = vg.MLflowLogger(store, experiment="gone")

    class Goes(vg.Callback):
        def on_epoch(self, row: vg.Row) -> None:
            if row.epoch == 2:
                logger.run_id = "none"

    with pytest.warns(vg.VerigradWarning, match="the logger MLflowLogger failed at epoch 2"):
        assert len(fitted(loggers=logger, callbacks=Goes())) == 3
    assert sqlite3.connect(store.removeprefix("sqlite:///")).execute("select 1").fetchone() == (1,)
