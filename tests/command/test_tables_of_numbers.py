"""`verigrad train` and `predict` where a number is to be predicted."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from invoking import run

import verigrad as vg
from verigrad.runtime.data import csv_file, prepared
from verigrad.runtime.metrics import regression

SMALL = ("--hidden", 8, "--epochs", 12, "--batch-size", 20)


def houses(rng: np.random.Generator, rows: int = 240) -> str:
    """Rooms, a town and a garden make a price, of some 100,000."""
    lines = ["rooms,town,garden,sold,price"]
    for _ in range(rows):
        rooms, town, garden = int(rng.integers(1, 8)), rng.integers(3), rng.integers(2)
        price = 1e5 + 2e4 * rooms + 3e4 * town + 1e4 * garden + 1e3 * rng.standard_normal()
        name = ("Rome", "Oslo", "")[town]
        lines.append(f"{rooms},{name},{('no', 'yes')[garden]},2020-01-{rooms + 10},{price:.2f}")
    return "\n".join([*lines, ""])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, and the run that learned it."""
    folder = tmp_path_factory.mktemp("houses")
    (folder / "houses.csv").write_text(houses(np.random.default_rng(3)))
    result = run(
        "train", "--data", folder / "houses.csv", "--target", "price", "--drop", "sold", *SMALL,
        "--out", folder / "run", "--metrics", "mape,median_error", "--optimizer", "adam", "--lr",
        0.02,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (folder / "stdout").write_text(result.stdout)
    (folder / "stderr").write_text(result.stderr)
    return folder


def test_train_says_what_it_took_the_table_for(trained: Path) -> None:
    told = (trained / "stderr").read_text()
    assert "houses.csv: price: 240 different numbers in 240 rows: regression\n" in told
    assert "houses.csv: town: 3 categories, one-hot, one of them for what is missing\n" in told
    assert "houses.csv: 173 rows to train on, 19 to validate, 48 to test\nnet 5-8-1, " in told
    first, second, *_ = (trained / "stdout").read_text().splitlines()
    assert first.startswith("test RMSE ") and " MAPE " in first and "(48 rows), test loss" in first
    assert second.startswith("validation RMSE ")
    assert {p.name for p in (trained / "run").iterdir()} >= {"curves.svg", "report.html"}


@pytest.mark.numpy_bits
def test_a_table_that_is_too_large_for_memory_is_learned_to_the_same_bits(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_file, "WHOLE", 0)
    monkeypatch.setattr(prepared, "HELD", 0)
    result = run(
        "train", "--data", trained / "houses.csv", "--target", "price", "--drop", "sold", *SMALL,
        "--out", tmp_path / "run", "--metrics", "mape,median_error", "--optimizer", "adam", "--lr",
        0.02,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    due, found = (vg.load(folder / "run" / "model.safetensors") for folder in (trained, tmp_path))
    assert due.metadata == found.metadata
    for name, value in due.parameters.items():
        assert np.array_equal(value, found.parameters[name])
    asked = "predict", tmp_path / "run", trained / "houses.csv", "--target", "price"
    by_ranges = run(*asked)
    monkeypatch.undo()
    assert by_ranges.exit_code == 0 and by_ranges.stdout == run(*asked).stdout


def test_numbers_are_predicted_in_the_unit_of_the_target(trained: Path) -> None:
    result = run("predict", trained / "run", trained / "houses.csv", "--json")
    told = json.loads(result.stdout)
    rows = list(csv.DictReader(io.StringIO((trained / "houses.csv").read_text())))
    true = np.array([float(row["price"]) for row in rows])
    predicted = np.array(told["predictions"])
    assert regression.r2(true, predicted) > 0.95
    metrics = told["scores"]["metrics"]
    assert metrics["rmse"] == regression.root_mean_squared_error(true, predicted)
    assert metrics["r2"] == regression.r2(true, predicted) and told["scores"]["rows"] == 240
    line = result.stderr.splitlines()[-1]
    assert line.startswith("RMSE ") and line.endswith(" of 240 rows")
    assert "not read, since the model was not trained on it: 'sold'" in result.stderr


def test_what_train_tells_is_what_predict_finds(trained: Path, tmp_path: Path) -> None:
    """The test part's rows, by themselves, have the metrics that the run ended with."""
    result = run(
        "train", "--data", trained / "houses.csv", "--target", "price", "--drop", "sold", *SMALL,
        "--json", "--out", tmp_path / "run", "--dtype", "f64", "--split-seed", 3,
    )  # fmt: skip
    told = json.loads(result.stdout)
    assert told["task"] == "regression" and told["test_accuracy"] is None
    assert set(told["test"]) == set(told["validation"]) == {"rmse", "mae", "r2"}
    from verigrad.runtime.data.categories import Columns
    from verigrad.runtime.data.source import load_data

    data = load_data(
        str(trained / "houses.csv"), "price", 3, task="auto", columns=Columns(drop=("sold",))
    )
    prices = {f"{y:.2f}" for y in data.test.y.tolist()}
    lines = (trained / "houses.csv").read_text().splitlines()
    kept = [line for line in lines[1:] if line.rpartition(",")[2] in prices]
    (tmp_path / "test.csv").write_text("\n".join([lines[0], *kept]))
    found = json.loads(run("predict", tmp_path / "run", tmp_path / "test.csv", "--json").stdout)
    metrics = found["scores"]["metrics"]
    assert {k: metrics[k] for k in told["test"]} == pytest.approx(told["test"], rel=1e-9)
    program = vg.load(tmp_path / "run" / "model.safetensors")
    assert program.metadata["task"] == "regression" and program.metadata["target"] == "price"
    assert vg.measure(program, data.test).loss == pytest.approx(told["test_loss"], rel=1e-9)


@pytest.mark.parametrize("name", ["out.csv", "out.tsv", "out.parquet"])
def test_predictions_are_written_and_read_back(trained: Path, tmp_path: Path, name: str) -> None:
    wanted = json.loads(run("predict", trained / "run", trained / "houses.csv", "--json").stdout)
    out = tmp_path / name
    result = run("predict", trained / "run", trained / "houses.csv", "-o", out)
    assert result.stdout.startswith("RMSE ") and f"240 predictions in {out}" in result.stderr
    if name.endswith("parquet"):
        found = pytest.importorskip("pyarrow.parquet").read_table(out)["prediction"].to_pylist()
    else:
        head, *lines = out.read_text().splitlines()
        found = [float(line) for line in lines]
        assert head == "prediction"
    assert found == wanted["predictions"]
    printed = run("predict", trained / "run", trained / "houses.csv").stdout.split()
    assert [float(line) for line in printed] == found
    to_stdout = run("predict", trained / "run", trained / "houses.csv", "-o", "-").stdout
    assert to_stdout.splitlines() == ["prediction", *printed]


def test_a_picture_shows_what_is_predicted_over_what_is_true(trained: Path, tmp_path: Path) -> None:
    svg = tmp_path / "houses.svg"
    result = run("predict", trained / "run", trained / "houses.csv", "--svg", svg)
    assert result.exit_code == 0 and f"figure in {svg}" in result.stderr
    first = svg.read_bytes()
    assert b"<svg" in first
    run("predict", trained / "run", trained / "houses.csv", "--svg", svg)
    assert svg.read_bytes() == first


def test_the_target_may_have_another_name_where_it_is_scored(trained: Path, tmp_path: Path) -> None:
    text = (trained / "houses.csv").read_text().replace("price", "asked", 1)
    (tmp_path / "new.csv").write_text(text)
    plain = run("predict", trained / "run", tmp_path / "new.csv")
    assert "RMSE" not in plain.stderr and "was not trained on it: 'sold', 'asked'" in plain.stderr
    scored = run("predict", trained / "run", tmp_path / "new.csv", "--target", "asked")
    assert "of 240 rows\nmedian_error " in scored.stderr and scored.stdout == plain.stdout
    result = run("predict", trained / "run", tmp_path / "new.csv", "--target", "askd")
    assert result.exit_code == 2 and "no column 'askd'; did you mean 'asked'?" in result.stderr


REFUSED = [
    (("--proba",), "--proba is for classes, and"),
    (("-o", "x.json"), "-o x.json: predictions are written as .csv, .tsv, .parquet, .pq; the"),
    (("-o", "nowhere/x.csv"), "nowhere/x.csv cannot be written"),
    (("--svg", "x.png"), "x.png would hold an SVG"),
    (("--svg", "-"), "name a file for the figure"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_what_predict_cannot_do_is_refused(
    trained: Path, tmp_path: Path, given: tuple[str, ...], message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    result = run("predict", trained / "run", trained / "houses.csv", *given)
    assert result.exit_code == 2 and message in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("dear", "line 2, column 'price': the column holds texts, such as 'dear', where numbers "),
        ("", "line 2, column 'price': the number to predict is missing; leave such rows out"),
    ],
)
def test_what_is_true_and_no_number_is_named(
    trained: Path, tmp_path: Path, cell: str, message: str
) -> None:
    (tmp_path / "new.csv").write_text(f"rooms,town,garden,price\n3,Oslo,no,{cell}\n")
    result = run("predict", trained / "run", tmp_path / "new.csv")
    assert result.exit_code == 2 and message in result.stderr and "--task" not in result.stderr


def test_one_row_is_scored_as_far_as_it_can_be(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("rooms,town,garden,price\n3,Oslo,no,160000\n")
    svg = tmp_path / "one.svg"
    result = run("predict", trained / "run", tmp_path / "new.csv", "--svg", svg, "--json")
    told = json.loads(result.stdout)["scores"]
    assert told["metrics"]["r2"] is None and told["metrics"]["mae"] == told["metrics"]["rmse"]
    assert "R2 nan of 1 row\n" in result.stderr and svg.exists()


def test_a_picture_needs_what_is_true(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("rooms,town,garden\n3,Oslo,no\n")
    svg = tmp_path / "x.svg"
    result = run("predict", trained / "run", tmp_path / "new.csv", "--svg", svg)
    assert result.exit_code == 2 and "new.csv' does not say what is true; --target names" in (
        result.stderr
    )
    assert not svg.exists()


def test_a_full_disk_is_told(trained: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full")
    link = trained / "full.csv"
    link.symlink_to(full)
    result = run("predict", trained / "run", trained / "houses.csv", "-o", link)
    assert result.exit_code == 1 and "cannot be written: No space left" in result.stderr


def test_a_run_is_resumed_compared_and_reported(trained: Path, tmp_path: Path) -> None:
    done = run("resume", trained / "run")
    assert (
        done.exit_code == 0
        and done.stdout.splitlines()[0] == ((trained / "stdout").read_text().splitlines()[0])
    )
    again = run("train", "--config", trained / "run", "--steps", 3, "--json")
    assert again.exit_code == 0 and json.loads(again.stdout)["task"] == "regression"
    told = run("info", trained / "run").stdout
    rows = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in told.splitlines())
    assert rows["column town"] == "one-hot: Oslo, Rome, (missing)"
    assert rows["column garden"] == "boolean" and rows["metadata task"] == "regression"
    assert re.fullmatch(r"mean 2\d+, deviation [\d.]+; undone in predictions", rows["target scale"])
    assert run("report", trained / "run", "-o", tmp_path / "r.html").exit_code == 0
    options = ("--data", trained / "houses.csv", "--target", "price", "--drop", "sold", *SMALL)
    svg = tmp_path / "compared.svg"
    result = run("compare", *options, "--optimizers", "adam,sgd", "--epochs", 2, "-o", svg)
    assert result.exit_code == 0 and "validation R2" in result.stdout and svg.exists()
    told = json.loads(run("compare", *options, "--l2s", "0", "--epochs", 1, "--json").stdout)
    assert set(told["runs"][0]) >= {"train_r2", "validation_r2", "r2_steps"}
    assert run("check", *options[:-4], "--reg", 0.1).exit_code == 0
    refused = run("selfcheck", *options[:-4])
    assert refused.exit_code == 2 and "the checks are those of a classifier" in refused.stderr


@pytest.mark.parametrize(("loss", "least"), [("huber", 0.9), ("mae", 0.9), ("poisson", 0.6)])
def test_every_loss_predicts_in_the_unit_of_the_target(
    trained: Path, tmp_path: Path, loss: str, least: float
) -> None:
    result = run(
        "train", "--data", trained / "houses.csv", "--target", "price", "--drop", "sold", *SMALL,
        "--loss", loss, "--optimizer", "adam", "--lr", 0.02, "--json", "--out", tmp_path / "run",
    )  # fmt: skip
    assert json.loads(result.stdout)["test"]["r2"] > least
    found = json.loads(run("predict", tmp_path / "run", trained / "houses.csv", "--json").stdout)
    assert found["scores"]["metrics"]["r2"] > least
    assert vg.load(tmp_path / "run" / "model.safetensors").metadata["loss"] == loss


def test_large_numbers_that_hardly_vary_are_predicted(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    x = rng.standard_normal(200)
    (tmp_path / "times.csv").write_text(
        "a,y\n" + "".join(f"{a!r},{1.7e12 + 3 * a!r}\n" for a in x.tolist())
    )
    result = run(
        "train", "--data", tmp_path / "times.csv", "--target", "y", *SMALL, "--json", "--optimizer",
        "adam", "--lr", 0.02,
    )  # fmt: skip
    assert json.loads(result.stdout)["test"]["r2"] > 0.95


TRAIN_REFUSED = [
    (("--loss", "softmax"), "--loss softmax is for classification, and this is regression, whose"),
    (("--class-weight", "balanced"), "--class-weight is for classes, and this is regression"),
    (("--metrics", "f1"), "f1 is a metric of classification, and this is regression; its metrics"),
    (("--metrics", "rmes"), "there is no metric 'rmes'; did you mean 'rmse'?"),
    (("--label-smoothing", "0.1"), "--label-smoothing is for classes, and this is regression"),
    (("--sampler", "balanced"), "balanced"),
    (("--keep-best", "f1"), "f1 is a metric of classification, and this is regression"),
    (("--keep-best", "accuracy"), "keep_best follows the accuracy, but"),
    (("--task", "classification"), "240 rows have 240 different labels"),
]


@pytest.mark.parametrize(("given", "message"), TRAIN_REFUSED, ids=[m for _, m in TRAIN_REFUSED])
def test_options_of_another_task_are_refused(
    trained: Path, tmp_path: Path, given: tuple[str, ...], message: str
) -> None:
    out = tmp_path / "run"
    result = run(
        "train", "--data", trained / "houses.csv", "--target", "price", "--drop", "sold", *given,
        "--out", out,
    )  # fmt: skip
    assert result.exit_code == 2 and message in result.stderr, result.stderr


def test_counts_below_nothing_are_refused(tmp_path: Path) -> None:
    for values, message in (
        ([-1.5, *range(20)], "--loss poisson predicts counts, but 'y' is -1.5 in a row"),
        ([0.0] * 16 + [5.0], "all counts to train on are 0"),
    ):
        (tmp_path / "t.csv").write_text(
            "a,y\n" + "".join(f"{i},{v}\n" for i, v in enumerate(values))
        )
        outcomes = [
            run("train", "--data", tmp_path / "t.csv", "--target", "y", "--loss", "poisson",
                "--task", "regression", "--split-seed", seed, "--steps", 1).stderr
            for seed in range(8)
        ]  # fmt: skip
        assert any(message in told for told in outcomes)


def test_a_net_that_learned_nothing_is_told(tmp_path: Path, rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((2, 100)).tolist()
    (tmp_path / "t.csv").write_text(
        "a,y\n" + "".join(f"{a},{b}\n" for a, b in zip(x, y, strict=True))
    )
    result = run("train", "--data", tmp_path / "t.csv", "--target", "y", "--hidden", 100)
    assert "Warning: the test R2 is -" in result.stderr and "to predict the mean" in result.stderr


def test_a_program_of_ones_own_predicts_for_tables(trained: Path, tmp_path: Path) -> None:
    """Its output may have any name, and one column; the metadata are those of `vg.data`."""
    data = vg.data.csv(trained / "houses.csv", target="price", drop=["sold"])
    x, y = vg.input("x", ("N", data.features)), vg.input("y", ("N", 1))
    price = vg.dense(data.scaling.of(x), 1) * 50_000.0 + 200_000.0
    net = vg.Graph("houses", {"price": price}, loss=vg.mean_squared_error(price, y))
    program = vg.compile(net, optimizer=vg.Adam(0.1))
    program.metadata.update(vg.load(trained / "run" / "model.safetensors").metadata)
    vg.fit(program, (data.train.x, data.train.y[:, None]), epochs=60)
    program.save(tmp_path / "own.safetensors")
    told = run("predict", tmp_path / "own.safetensors", trained / "houses.csv", "--json").stdout
    assert json.loads(told)["scores"]["metrics"]["r2"] > 0.9
    two = vg.concat([price, price], axis=1)
    y = vg.input("y", ("N", 2))
    net = vg.Graph("two", {"price": two}, loss=vg.mean_squared_error(two, y))
    other = vg.compile(net)
    other.metadata.update(program.metadata)
    other.save(tmp_path / "two.safetensors")
    result = run("predict", tmp_path / "two.safetensors", trained / "houses.csv")
    assert result.exit_code == 2 and "numbers a row, where one is expected" in result.stderr
