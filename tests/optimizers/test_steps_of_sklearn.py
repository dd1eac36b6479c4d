"""A hundred steps of scikit-learn's MLPClassifier from equal weights end where ours do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import verigrad as vg

N, STEPS, ALPHA = 8, 100, 0.03
ACTIVATIONS = {"tanh": vg.tanh, "logistic": vg.sigmoid, "relu": vg.relu, "identity": lambda x: x}
CASES: dict[str, tuple[vg.Optimizer, dict[str, Any]]] = {
    "sgd": (
        vg.SGD(0.1, dialect="sklearn"),
        {"solver": "sgd", "momentum": 0.0, "nesterovs_momentum": False},
    ),
    "momentum": (
        vg.Momentum(0.05, 0.8, dialect="sklearn"),
        {"solver": "sgd", "momentum": 0.8, "nesterovs_momentum": False},
    ),
    "nesterov": (
        vg.Nesterov(0.05, 0.8, dialect="sklearn"),
        {"solver": "sgd", "momentum": 0.8, "nesterovs_momentum": True},
    ),
    "adam": (vg.Adam(0.01, dialect="sklearn"), {"solver": "adam"}),
    "adam of other decays": (
        vg.Adam(0.01, 0.8, 0.99, 1e-6, dialect="sklearn"),
        {"solver": "adam", "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-6},
    ),
}


def batch(step: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of three classes, N in each batch: scikit-learn divides its penalty by their number."""
    rng = np.random.default_rng(step % 9)
    y = rng.integers(0, 3, N)
    return rng.standard_normal((N, 5)) + y[:, None], y


def compiled(optimizer: vg.Optimizer, activation: str) -> vg.Program:
    x, y = vg.input("x", ("N", 5)), vg.input("y", ("N",), dtype="i64")
    h = ACTIVATIONS[activation](vg.dense(x, 6, name="fc1"))
    scores = vg.dense(h, 3, name="fc2")
    net = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    penalty = vg.L2(ALPHA / N)
    return vg.compile(net, optimizer=optimizer, regularizer=penalty, dtype="f64", seed=3)


def classifier(sklearn: Any, program: vg.Program, activation: str, options: dict[str, Any]) -> Any:
    """scikit-learn's net with the program's weights, which has made no step."""
    model = sklearn.neural_network.MLPClassifier(
        (6,), activation, alpha=ALPHA, shuffle=False, batch_size=N, **options
    )
    model.partial_fit(*batch(0), classes=[0, 1, 2])  # makes the arrays
    for i, layer in enumerate(("fc1", "fc2")):
        np.copyto(model.coefs_[i], program.parameters[f"{layer}.weight"])
        np.copyto(model.intercepts_[i], program.parameters[f"{layer}.bias"])
    del model._optimizer  # the next call makes one whose moments are zero
    return model


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("case", CASES)
def test_a_hundred_steps_end_where_sklearn_does(sklearn: Any, case: str, activation: str) -> None:
    optimizer, options = CASES[case]
    program = compiled(optimizer, activation)
    start = dict(program.parameters)
    model = classifier(
        sklearn, program, activation, {**options, "learning_rate_init": optimizer.lr}
    )
    for step in range(STEPS):
        x, y = batch(step)
        loss = program.step(x=x, y=y)
        model.partial_fit(x, y)
        np.testing.assert_allclose(loss, model.loss_, rtol=1e-10, err_msg=f"step {step}")
    for i, layer in enumerate(("fc1", "fc2")):
        weight, bias = (program.parameters[f"{layer}.{k}"] for k in ("weight", "bias"))
        np.testing.assert_allclose(weight, model.coefs_[i], rtol=0, atol=1e-10)
        np.testing.assert_allclose(bias, model.intercepts_[i], rtol=0, atol=1e-10)
        assert np.abs(weight - start[f"{layer}.weight"]).max() > 0.1
    shares = np.exp(program.predict(x=x)["scores"])
    shares /= shares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, model.predict_proba(x), atol=1e-10)
