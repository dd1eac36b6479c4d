"""Whole nets and random graphs in ONNX, beside `predict` and the interpreter; files and errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import hypothesis.strategies as st
import numpy as np
import pytest
from catch.subjects import Subject, subjects
from conftest import batch, net
from hypothesis import given
from onnx_runs import Session, checked, new_state, predicted
from random_graphs import chains, graphs, nets, values_of

import verigrad as vg

pytestmark = [pytest.mark.oracle, pytest.mark.numpy_bits]


def agrees(found: np.ndarray, expected: np.ndarray, bound: float = 1e-5) -> None:
    assert found.dtype == expected.dtype and found.shape == expected.shape
    size = max(1.0, float(np.abs(expected[np.isfinite(expected)]).max(initial=0)))
    np.testing.assert_allclose(found, expected, rtol=bound, atol=bound * size)


ACTIVATIONS = ["relu", "tanh", "sigmoid", "gelu", "silu", "elu", "selu", "softplus", "leaky_relu"]


@pytest.mark.parametrize("size", [0, 1, 9])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_net_predicts_the_same(
    onnx: Any, activation: str, size: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    x = vg.input("pixels", ("rows", 12))
    h = vg.batch_norm(vg.mlp(x, [8, 6], activation=activation))
    g = vg.Graph("net", {"scores": vg.softmax(h), "raw": h, "in": x})
    program = vg.compile(g)
    for name in program.state:
        program.state[name] = rng.uniform(0.5, 2, program.state[name].shape)
    feeds = {"pixels": 5 * rng.standard_normal((size, 12)).astype(np.float32)}
    found = predicted(program, tmp_path, feeds)
    assert list(found) == ["scores", "raw", "in"]
    for key, expected in program.predict(feeds).items():
        agrees(found[key], expected)


def operators(path: Path) -> list[str]:
    return [n.op_type for n in checked(path).graph.node]


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_what_a_reader_knows_is_one_node(
    onnx: Any, dtype: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    x = vg.input("x", ("N", 4))
    h = vg.layer_norm(vg.relu(vg.batch_norm(vg.dense(x, 5))), eps=1e-3)
    program = vg.compile(vg.Graph("net", {"p": vg.softmax(vg.dense(h, 3))}), dtype=dtype)
    for name in ("ln1.weight", "ln1.bias"):
        program.parameters[name] = rng.standard_normal(5)
    feeds = {"x": rng.standard_normal((6, 4)).astype("f4" if dtype == "f32" else "f8")}
    bound = 1e-5 if dtype == "f32" else 1e-12
    agrees(predicted(program, tmp_path, feeds)["p"], program.predict(feeds)["p"], bound)
    norms = ["BatchNormalization", "LayerNormalization"] if dtype == "f32" else []
    written = operators(tmp_path / "net.onnx")
    assert [k for k in written if "Normalization" in k] == norms
    assert written[0] == written[-2] == "Gemm" and written[-1] == "Softmax"


def almost(x: vg.Node, kind: str) -> dict[str, vg.Node]:
    """A softmax or a layer normalization, one part of which is another or is read elsewhere."""
    w, b = vg.parameter("w", (4,), init=vg.init.normal(1.0)), vg.parameter("b", (4,))
    if kind == "logs":
        return {"y": vg.exp(logs := vg.log_softmax(x)), "logs": logs}
    if kind == "logs twice":
        return {"y": vg.exp(logs := vg.log_softmax(x)) * logs}
    other = x if kind != "of others" else vg.square(x)
    axes = [0] if kind == "columns" else [1]
    centered = other - vg.mean(x, axes=axes, keepdims=True)
    of = vg.absolute(centered) if kind == "absolute" else vg.square(centered)
    variance = vg.mean(of, axes=[1], keepdims=True)
    inverse = (2.0 if kind == "two" else 1.0) / vg.sqrt(variance + 1e-5)
    y = centered * inverse * (vg.sum(w) if kind == "scalar" else w) + b
    return {"y": y, "variance": variance} if kind == "variance" else {"y": y}


@pytest.mark.parametrize(
    "kind",
    ["logs", "logs twice", "of others", "columns", "absolute", "two", "scalar", "variance"],
)
def test_what_is_almost_that_is_written_as_it_is(
    onnx: Any, kind: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    x = vg.input("x", ("N", 4))
    program = vg.compile(vg.Graph("net", almost(x, kind)))
    feeds = {"x": rng.standard_normal((6, 4)).astype(np.float32)}
    found = predicted(program, tmp_path, feeds)
    for key, expected in program.predict(feeds).items():
        agrees(found[key], expected)
    assert not {"Softmax", "LayerNormalization"} & {*operators(tmp_path / "net.onnx")}


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_a_factor_of_one_over_is_loaded(
    onnx: Any, dtype: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    """Beside nodes that onnxruntime takes away: it once lost what these gave."""
    x, y = (vg.input(k, ("N", 1)) for k in "xy")
    zero, one = (vg.parameter(k, (1,), init=k) for k in ("zeros", "ones"))
    normalized = vg.batch_norm(vg.tanh(x), name="bn")
    inverse = 1.0 / vg.sqrt(one + 1e-5)
    added, scaled = (vg.tanh(x) - zero) * inverse, (1.0 / y) * (vg.tanh(x) * one)
    g = vg.Graph("g", {"added": added, "scaled": scaled, "normalized": normalized})
    program = vg.compile(g, dtype=dtype)
    kind = "f4" if dtype == "f32" else "f8"
    feeds = {k: rng.standard_normal((3, 1)).astype(kind) for k in "xy"}
    found = predicted(program, tmp_path, feeds)
    for key, expected in program.predict(feeds).items():
        agrees(found[key], expected)


@pytest.mark.parametrize("subject", [*subjects()], ids=lambda s: s.net.name)
def test_nets_with_all_that_there_is_predict_and_step_the_same(
    onnx: Any, subject: Subject, tmp_path: Path
) -> None:
    program = subject.program()
    path = tmp_path / "step.onnx"
    program.to_onnx(path, training=True)
    checked(path)
    session, state = Session(path), {}
    for rows in subject.rows * 3:
        types = {program.declared.names[n]: n.type.numpy for n in program.declared.inputs}
        feeds = {k: a.astype(types[k]) for k, a in subject.feeds(rows).items()}
        outputs = session.run({**feeds, **state})
        agrees(outputs["loss"], np.asarray(program.step(feeds), outputs["loss"].dtype))
        state = new_state(outputs)
    for key, value in program.predict(feeds).items():
        agrees(predicted(program, tmp_path, feeds)[key], value)


def test_the_file_says_what_it_is(onnx: Any, tmp_path: Path, three_layer: vg.Graph) -> None:
    program = vg.compile(three_layer, optimizer=vg.SGD(0.1))
    program.metadata.update({"classes": json.dumps(["a", "ü"]), "cut \ud800": ""})
    program.to_onnx(tmp_path / "net.onnx")
    model = checked(tmp_path / "net.onnx")
    told = {p.key: p.value for p in model.metadata_props}
    assert json.loads(told.pop("verigrad.parameters")) == [*program.parameters]
    classes = program.metadata["classes"]
    assert told == {"classes": classes, "cut \\ud800": "", "verigrad.graph": "net"}
    assert model.producer_name == "verigrad" and model.producer_version
    assert [v.name for v in model.graph.input] == ["x"]  # labels are not needed
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    assert [n.op_type for n in model.graph.node] == ["Gemm", "Relu", "Gemm", "Relu", "Gemm"]
    assert {t.name for t in model.graph.initializer} == set(program.parameters)


@given(graph=st.one_of(graphs(), chains(), nets()), size=st.integers(0, 4))
def test_random_graphs_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, graph: vg.Graph, size: int
) -> None:
    pytest.importorskip("onnx")
    values = values_of(graph, size)
    g = graph.but(outputs={k: n for k, n in graph.outputs.items() if k != "loss"}, updates={})
    program = vg.compile(g)
    for name in program.parameters:
        program.parameters[name] = values[name]
    for name in program.state:
        program.state[name] = values[name]
    needed = {g.names[n] for n in (*g.inputs, *g.parameters, *g.state)}
    expected = vg.interpret(g, {k: v for k, v in values.items() if k in needed}).outputs
    found = predicted(program, tmp_path_factory.mktemp("random"), values)
    for (key, value), other in zip(expected.items(), found.values(), strict=True):
        if np.isfinite(value).all() and np.abs(value).max(initial=0) < 1e4:
            agrees(other, value, 2e-4), key


# ---- ops of a user's own ---------------------------------------------------------------------


@vg.op
class Halved(vg.Op):
    """y = x / 2; and no word of ONNX."""

    name: ClassVar[str] = "halved_without_onnx"

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0]

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.multiply(x, 0.5, out=out)


@vg.op
class Other(Halved):
    """Another one."""

    name: ClassVar[str] = "other_without_onnx"


@vg.op
class Softsign(Halved):
    """y = factor x / (1 + |x|)."""

    name: ClassVar[str] = "softsign_with_onnx"
    factor: float = 3.0

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.divide(x * self.factor, 1 + np.abs(x), out=out)

    def onnx(self, at: Any, *xs: Any) -> Any:
        (x,) = xs
        return at.op("Softsign", x) ** 1.0 * self.factor


class Doubled(vg.Pass):
    """Twice the scores."""

    name: ClassVar[str] = "doubled"
    numbers: ClassVar[Any] = "meaning"

    def apply(self, g: vg.Graph) -> vg.Graph:
        return g.but(outputs={k: n * 2.0 for k, n in g.outputs.items()})


class Blessing(vg.Pass):
    """Nothing, but that it says so."""

    name: ClassVar[str] = "blessing"
    gives: ClassVar[tuple[str, ...]] = ("blessed",)

    def apply(self, g: vg.Graph) -> vg.Graph:
        return g


class DoubledWhenBlessed(Doubled):
    """The same, where another pass has said so."""

    name: ClassVar[str] = "doubled_when_blessed"
    needs: ClassVar[tuple[str, ...]] = ("blessed",)


def test_an_op_of_ones_own_says_what_it_is_in_onnx(
    onnx: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    x = vg.input("x", ("N", 3))
    program = vg.compile(vg.Graph("g", {"y": vg.apply(Softsign(), x, name="soft")}))
    feeds = {"x": rng.standard_normal((4, 3)).astype(np.float32)}
    agrees(predicted(program, tmp_path, feeds)["y"], program.predict(feeds)["y"])


def test_an_op_whose_form_fails_is_named_with_both_lines(
    onnx: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Softsign, "onnx", lambda self, at, x: at.op("Softsign", x) + "one")
    x = vg.input("x", ("N", 3))
    program = vg.compile(vg.Graph("g", {"y": vg.apply(Softsign(), x, name="soft")}))
    lines = r"(?s)%soft = softsign_with_onnx, at test_onnx_nets.py.*failed with .*Error.*\n  at "
    with pytest.raises(vg.RunError, match=lines):
        program.to_onnx(tmp_path / "g.onnx")


def test_an_op_without_is_named_with_its_line(onnx: Any, tmp_path: Path) -> None:
    x = vg.input("x", ("N", 3))
    half = vg.apply(Halved(), x, name="half")
    outputs = {"y": vg.apply(Halved(), half), "z": vg.apply(Other(), half, name="other")}
    program = vg.compile(vg.Graph("g", outputs))
    lines = r"(?s)%half = halved_without_onnx, at test_onnx_nets.py:.*and %other = other_w.*fix: "
    with pytest.raises(vg.RunError, match=lines):
        program.to_onnx(tmp_path / "g.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("given", [None, 3, "text"])
def test_an_op_whose_form_is_no_value(
    onnx: Any, given: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Softsign, "onnx", lambda self, at, *xs: given)
    x = vg.input("x", ("N", 3))
    program = vg.compile(vg.Graph("g", {"y": vg.apply(Softsign(), x)}))
    with pytest.raises(vg.RunError, match="its `onnx` gave"):
        program.to_onnx(tmp_path / "g.onnx")


def test_a_gradient_that_is_declared(onnx: Any, tmp_path: Path, rng: np.random.Generator) -> None:
    x, w = vg.input("x", ("N", 3)), vg.parameter("w", (3, 2))
    energy = vg.sum(vg.softplus(vg.tanh(x) @ w))
    program = vg.compile(vg.Graph("force", {"force": vg.gradient(energy, x)}))
    feeds = {"x": rng.standard_normal((4, 3)).astype(np.float32)}
    agrees(predicted(program, tmp_path, feeds)["force"], program.predict(feeds)["force"])


def test_a_pass_of_ones_own_is_in_the_file(
    onnx: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    """One that changes the meaning, and also where it needs what only other passes give."""
    feeds = batch(rng, 6, 12, 4)
    plain = vg.compile(net(12, 8, 4)).predict(feeds)["scores"]
    for doubling in (Doubled(), DoubledWhenBlessed()):
        pipeline = vg.INFERENCE.insert(Blessing(), before="schedule")
        pipeline = pipeline.insert(doubling, before="schedule")
        program = vg.compile(net(12, 8, 4), inference_pipeline=pipeline)
        agrees(predicted(program, tmp_path, feeds)["scores"], 2 * plain)


@pytest.mark.parametrize(
    "form",
    [
        lambda at, x: at.op("NoSuchOp", x),
        lambda at, x: at.op("Softsign", x, alpha=3.0),
        lambda at, x: at.op("Softsign", x, x),
        lambda at, x: at.op("ReduceSum", x, keepdims=0),
        lambda at, x: at.op("Cast", x, to="i64"),
        lambda at, x: at.op("Softsign", x, domain="com.example"),
    ],
)
def test_an_op_whose_form_is_no_onnx(
    onnx: Any, form: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such op, attribute or input; a result of another type or shape than the op says."""
    monkeypatch.setattr(Softsign, "onnx", lambda self, at, *xs: form(at, *xs))
    x = vg.input("x", ("N", 3))
    program = vg.compile(vg.Graph("g", {"y": vg.relu(vg.apply(Softsign(), x))}))
    with pytest.raises(vg.RunError, match=r"g would be no valid ONNX: .*"):
        program.to_onnx(tmp_path / "g.onnx")
    assert not list(tmp_path.iterdir())


