"""A program as one NumPy file: every op, a hundred steps of every case, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from c_library import close
from op_rows import Rows, ours
from table import EXPORTED
from training_cases import CASES, assert_alike, batches, classifier, digits, state_of

import verigrad as vg
from verigrad.runtime.exporting.graphs import Exported
from verigrad.runtime.exporting.numpy_file.expressions import EXPRESSIONS
from verigrad.runtime.exporting.numpy_file.source import numpy_text
from verigrad.runtime.interpreter import interpret

pytestmark = pytest.mark.numpy_bits  # no export depends on what runs a step


def module(text: str) -> ModuleType:
    """The file as a module."""
    made = ModuleType("exported")
    exec(compile(text, "exported.py", "exec"), made.__dict__)
    return made


def file_of(program: vg.Program, folder: Path, training: bool) -> ModuleType:
    program.to_numpy(folder / "net.py", training=training)
    return module((folder / "net.py").read_text(encoding="utf-8"))


def test_every_op_has_a_form_in_numpy() -> None:
    assert {*EXPRESSIONS} == ours()


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_rows_give_what_their_kernels_give(dtype: str) -> None:
    made = Rows(dtype)
    exported = module(numpy_text(Exported("rows", made.graph, None, {}), {}))
    for size in (5, 2):
        for special in (False, True):
            feeds = made.feeds(size, special)
            with np.errstate(all="ignore"):
                due = interpret(made.graph, feeds).outputs
                names = [made.graph.names[n] for n in made.graph.inputs]
                found = exported.predict(*[feeds[name] for name in names])
            for k, row in enumerate(EXPORTED):
                if special and row.op.is_blas_call:
                    continue
                y = np.asarray(found[f"y{k}"])
                assert y.dtype == due[f"y{k}"].dtype, row.label
                close(y, due[f"y{k}"], row.label, units=256)


@pytest.mark.parametrize("case", CASES)
def test_a_hundred_steps_end_where_the_programs_do(case: str, tmp_path: Path) -> None:
    build, options = CASES[case]
    program = vg.compile(build(), dtype="f64", **options)
    exported = file_of(program, tmp_path, training=True)
    for batch in batches(program):
        loss = exported.step(**batch)
        assert loss == pytest.approx(program.step(batch), rel=1e-12)
    assert_alike(exported.state, program)
    (key,) = program.inference.outputs.keys() - {"loss"}
    due = program.predict(x=batch["x"])[key]
    np.testing.assert_allclose(exported.predict(batch["x"])[key], due, rtol=0, atol=1e-11)


@pytest.fixture(scope="module")
def program() -> vg.Program:
    return vg.compile(
        classifier(vg.relu), optimizer=vg.Adam(0.01), dropout=vg.Dropout(keep=0.9), seed=3
    )


def test_what_does_not_fit_is_told_and_changes_nothing(program: vg.Program, tmp_path: Path) -> None:
    exported = file_of(program, tmp_path, training=True)
    feeds = {n: a[:8].copy() for n, a in digits(program).items()}
    wrong = feeds["x"].copy()
    wrong[3, 5] = np.inf
    for error, changed in [
        (FloatingPointError, {"x": wrong}),
        (ValueError, {"y": feeds["y"] + 9}),
        (ValueError, {"x": feeds["x"][0]}),
        (ValueError, {"x": feeds["x"][:0], "y": feeds["y"][:0]}),
        (TypeError, {"y": feeds["y"] + 0.5}),
    ]:
        with np.errstate(all="ignore"), pytest.raises(error):
            exported.step(**{**feeds, **changed})
        assert_alike(exported.state, program, 0.0)
    exported.step(**feeds)
    exported.init()
    assert_alike(exported.state, program, 0.0)


def test_several_states_are_apart(program: vg.Program, tmp_path: Path) -> None:
    exported = file_of(program, tmp_path, training=True)
    feeds = {n: a[:8] for n, a in digits(program).items()}
    other: dict[str, np.ndarray] = {}
    exported.init(other)
    exported.step(**feeds, state=other)
    assert int(other["step"]) == 1 + int(exported.state["step"])


def test_the_file_runs_where_verigrad_is_not(program: vg.Program, tmp_path: Path) -> None:
    program.to_numpy(tmp_path / "net.py")
    x = digits(program)["x"][:3]
    np.save(tmp_path / "x.npy", x)
    code = (
        "import sys; sys.modules['verigrad'] = None; import net, numpy as np; "
        "np.save('y.npy', net.predict(np.load('x.npy'))['scores'])"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    due = program.predict(x=x)["scores"]
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), due, atol=1e-6)
    assert set(state_of(program)) > set(module((tmp_path / "net.py").read_text()).state)
