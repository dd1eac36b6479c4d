"""scikit-learn: MLPClassifier.partial_fit on one batch a step, which is its form of a step.

Its Adam adds epsilon before the correction, and is held to a reference that does so too.
"""

from __future__ import annotations

import numpy as np
from sklearn.neural_network import MLPClassifier

from ..nets import BETA1, BETA2, EPS, RATES, RHO, Array, Net, batches, weights
from .contender import Predictor, Trainer, UnavailableError


def classifier(net: Net, optimizer: str) -> MLPClassifier:
    """The net at its first weights."""
    if net.batch_norm:
        raise UnavailableError("MLPClassifier has no batch normalization and no dropout")
    model = MLPClassifier(
        hidden_layer_sizes=net.sizes[1:-1],
        solver="adam" if optimizer == "adam" else "sgd",
        alpha=0.0,
        batch_size=net.batch,
        learning_rate_init=RATES[optimizer],
        momentum=RHO if optimizer == "momentum" else 0.0,
        nesterovs_momentum=False,
        beta_1=BETA1,
        beta_2=BETA2,
        epsilon=EPS,
        shuffle=False,
    )
    x, y = batches(net)[0]
    model.partial_fit(x, y, classes=np.arange(net.sizes[-1]))  # makes the arrays
    _restart(model, net)
    return model


def _restart(model: MLPClassifier, net: Net) -> None:
    for w, value in zip(model.coefs_, weights(net), strict=True):
        np.copyto(w, value)
    for b in model.intercepts_:
        b.fill(0)
    del model._optimizer  # the next call makes a new one, with its state at zero


def train(net: Net, optimizer: str) -> Trainer:
    """One `partial_fit` a step."""
    model = classifier(net, optimizer)
    data = batches(net)
    count = len(data)

    def step(i: int) -> float:
        model.partial_fit(*data[i % count])
        return float(model.loss_)

    def restart() -> None:
        if hasattr(model, "_optimizer"):
            _restart(model, net)

    return Trainer(step, restart, eps_hat=True)


def predict(net: Net, x: Array) -> Predictor:
    """`predict_proba`: it offers no scores."""
    model = classifier(net, "sgd")
    return Predictor(lambda: np.asarray(model.predict_proba(x)), "probabilities")
