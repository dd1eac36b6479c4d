"""What a contender is: a file with `train` and `predict`, and what these return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Final, Literal

from ..nets import Array


class UnavailableError(Exception):
    """A contender that cannot take part here, with the reason."""


@dataclass(frozen=True)
class Trainer:
    """A net that is ready to train.

    `step(i)` makes one step on batch i modulo their count and waits until it is done; what it
    returns is the loss, a number or an array with `item()`. `restart` puts weights and optimizer
    back to their start. `reports` says whether the loss holds the penalty; the floor reports
    nothing. With `eps_hat` Adam adds epsilon to the root before the correction.
    """

    step: Callable[[int], object]
    restart: Callable[[], None]
    reports: Literal["loss", "data_loss", "nothing"] = "loss"
    eps_hat: bool = False


@dataclass(frozen=True)
class Predictor:
    """A net that is ready to predict the rows that it was made with; `run` returns the result."""

    run: Callable[[], Array]
    gives: Literal["scores", "probabilities", "nothing"] = "scores"


@dataclass(frozen=True)
class Contender:
    """One row of the registry: its title, its module, and the packages that its version names."""

    name: str
    title: str
    module: str
    packages: tuple[str, ...]
    trains: bool = True
    predicts: bool = True

    def load(self) -> ModuleType:
        """The module, with `train(net, optimizer, **variant)` and `predict(net, x, **variant)`."""
        from importlib import import_module

        try:
            return import_module(f".{self.module}", __package__)
        except ImportError as e:
            raise UnavailableError(f"not installed: {e.name or e}") from None

    @property
    def import_name(self) -> str:
        return {"scikit-learn": "sklearn"}.get(self.packages[0], self.packages[0])


FLOOR: Final = "floor"
OURS: Final = ("verigrad", "verigrad-numba")

CONTENDERS: Final = {
    c.name: c
    for c in (
        Contender(FLOOR, "floor", "floor", ("numpy",)),
        Contender("verigrad", "verigrad", "ours", ("verigrad",)),
        Contender("verigrad-numba", "verigrad numba", "ours_jitted", ("verigrad", "numba")),
        Contender("torch", "PyTorch eager", "pytorch", ("torch",)),
        Contender("torch-compile", "torch.compile", "pytorch_compiled", ("torch",)),
        Contender("jax", "JAX jit", "jax_jit", ("jax", "jaxlib")),
        Contender("pytensor", "PyTensor", "pytensor_function", ("pytensor", "numba")),
        Contender("sklearn", "scikit-learn", "scikit_learn", ("scikit-learn",)),
        Contender("onnxruntime", "ONNX Runtime", "onnx_runtime", ("onnxruntime", "onnx"),
                  trains=False),
    )
}  # fmt: skip
