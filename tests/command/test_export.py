"""`verigrad export`: what it writes, what it says, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from invoking import run

import verigrad as vg


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder: a table's columns are scaled in the graph, its classes have names."""
    folder = tmp_path_factory.mktemp("export")
    rng = np.random.default_rng(4)
    x = rng.standard_normal((80, 2)) * [1, 500] + [50, -3000]
    lines = [f"{a!r},{b!r},{'groß' if a > 50 else 'klein'}" for a, b in x.tolist()]
    (folder / "t.csv").write_text("\n".join(["a,b,size", *lines]), encoding="utf-8")
    made = run(
        "train", "--data", folder / "t.csv", "--target", "size", "--hidden", 4, "--epochs", 3,
        "--out", folder / "run",
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    return folder / "run"


def test_c_is_two_files_and_their_sizes(model: Path, tmp_path: Path) -> None:
    result = run("export", model, "-o", tmp_path / "net.c", "--training", "--batch", 8)
    assert result.exit_code == 0
    assert "net.c and net.h: " in result.stdout and "bytes of arena" in result.stdout
    header = (tmp_path / "net.h").read_text(encoding="utf-8")
    assert "#define NET_MOST_N 8\n" in header and "net_classes[2]" in header
    assert "0: a (where it is missing, " in header and "1: b (" in header
    assert {p.name for p in tmp_path.iterdir()} == {"net.c", "net.h"}


def test_python_predicts_what_the_model_does(model: Path, tmp_path: Path) -> None:
    result = run("export", model, "-o", tmp_path / "net.py")
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path / 'net.py'}\n")
    made: dict[str, object] = {}
    exec((tmp_path / "net.py").read_text(encoding="utf-8"), made)
    rows = np.array([[49.0, -3200.0], [51.5, -2500.0]], np.float32)
    program = vg.load(next(model.glob("*.safetensors")))
    (name,) = [program.inference.names[n] for n in program.inference.inputs if n.type.is_float]
    due = program.predict({name: rows})
    assert made["columns"] == ["a", "b"] and made["classes"] == ["groß", "klein"]
    found = made["predict"](np.where(np.isnan(rows), made["fill"], rows))
    for key, y in due.items():
        np.testing.assert_allclose(found[key], y, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "net"], "says by no ending what to write"),
        (["-o", "net.pt"], "says by no ending what to write"),
        (["-o", "net.py", "--batch", 5], "--batch is for C alone"),
        (["-o", "net.c", "--batch", 0], "0 is not in the range"),
        ([], "Missing option '-o'"),
        (["-o", "no/net.c"], "cannot be written"),
    ],
)
def test_what_cannot_be_is_told(
    model: Path, arguments: list[object], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("export", model, *arguments)
    assert result.exit_code == 2 and said in result.stderr
    assert not [*tmp_path.iterdir()]


def test_a_model_that_is_none_is_told(tmp_path: Path) -> None:
    result = run("export", tmp_path / "none", "-o", tmp_path / "net.c")
    assert result.exit_code == 2 and "none" in result.stderr
