"""`verigrad predict`, `graph`, `check`, `plan` and `info`, and the program itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from invoking import run

import verigrad as vg
from verigrad.graph.installed import install_line
from verigrad.runtime.checking.gradcheck import GradcheckReport
from verigrad.runtime.command import check as check_module


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    assert run("train", "--epochs", 5, "--hidden", "30", "--out", folder).exit_code == 0
    return folder


# ---- predict ---------------------------------------------------------------------------------


def test_predict_prints_a_class_a_line(model: Path) -> None:
    result = run("predict", model, "digits")
    assert result.exit_code == 0
    predicted = np.array(result.stdout.split(), int)
    test = vg.digits().test
    program = vg.load(model / "model.safetensors")
    assert predicted.tolist() == program.predict(x=test.x)["scores"].argmax(axis=1).tolist()
    assert result.stderr == f"accuracy {np.mean(predicted == test.y):.4f} of 359 rows\n"


def test_predict_takes_rows_without_labels(model: Path, tmp_path: Path) -> None:
    test = vg.digits().test
    np.savez(tmp_path / "new.npz", x=test.x[:2000])
    result = run("predict", model / "model.safetensors", tmp_path / "new.npz", "--json")
    assert result.stderr == ""
    told = json.loads(result.stdout)
    assert told["accuracy"] is None and len(told["predictions"]) == 359


def test_predict_says_when_data_and_model_do_not_fit(model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "new.npz", x=np.zeros((3, 5)))
    result = run("predict", model, tmp_path / "new.npz")
    assert result.exit_code == 2
    assert "input 'x' has the shape [3,5], where f32[N,64] is expected" in result.stderr


def test_predict_refuses_what_is_no_model(model: Path, tmp_path: Path) -> None:
    whole = (model / "model.safetensors").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    result = run("predict", tmp_path / "cut", "digits")
    assert result.exit_code == 2 and "cannot be loaded" in result.stderr
    result = run("predict", tmp_path, "digits")
    assert result.exit_code == 2 and "there is no file" in result.stderr


def test_predict_refuses_a_program_that_is_no_classifier(tmp_path: Path) -> None:
    x, t = vg.input("x", ("N", 3)), vg.input("t", ("N", 2))
    out = vg.dense(x, 2)
    net = vg.Graph("line", {"out": out}, loss=vg.mean_squared_error(out, t))
    vg.compile(net).save(tmp_path / "line.safetensors")
    result = run("predict", tmp_path / "line.safetensors", "digits")
    assert result.exit_code == 2 and "is no classifier" in result.stderr


# ---- graph -----------------------------------------------------------------------------------


def test_graph_prints_a_stage_that_parses(model: Path) -> None:
    program = vg.load(model / "model.safetensors")
    assert run("graph", model).stdout == f"{program.declared}\n"
    text = run("graph", "--stage", "differentiate").stdout
    assert "nll_grad" in text and "update" not in text
    assert run("graph", "--stage", "training").stdout == run("graph", "--stage", "schedule").stdout


def test_graph_lists_its_stages() -> None:
    names = run("graph", "--stage", "list").stdout.split()
    assert names == ["declared", *vg.TRAINING.names, "training", "inference"]
    assert all(run("graph", "--stage", name).exit_code == 0 for name in names)


def test_graph_writes_svg_and_dot(model: Path, tmp_path: Path) -> None:
    for name in ("picture.svg", "picture.dot"):
        result = run("graph", model, "--stage", "training", "-o", tmp_path / name)
        assert result.exit_code == 0 and result.stdout == ""
    assert (tmp_path / "picture.svg").read_text() == run(
        "graph", model, "--stage", "training", "--format", "svg"
    ).stdout
    assert (tmp_path / "picture.dot").read_text().startswith("digraph")


def test_graph_says_which_stage_was_meant() -> None:
    result = run("graph", "--stage", "diferentiate")
    assert result.exit_code == 2
    assert "there is no stage 'diferentiate'; did you mean 'differentiate'?" in result.stderr


def test_options_of_a_net_are_refused_beside_a_model(model: Path) -> None:
    for command in ("graph", "plan"):
        result = run(command, model, "--hidden", "8")
        assert result.exit_code == 2
        assert f"--hidden has no effect: {model} is compiled as it was saved" in result.stderr


def test_graph_does_not_start_a_file_that_it_cannot_write(tmp_path: Path) -> None:
    result = run("graph", "-o", tmp_path / "nowhere" / "graph.txt")
    assert result.exit_code == 2 and "cannot be written: No such file" in result.stderr


# ---- check, plan, info -----------------------------------------------------------------------


def test_check_prints_a_table_for_each_strength() -> None:
    result = run("check", "--hidden", "5", "--reg", "0.0", "--reg", "0.7", "--keep", "0.8")
    assert result.exit_code == 0
    assert [line for line in result.stdout.splitlines() if line.startswith("L2 strength")] == [
        f"L2 strength {s}: gradient check of mlp, in f64" for s in ("0", "0.7")
    ]
    assert result.stdout.count("fc2.weight") == 2 and result.stdout.count("PASS") == 2


def test_check_exits_with_1_where_a_gradient_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[float] = []

    def wrong(
        net: vg.Graph, feeds: object, *, regularizer: vg.L2 | None, **_: object
    ) -> GradcheckReport:
        calls.append(regularizer.strength if regularizer is not None else 0.0)
        tolerance = -1.0 if regularizer is None else 1.0
        return GradcheckReport(net.name, (), tolerance)

    monkeypatch.setattr(check_module, "gradcheck", wrong)
    result = run("check", "--reg", "0", "--reg", "0.7")
    assert result.exit_code == 1
    assert calls == [0, 0.7]
    assert run("check", "--reg", "0.7").exit_code == 0


@pytest.mark.parametrize(
    ("said", "limit"),
    [("60000", 60_000), ("60kB", 60_000), ("0.06MB", 60_000), ("60 KiB", None), ("60 kiB", 61_440)],
)
def test_plan_keeps_to_a_limit(said: str, limit: int | None) -> None:
    deep = ("plan", "--hidden", "20,20,20,20,20,20", "--memory-limit", said)
    result = run(*deep, "--recompute")
    if limit is None:
        assert result.exit_code == 2 and "write e.g. 4000000, 4MB or 4MiB" in result.stderr
        return
    assert f"{limit:>14,} bytes for the arena" in result.stdout
    result = run(*deep, "--batch-size", 5_000)
    assert result.exit_code == 2 and not result.stdout
    assert f"memory_limit is {limit:,}\n" in result.stderr and "recompute=True" in result.stderr


def test_plan_prints_the_arena_and_what_it_saves(model: Path) -> None:
    program = vg.load(model / "model.safetensors")
    result = run("plan", model, "--batch-size", 64)
    assert result.stdout == f"{program.plan(N=64)}\n"
    assert f"{program.plan(N=64).nbytes:,} bytes" in result.stdout
    assert f"{program.plan(N=64).unplanned_nbytes:,} bytes" in result.stdout
    assert "N=50" in run("plan").stdout


def test_info_names_versions_engines_and_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = run("info").stdout
    for words in ("verigrad", vg.__version__, np.__version__, "blas", "threads", "[cli]", "click"):
        assert words in shown


def test_info_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    from verigrad.runtime.command import info

    def without(name: str) -> str:
        if name == "matplotlib":
            raise metadata.PackageNotFoundError(name)
        return metadata.version(name)

    monkeypatch.setattr(info, "version", without)
    assert f"missing: matplotlib; {install_line('plot')}" in run("info").stdout


def test_info_of_a_model_tells_what_it_holds_and_its_certificate(model: Path) -> None:
    program = vg.load(model / "model.safetensors")
    told = json.loads(run("info", model, "--json").stdout)
    assert told["steps"] == f"{program.step_number:,}" and told["graph"].startswith(program.name)
    assert told["inputs"] == "x: f32[N,64], y: i64[N]"
    exact = program.certificate.exact
    assert told["certificate"] == (
        f"proved: {exact.compared} tensors as declared; one that differs is missed with a chance "
        f"of {exact.chance:.0e}"
    )
    assert told["derivatives"] == "proved"
    lines = run("info", model / "model.safetensors").stdout.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["file", "graph", "inputs"]


def test_info_of_a_model_that_was_not_certified(tmp_path: Path) -> None:
    x = vg.input("x", ("N", 4))
    g = vg.Graph("plain", {"y": vg.dense(x, 2)})
    vg.compile(g, certify=False).save(tmp_path / "plain.safetensors")
    shown = run("info", tmp_path / "plain.safetensors").stdout
    assert "certificate  none: it was compiled with certify=False" in shown
    assert run("info", tmp_path / "no.safetensors").exit_code == 2


# ---- the program -----------------------------------------------------------------------------


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_python_m_verigrad_is_the_command_line() -> None:
    command = [sys.executable, "-m", "verigrad", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.stdout == f"verigrad, version {vg.__version__}\n"
    assert result.returncode == 0


def test_without_click_the_install_line_is_told() -> None:
    code = (
        "import sys; sys.modules['click'] = None; from verigrad.runtime.command import main; main()"
    )
    result = python(code)
    assert result.returncode == 2
    assert install_line("cli") in result.stderr and "Traceback" not in result.stderr


def test_training_in_python_loads_no_extra() -> None:
    code = """
import sys, verigrad as vg
(x, y), _ = vg.digits()
a, b = vg.input("x", ("N", 64)), vg.input("y", ("N",), dtype="i64")
scores = vg.mlp(a, [10])
net = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, b))
vg.fit(vg.compile(net, optimizer=vg.SGD(lr=0.001)), (x, y), validation=(x, y), epochs=1)
heavy = {"click", "rich", "matplotlib", "threadpoolctl", "tomli_w", "safetensors"}
heavy |= {"networkx", "graphviz"}
print(sorted(heavy & set(sys.modules)))
"""
    result = python(code)
    assert result.stdout == "[]\n", result.stderr


@pytest.mark.parametrize(
    "command",
    [
        *(["predict", "NAME", "x.npz"], ["graph", "NAME"], ["resume", "NAME"]),
        *(["train", "--data", "mnist:NAME"], ["train", "--data", "NAME"]),
        ["train", "--data", "NAME.npz"],
    ],
    ids=" ".join,
)
def test_a_name_that_is_too_long_is_one_line(command: list[str]) -> None:
    result = run(*[part.replace("NAME", "a" * 300) for part in command])
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: aaa") and result.stderr.count("\n") == 1
