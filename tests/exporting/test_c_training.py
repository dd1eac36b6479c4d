"""Training steps in C beside the program that they were exported from, on the digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from c_library import LABEL, NOT_FINITE, OK, OVERFLOW, SIZE, Library, needs_gcc
from training_cases import CASES, ROWS, assert_alike, batches, classifier, digits

import verigrad as vg
from verigrad.runtime.exporting.c.source import c_files
from verigrad.runtime.exporting.graphs import exported, planned

pytestmark = [needs_gcc, pytest.mark.numpy_bits]


def c_of(program: vg.Program, folder: Path, most: int, *options: str) -> Library:
    """A program's C as a library; all its symbols are at most that."""
    sizes = dict.fromkeys(program.training.symbols, most)
    variants = program._variants
    e = planned(exported(variants, True), variants, sizes)
    return Library(c_files(e, "net", {}), folder, "net", *options)


def step(library: Library, feeds: dict[str, np.ndarray], rows: int) -> tuple[int, float]:
    """The status and the loss of a step."""
    status, out = library.call("step", feeds, {"N": rows}, {"loss": ()})
    return status, float(out["loss"])


@pytest.mark.parametrize("case", CASES)
def test_a_hundred_steps_end_where_the_programs_do(case: str, tmp_path: Path) -> None:
    build, options = CASES[case]
    program = vg.compile(build(), dtype="f64", **options)
    library = c_of(program, tmp_path, ROWS, "-DNET_CHECK")
    assert library.check() == 0
    for batch in batches(program):
        status, loss = step(library, batch, len(batch["x"]))
        assert status == OK
        assert loss == pytest.approx(program.step(batch), rel=1e-12)
    assert_alike(library, program)
    (key,) = program.inference.outputs.keys() - {"loss"}
    rows = {"x": batch["x"]}
    due = program.predict(rows)[key]
    status, out = library.call("predict", rows, {"N": len(due)}, {key: due.shape})
    np.testing.assert_allclose(out[key], due, rtol=0, atol=1e-12 * max(1.0, np.abs(due).max()))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[vg.Program, Library, Library]:
    """A program in f32, and its C without and with a second state to roll back to."""
    program = vg.compile(
        classifier(vg.relu), optimizer=vg.AdaGrad(0.05), dropout=vg.Dropout(keep=0.9)
    )
    folders = [tmp_path_factory.mktemp(name) for name in ("plain", "rollback")]
    return (
        program,
        c_of(program, folders[0], ROWS),
        c_of(program, folders[1], ROWS, "-DNET_ROLLBACK"),
    )


def test_float_steps_are_off_by_rounding_alone(trained) -> None:
    program, library, _ = trained
    library.init()
    for batch in batches(program):
        assert step(library, batch, len(batch["x"]))[0] == OK
        program.step(batch)
    assert_alike(library, program, 1e-5)


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("tanhf(", "sinf(", 1),
        ("log(total)", "(log(total) + 0.001)", 2),
        (" -= 0.1f * fc2_weight_grad", " -= 0.11f * fc2_weight_grad", 3),
        ("net_state.fc1_weight, fc1_weight_first", "net_state.fc1_weight, fc1_weight_first + 1", 1),
    ],
)
def test_a_device_that_computes_otherwise_is_told(
    right: str, wrong: str, told: int, tmp_path: Path
) -> None:
    program = vg.compile(classifier(), optimizer=vg.SGD(0.1))
    variants = program._variants
    files = c_files(planned(exported(variants, True), variants, {"N": 4}), "net", {})
    assert right in files.source
    broken = files._replace(source=files.source.replace(right, wrong))
    assert Library(broken, tmp_path, "net", "-DNET_CHECK", "-Wno-error").check() == told


@pytest.mark.parametrize("rolled_back", [False, True])
def test_what_does_not_fit_is_told_and_changes_nothing(trained, rolled_back: bool) -> None:
    program, library = trained[0], trained[2 if rolled_back else 1]
    library.init()
    before = {name: library[name] for name in library.fields}
    feeds = {n: a[:ROWS].copy() for n, a in digits(program).items()}

    def told(status: int, rows: int = ROWS, **changed: np.ndarray) -> None:
        assert step(library, {**feeds, **changed}, rows)[0] == status
        for name, value in before.items():
            np.testing.assert_array_equal(library[name], value, name)

    told(SIZE, rows=ROWS + 1)
    told(SIZE, rows=0)
    for label in (10, -1, 2**63 - 1, -(2**63)):
        y = feeds["y"].copy()
        y[-1] = label
        told(LABEL, y=y)
    for value in (np.nan, np.inf, -np.inf):
        x = feeds["x"].copy()
        x[3, 5] = value
        told(NOT_FINITE, x=x)
    if rolled_back:
        told(OVERFLOW, x=feeds["x"] * np.float32(1e25))
    assert step(library, feeds, ROWS)[0] == OK


def test_an_update_that_overflows_is_told(trained) -> None:
    program, library, _ = trained
    library.init()
    feeds = {n: a[:ROWS].copy() for n, a in digits(program).items()}
    feeds["x"] *= np.float32(1e25)
    assert step(library, feeds, ROWS)[0] == OVERFLOW
