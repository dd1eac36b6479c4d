"""What PyTorch, scikit-learn and Keras write is read: it predicts what they do, and trains on."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import verigrad as vg

pytestmark = [pytest.mark.oracle, pytest.mark.numpy_bits]


def exported(torch: Any, net: Any, x: np.ndarray, path: Path, **options: Any) -> Path:
    """The file that PyTorch writes of a net, for a batch of any size."""
    if options.get("dynamo"):
        pytest.importorskip("onnxscript")
        options["dynamic_shapes"] = ({0: torch.export.Dim("batch")},)
        options["verbose"] = False
    else:
        options = {"dynamo": False, "dynamic_axes": {"x": {0: "batch"}}} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own, of its older exporter
        torch.onnx.export(
            net, (torch.tensor(x),), path, input_names=["x"], output_names=["scores"], **options
        )
    return path


def layers(torch: Any) -> Any:
    """A net of every layer that such nets have."""
    nn = torch.nn
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.1),
        nn.Linear(32, 16), nn.LayerNorm(16), nn.GELU(), nn.Linear(16, 8, bias=False), nn.SiLU(),
        nn.Linear(8, 8), nn.Mish(), nn.Hardswish(), nn.PReLU(), nn.Softplus(), nn.ELU(0.7),
        nn.Linear(8, 8), nn.LeakyReLU(0.2), nn.Hardtanh(-0.8, 0.9), nn.Softsign(), nn.Linear(8, 10),
        nn.Softmax(dim=1),
    )  # fmt: skip
    net(torch.randn(20, 1, 8, 8))  # running values that are none of 0 and 1
    return net.eval()


def module(torch: Any) -> Any:
    """A net whose shapes are computed from that of the input."""

    class Module(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = torch.nn.Linear(64, 16), torch.nn.Linear(16, 1)

        def forward(self, x: Any) -> Any:
            x = x.view(x.size(0), -1)
            h = torch.clamp(torch.tanh(self.a(x)), -0.9, 0.9)
            p, q = h.chunk(2, dim=1)
            return self.b(torch.cat([q, p], dim=1)).squeeze(-1) * 0.5 + x.mean(dim=1) ** 2

    torch.manual_seed(0)
    return Module().eval()


CASES = [("layers", layers, False), ("layers", layers, True), ("module", module, False)]


@pytest.mark.parametrize(("name", "make", "dynamo"), CASES)
def test_pytorch_predicts_the_same(
    torch: Any, name: str, make: Any, dynamo: bool, tmp_path: Path, rng: np.random.Generator
) -> None:
    pytest.importorskip("onnx")
    net, x = make(torch), rng.standard_normal((5, 1, 8, 8)).astype(np.float32)
    path = exported(torch, net, x, tmp_path / "net.onnx", dynamo=dynamo)
    program = vg.compile(vg.from_onnx(path))
    for rows in (x, x[:1], *([x[:0]] if name == "layers" else [])):  # of 0 rows PyTorch has no view
        expected = net(torch.tensor(rows)).detach().numpy()
        found = program.predict(x=rows)["scores"]
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_pytorch_trains_on_the_same(torch: Any, tmp_path: Path, rng: np.random.Generator) -> None:
    """The steps after the file are those that PyTorch makes on."""
    pytest.importorskip("onnx")
    nn = torch.nn
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Linear(8, 3))
    x, y = rng.standard_normal((12, 6)).astype(np.float32), rng.integers(0, 3, 12)
    path = exported(torch, net, x, tmp_path / "net.onnx", training=torch.onnx.TrainingMode.TRAINING)
    g = vg.from_onnx(path, loss="softmax_cross_entropy")
    assert g.layers == {"_0": None, "_2": None, "_3": None}
    assert {n.op.name for n in g.order} >= {"linear", "batch_norm", "relu"}
    program = vg.compile(g, optimizer=vg.SGD(0.1))
    optimizer = torch.optim.SGD(net.train().parameters(), lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(torch.tensor(x)), torch.tensor(y))
        loss.backward()
        optimizer.step()
        assert program.step(x=x, y=y) == pytest.approx(loss.item(), rel=1e-5)
    np.testing.assert_allclose(
        program.parameters["_0.weight"], net[0].weight.detach().numpy().T, rtol=1e-4, atol=1e-5
    )


def test_dropout_of_a_file_for_training_is_ours(torch: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.25))
    x = np.ones((3, 4), np.float32)
    path = exported(torch, net, x, tmp_path / "a.onnx", training=torch.onnx.TrainingMode.TRAINING)
    kept = [n.op.keep for n in vg.from_onnx(path).order if n.op.name == "dropout"]
    assert kept == [0.75]
    path = exported(torch, net.eval(), x, tmp_path / "b.onnx")
    assert [n.op.name for n in vg.from_onnx(path).order] == ["linear"]


def test_a_batch_that_was_fixed_is_freed(
    torch: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    pytest.importorskip("onnx")
    net, x = module(torch), rng.standard_normal((3, 1, 8, 8)).astype(np.float32)
    path = exported(torch, net, x, tmp_path / "net.onnx", dynamic_axes={})
    with pytest.raises(vg.VerigradError, match="3"):
        vg.compile(vg.from_onnx(path)).predict(x=x[:2])
    program = vg.compile(vg.from_onnx(path, shapes={"x": ("N", 1, 8, 8)}))
    expected = net(torch.tensor(x[:2])).detach().numpy()
    np.testing.assert_allclose(program.predict(x=x[:2])["scores"], expected, rtol=1e-5, atol=1e-6)


def pipelines(sklearn: Any, rng: np.random.Generator) -> dict[str, Any]:
    """Fitted pipelines by name, with what each is fitted to."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler

    x = rng.standard_normal((60, 5)).astype(np.float32)
    y = rng.integers(0, 3, 60)
    parts: dict[str, tuple[Any, Any]] = {
        "three classes": (MLPClassifier((4,), random_state=0, max_iter=9), y),
        "other numbers": (MLPClassifier((4, 3), random_state=0, max_iter=9), y * 10 - 7),
        "texts": (
            MLPClassifier((4,), random_state=0, max_iter=9, activation="tanh"),
            np.array([*"abc"])[y],
        ),
        "two classes": (
            MLPClassifier((4,), random_state=0, max_iter=9, activation="logistic"),
            y > 0,
        ),
        "several labels": (
            MLPClassifier((4,), random_state=0, max_iter=9),
            np.stack([y > 0, y > 1], 1) * 1,
        ),
        "a number": (MLPRegressor(hidden_layer_sizes=(4,), random_state=0, max_iter=9), x[:, 0]),
        "identity": (
            MLPRegressor(
                hidden_layer_sizes=(4,), random_state=0, max_iter=9, activation="identity"
            ),
            y,
        ),
    }
    scalers = StandardScaler(), MinMaxScaler(), Normalizer()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nets that have not converged
        return {
            name: (make_pipeline(*scalers, net).fit(x, target), x)
            for name, (net, target) in parts.items()
        }


