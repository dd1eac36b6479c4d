"""A user's op and pass in a file of their own: used, checked, printed, saved and missed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from api_nets import rows, says, two_layer
from api_scaled import SquareByMultiply, Swish

import verigrad as vg


def swish_net() -> vg.Graph:
    """A layer of swish and a squared loss."""
    x = vg.input("x", ("N", 6))
    h = vg.apply(Swish(b=1.5), vg.dense(x, 5, name="fc1"))
    return vg.Graph("swish", {"h": h}, loss=vg.mean(vg.square(h)))


def compiled() -> vg.Program:
    """With the user's op, and with the user's pass in both pipelines."""
    return vg.compile(
        swish_net(),
        optimizer=vg.Momentum(lr=0.1),
        pipeline=vg.TRAINING.insert(SquareByMultiply(times=7), after="simplify"),
        inference_pipeline=vg.INFERENCE.insert(SquareByMultiply(), before="schedule"),
    )


def test_an_own_op_has_a_function_of_its_name() -> None:
    x = vg.input("x", ("N", 6))
    assert vg.api_swish(x, b=2.0).op == Swish(b=2.0)
    with pytest.raises(AttributeError, match="api_swosh"):
        vg.api_swosh  # noqa: B018


def test_an_own_op_computes_and_trains() -> None:
    program = vg.compile(swish_net(), optimizer=vg.SGD(lr=0.1), dtype="f64")
    x = rows(4)["x"].astype(np.float64)
    z = x @ program.parameters["fc1.weight"]
    expected = z / (1 + np.exp(-1.5 * z))
    np.testing.assert_allclose(program.predict(x=x)["h"], expected, rtol=1e-12)
    losses = [program.step(x=x) for _ in range(20)]
    assert losses[0] == pytest.approx((expected**2).mean(), rel=1e-12)
    assert losses[-1] < losses[0]


def test_an_own_op_is_checked_by_one_call() -> None:
    report = vg.check_op(
        Swish(b=1.5), ["f32[N,3]"], lambda x: x / (1 + np.exp(-1.5 * x)), errors=[["i64[N]"]]
    )
    assert report.ok
    assert vg.gradcheck(swish_net(), {"x": rows(4)["x"]}).ok


def test_an_own_op_is_read_back_from_text() -> None:
    g = swish_net()
    assert "api_swish{1.5}(" in str(g) or "api_swish{b=1.5}(" in str(g)
    assert str(vg.parse(str(g))) == str(g)


def test_two_ops_of_one_name_are_refused() -> None:
    with says("api_swish"):

        @vg.op
        class Other(vg.Op):
            """Another op of the same name."""

            name = "api_swish"

            def infer(self, *types: vg.TensorType) -> vg.TensorType:
                return types[0]

    assert vg.api_swish(vg.input("x", (2,))).op == Swish()


def test_an_op_that_is_not_registered_is_refused() -> None:
    class Unregistered(vg.Op):
        """An op without @vg.op."""

        name = "api_unregistered"

        def infer(self, *types: vg.TensorType) -> vg.TensorType:
            return types[0]

    with says("api_unregistered", "@vg.op"):
        node = vg.apply(Unregistered(), vg.input("x", (2,)))
        vg.compile(vg.Graph("g", {"y": node}))


def test_an_op_without_a_gradient_is_an_error_that_names_it() -> None:
    @vg.op
    class Rounded(vg.Op):
        """round(x), without a gradient."""

        name = "api_rounded"

        def infer(self, *types: vg.TensorType) -> vg.TensorType:
            return types[0]

        def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
            np.rint(x, out=out)

    x = vg.input("x", ("N", 6))
    h = vg.apply(Rounded(), vg.dense(x, 2, name="fc1"))
    assert vg.compile(vg.Graph("g", {"h": h})).predict(x=np.zeros((1, 6)))["h"].sum() == 0
    with says("api_rounded", "vjp"):
        vg.compile(vg.Graph("g", {"h": h}, loss=vg.mean(h)), optimizer=vg.SGD(lr=0.1))


@vg.op
class BadGradient(vg.Op):
    """The sum of each row, whose gradient has the wrong shape."""

    name = "api_bad_gradient"

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0].with_shape(types[0].shape[:1])

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        return (dy,)

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.sum(x, axis=1, out=out)


def test_a_gradient_of_the_wrong_type_is_an_error_that_names_the_op() -> None:
    x = vg.input("x", ("N", 6))
    h = vg.apply(BadGradient(), vg.dense(x, 2, name="fc1"))
    with says("api_bad_gradient", "f32[N]", "f32[N,2]"):
        vg.compile(vg.Graph("g", loss=vg.mean(h)), optimizer=vg.SGD(lr=0.1))


def test_an_own_pass_runs_and_its_stage_and_reasons_are_kept() -> None:
    program = compiled()
    after = program.stages["api_square_by_multiply"]
    assert list(program.stages).index("api_square_by_multiply") == 1 + list(program.stages).index(
        "simplify"
    )
    assert "square" not in {n.op.name for n in after.order}
    reasons = {r.reason for r in program.records if r.stage == "api_square_by_multiply"}
    assert "square is multiply" in reasons
    plain = vg.compile(swish_net(), optimizer=vg.Momentum(lr=0.1))
    x = rows(4)["x"]
    for _ in range(3):
        assert program.step(x=x) == pytest.approx(plain.step(x=x), rel=1e-6)


def test_a_refused_rewrite_is_recorded() -> None:
    pipeline = vg.TRAINING.insert(SquareByMultiply(times=0), after="insert_dropout")
    program = vg.compile(swish_net(), pipeline=pipeline)
    records = [r for r in program.records if r.stage == "api_square_by_multiply"]
    assert [(r.refused, r.reason) for r in records] == [(True, "only 0 are wanted")]


def test_pipelines_are_values() -> None:
    before = repr(vg.TRAINING)
    shorter = vg.TRAINING.without("fuse_linear_relu")
    longer = vg.TRAINING.insert(SquareByMultiply(), after="simplify")
    assert repr(vg.TRAINING) == before
    assert "fuse_linear_relu" not in shorter.names
    assert "api_square_by_multiply" in longer.names
    program = vg.compile(two_layer(), optimizer=vg.SGD(lr=0.1), pipeline=shorter)
    assert "linear_relu" not in str(program.training)
    assert "fuse_linear_relu" not in program.stages
    assert program.step(rows(4)) == vg.compile(two_layer(), optimizer=vg.SGD(lr=0.1)).step(rows(4))


def test_a_wrong_order_is_refused_when_the_pipeline_is_built() -> None:
    fusion = next(p for p in vg.TRAINING.passes if p.name == "fuse_linear_relu")
    with says("fuse_linear_relu", "differentiate"):
        vg.TRAINING.without("fuse_linear_relu").insert(fusion, before="differentiate")


def test_an_unknown_pass_is_refused_with_the_nearest_name() -> None:
    with says("fuse_linear_rely", "fuse_linear_relu"):
        vg.TRAINING.without("fuse_linear_rely")
    with says("simplfy", "simplify"):
        vg.TRAINING.insert(SquareByMultiply(), after="simplfy")


def test_insert_needs_one_place() -> None:
    for where in ({}, {"after": "simplify", "before": "schedule"}):
        with says("after", "before"):
            vg.TRAINING.insert(SquareByMultiply(), **where)


def test_a_pass_that_is_twice_in_a_pipeline_keeps_both_stages() -> None:
    pipeline = vg.TRAINING.insert(SquareByMultiply(), after="simplify")
    try:
        twice = pipeline.insert(SquareByMultiply(), before="schedule")
    except vg.VerigradError as error:
        assert "api_square_by_multiply" in str(error)
    else:
        stages = vg.compile(swish_net(), pipeline=twice).stages
        assert sum(name.startswith("api_square_by_multiply") for name in stages) == 2


@dataclass(frozen=True)
class Breaks(vg.Pass):
    """Raises a foreign error."""

    name = "api_breaks"

    def apply(self, g: vg.Graph) -> vg.Graph:
        raise ZeroDivisionError("the user's own mistake")


@dataclass(frozen=True)
class Retypes(vg.Pass):
    """Replaces a node by one of another type."""

    name = "api_retypes"

    def rewrites(self, g: vg.Graph):
        node = next(n for n in g.order if n.op.name == "square")
        yield vg.Rewrite(node, vg.sum(node), "smaller")


def test_a_foreign_error_in_a_pass_says_which_pass_and_what_had_run() -> None:
    pipeline = vg.TRAINING.insert(Breaks(), after="insert_dropout")
    with says("api_breaks", "the user's own mistake", "insert_dropout"):
        vg.compile(swish_net(), pipeline=pipeline)


def test_a_pass_that_changes_a_type_is_refused() -> None:
    pipeline = vg.TRAINING.insert(Retypes(), after="insert_dropout")
    with says("api_retypes", "f32[N,5]", "f32[]"):
        vg.compile(swish_net(), pipeline=pipeline)


def test_own_ops_and_passes_are_saved_and_loaded(tmp_path: Path) -> None:
    program, x = compiled(), rows(4)["x"]
    program.step(x=x)
    program.save(tmp_path / "own")
    loaded = vg.load(tmp_path / "own")
    assert str(loaded.training) == str(program.training)
    assert str(loaded.inference) == str(program.inference)
    assert loaded.options == program.options
    assert [loaded.step(x=x) for _ in range(3)] == [program.step(x=x) for _ in range(3)]


def in_a_new_process(code: str) -> str:
    """What the code prints in a Python that has imported nothing of ours."""
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_file_says_which_ops_and_passes_are_missing(tmp_path: Path) -> None:
    compiled().save(tmp_path / "own")
    load = f"""
