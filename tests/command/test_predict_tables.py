"""`verigrad predict` for tables: what the model keeps of them, and what it says of others."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from invoking import run

import verigrad as vg

MEANS = np.array([50.0, -3000.0])


def table(rng: np.random.Generator, rows: int = 120) -> str:
    """Two features of very different sizes; the first, above 50, says `größer`."""
    x = rng.standard_normal((rows, 2)) * [1, 1000] + MEANS
    return "size;level;noise\n" + "".join(
        f"{a!r};{'größer' if a > MEANS[0] else 'kleiner'};{b!r}\n" for a, b in x.tolist()
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, of which some cells are empty, and the run that learned it."""
    folder = tmp_path_factory.mktemp("trained")
    text = table(np.random.default_rng(3))
    lines = text.splitlines()
    for i in range(5, 100, 20):
        size, level, _ = lines[i].split(";")
        lines[i] = f"{size};{level};NA"
    (folder / "table.csv").write_text("\n".join(lines), encoding="utf-8")
    result = run(
        "train", "--data", folder / "table.csv", "--target", "level", "--out", folder / "run",
        "--hidden", "6", "--batch-size", 10, "--dtype", "f64", "--split-seed", 2,
    )  # fmt: skip
    assert result.exit_code == 0
    return folder


def held(program: vg.Program, name: str) -> np.ndarray:
    """The value of a constant of the declared graph."""
    return np.array(program.declared[name].op.value.array)


def test_train_tells_of_missing_values(trained: Path) -> None:
    result = run(
        "train", "--data", trained / "table.csv", "--target", "level", "--epochs", 1,
        "--batch-size", 10,
    )  # fmt: skip
    assert "table.csv: 5 values missing: the column's mean in the training part" in result.stderr


