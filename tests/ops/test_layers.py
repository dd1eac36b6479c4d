"""Layers: what they declare, and layer normalization against torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import verigrad as vg


def test_an_mlp_takes_weights_and_activation() -> None:
    x = vg.input("x", ("N", 6))
    g = vg.Graph("net", {"y": vg.mlp(x, [5, 4, 3], init="lecun_normal", activation=vg.selu)})
    assert [n.op.name for n in g.order] == ["linear", "selu", "linear", "selu", "linear"]
    inits = {n.op.init.name for n in g.parameters if n.type.rank == 2}
    assert inits == {"lecun_normal"}


@pytest.mark.parametrize("activation", ["tanh", "leaky_relu", lambda x: vg.gelu(x, form="tanh")])
def test_an_activation_is_a_function_or_a_name(activation: object) -> None:
    g = vg.Graph("net", {"y": vg.mlp(vg.input("x", ("N", 6)), [5, 3], activation=activation)})
    assert g.order[1].op.name == (activation if isinstance(activation, str) else "gelu")


@pytest.mark.parametrize("activation", ["none", 3])
def test_an_unknown_activation_is_an_error(activation: object) -> None:
    with pytest.raises(vg.GraphError, match="activation"):
        vg.mlp(vg.input("x", ("N", 6)), [5, 3], activation=activation)


def test_a_layer_without_a_bias_is_a_product(rng: np.random.Generator) -> None:
    g = vg.Graph("net", {"y": vg.dense(vg.input("x", ("N", 4)), 3, bias=False)})
    assert [n.asked_name for n in g.parameters] == ["fc1.weight"]
    program = vg.compile(g)
    x = rng.standard_normal((5, 4)).astype(np.float32)
    expected = x.astype(float) @ program.parameters["fc1.weight"]
    np.testing.assert_allclose(program.predict(x=x)["y"], expected, rtol=1e-5, atol=1e-6)


def test_a_layer_without_a_bias_is_folded(rng: np.random.Generator) -> None:
    x = vg.input("x", ("N", 4))
    h = vg.relu(vg.batch_norm(vg.dense(x, 3, bias=False)))
    program = vg.compile(vg.Graph("net", {"h": h}))
    assert "linear_relu" in [n.op.name for n in program.inference.order]


def normed() -> vg.Graph:
    x, y = vg.input("x", ("N", 5)), vg.input("y", ("N",), dtype="i64")
    h = vg.tanh(vg.layer_norm(vg.dense(x, 4, name="fc1"), name="ln1"))
    scores = vg.dense(h, 3, name="fc2")
    return vg.Graph("net", {"scores": scores, "ln1": h}, loss=vg.softmax_cross_entropy(scores, y))


@pytest.mark.parametrize("n", [1, 6])
def test_layer_norm_is_torchs(torch: Any, rng: np.random.Generator, n: int) -> None:
    program = vg.compile(normed(), dtype="f64", regularizer=vg.L2(0.0))
    for name in program.parameters:
        program.parameters[name] = rng.uniform(-1, 1, program.parameters[name].shape)
    batch = {"x": rng.standard_normal((n, 5)) * 3, "y": rng.integers(0, 3, n)}
    w = {k: torch.tensor(np.array(v), requires_grad=True) for k, v in program.parameters.items()}
    functional = torch.nn.functional
    h = torch.tensor(batch["x"]) @ w["fc1.weight"] + w["fc1.bias"]
    h = torch.tanh(functional.layer_norm(h, (4,), w["ln1.weight"], w["ln1.bias"], eps=1e-5))
    scores = h @ w["fc2.weight"] + w["fc2.bias"]
    loss = functional.cross_entropy(scores, torch.tensor(batch["y"]))
    loss.backward()
    ours, gradients = program.gradients(batch)
    np.testing.assert_allclose(ours, loss.item(), rtol=1e-12)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, w[name].grad.numpy(), rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(
        program.predict(x=batch["x"])["scores"], scores.detach().numpy(), rtol=1e-11
    )


def test_layer_norm_is_no_state_and_is_not_regularized() -> None:
    g = normed()
    assert not g.state
    assert [n.op.is_regularized for n in g.parameters if n.asked_name.startswith("ln1")] == [
        False,
        False,
    ]
    assert "ln1" in {g.names[n] for n in g.order}
    x = vg.input("x", ("N", 3))
    twice = vg.Graph("net", {"y": vg.layer_norm(vg.layer_norm(x))})
    assert {"ln1", "ln2", "ln2.weight"} <= set(twice.named)


def test_the_gradient_of_layer_norm_is_checked(rng: np.random.Generator) -> None:
    batch = {"x": rng.standard_normal((4, 5)), "y": rng.integers(0, 3, 4)}
    report = vg.gradcheck(normed(), batch)
    assert report.ok, str(report)