NAMES = ["three classes", "other numbers", "texts", "two classes", "several labels", "a number",
         "identity"]  # fmt: skip


@pytest.fixture(scope="module")
def fitted(sklearn: Any) -> dict[str, Any]:
    return pipelines(sklearn, np.random.default_rng(0))


@pytest.mark.parametrize("name", NAMES)
def test_scikit_learn_predicts_the_same(fitted: dict[str, Any], name: str) -> None:
    skl2onnx = pytest.importorskip("skl2onnx")
    pipeline, x = fitted[name]
    proto = skl2onnx.to_onnx(pipeline, x[:1])
    g = vg.from_onnx(proto)
    assert [g.names[p] for p in g.parameters][:2] == ["coefficient", "intercepts"]  # no scaling
    found = vg.compile(g).predict(X=x)
    expected = pipeline.predict(x)
    if "a number" in name or name == "identity":
        np.testing.assert_allclose(found["variable"][:, 0], expected, rtol=1e-4, atol=1e-5)
        return
    if name == "texts":
        expected = np.searchsorted([*"abc"], expected)
    np.testing.assert_array_equal(found["output_label"], expected)
    if name != "several labels":  # of which the file gives both probabilities of each
        probabilities = pipeline.predict_proba(x)
        np.testing.assert_allclose(found["output_probability"], probabilities, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_scikit_learn_trains_on(fitted: dict[str, Any], name: str) -> None:
    skl2onnx = pytest.importorskip("skl2onnx")
    pipeline, x = fitted[name]
    classes = name in NAMES[:4]
    loss = "softmax_cross_entropy" if classes else "mean_squared_error"
    g = vg.from_onnx(skl2onnx.to_onnx(pipeline, x[:1]), loss=loss)
    program = vg.compile(g, optimizer=vg.Adam(0.01))
    y = np.zeros([60 if d == "N" else d for d in g["y"].shape], g["y"].type.numpy)
    losses = [program.step(X=x, y=y) for _ in range(20)]
    assert losses[-1] < losses[0]


def test_what_tf2onnx_writes_of_keras(onnx: Any, rng: np.random.Generator) -> None:
    """Kernels as they are, biases added apart, names of TensorFlow, an opset of its time."""
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    stem = "StatefulPartitionedCall/sequential"
    w1, w2 = (rng.standard_normal(s).astype(np.float32) for s in ((4, 8), (8, 3)))
    b1, b2 = rng.standard_normal(8).astype(np.float32), rng.standard_normal(3).astype(np.float32)
    gamma, beta, mean = (rng.standard_normal(8).astype(np.float32) for _ in range(3))
    var = rng.uniform(0.5, 2, 8).astype(np.float32)
    names = {
        f"{stem}/dense/MatMul/ReadVariableOp:0": w1, f"{stem}/dense/BiasAdd/ReadVariableOp:0": b1,
        f"{stem}/dense_1/MatMul/ReadVariableOp:0": w2,
        f"{stem}/dense_1/BiasAdd/ReadVariableOp:0": b2,
        f"{stem}/bn/gamma:0": gamma, f"{stem}/bn/beta:0": beta, f"{stem}/bn/mean:0": mean,
        f"{stem}/bn/var:0": var,
    }  # fmt: skip
    k = list(names)
    nodes = [
        helper.make_node("MatMul", ["x:0", k[0]], [f"{stem}/dense/MatMul:0"]),
        helper.make_node("Add", [f"{stem}/dense/MatMul:0", k[1]], [f"{stem}/dense/BiasAdd:0"]),
        helper.make_node("Relu", [f"{stem}/dense/BiasAdd:0"], ["relu:0"]),
        helper.make_node("BatchNormalization", ["relu:0", *k[4:]], ["bn:0"], epsilon=1e-3),
        helper.make_node("Identity", ["bn:0"], ["bn/Identity:0"]),
        helper.make_node("MatMul", ["bn/Identity:0", k[2]], ["out/MatMul:0"]),
        helper.make_node("Add", ["out/MatMul:0", k[3]], ["out/BiasAdd:0"]),
        helper.make_node("Softmax", ["out/BiasAdd:0"], ["dense_1"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tf2onnx",
        [helper.make_tensor_value_info("x:0", 1, ["unk__6", 4])],
        [helper.make_tensor_value_info("dense_1", 1, ["unk__7", 3])],
        [numpy_helper.from_array(a, name) for name, a in names.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    g = vg.from_onnx(model, loss="softmax_cross_entropy")
    x = rng.standard_normal((6, 4)).astype(np.float32)
    hidden = np.maximum(x @ w1 + b1, 0)
    scores = ((hidden - mean) / np.sqrt(var + 1e-3) * gamma + beta) @ w2 + b2
    expected = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    program = vg.compile(g, optimizer=vg.SGD(0.1))
    np.testing.assert_allclose(program.predict(x=x)["dense_1"], expected, rtol=1e-4, atol=1e-6)
    kept = ("linear", "relu", "batch_norm")
    assert [n.op.name for n in g.order if n.op.name in kept] == [
        "linear", "relu", "batch_norm", "linear",
    ]  # fmt: skip
    assert len(g.parameters) == 6 and len(g.state) == 2
    assert program.step(x=x, y=np.zeros(6, np.int64)) > 0


KERAS = """
import os
os.environ["KERAS_BACKEND"] = "torch"
import keras, numpy as np
from keras import layers
keras.utils.set_random_seed(0)
parts = [keras.Input((12,)), layers.Dense(8, activation="relu"), layers.BatchNormalization()]
parts += [layers.Dropout(0.2), layers.Dense(8, activation="elu")]
parts += [layers.Dense(8, activation="silu")]
net = keras.Sequential([*parts, layers.Dense(3, activation="softmax")])
x = np.random.default_rng(0).random((5, 12), np.float32)
np.savez("told.npz", x=x, y=net.predict(x, verbose=0))
net.export("net.onnx", format="onnx", verbose=False)
"""


def test_keras_predicts_the_same(tmp_path: Path) -> None:
    """In a process of its own, since Keras has one backend, and PyTorch's writes ONNX."""
    for package in ("keras", "torch", "onnx"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    environment = dict(os.environ, KERAS_HOME=str(tmp_path))
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KERAS],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2000:]
    g = vg.from_onnx(tmp_path / "net.onnx", loss="softmax_cross_entropy")
    (x, _), told = g.inputs, np.load(tmp_path / "told.npz")
    program = vg.compile(g, optimizer=vg.Adam(0.01))
    (found,) = program.predict({g.names[x]: told["x"]}).values()
    np.testing.assert_allclose(found, told["y"], rtol=1e-5, atol=1e-6)
    assert [n.op.name for n in g.order if n.op.name in ("linear", "elu", "silu")] == [
        "linear", "linear", "elu", "linear", "silu", "linear",
    ]  # fmt: skip
    before = program.step({g.names[x]: told["x"], "y": np.arange(5) % 3})
    for _ in range(20):
        after = program.step({g.names[x]: told["x"], "y": np.arange(5) % 3})
    assert after < before
