"""Batch normalization in training and inference, against torch and by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import verigrad as vg

SIZES = (5, 4, 3)


def normalized(unbiased: bool = False, momentum: float = 0.9) -> vg.Graph:
    """linear -> batch_norm -> relu -> linear, 5-4-3."""
    x = vg.input("x", ("N", SIZES[0]))
    y = vg.input("y", ("N",), dtype="i64")
    h = vg.dense(x, SIZES[1], name="fc1")
    h = vg.relu(vg.batch_norm(h, name="bn1", unbiased=unbiased, momentum=momentum))
    scores = vg.dense(h, SIZES[2], name="fc2")
    return vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def feeds(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    return {
        "x": rng.standard_normal((n, SIZES[0])) * 2 + 1,
        "y": rng.integers(0, SIZES[2], n),
    }


def randomized(program: vg.Program, rng: np.random.Generator) -> vg.Program:
    """The program with other values than ones and zeros in weights, biases and statistics."""
    for values in (program.parameters, program.state):
        for name in values:
            if np.asarray(values[name]).dtype.kind == "f":
                values[name] = rng.uniform(0.5, 1.5, np.shape(values[name]))
    return program


def test_the_layer_declares_what_it_says() -> None:
    program = vg.compile(normalized(), optimizer=vg.SGD(0.1), regularizer=vg.L2(0.1))
    assert {"bn1.weight", "bn1.bias"} < set(program.parameters)
    assert {"bn1.running_mean", "bn1.running_var"} < set(program.state)
    assert program.parameters["bn1.weight"].tolist() == [1.0] * 4
    assert program.parameters["bn1.bias"].tolist() == [0.0] * 4
    assert program.state["bn1.running_mean"].tolist() == [0.0] * 4
    assert program.state["bn1.running_var"].tolist() == [1.0] * 4
    refused = {r.node for r in program.records if r.stage == "insert_regularization" and r.refused}
    assert {"bn1.weight", "bn1.bias"} <= refused


def test_layers_without_a_name_are_numbered() -> None:
    x = vg.input("x", ("N", 3))
    g = vg.Graph("net", {"y": vg.batch_norm(vg.relu(vg.batch_norm(x)))})
    assert {"bn1.weight", "bn2.running_var"} < set(g.named)


@pytest.mark.parametrize("unbiased", [False, True])
def test_training_and_inference_are_torchs(
    torch: Any, rng: np.random.Generator, unbiased: bool
) -> None:
    """Losses, parameters and running values over ten steps, and scores at the end, in f64."""
    program = vg.compile(
        normalized(unbiased, momentum=0.8), optimizer=vg.SGD(0.1), dtype="f64", seed=3
    )
    randomized(program, rng)
    layers = torch.nn.Linear(5, 4), torch.nn.BatchNorm1d(4, momentum=0.2), torch.nn.Linear(4, 3)
    net = torch.nn.Sequential(layers[0], layers[1], torch.nn.ReLU(), layers[2]).double()
    names = {"fc1": layers[0], "bn1": layers[1], "fc2": layers[2]}
    with torch.no_grad():
        for name, value in [*program.parameters.items(), *program.state.items()]:
            if name != "step":
                layer, _, part = name.partition(".")
                t = getattr(names[layer], part)
                t.copy_(torch.tensor(value.T if layer != "bn1" and value.ndim == 2 else value))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for n in (6, 2, 7, 3, 6, 6, 5, 4, 9, 2):
        batch = feeds(rng, n)
        optimizer.zero_grad()
        expected = torch.nn.functional.cross_entropy(
            net(torch.tensor(batch["x"])), torch.tensor(batch["y"])
        )
        expected.backward()
        optimizer.step()
        np.testing.assert_allclose(program.step(batch), expected.item(), rtol=1e-11)
    bn = layers[1]
    np.testing.assert_allclose(program.state["bn1.running_mean"], bn.running_mean, rtol=1e-11)
    if unbiased:
        np.testing.assert_allclose(program.state["bn1.running_var"], bn.running_var, rtol=1e-11)
    else:
        assert not np.allclose(program.state["bn1.running_var"], bn.running_var, rtol=1e-3)
        program.state["bn1.running_var"] = bn.running_var.numpy()
    net.eval()
    batch = feeds(rng, 3)
    with torch.no_grad():
        scores = net(torch.tensor(batch["x"])).numpy()
    np.testing.assert_allclose(program.predict(x=batch["x"])["scores"], scores, rtol=1e-10)


def test_the_running_values_are_the_courses(rng: np.random.Generator) -> None:
    """running = 0.9 running + 0.1 batch, with the variance over N."""
    x = vg.input("x", ("N", 3))
    loss = vg.mean(vg.square(vg.batch_norm(x, name="bn")))
    program = vg.compile(vg.Graph("net", loss=loss), optimizer=vg.SGD(0.0), dtype="f64")
    mean, var = np.zeros(3), np.ones(3)
    for n in (4, 2, 9):
        data = rng.standard_normal((n, 3)) + 5
        program.step(x=data)
        mean = 0.9 * mean + 0.1 * data.sum(axis=0) / n
        var = 0.9 * var + 0.1 * ((data - data.mean(axis=0)) ** 2).sum(axis=0) / n
    np.testing.assert_allclose(program.state["bn.running_mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(program.state["bn.running_var"], var, rtol=1e-12)


def test_the_gradient_goes_through_mean_and_variance(rng: np.random.Generator) -> None:
    """Without the bias that batch normalization takes away, whose gradient is 0."""
    x = vg.input("x", ("N", 5))
    y = vg.input("y", ("N",), dtype="i64")
    w = vg.parameter("w", (5, 4))
    h = vg.tanh(vg.batch_norm(vg.matmul(x, w), name="bn1"))
    scores = vg.dense(vg.batch_norm(h, name="bn2"), 3, name="fc2")
    net = vg.Graph("net", loss=vg.softmax_cross_entropy(scores, y))
    report = vg.gradcheck(net, feeds(rng, 6), regularizer=vg.L2(0.1))
    assert report.ok, str(report)
    assert report.max_relative_error < 1e-7


def test_only_a_step_changes_the_running_values(rng: np.random.Generator) -> None:
    net = normalized()
    program = vg.compile(net, optimizer=vg.SGD(0.1))
    batch = feeds(rng, 6)
    before = {name: np.array(value) for name, value in program.state.items()}
    program.loss(batch)
    program.gradients(batch)
    program.evaluate(batch)
    program.predict(x=batch["x"])
    vg.gradcheck(net, batch)
    assert all(np.array_equal(program.state[name], value) for name, value in before.items())
    assert program.loss(batch) == program.step(batch)
    assert not np.array_equal(program.state["bn1.running_mean"], before["bn1.running_mean"])


def test_without_an_optimizer_there_is_no_step(rng: np.random.Generator) -> None:
    program = vg.compile(normalized())
    with pytest.raises(vg.RunError, match="no optimizer"):
        program.step(feeds(rng, 4))
    assert program.state["bn1.running_mean"].tolist() == [0.0] * 4


@pytest.mark.parametrize("call", ["step", "loss", "gradients"])
def test_a_batch_of_one_is_an_error_in_training(rng: np.random.Generator, call: str) -> None:
    program = vg.compile(normalized(), optimizer=vg.SGD(0.1))
    one = feeds(rng, 1)
    before = program.state["bn1.running_mean"]
    with pytest.raises(vg.RunError, match="batch of 1 is not defined in training"):
        getattr(program, call)(one)
    assert np.array_equal(program.state["bn1.running_mean"], before)
    assert np.isfinite(program.evaluate(one)["loss"])


def test_fit_joins_a_last_batch_of_one(rng: np.random.Generator) -> None:
    program = vg.compile(normalized(), optimizer=vg.SGD(0.1))
    data = feeds(rng, 9)
    vg.fit(program, (data["x"].astype(np.float32), data["y"]), epochs=2, batch_size=4)
    assert program.step_number == 4


def test_inference_is_folded_and_fused(rng: np.random.Generator) -> None:
    program = randomized(vg.compile(normalized(), optimizer=vg.SGD(0.1)), rng)
    used = [n.op.name for n in program.inference.order]
    assert "linear_relu" in used
    assert "batch_norm" not in used
    unfolded = vg.compile(normalized(), inference_pipeline=vg.INFERENCE.without("fold_batch_norm"))
    for mine, others in (
        (unfolded.parameters, program.parameters),
        (unfolded.state, program.state),
    ):
        for name in mine:
            mine[name] = others[name]
    assert "batch_norm" in [n.op.name for n in unfolded.inference.order]
    x = feeds(rng, 7)["x"].astype(np.float32)
    np.testing.assert_allclose(
        program.predict(x=x)["scores"], unfolded.predict(x=x)["scores"], rtol=1e-4, atol=1e-5
    )


def test_dropout_goes_behind_the_relu(rng: np.random.Generator) -> None:
    """By the name of the batch normalization, or of the linear layer before it."""
    for layer in ("bn1", "fc1"):
        asked = vg.Dropout(layers={layer: 0.5})
        program = vg.compile(normalized(), optimizer=vg.SGD(0.1), dropout=asked)
        (mask,) = [n for n in program.training.order if n.op.name == "dropout_mask"]
        assert mask.op.keep == 0.5
        assert np.isfinite(program.step(feeds(rng, 6)))
    assert [u.op.name for u in program.stages["insert_dropout"].users[mask]] == ["multiply"]


def test_it_is_saved_and_loaded(rng: np.random.Generator, tmp_path: Path) -> None:
    program = vg.compile(normalized(), optimizer=vg.Momentum(0.1))
    program.step(feeds(rng, 6))
    program.save(tmp_path / "net.safetensors")
    again = vg.load(tmp_path / "net.safetensors")
    batch = feeds(rng, 5)
    assert again.step(batch) == program.step(batch)
    assert np.array_equal(again.state["bn1.running_var"], program.state["bn1.running_var"])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: vg.batch_norm(vg.input("x", ("N",))), r"\[N,D\]"),
        (lambda: vg.batch_norm(vg.input("x", (3, "N"))), "D a number"),
        (lambda: vg.batch_norm(vg.input("x", ("N", 3), dtype="i64")), "floats"),
        (lambda: vg.batch_norm(vg.input("x", ("N", 3)), eps=0.0), "eps"),
        (lambda: vg.batch_norm(vg.input("x", ("N", 3)), momentum=1.5), "momentum"),
        (lambda: vg.layer_norm(vg.input("x", ("N", 3)), eps=-1.0), "eps"),
        (lambda: vg.layer_norm(vg.input("x", ("N", 2, 3)), name="ln"), "layer_norm ln"),
    ],
)
def test_what_does_not_fit_is_an_error(build: object, message: str) -> None:
    with pytest.raises(vg.GraphError, match=message):
        build()
