"""verigrad with `backend="numba"`."""

from __future__ import annotations

import inspect
from importlib.util import find_spec
from typing import Any

import verigrad as vg

from ..nets import Array, Net
from . import ours
from .contender import Predictor, Trainer, UnavailableError


def train(net: Net, optimizer: str, **options: Any) -> Trainer:
    _check()
    return ours.train(net, optimizer, backend="numba", **options)


def predict(net: Net, x: Array) -> Predictor:
    _check()
    return ours.predict(net, x, backend="numba")


def _check() -> None:
    """Raises UnavailableError where this verigrad or this machine has no such backend."""
    if "backend" not in inspect.signature(vg.compile).parameters:
        raise UnavailableError("this verigrad has no backend='numba'")
    if find_spec("numba") is None:
        raise UnavailableError("not installed: numba")
