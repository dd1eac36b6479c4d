"""`verigrad train` and `predict` on tables with classes: weights, metrics, tables of results."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from invoking import run

from verigrad.runtime.command.run_options import read_config

SMALL = ("--hidden", 6, "--epochs", 12, "--batch-size", 20, "--optimizer", "adam", "--lr", 0.02)
CLASSES = ("fail", "pass", "so, so")


def marks(rng: np.random.Generator, rows: int = 200, head: str = "hours,school,result") -> str:
    """Hours and a school make a result; one school knows no failing."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head.split(","))
    for _ in range(rows):
        hours, school = rng.random() * 10, rng.integers(3)
        result = CLASSES[1 if hours + 2 * school > 7 else 2 if hours > 4 else 0]
        writer.writerow([f"{hours:.3f}", ("north", "south", "west")[school], result])
    return text.getvalue()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, and the run that learned it."""
    folder = tmp_path_factory.mktemp("marks")
    (folder / "marks.csv").write_text(marks(np.random.default_rng(5)))
    result = run(
        "train", "--data", folder / "marks.csv", "--target", "result", *SMALL, "--out",
        folder / "run", "--metrics", "f1,auc,accuracy",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (folder / "stdout").write_text(result.stdout)
    (folder / "stderr").write_text(result.stderr)
    return folder


def test_train_measures_what_is_asked_for_on_both_parts(trained: Path) -> None:
    told = (trained / "stderr").read_text()
    assert "marks.csv: result: 3 different texts in 200 rows: classification\n" in told
    first, second, third, *_ = (trained / "stdout").read_text().splitlines()
    assert first.startswith("test accuracy 0.") and second.startswith("test f1 ")
    assert third.startswith("validation accuracy ") and ", f1 " in third and ", auc " in third


def test_predictions_with_probabilities_are_a_table(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("school,hours,name\nsouth,9,a\nwest,0.5,b\nnorth,1,c\n")
    result = run("predict", trained / "run", tmp_path / "new.csv", "--proba")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [*rows[0]] == ["prediction", *(f"probability of {name}" for name in CLASSES)]
    for row in rows:
        shares = {name: float(row[f"probability of {name}"]) for name in CLASSES}
        assert row["prediction"] == max(shares, key=shares.__getitem__)
        assert sum(shares.values()) == pytest.approx(1, abs=1e-8)
    assert "stand in another order than in training: they are read by name" in result.stderr
    assert "was not trained on it: 'name'" in result.stderr
    told = json.loads(
        run("predict", trained / "run", tmp_path / "new.csv", "--proba", "--json").stdout
    )
    assert told["classes"] == list(CLASSES) and told["accuracy"] is None and "scores" not in told
    np.testing.assert_allclose(
        told["probabilities"], [[float(v) for v in [*row.values()][1:]] for row in rows], atol=1e-8
    )


def test_the_scores_are_those_of_the_predictions(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    result = run("predict", trained / "run", trained / "marks.csv", "--proba", "-o", out)
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    text = (trained / "marks.csv").read_text()
    true = [row["result"] for row in csv.DictReader(io.StringIO(text))]
    pairs = list(zip(true, (row["prediction"] for row in rows), strict=True))
    counts = [[pairs.count((a, b)) for b in CLASSES] for a in CLASSES]
    lines = result.stdout.splitlines()
    table = [line.split()[-3:] for line in lines[-3:]]
    assert table == [[str(n) for n in row] for row in counts]
    right = sum(a == b for a, b in pairs)
    assert lines[0] == f"accuracy {right / 200:.4f} of 200 rows"
    told = json.loads(run("predict", trained / "run", trained / "marks.csv", "--json").stdout)
    scores = told["scores"]
    assert scores["confusion"] == {"classes": list(CLASSES), "counts": counts}
    fail = scores["by_class"]["fail"]
    assert fail["rows"] == sum(counts[0]) and fail["recall"] == counts[0][0] / sum(counts[0])
    assert fail["precision"] == counts[0][0] / sum(row[0] for row in counts)
    assert told["accuracy"] == scores["metrics"]["accuracy"] == right / 200


def test_a_confusion_matrix_is_drawn(trained: Path, tmp_path: Path) -> None:
    svg = tmp_path / "marks.svg"
    assert run("predict", trained / "run", trained / "marks.csv", "--svg", svg).exit_code == 0
    assert "<svg" in svg.read_text()


def test_rows_of_classes_that_are_not_known_are_wrong_and_in_no_table(
    trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "new.csv").write_text("hours,school,result\n9.5,south,pass\n9.5,south,PASS\n")
    result = run("predict", trained / "run", tmp_path / "new.csv", "--target", "result")
    assert "accuracy 0.5000 of 2 rows" in result.stderr
    assert "not in the tables below: 1 row of other classes\n" in result.stderr
    told = run("predict", trained / "run", tmp_path / "new.csv", "--json").stdout
    scores = json.loads(told)["scores"]
    assert scores["metrics"]["auc"] is None and scores["by_class"]["fail"]["auc"] is None
    (tmp_path / "new.csv").write_text("hours,school,result\n9.5,south,PASS\n")
    result = run("predict", trained / "run", tmp_path / "new.csv", "--target", "result")
    assert result.exit_code == 0 and "accuracy 0.0000 of 1 row\n" in result.stderr


def test_weights_of_classes_change_what_is_predicted(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    """Of a rare class among others alike, more is found where it weighs more."""
    x = rng.standard_normal(400)
    rare = rng.random(400) < 0.1
    lines = [f"{a + 1.5 * r},{('no', 'yes')[int(r)]}" for a, r in zip(x, rare, strict=True)]
    (tmp_path / "rare.csv").write_text("\n".join(["a,y", *lines]))

    def recall(*given: str) -> float:
        done = run(
            "train", "--data", tmp_path / "rare.csv", "--target", "y", "--hidden", "", *SMALL[2:],
            "--json", "--out", tmp_path / "run", "--overwrite", *given,
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        told = run("predict", tmp_path / "run", tmp_path / "rare.csv", "--json").stdout
        return float(json.loads(told)["scores"]["by_class"]["yes"]["recall"])

    plain = recall()
    assert recall("--class-weight", "balanced") > plain + 0.2
    assert recall("--class-weight", "yes=20") > plain + 0.2
    assert recall("--loss", "hinge", "--class-weight", "balanced") > plain + 0.2


REFUSED = [
    (("--class-weight", "balance"), "found 'balance', where balanced, or fail=2,... is expected"),
    (("--class-weight", "fial=2"), "there is no class 'fial'; did you mean 'fail'?"),
    (("--class-weight", "fail=-2"), "'fail' weighs '-2', where a number from 0 is expected"),
    (("--class-weight", "fail=much"), "'fail' weighs 'much', where a number from 0 is expected"),
    (("--loss", "mse"), "--loss mse is for regression, and this is classification, whose losses"),
    (("--loss", "hinge", "--label-smoothing", "0.1"), "--label-smoothing is for --loss softmax"),
    (("--metrics", "rmse"), "rmse is a metric of regression, and this is classification"),
    (("--task", "regression"), "column 'result': the column holds texts, such as"),
    (("--drop", "skool"), "has no column 'skool'; did you mean 'school'?"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_what_does_not_fit_is_refused_before_training(
    trained: Path, given: tuple[str, ...], message: str
) -> None:
    result = run("train", "--data", trained / "marks.csv", "--target", "result", *given)
    assert result.exit_code == 2 and message in result.stderr
    assert "epoch" not in result.stderr


def test_scores_that_are_no_probabilities_are_not_told_as_some(
    trained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    done = run(
        "train", "--data", trained / "marks.csv", "--target", "result", "--loss", "hinge", *SMALL,
        "--out", out,
    )  # fmt: skip
    assert done.exit_code == 0
    result = run("predict", out, trained / "marks.csv", "--proba")
    assert result.exit_code == 2 and "trained with --loss hinge, whose scores" in result.stderr
    assert run("predict", out, trained / "marks.csv").exit_code == 0


def test_a_net_no_better_than_the_most_frequent_class_is_told(tmp_path: Path) -> None:
    lines = [f"{i % 7},{'yes' if i % 10 else 'no'}" for i in range(200)]
    (tmp_path / "t.csv").write_text("\n".join(["a,y", *lines]))
    result = run("train", "--data", tmp_path / "t.csv", "--target", "y", "--epochs", 1)
    message = (
        "Warning: the test accuracy 0.9000 is no better than that of the most frequent class, 'y"
    )
    assert message in result.stderr
    weighed = run(
        "train", "--data", tmp_path / "t.csv", "--target", "y", "--epochs", 1, "--class-weight",
        "balanced",
    )  # fmt: skip
    assert "no better than" not in weighed.stderr


def test_columns_called_like_options_are_options_values(tmp_path: Path) -> None:
    text = marks(np.random.default_rng(1), 60, "--drop,a=b,-o")
    (tmp_path / "odd.csv").write_text(text)
    done = run(
        "train", "--data", tmp_path / "odd.csv", "--target=-o", "--ordinal", "a=b=north,south,west",
        *SMALL, "--out", tmp_path / "run",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    again = run("train", "--config", tmp_path / "run", "--steps", 2)
    assert (
        again.exit_code == 0 and "a=b: 3 categories, ordinal: north < south < west" in again.stderr
    )
    dropped = run("train", "--data", tmp_path / "odd.csv", "--target=-o", "--drop=--drop", *SMALL)
    assert dropped.exit_code == 0 and "net 3-6-3" in dropped.stderr


def test_a_run_of_before_there_was_a_task_goes_on_with_its_classes() -> None:
    settings, _, _ = read_config('{"train": {"data": "a.csv", "target": "y"}}')
    assert settings.task == "classification"
    settings, _, _ = read_config('{"train": {"task": "auto", "drop": ["a,b", "c"]}}')
    assert settings.task == "auto" and settings.drop == ("a,b", "c")


@pytest.mark.parametrize("spec", ["digits", "rows.npz"])
def test_only_a_table_has_a_target_and_columns(
    trained: Path, tmp_path: Path, spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("rows.npz", x=np.zeros((20, 4)), y=[0, 1] * 10)
    for option in ("--target", "--drop", "--one-hot", "--ordinal"):
        result = run("train", "--data", spec, option, "a")
        assert result.exit_code == 2 and f"{option} names a column of a" in result.stderr
    result = run("predict", trained / "run", spec, "--target", "a")
    assert result.exit_code == 2 and f"a table; {spec} has none" in result.stderr