# ---- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["net.txt", "net", "net.onnx.gz", ".onnx", "onnx"])
def test_another_ending_is_named(name: str, tmp_path: Path, three_layer: vg.Graph) -> None:
    with pytest.raises(vg.RunError, match=r"\.onnx"):
        vg.compile(three_layer).to_onnx(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", [None, 3, "a\0.onnx"])
def test_what_is_no_path(onnx: Any, path: Any, three_layer: vg.Graph) -> None:
    with pytest.raises(vg.RunError, match="path"):
        vg.compile(three_layer).to_onnx(path)


def test_a_path_that_cannot_be_written_leaves_nothing(
    onnx: Any, tmp_path: Path, three_layer: vg.Graph
) -> None:
    program = vg.compile(three_layer)
    with pytest.raises(vg.RunError, match="cannot be written"):
        program.to_onnx(tmp_path / "no" / "net.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(vg.RunError, match="cannot be written"):
        program.to_onnx(tmp_path / "folder.onnx")
    if Path("/dev/full").exists():
        (tmp_path / "full.onnx").symlink_to("/dev/full")
        with pytest.raises(vg.RunError, match="No space left"):
            program.to_onnx(tmp_path / "full.onnx")
    assert {p.name for p in tmp_path.iterdir()} <= {"folder.onnx", "full.onnx"}


def test_a_file_that_is_too_large_for_the_format(
    onnx: Any, tmp_path: Path, three_layer: vg.Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = vg.compile(three_layer, optimizer=vg.SGD(0.1))
    monkeypatch.setattr("verigrad.runtime.exporting.onnx.files._MOST", 744)
    program.to_onnx(tmp_path / "net.onnx")
    with pytest.raises(vg.RunError, match=r"take 1,5.. bytes.* 744 at most"):  # first values, too
        program.to_onnx(tmp_path / "step.onnx", training=True)
    monkeypatch.setattr("verigrad.runtime.exporting.onnx.files._MOST", 743)
    with pytest.raises(vg.RunError, match=r"take 744 bytes.* 743 at most"):
        program.to_onnx(tmp_path / "other.onnx")
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]


@pytest.mark.parametrize("fill", ["", "[", "3", "[null]", "[1e999]", '["a"]'])
def test_a_damaged_fill_is_named(
    onnx: Any, fill: str, tmp_path: Path, three_layer: vg.Graph
) -> None:
    program = vg.compile(three_layer)
    program.metadata["fill"] = fill
    with pytest.raises(vg.RunError, match="'fill' is damaged"):
        program.to_onnx(tmp_path / "net.onnx")


@pytest.mark.parametrize("metadata", [{"a": 3}, {3: "a"}, {"a": None}])
def test_metadata_that_is_no_text(
    onnx: Any, metadata: Any, tmp_path: Path, three_layer: vg.Graph
) -> None:
    program = vg.compile(three_layer)
    program.metadata.update(metadata)
    with pytest.raises(vg.RunError, match="where a text is expected"):
        program.to_onnx(tmp_path / "net.onnx")


def test_what_there_is_not(onnx: Any, tmp_path: Path, three_layer: vg.Graph) -> None:
    path = tmp_path / "net.onnx"
    with pytest.raises(vg.RunError, match="no optimizer"):
        vg.compile(three_layer).to_onnx(path, training=True)
    assert three_layer.loss is not None
    with pytest.raises(vg.RunError, match="no output but its loss"):
        vg.compile(vg.Graph("g", loss=three_layer.loss)).to_onnx(path)
    with pytest.raises(vg.RunError, match="no loss"):
        vg.compile(vg.Graph("g", {"y": vg.input("x", (2,))})).to_onnx(path, training=True)
    assert not list(tmp_path.iterdir())


def test_parameters_that_are_set_are_those_in_the_file(
    onnx: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    program = vg.compile(net(12, 8, 4), optimizer=vg.SGD(0.5))
    feeds = batch(rng, 6, 12, 4)
    for _ in range(3):
        program.step(feeds)
        found = predicted(program, tmp_path, feeds)["scores"]
        agrees(found, program.predict(feeds)["scores"])
    assert Session(tmp_path / "net.onnx").outputs == ["scores"]
