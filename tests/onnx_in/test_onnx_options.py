"""What a user asks of a file: a loss, an output, what is trained, other shapes, what is fixed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import dense, model, node

import verigrad as vg

pytestmark = [pytest.mark.oracle, pytest.mark.numpy_bits]


def parameters(g: vg.Graph) -> list[str]:
    return [g.names[p] for p in g.parameters]


def test_it_runs_and_trains(onnx: Any, tmp_path: Path, rng: np.random.Generator) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(dense(rng, "Softmax").SerializeToString())
    x, y = rng.standard_normal((9, 4)).astype(np.float32), rng.integers(0, 3, 9)
    g = vg.from_onnx(path, loss="softmax_cross_entropy")
    program = vg.compile(g, optimizer=vg.Momentum(0.1))
    before = program.predict(x=x)["y"]
    np.testing.assert_array_equal(vg.compile(vg.from_onnx(str(path))).predict(x=x)["y"], before)
    expected = -np.log(before[np.arange(9), y]).mean()
    assert program.evaluate(x=x, y=y)["loss"] == pytest.approx(expected, rel=1e-5)
    vg.fit(program, (x, y), epochs=30, batch_size=3)
    assert program.evaluate(x=x, y=y)["loss"] < 0.5 * expected


def test_its_text_is_that_of_a_net_of_ours(onnx: Any, rng: np.random.Generator) -> None:
    x, y = vg.input("x", ("N", 4)), vg.input("y", ("N",), dtype="i64")
    h = vg.relu(vg.dense(x, 8, name="fc1"))
    scores = vg.dense(h, 3, name="fc2")
    ours = vg.Graph("g", {"y": scores}, loss=vg.softmax_cross_entropy(scores, y))
    theirs = vg.from_onnx(dense(rng), loss="softmax_cross_entropy")
    one, other = (
        [line.partition("{init")[0] for line in str(g).splitlines()] for g in (ours, theirs)
    )
    assert one == other


LOSSES = ["softmax_cross_entropy", "hinge", "mean_squared_error", "mean_absolute_error", "huber",
          "binary_cross_entropy_with_logits", "poisson_nll"]  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss(onnx: Any, rng: np.random.Generator, loss: str) -> None:
    g = vg.from_onnx(dense(rng), loss=loss, target="labels")
    assert g.loss is not None and list(g.outputs) == ["loss", "y"]
    labels = g["labels"].type
    assert labels == (
        vg.TensorType("i64", ("N",)) if loss in LOSSES[:2] else vg.TensorType("f32", ("N", 3))
    )
    feeds = {
        "x": rng.standard_normal((5, 4)),
        "labels": rng.integers(0, 2, (5, 3)[: len(labels.shape)]),
    }
    assert vg.gradcheck(g, feeds)


@pytest.mark.parametrize(
    ("last", "loss", "op"),
    [
        ("Softmax", "softmax_cross_entropy", "linear"),
        ("LogSoftmax", "softmax_cross_entropy", "log_softmax"),
        ("Sigmoid", "binary_cross_entropy_with_logits", "linear"),
        ("Exp", "poisson_nll", "linear"),
        ("Sigmoid", "mean_squared_error", "sigmoid"),
    ],
)
def test_a_loss_of_scores_reads_what_the_last_activation_reads(
    onnx: Any, rng: np.random.Generator, last: str, loss: str, op: str
) -> None:
    g = vg.from_onnx(dense(rng, last), loss=loss)
    start = {"log_softmax": "log_softmax", "softplus": "softplus", "subtract": "subtract"}
    readers = [n for n in g.order if n.op.name in (*start, "negative", "exp", "multiply")]
    assert any(i.op.name == op for n in readers for i in n.inputs)


def test_a_loss_of_ones_own(onnx: Any, rng: np.random.Generator) -> None:
    def loss(scores: vg.Node) -> vg.Node:
        return vg.huber(scores, vg.input("aim", scores.shape), delta=0.3)

    g = vg.from_onnx(dense(rng), loss=loss)
    assert {n.name for n in g.inputs} == {"x", "aim"}


def test_one_of_several_outputs(onnx: Any) -> None:
    told = {"a": (1, None), "b": (1, None)}
    m = model(node("Relu", "x", "a"), node("Tanh", "x", "b"), outputs=told)
    assert list(vg.from_onnx(m).outputs) == ["a", "b"]
    assert list(vg.from_onnx(m, output="b").outputs) == ["b"]
    g = vg.from_onnx(m, output="b", loss="mean_squared_error")
    assert list(g.outputs) == ["loss", "a", "b"]
    for output, match in ((None, "2 of the outputs are floats: a, b"), ("c", "no output 'c'")):
        with pytest.raises(vg.GraphError, match=match):
            vg.from_onnx(m, output=output, loss="mean_squared_error")


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "loss": ({"loss": "cross_entropy"}, "loss 'cross_entropy' is unknown; did you mean"),
    "loss number": ({"loss": 3}, "the loss 3 is unknown"),
    "target": ({"loss": "huber", "target": "x"}, "has an input 'x' already"),
    "target name": ({"loss": "huber", "target": "1 2"}, "input needs a name"),
    "shapes": ({"shapes": ["x"]}, "shapes is"),
    "shape of nobody": ({"shapes": {"z": (1,)}}, "shapes names 'z', which the file has not"),
    "shape": ({"shapes": {"x": ("N", -1)}}, "dimension -1"),
    "constants": ({"constants": [1]}, "constants is"),
    "constant": ({"constants": {"fc9": 1}}, "constants names 'fc9', .*did you mean|which the file"),
    "trainable": ({"trainable": "fc1.weight"}, "where a list of names"),
    "trained": ({"trainable": ["fc1.wait"]}, "trainable names 'fc1.wait', .*did you mean 'fc1.w"),
}


@pytest.mark.parametrize("name", BAD)
def test_arguments_that_mean_nothing(onnx: Any, rng: np.random.Generator, name: str) -> None:
    options, match = BAD[name]
    with pytest.raises(vg.VerigradError, match=match):
        vg.from_onnx(dense(rng), **options)


def test_what_is_trained(onnx: Any, rng: np.random.Generator) -> None:
    m = dense(rng)
    every = ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    assert parameters(vg.from_onnx(m)) == every
    assert parameters(vg.from_onnx(m, trainable=False)) == []
    assert parameters(vg.from_onnx(m, trainable=["fc2.weight", "fc2.bias"])) == every[2:]


def test_what_scales_an_input_is_not_trained_and_a_scalar_neither(
    onnx: Any, rng: np.random.Generator
) -> None:
    m = model(
        node("Sub", "x mean", "a"),
        node("Div", "a std", "b"),
        node("MatMul", "b w", "c"),
        node("Mul", "c gain", "d"),
        node("Mul", "d half", "y"),
        stored={
            k: np.array(v, np.float32)
            for k, v in {"mean": [1, 2, 3, 4], "std": [1, 2, 1, 2], "w": rng.random((4, 2)),
                         "gain": [1, 2], "half": 0.5}.items()
        },
    )  # fmt: skip
    assert parameters(vg.from_onnx(m)) == ["w", "gain"]
    assert parameters(vg.from_onnx(m, trainable=True)) == ["mean", "std", "w", "gain", "half"]


def test_a_weight_that_two_layers_share(onnx: Any, rng: np.random.Generator) -> None:
    """In one order for both, and one gradient from both."""
    m = model(
        node("Gemm", "x w", "a", transB=1),
        node("Relu", "a", "b"),
        node("MatMul", "b w", "c"),
        node("Transpose", "w", "t", perm=[1, 0]),
        node("MatMul", "c t", "y"),
        stored={"w": rng.standard_normal((3, 4)).astype(np.float32)},
    )
    g = vg.from_onnx(m, loss="mean_squared_error")
    assert [p.shape for p in g.parameters] == [(3, 4)]
    assert vg.gradcheck(g, {"x": rng.standard_normal((5, 4)), "y": rng.standard_normal((5, 3))})


def test_equal_weights_that_are_kept_once_are_trained_apart(
    onnx: Any, rng: np.random.Generator
) -> None:
    m = model(
        node("Identity", "a.scale", "b.scale"),
        node("MatMul", "x w", "p"),
        node("Mul", "p a.scale", "q"),
        node("Mul", "q b.scale", "y"),
        stored={"w": np.ones((4, 2), np.float32), "a.scale": np.ones(2, np.float32)},
    )
    assert parameters(vg.from_onnx(m)) == ["w", "a.scale", "b.scale"]


def test_a_shape_that_is_computed_has_to_be_known(onnx: Any) -> None:
    m = model(node("Reshape", "x shape"), inputs={"x": (1, ["N", 4]), "shape": (7, [3])})
    with pytest.raises(vg.GraphError, match=r"constants=\{'shape': array\}"):
        vg.from_onnx(m)
    g = vg.from_onnx(m, constants={"shape": [0, 2, 2]})
    assert g.outputs["y"].shape == ("N", 2, 2) and [n.name for n in g.inputs] == ["x"]


def test_shapes_that_hold_a_symbol_are_computed(onnx: Any) -> None:
    m = model(
        node("Shape", "x", "s"),
        node("Gather", "s zero", "n"),
        node("Unsqueeze", "n zero_", "n_"),
        node("Concat", "n_ rest", "shape", axis=0),
        node("Reshape", "x shape"),
        stored={"zero": 0, "zero_": np.array([0]), "rest": np.array([2, -1])},
    )
    assert vg.from_onnx(m).outputs["y"].shape == ("N", 2, 2)
    flat = model(node("Reshape", "x all"), stored={"all": np.array([-1])})
    with pytest.raises(vg.GraphError, match="joins N with 4 others into one axis"):
        vg.from_onnx(flat)
    assert vg.from_onnx(flat, shapes={"x": (3, 4)}).outputs["y"].shape == (12,)


def test_an_embedding_learns(onnx: Any, rng: np.random.Generator) -> None:
    """A table that is looked up in by what is fed is trained, where it was looked up."""
    table = rng.standard_normal((5, 3)).astype(np.float32)
    m = model(
        node("Gather", "table places"), inputs={"places": (6, ["N"])}, stored={"table": table}
    )
    g = vg.from_onnx(m, loss="mean_squared_error")
    program = vg.compile(g, optimizer=vg.SGD(0.1))
    places = np.array([1, -1, 1])
    np.testing.assert_array_equal(program.predict(places=places)["y"], table[places])
    program.step(places=places, y=np.zeros((3, 3), np.float32))
    moved = np.any(program.parameters["table"] != table, axis=1)
    np.testing.assert_array_equal(moved, [False, True, False, False, True])


def test_names_of_all_kinds(onnx: Any) -> None:
    """Names become ours, and no two become one."""
    told = {
        "serving/x:0": (1, ["batch size", 2]),
        "serving.x": (1, ["batch size", 2]),
        "ß": (1, [2]),
    }
    m = model(
        node("Add", "serving/x:0 serving.x", "a b"), node("Add", "a ß", "1/y:0"),
        inputs=told, outputs={"1/y:0": (1, None)},
    )  # fmt: skip
    g = vg.from_onnx(m)
    assert [n.name for n in g.inputs] == ["serving.x", "serving.x_2", "_"]
    assert list(g.outputs) == ["_1.y"]
    assert g.inputs[0].shape == ("batch_size", 2)
    assert vg.compile(g).predict(
        {n.name: np.ones(n.type.bind({"batch_size": 1})) for n in g.inputs}
    )


def test_names_are_those_of_the_file_or_ours(onnx: Any, rng: np.random.Generator) -> None:
    m = model(
        node("MatMul", "in/x:0 net/w:0", "a"),
        node("Add", "a 1.b", "y"),
        inputs={"in/x:0": (1, [3, 4])},
        stored={"net/w:0": np.ones((4, 2), np.float32), "1.b": np.ones(2, np.float32)},
    )
    for weight, x in (("net/w:0", "in/x:0"), ("net.w", "in.x")):
        g = vg.from_onnx(m, trainable=[weight], shapes={x: ("N", 4)}, constants={"_1.b": [2, 3]})
        assert parameters(g) == ["net.w"] and g.inputs[0].shape == ("N", 4)
        y = vg.compile(g).predict({"in.x": np.zeros((1, 4))})["y"]
        np.testing.assert_array_equal(y, [[2, 3]])


@pytest.mark.parametrize("names", [[3], [None], [["fc1.weight"]]])
def test_names_that_are_none(onnx: Any, rng: np.random.Generator, names: Any) -> None:
    with pytest.raises(vg.VerigradError, match="trainable"):
        vg.from_onnx(dense(rng), trainable=names)


@pytest.mark.parametrize("condition", [True, False])
def test_a_branch_whose_condition_is_known(onnx: Any, condition: bool) -> None:
    helper = onnx.helper
    out = helper.make_tensor_value_info("b", 1, None)
    branches = {
        key: helper.make_graph([node(op, "x", "b")], key, [], [out])
        for key, op in (("then_branch", "Relu"), ("else_branch", "Tanh"))
    }
    g = vg.from_onnx(model(node("If", "c", **branches), stored={"c": condition}))
    assert [n.op.name for n in g.order] == ["relu" if condition else "tanh"]
    fed = model(node("If", "c", **branches), inputs={"x": (1, ["N"]), "c": (9, [])})
    with pytest.raises(vg.GraphError, match=r"constants=\{'c': array\}"):
        vg.from_onnx(fed)


def test_branches_store_under_names_of_their_own(onnx: Any) -> None:
    helper = onnx.helper
    out = helper.make_tensor_value_info("b", 1, None)

    def branch(value: float) -> Any:
        weight = onnx.numpy_helper.from_array(np.full(4, value, np.float32), "w")
        return helper.make_graph([node("Mul", "x w", "b")], "b", [], [out], [weight])

    both = [
        node("If", "c", name, then_branch=branch(k), else_branch=branch(-1))
        for k, name in ((2.0, "p"), (3.0, "q"))
    ]
    m = model(*both, node("Add", "p q"), stored={"c": True})
    g = vg.from_onnx(m, trainable=True)
    assert parameters(g) == ["w", "w_2"]
    y = vg.compile(g).predict(x=np.ones((1, 4)))["y"]
    np.testing.assert_array_equal(y, np.full((1, 4), 5))


@pytest.mark.parametrize("value", ["abc", [[1], [2, 3]], object(), None, {1: 2}])
def test_constants_that_are_no_numbers(onnx: Any, rng: np.random.Generator, value: object) -> None:
    with pytest.raises(vg.GraphError, match=r"constants\['fc1.bias'\] is"):
        vg.from_onnx(dense(rng), constants={"fc1.bias": value})


def test_an_initializer_that_is_fixed(onnx: Any, rng: np.random.Generator) -> None:
    g = vg.from_onnx(dense(rng), constants={"fc1.bias": [0.5] * 8})
    assert parameters(g) == ["fc1.weight", "fc2.weight", "fc2.bias"]
    assert 0.5 in [n.op.array.flat[0] for n in g.constants]


def test_a_gradient_that_a_file_asks_for(onnx: Any, rng: np.random.Generator) -> None:
    told = {"x": (1, ["N", 4]), "w": (1, [4])}
    m = model(
        node("Mul", "x w", "a"),
        node("Tanh", "a", "b"),
        node("Gradient", "x w", "dx dw", domain="ai.onnx.preview.training", xs=["x", "w"], y="b"),
        inputs=told,
        outputs={"dx": (1, None), "dw": (1, None)},
        domains={"ai.onnx.preview.training": 1},
    )
    x, w = rng.standard_normal((3, 4)), rng.standard_normal(4)
    found = vg.compile(vg.from_onnx(m)).predict(x=x, w=w)
    slope = 1 - np.tanh(x * w) ** 2
    np.testing.assert_allclose(found["dx"], slope * w, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["dw"], (slope * x).sum(0), rtol=1e-5, atol=1e-6)
    m.graph.node[2].input[0] = "a"
    with pytest.raises(vg.GraphError, match=r"where .* are expected first"):
        vg.from_onnx(m)


SLOPES = {"Sinh": 1, "Asinh": 1, "Atan": 1, "Asin": 1, "Acos": -1, "Tan": 1, "Atanh": 1, "Cosh": 0,
          "Softsign": 1, "Mish": 0.6, "Celu": 1}  # fmt: skip


@pytest.mark.parametrize("op", SLOPES)
def test_the_slope_at_zero(onnx: Any, op: str) -> None:
    """Of what is composed, where a choice between two sides may take it away."""
    g = vg.from_onnx(model(node(op, "w"), inputs={}, stored={"w": np.zeros(2, np.float32)}))
    program = vg.compile(vg.Graph("g", loss=vg.sum(g.outputs["y"])))
    np.testing.assert_allclose(program.gradients({})[1]["w"], SLOPES[op], atol=1e-6)


@pytest.mark.parametrize(
    ("op", "function", "low", "high"),
    [
        ("Atan", np.arctan, -1e9, 1e9),
        ("Atan", np.arctan, -2, 2),
        ("Asin", np.arcsin, -1, 1),
        ("Acos", np.arccos, -1, 1),
        ("Sinh", np.sinh, -90, 90),
        ("Cosh", np.cosh, -90, 90),
        ("Asinh", np.arcsinh, -1e9, 1e9),
        ("Tan", np.tan, -1.5, 1.5),
    ],
)
def test_composed_functions_in_f64(
    onnx: Any, op: str, function: Any, low: float, high: float, rng: np.random.Generator
) -> None:
    x = np.concatenate([[low, high, 0.0], rng.uniform(low, high, 500)])
    m = model(node(op, "x"), inputs={"x": (11, ["N"])}, outputs={"y": (11, None)})
    y = vg.compile(vg.from_onnx(m)).predict(x=x)["y"]
    np.testing.assert_allclose(y, function(x), rtol=1e-14, atol=1e-15)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(vg.RunError, match=r"'onnx', which is not installed; run: .*onnx"):
        vg.from_onnx(tmp_path / "net.onnx")