def test_the_model_file_alone_scales_raw_features(trained: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes((trained / "run" / "model.safetensors").read_bytes())
    program = vg.load(moved)
    mean, inverse = (held(program, name) for name in ("mean", "inverse_deviation"))
    assert np.abs(mean - MEANS).max() < 500 and np.abs(1 / inverse - [1, 1000]).max() < 200
    x = np.random.default_rng(8).standard_normal((30, 2)) * [1, 1000] + MEANS
    h = (x - mean) * inverse
    layers = list(program.parameters.values())
    for weight, bias in zip(layers[::2], layers[1::2], strict=True):
        h = h @ weight + bias
        if bias is not layers[-1]:
            h = np.maximum(h, 0)
    np.testing.assert_allclose(program.predict(x=x)["scores"], h, rtol=1e-12, atol=1e-12)


def test_columns_are_found_by_name_and_classes_printed_as_texts(
    trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "new.csv").write_text("noise,id,size\n-3000,a,53\n-2500,b,47\n,c,58\n")
    result = run("predict", trained / "run", tmp_path / "new.csv")
    assert result.exit_code == 0
    assert result.stdout.split() == ["größer", "kleiner", "größer"]
    assert "not read, since the model was not trained on it: 'id'" in result.stderr
    assert "1 value missing: the column's mean in the training part" in result.stderr
    assert "accuracy" not in result.stderr


def test_a_missing_value_is_what_the_model_keeps_as_its_mean(trained: Path, tmp_path: Path) -> None:
    program = vg.load(trained / "run" / "model.safetensors")
    fill = json.loads(program.metadata["fill"])
    data = tmp_path / "new.csv"
    data.write_text(f"size,noise\n50.2,\n50.2,{fill[1]!r}\n,-900\n{fill[0]!r},-900\n")
    told = json.loads(run("predict", trained / "run", data, "--json").stdout)
    assert told["predictions"][0] == told["predictions"][1]
    assert told["predictions"][2] == told["predictions"][3]
    np.testing.assert_allclose(held(program, "mean"), fill, rtol=1e-12)


def test_labels_are_compared_where_there_are_any(trained: Path) -> None:
    result = run("predict", trained / "run", trained / "table.csv", "--json")
    assert json.loads(result.stdout)["accuracy"] > 0.9
    assert "of 120 rows" in result.stderr


BAD: list[tuple[str, bytes, str]] = [
    ("new.csv", b"size,Noise\n1,2\n", "no column 'noise', which the model was trained on; it does"),
    ("new.csv", b"size,noise\n1,much\n", "line 2, column 'noise': found 'much', where a number"),
    ("new.csv", b"size,noise,level\n1,2,\n", "line 2: the class in column 'level' is missing"),
    ("new.csv", b"size,noise\n1\n", "line 2: found 1 values, where the header has 2"),
    ("new.csv", b"\x89PNG\r\n\x1a\n", "is no CSV file in UTF-8"),
    ("new.csv", b"size,noise\n1e300,1e308\n1,2\n", ""),
    ("new.npz", b"PK\x05\x06", "is no complete .npz file of arrays"),
    ("new.txt", b"size,noise\n1,2\n", "is no data set: its name ends in neither .npz nor .csv"),
    ("model.safetensors", b"{}", "is no data set: its name ends in neither .npz nor .csv"),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD)
def test_data_that_cannot_be_predicted_for_is_named(
    trained: Path, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    result = run("predict", trained / "run", tmp_path / name)
    assert message in result.stderr
    assert result.exit_code == (2 if message else 0)


def test_another_number_of_features_is_named(trained: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "new.npz", x=np.zeros((3, 5)))
    result = run("predict", trained / "run", tmp_path / "new.npz")
    assert result.exit_code == 2
    assert "input 'x' has the shape [3,5], where f64[N,2] is expected" in result.stderr
    result = run("predict", trained / "run", "digits")
    assert result.exit_code == 2 and "[359,64], where f64[N,2] is expected" in result.stderr
    assert run("predict", trained / "run", tmp_path).exit_code == 2


def test_nothing_in_an_npz_file_is_unpickled(trained: Path, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    np.savez(tmp_path / "new.npz", x=np.array([_Touch(touched)], dtype=object))
    result = run("predict", trained / "run", tmp_path / "new.npz")
    assert result.exit_code == 2 and "nothing in it was unpickled" in result.stderr
    (tmp_path / "bare.npz").write_bytes(pickle.dumps(_Touch(touched)))
    result = run("predict", trained / "run", tmp_path / "bare.npz")
    assert result.exit_code == 2 and "is no complete .npz file" in result.stderr
    assert not touched.exists()


class _Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


def test_scores_that_are_not_finite_name_the_row(tmp_path: Path) -> None:
    x, y = vg.input("x", ("N", 2)), vg.input("y", ("N",), dtype="i64")
    scores = vg.dense(x, 3)
    net = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    vg.compile(net).save(tmp_path / "model.safetensors")
    (tmp_path / "new.csv").write_text("a,b\n1,2\n1e300,0\n")
    result = run("predict", tmp_path / "model.safetensors", tmp_path / "new.csv")
    assert result.exit_code == 2
    assert "the scores of row 1 are not finite: the row holds 1e+300" in result.stderr
    (tmp_path / "new.csv").write_text("a,b\n1,2\n")
    result = run("predict", tmp_path / "model.safetensors", tmp_path / "new.csv")
    assert result.exit_code == 0 and result.stdout.strip() in ("0", "1", "2")


def test_a_model_of_two_inputs_is_refused(tmp_path: Path) -> None:
    a, b = vg.input("a", ("N", 2)), vg.input("b", ("N", 2))
    y = vg.input("y", ("N",), dtype="i64")
    scores = vg.add(vg.dense(a, 3), vg.dense(b, 3))
    net = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    vg.compile(net).save(tmp_path / "model.safetensors")
    result = run("predict", tmp_path / "model.safetensors", "digits")
    assert result.exit_code == 2 and "the model reads 2 inputs of floats (a, b)" in result.stderr


def test_a_model_with_damaged_metadata_is_named(trained: Path, tmp_path: Path) -> None:
    program = vg.load(trained / "run" / "model.safetensors")
    program.metadata["classes"] = '["one"]'
    program.save(tmp_path / "model.safetensors")
    result = run("predict", tmp_path / "model.safetensors", trained / "table.csv")
    assert result.exit_code == 2
    message = "model.safetensors cannot be read: the model's metadata 'classes' is damaged: 2 diff"
    assert message in result.stderr


ONE_CLASS = [
    ("a,kind\n" + "1,x\n" * 10, "all 10 rows are of the class x; two are needed"),
    ("a,kind\n1,x\n2,\n", "line 3: the class in column 'kind' is missing"),
    ("a,kind\n1,x\nred,y\n", "line 3, column 'a': found 'red', where a number is expected"),
]


@pytest.mark.parametrize(("text", "message"), ONE_CLASS)
def test_data_that_cannot_be_learned_leaves_an_earlier_run_as_it_was(
    trained: Path, tmp_path: Path, text: str, message: str
) -> None:
    before = {p.name: p.read_bytes() for p in (trained / "run").iterdir() if p.is_file()}
    (tmp_path / "data.csv").write_text(text)
    result = run(
        "train", "--data", tmp_path / "data.csv", "--target", "kind", "--out", trained / "run",
        "--overwrite",
    )  # fmt: skip
    assert result.exit_code == 2 and message in result.stderr
    after = {p.name: p.read_bytes() for p in (trained / "run").iterdir() if p.is_file()}
    assert after == before


@pytest.mark.parametrize("mark", ["\n", "\r", "\u2028", "\x85", "\u202e", "\x1b"], ids=ascii)
def test_a_class_that_breaks_a_line_is_printed_on_one(tmp_path: Path, mark: str) -> None:
    names = [f"two{mark}lines", "plain größe"]
    x, y = vg.input("x", ("N", 1)), vg.input("y", ("N",), dtype="i64")
    scores = vg.dense(x, 2, init=np.array([[1.0, -1.0]]))
    net = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    program = vg.compile(net)
    program.metadata["classes"] = json.dumps(names)
    program.save(tmp_path / "model.safetensors")
    np.savez(tmp_path / "new.npz", x=np.array([[1.0], [-1.0], [2.0]]))
    result = run("predict", tmp_path / "model.safetensors", tmp_path / "new.npz")
    first, second, third = result.stdout.splitlines()
    assert json.loads(first) == json.loads(third) == names[0] and second == names[1]
    told = run("predict", tmp_path / "model.safetensors", tmp_path / "new.npz", "--json")
    assert json.loads(told.stdout)["predictions"] == [names[0], names[1], names[0]]


def test_labels_of_no_class_are_told(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("size,noise,level\n1,2,gro\n1,2,kleiner\n")
    result = run("predict", trained / "run", tmp_path / "new.csv")
    assert "1 labels, such as gro, are of no class that the model knows" in result.stderr