import verigrad as vg
try:
    vg.load({str(tmp_path / "own")!r})
except vg.VerigradError as error:
    print(error)
"""
    message = in_a_new_process(load)
    assert "api_swish" in message
    assert "api_square_by_multiply" in message
    assert "import" in message
    assert in_a_new_process("import api_scaled" + load) == ""


def test_own_state_and_updates_are_trained_and_saved(tmp_path: Path) -> None:
    x = vg.input("x", ("N", 6))
    seen = vg.state("seen", (6,))
    h = vg.dense(x - seen, 2, name="fc1")
    mean = seen * 0.9 + vg.mean(x, axes=[0]) * 0.1
    net = vg.Graph("running", {"h": h}, loss=vg.mean(vg.square(h)), updates={seen: mean})
    program = vg.compile(net, optimizer=vg.SGD(lr=0.1), dtype="f64")
    expected = np.zeros(6)
    for seed in range(4):
        fed = rows(4, seed=seed)["x"].astype(np.float64)
        program.step(x=fed)
        expected = expected * 0.9 + fed.mean(axis=0) * 0.1
    np.testing.assert_allclose(program.state["seen"], expected, rtol=1e-12)
    program.save(tmp_path / "running")
    loaded = vg.load(tmp_path / "running")
    np.testing.assert_array_equal(loaded.state["seen"], program.state["seen"])
    assert loaded.step(x=fed) == program.step(x=fed)
