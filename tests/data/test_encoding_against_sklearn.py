"""Tables become the features that scikit-learn's own encoders and imputers make of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from verigrad.runtime.command.losses import class_weights
from verigrad.runtime.data.categories import Columns
from verigrad.runtime.data.schema import described, schema
from verigrad.runtime.data.source import load_data, load_rows

ORDER = ("low", "mid", "high")


@pytest.fixture(autouse=True)
def once(request: pytest.FixtureRequest) -> None:
    """No table is read by what runs a step."""
    if request.config.getoption("--backend") != "numpy":
        pytest.skip("tables are read alike on every backend")


def rows(rng: np.random.Generator, count: int, towns: list[str]) -> list[list[Any]]:
    """A number that may be missing, a town, a grade, a code, and a class."""
    made: list[list[Any]] = []
    for _ in range(count):
        number = None if rng.random() < 0.1 else float(rng.normal(5, 3))
        made.append([
            number, towns[rng.integers(len(towns))], ORDER[rng.integers(3)],
            int(rng.integers(100, 104)), "abc"[rng.integers(3)],
        ])  # fmt: skip
    return made


def written(path: Path, table: list[list[Any]]) -> str:
    lines = [",".join(["" if v is None else str(v) for v in row]) for row in table]
    path.write_text("\n".join(["number,town,grade,code,y", *lines]))
    return str(path)


def test_features_are_those_of_a_column_transformer(
    sklearn: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    table = rows(rng, 300, ["Rome", "Oslo", "Bonn", "New York"])
    asked = Columns(one_hot=("code",), ordinal=(f"grade={','.join(ORDER)}",))
    data = load_data(written(tmp_path / "t.csv", table), "y", columns=asked)
    everything = load_rows(str(tmp_path / "t.csv"), schema(described(data), 3)).x
    # Rows of the same features, as some without a number are, are the same to all encoders.
    found = {tuple(x): i for i, x in enumerate(everything.tolist())}
    train = [table[found[tuple(x)]] for x in data.train.x.tolist()]
    theirs = ColumnTransformer([
        ("number", SimpleImputer(missing_values=np.nan), [0]),
        ("town", OneHotEncoder(handle_unknown="ignore", sparse_output=False), [1]),
        ("grade", OrdinalEncoder(categories=[list(ORDER)]), [2]),
        ("code", OneHotEncoder(handle_unknown="ignore", sparse_output=False), [3]),
    ])  # fmt: skip

    def features(table: list[list[Any]]) -> np.ndarray:
        cells = np.array(table, dtype=object)[:, :4]
        cells[:, 0] = [np.nan if v is None else v for v in cells[:, 0]]
        return cells

    theirs.fit(features(train))
    for part, wanted in ((data.train.x, train), (everything, table)):
        np.testing.assert_allclose(part, theirs.transform(features(wanted)).astype(float))
    new = rows(rng, 50, ["Rome", "Paris", "Oslo"])
    read = load_rows(written(tmp_path / "new.csv", new), schema(described(data), 3))
    np.testing.assert_allclose(read.x, theirs.transform(features(new)).astype(float))
    assert any("such as 'Paris'" in note for note in read.notes)


def test_balanced_weights_are_those_of_the_training_part(
    sklearn: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    from sklearn.utils.class_weight import compute_class_weight

    table = [[*row[:4], "aab"[i % 3]] for i, row in enumerate(rows(rng, 200, ["Rome", "Oslo"]))]
    data = load_data(written(tmp_path / "t.csv", table), "y")
    found = class_weights("balanced", data)
    wanted = compute_class_weight("balanced", classes=np.arange(2), y=data.train.y)
    np.testing.assert_allclose(found, wanted, rtol=1e-15)
