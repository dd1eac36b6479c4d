"""Frames in the API: the same step as from arrays, and a warning where names say another place."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import verigrad as vg

pd = pytest.importorskip("pandas")


@pytest.fixture
def program() -> vg.Program:
    x, y = vg.input("x", ("N", 3)), vg.input("y", ("N",), dtype="i64")
    scores = vg.mlp(x, [4, 2])
    net = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    return vg.compile(net, optimizer=vg.SGD(lr=0.1))


@pytest.fixture
def frame(rng: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": rng.standard_normal(12),
            "member": rng.random(12) > 0.5,
            "visits": pd.array(range(12), dtype="Int64"),
        },
        index=[f"r{i}" for i in range(12)],
    )


@pytest.fixture
def labels(frame: pd.DataFrame) -> pd.Series:
    return pd.Series(np.arange(12) % 2, index=frame.index, name="kind")


def test_frames_give_what_arrays_give(
    program: vg.Program, frame: pd.DataFrame, labels: pd.Series
) -> None:
    x, y = frame.to_numpy(float), labels.to_numpy()
    assert program.loss(x=frame, y=labels) == program.loss(x=x, y=y)
    wanted = program.gradients(x=x, y=y)[1]
    for name, value in program.gradients({"x": frame, "y": labels})[1].items():
        assert np.array_equal(value, wanted[name])
    assert vg.measure(program, (frame, labels)) == vg.measure(program, (x, y))
    scores = program.predict(x=x)["scores"]
    assert np.array_equal(program.predict(x=frame)["scores"], scores)
    vg.fit(program, (frame, labels), validation=(frame, labels), epochs=1, batch_size=5)
    assert json.loads(program.metadata["columns"]) == ["age", "member", "visits"]


@pytest.mark.parametrize("value", [np.nan, pd.NA, "old"])
def test_a_cell_that_is_no_number_is_named_at_every_way_in(
    program: vg.Program, frame: pd.DataFrame, labels: pd.Series, value: object
) -> None:
    wrong = frame.astype(object)
    wrong.iloc[7, 2] = value
    calls = [
        lambda: program.predict(x=wrong),
        lambda: program.step(x=wrong, y=labels),
        lambda: vg.measure(program, (wrong, labels)),
        lambda: vg.fit(program, (wrong, labels), epochs=1),
        lambda: vg.fit(program, (frame, labels), validation=(wrong, labels), epochs=1),
    ]
    for call in calls:
        with pytest.raises(
            vg.RunError, match=r"input 'x': column 'visits' holds .* in row 7 .*'r7'"
        ):
            call()
    assert "columns" not in program.metadata


def test_columns_in_another_order_are_warned_of(
    program: vg.Program, frame: pd.DataFrame, labels: pd.Series, tmp_path: Path
) -> None:
    turned = frame[["visits", "age", "member"]]
    with pytest.warns(UserWarning, match=r"in another order .* column 0 is 'visits', where"):
        vg.fit(program, (frame, labels), validation=(turned, labels), epochs=1, batch_size=6)
    program.predict(x=frame)
    program.save(tmp_path / "model.safetensors")
    other = frame.rename(columns={"age": "size"})
    for held in (program, vg.load(tmp_path / "model.safetensors")):
        with pytest.warns(UserWarning, match=r"in another order .* column 0 is 'visits', where"):
            held.predict(x=turned)
        held.predict(x=turned)  # once is enough
        with pytest.warns(
            UserWarning, match="others than .* column 0 is 'size', where it was 'age'"
        ):
            held.predict(x=other)
        with pytest.warns(UserWarning, match=r"give x\[\['age', 'member', 'visits'\]\]"):
            vg.measure(held, (turned, labels))
        held.predict(x=pd.DataFrame(turned.to_numpy(float)))  # no names, no doubt


def test_rows_in_another_order_are_warned_of(
    program: vg.Program, frame: pd.DataFrame, labels: pd.Series
) -> None:
    for call in (program.step, program.loss, lambda **data: vg.measure(program, data)):
        with pytest.warns(UserWarning, match=r"input 'y': rows .*; give y\.loc\[x\.index\]"):
            call(x=frame, y=labels[::-1])
    program.step(x=frame, y=labels.reset_index(drop=True))
    program.step(x=frame[::-1], y=labels[::-1])


@pytest.mark.parametrize("text", ["age, size", "[1, 2, 3]", "{", "[" * 100_000, '"abc"'])
def test_columns_of_the_users_own_that_are_no_list_are_left_alone(
    program: vg.Program, frame: pd.DataFrame, labels: pd.Series, text: str
) -> None:
    program.metadata["columns"] = text
    program.predict(x=frame)
    vg.fit(program, (frame, labels), epochs=1, batch_size=6)
    assert program.metadata["columns"] == text


LARGE = 2**53 + 1


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_integers_that_floats_round_are_refused_as_features(
    program: vg.Program, dtype: type
) -> None:
    x = np.zeros((4, 3), dtype)
    x[2, 1] = LARGE
    message = f"input 'x' holds {LARGE} in row 2, column 1, an integer of more than 53 bits"
    with pytest.raises(vg.RunError, match=message):
        program.predict(x=x)
    with pytest.raises(vg.RunError, match=message):
        vg.fit(program, (x, [0, 1, 0, 1]), epochs=1)
    x[2, 1] = LARGE - 1
    program.predict(x=x)


def test_class_weights_of_a_series_go_by_its_index() -> None:
    scores, y = vg.input("scores", ("N", 3)), vg.input("y", ("N",), dtype="i64")

    def loss(weights: object) -> float:
        net = vg.Graph("net", loss=vg.softmax_cross_entropy(scores, y, class_weights=weights))
        return vg.compile(net).evaluate(scores=np.eye(3), y=[0, 1, 1])["loss"]

    counted = pd.Series({2: 5.0, 0: 1.0, 1: 3.0})
    assert loss(counted) == loss([1.0, 3.0, 5.0])
    with pytest.raises(vg.GraphError, match="class_weights"):
        loss(pd.Series({"a": 1.0, "b": 2.0, "c": 3.0}))
