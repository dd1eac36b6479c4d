"""`verigrad selfcheck`: green where all is well, and red for a fault planted for each check."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from invoking import run

import verigrad as vg
from verigrad.ops import Relu
from verigrad.runtime.checking.reference_values import Departure
from verigrad.runtime.checking.trajectories import departures
from verigrad.runtime.command import sanity
from verigrad.runtime.command import subject as subjects
from verigrad.runtime.command.settings import Settings
from verigrad.runtime.command.subject import Result, Subject
from verigrad.runtime.data.source import load_data

SMALL = ("--hidden", "16,12", "--threads", "1")
CHECKS = [
    "first loss",
    "loss grows with strength",
    "overfits 50 samples",
    "gradients at L2 0",
    "gradients at L2 0.7",
    "pass keep_logs",
    "pass expand_gradients",
    "pass fold_constants",
    "pass simplify",
    "pass eliminate_common",
    "pass fuse_linear_relu",
    "pass fuse_softmax_nll",
    "pass add_in_place",
    "inference pass keep_logs",
    "inference pass expand_gradients",
    "inference pass fold_batch_norm",
    "inference pass fold_constants",
    "inference pass simplify",
    "inference pass eliminate_common",
    "inference pass fuse_linear_relu",
    "numpy steps, 100 rows",
    "resumed run",
    "run from a checkpoint",
    "rows of samplers",
    "each row once an epoch",
    "parts of the data",
    "scaled features",
    "measured behind steps",
    "109 reference trajectories",
]


def red(*arguments: str) -> list[str]:
    """The names of the checks that are red."""
    result = run("selfcheck", *SMALL, *arguments, "--json")
    told = json.loads(result.stdout)
    failed = [check["name"] for check in told["checks"] if not check["ok"]]
    assert result.exit_code == (1 if failed else 0) and told["ok"] == (not failed)
    return failed


@pytest.fixture
def subject() -> Subject:
    return Subject(load_data("digits", None), Settings(hidden=(16, 12)))


@pytest.fixture(scope="module")
def sound_trajectories() -> list[Departure]:
    """What follows the stored trajectories, where nothing is planted."""
    return list(departures("numpy"))


@pytest.fixture(autouse=True)
def no_trajectory_twice(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    sound_trajectories: list[Departure],
) -> None:
    """They are of no net, and half of the time: only the first test computes its own."""
    if request.function is not test_a_sound_net_is_all_green_line_by_line:
        monkeypatch.setattr(sanity, "departures", lambda backend: sound_trajectories)


def one(results: list[Result], name: str) -> Result:
    (found,) = [r for r in results if r.name == name]
    return found


# ---- green -----------------------------------------------------------------------------------


def test_a_sound_net_is_all_green_line_by_line() -> None:
    result = run("selfcheck", *SMALL)
    assert result.exit_code == 0
    *lines, last = result.stdout.splitlines()
    assert last == f"{len(CHECKS)} of {len(CHECKS)} checks are green"
    assert all(line.startswith(f"ok    {name} ") for line, name in zip(lines, CHECKS, strict=True))
    assert "within 0.05 of ln 10 = 2.3026" in lines[0]
    (resumed,) = [line for line in lines if "resumed run" in line]
    assert "0 of" in resumed and resumed.endswith("the same bits")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--batch-norm", "--keep", "0.8", "--optimizer", "adam", "--activation", "gelu"],
        ["--optimizer", "nesterov", "--keep", "0.9,0.7", "--dropout-mode", "vanilla"],
        ["--optimizer", "rmsprop", "--activation", "tanh", "--init", "xavier_normal"],
        ["--dtype", "f64", "--optimizer", "adamw", "--label-smoothing", "0.1", "--l1", "1e-4"],
        ["--batch-norm", "--optimizer", "adagrad", "--schedule", "one-cycle"],
    ],
    ids=" ".join,
)
def test_every_method_is_green(arguments: list[str]) -> None:
    assert red(*arguments) == []


def test_a_limit_and_a_schedule_are_kept_to(subject: Subject) -> None:
    told = subject.settings._replace(memory_limit=40_000, recompute=True, schedule="one-cycle")
    limited = subject._replace(settings=told)
    count = len(limited.rows(100).y)
    assert 1 < count < len(subject.rows(100).y) == 100
    assert limited.program().plan(N=count).nbytes <= 40_000
    assert limited.program(10).options.recompute
    assert str(limited.program(10).training) != str(limited.program(1000).training)
    assert red("--memory-limit", "40kB", "--recompute", "--schedule", "one-cycle") == []


def compiled_kernels(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[str], str] = lambda text: text
) -> list[str]:
    """The texts of the kernels that are compiled from here on, changed."""
    pytest.importorskip("numba")
    from verigrad.runtime.backends.numba.lowering import kernel_text

    made: list[str] = []
    right = kernel_text.compiled

    def compiled(text: str) -> object:
        made.append(text)
        return right(change(text))

    monkeypatch.setattr(kernel_text, "compiled", compiled)
    return made


def test_every_check_runs_on_the_backend(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    made = compiled_kernels(monkeypatch)
    on_numba = subject._replace(settings=subject.settings._replace(backend="numba"))
    checks = (
        sanity.first_loss,
        sanity.growing_loss,
        sanity.overfitting,
        sanity.gradients,
        sanity.passes,
        sanity.inference_passes,
        sanity.reference,
        sanity.resumed,
    )
    for check in checks:
        made.clear()
        assert all(result.ok for result in check(on_numba)), check.__name__
        assert made, f"{check.__name__} compiled no kernel"


def test_a_wrong_kernel_of_a_backend_is_red(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled_kernels(monkeypatch, lambda text: text.replace("v3 * v", "v3 + v"))
    # A kernel is tried when it is compiled, which would find the fault before the check.
    monkeypatch.setattr(
        "verigrad.runtime.backends.numba.lowering.kernel_text.try_once", lambda *_: None
    )
    on_numba = subject._replace(settings=subject.settings._replace(backend="numba"))
    (result,) = sanity.reference(on_numba)
    assert (result.name, result.ok) == ("numba steps, 100 rows", False)


def test_a_step_that_differs_from_its_graph_is_red(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = vg.Program.step
    monkeypatch.setattr(vg.Program, "step", lambda *a, **feeds: right(*a, **feeds) * 1.0001)
    (result,) = sanity.reference(subject)
    assert not result.ok


def test_json_has_the_number_and_the_bound_of_each() -> None:
    told = json.loads(run("selfcheck", *SMALL, "--json").stdout)
    assert [check["name"] for check in told["checks"]] == CHECKS
    first = told["checks"][0]
    assert abs(first["value"] - np.log(10)) < sanity.NEAR and "ln 10" in first["bound"]


def test_folding_batch_norm_is_measured_in_inference(subject: Subject) -> None:
    normed = subject._replace(settings=subject.settings._replace(batch_norm=True))
    found = one(list(sanity.inference_passes(normed)), "inference pass fold_batch_norm")
    assert found.ok and found.value is not None and 0 < found.value < 1e-5


def test_a_small_table_is_enough(tmp_path: Path, rng: np.random.Generator) -> None:
    rows = "".join(f"{a},{b},{'more' if a > b else 'less'}\n" for a, b in rng.random((30, 2)))
    (tmp_path / "small.csv").write_text(f"a,b,which\n{rows}")
    result = run("selfcheck", *SMALL, "--data", tmp_path / "small.csv", "--target", "which")
    assert result.exit_code == 0
    assert "within 0.05 of ln 2 = 0.6931" in result.stdout and "overfits 2" in result.stdout


def test_on_a_terminal_it_is_in_colour() -> None:
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "verigrad", "selfcheck", *SMALL, "--lr", "0"]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    process = subprocess.Popen(command, stdout=follower, stderr=follower, env=environment)
    os.close(follower)
    shown = b""
    try:
        while data := os.read(leader, 65536):
            shown += data
    except OSError:  # How Linux reports that the other end is closed.
        pass
    os.close(leader)
    assert process.wait(timeout=60) == 1
    assert "\x1b[1;32m✓ \x1b[0mfirst loss" in shown.decode()
    assert "\x1b[1;31m✗ " in shown.decode()


# ---- red -------------------------------------------------------------------------------------


def planted(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[vg.Graph, vg.Node], vg.Node]
) -> None:
    """A net whose loss is changed."""
    declared = subjects.declare

    def declare(*arguments: object) -> vg.Graph:
        net = declared(*arguments)  # type: ignore[arg-type]
        scores, loss = net.outputs["scores"], net.outputs["loss"]
        return vg.Graph(net.name, {"scores": scores}, loss=change(net, loss))

    monkeypatch.setattr(subjects, "declare", declare)


def test_a_loss_that_is_counted_twice_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, lambda net, loss: loss * 2.0)
    assert red() == ["first loss"]


def test_a_penalty_that_is_forgotten_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "make_regularizer", lambda self: None)
    assert red() == ["loss grows with strength"]


def test_a_net_that_does_not_learn_is_red() -> None:
    assert red("--lr", "0", "--schedule", "constant") == ["overfits 50 samples"]


@pytest.mark.parametrize("factor", [1.0005, -1.0])
def test_a_gradient_that_is_wrong_is_red(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    right = Relu.vjp

    def wrong(self: Relu, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        return right(self, node, dy * factor)

    monkeypatch.setattr(Relu, "vjp", wrong)
    assert [(r.name, r.ok) for r in sanity.gradients(subject)] == [
        ("gradients at L2 0", False),
        ("gradients at L2 0.7", False),
    ]


@pytest.mark.parametrize("off", [1e-9, np.nan])
def test_a_number_that_is_off_its_trajectory_is_red(
    subject: Subject,
    monkeypatch: pytest.MonkeyPatch,
    sound_trajectories: list[Departure],
    off: float,
) -> None:
    found = [*sound_trajectories, Departure("adam(lr=0.1)", off)]
    monkeypatch.setattr(sanity, "departures", lambda backend: found)
    (result,) = sanity.trajectories(subject)
    assert (result.name, result.ok) == ("110 reference trajectories", False)


@dataclass(frozen=True)
class CostMore(vg.Pass):
    """Makes the loss larger by a millionth, and claims that it changes nothing."""

    def apply(self, g: vg.Graph) -> vg.Graph:
        loss = g.outputs["loss"]
        return g.replace({loss: loss * 1.000001})


def test_a_pass_that_changes_the_loss_is_red(subject: Subject) -> None:
    pipeline = vg.TRAINING.insert(CostMore(), after="eliminate_common")
    results = list(sanity.sanity_checks(subject._replace(pipeline=pipeline)))
    assert [r.name for r in results if not r.ok] == ["pass cost_more"]
    assert one(results, "pass cost_more").value == pytest.approx(1e-6, rel=0.2)


def test_an_inference_pass_that_changes_the_loss_is_red(subject: Subject) -> None:
    pipeline = vg.INFERENCE.insert(CostMore(), after="eliminate_common")
    results = list(sanity.sanity_checks(subject._replace(inference_pipeline=pipeline)))
    assert [r.name for r in results if not r.ok] == ["inference pass cost_more"]


def test_one_bit_in_a_resumed_run_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    right = sanity.load

    def load(path: Path) -> vg.Program:
        program = right(path)
        bias = np.array(program.parameters["fc3.bias"])
        bias.view(np.uint32)[4] ^= 1
        program.parameters["fc3.bias"] = bias
        return program

    monkeypatch.setattr(sanity, "load", load)
    assert red("--optimizer", "sgd") == ["resumed run"]


def test_a_check_that_ends_in_an_error_is_red() -> None:
    result = run("selfcheck", *SMALL, "--lr", "1e30")
    assert result.exit_code == 1
    (line,) = [x for x in result.stdout.splitlines() if "overfits" in x]
    assert line.startswith("FAIL  overfits a few samples ") and "is not finite" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--keep", "0.5,0.5,0.5"], "--keep has 3 numbers"),
        (["--data", "nothing"], "there is no data set 'nothing'"),
        (["--init", "he"], "there is no initializer 'he'"),
        (["--dtype", "f16"], "'f16' is not one of 'f32', 'f64'"),
    ],
)
def test_options_that_cannot_be_are_errors_of_usage(arguments: list[str], message: str) -> None:
    result = run("selfcheck", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr and result.stdout == ""
