"""PyTorch, eager: nn.Linear layers and the fused optimizers, batches as tensors beforehand.

Its L2 is the optimizer's `weight_decay` on the weights, which its reported loss leaves out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from ..nets import BETA1, BETA2, EPS, RATES, RHO, Array, Net, batches, weights
from .contender import Predictor, Trainer

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def model_of(net: Net) -> nn.Sequential:
    """The net at its first weights."""
    layers: list[nn.Module] = []
    for i, w in enumerate(weights(net)):
        hidden = i < net.layers - 1
        linear = nn.Linear(w.shape[0], w.shape[1], bias=not (net.batch_norm and hidden))
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(w.T))
            if linear.bias is not None:
                linear.bias.zero_()
        layers.append(linear)
        if hidden and net.batch_norm:
            layers.append(nn.BatchNorm1d(w.shape[1]))
        if hidden:
            layers.append(nn.ReLU())
        if hidden and net.keep < 1:
            layers.append(nn.Dropout(1 - net.keep))
    return nn.Sequential(*layers)


def optimizer_of(name: str, net: Net, model: nn.Module) -> torch.optim.Optimizer:
    """The fused optimizer, decaying the weights of linear layers alone."""
    decayed = [m.weight for m in model.modules() if isinstance(m, nn.Linear)]
    rest = [p for p in model.parameters() if not any(p is d for d in decayed)]
    groups: list[dict[str, Any]] = [{"params": [*decayed, *rest]}]
    if net.l2:
        groups = [{"params": decayed, "weight_decay": net.l2}, {"params": rest}]
    if name == "adam":
        rates = {"lr": RATES[name], "betas": (BETA1, BETA2), "eps": EPS}
        return torch.optim.Adam(groups, **rates, fused=True)  # type: ignore[arg-type]
    momentum = RHO if name == "momentum" else 0.0
    return torch.optim.SGD(groups, lr=RATES[name], momentum=momentum, fused=True)


def train(net: Net, optimizer: str, wrap: Callable[[Loss], Loss] = lambda loss: loss) -> Trainer:
    """Forward, backward and update; `wrap` may compile what gives the loss."""
    model = model_of(net)
    loss_of = wrap(lambda x, y: cross_entropy(model(x), y))
    return trainer(model, optimizer_of(optimizer, net, model), loss_of, batches(net))


def trainer(
    model: nn.Module,
    descent: torch.optim.Optimizer,
    loss_of: Loss,
    rows: Sequence[tuple[Array, Array]],
) -> Trainer:
    """Steps on batches of rows and labels, one after another."""
    first = {name: value.clone() for name, value in model.state_dict().items()}
    data = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in rows]
    count = len(data)

    def step(i: int) -> torch.Tensor:
        x, y = data[i % count]
        descent.zero_grad()
        loss = loss_of(x, y)
        loss.backward()  # type: ignore[no-untyped-call]
        descent.step()
        return loss

    def restart() -> None:
        model.load_state_dict(first)
        for held in descent.state.values():
            for value in held.values():
                if isinstance(value, torch.Tensor):
                    value.zero_()

    return Trainer(step, restart, "data_loss")


def predict(net: Net, x: Array, wrap: Callable[[nn.Module], nn.Module] = lambda m: m) -> Predictor:
    """The model in eval mode, without a tape."""
    model = wrap(model_of(net).eval())
    fed = torch.from_numpy(x)

    def run() -> Array:
        with torch.inference_mode():
            return model(fed).numpy()  # type: ignore[no-any-return]

    return Predictor(run)
