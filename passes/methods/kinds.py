"""What each method that a compilation is told has to be."""

from __future__ import annotations

from typing import Final

from ...graph import PassError, shown
from .clip import Clip
from .dropout import Dropout
from .optimizers import Optimizer
from .regularizers import Regularizer
from .shards import Shards

_KINDS: Final = {
    "optimizer": (Optimizer, "vg.SGD(lr=0.1)"),
    "regularizer": (Regularizer, "vg.L2(1e-4)"),
    "dropout": (Dropout, "vg.Dropout(keep=0.5)"),
    "clip": (Clip, "vg.ClipNorm(1.0)"),
    "shards": (Shards, "8 or vg.Shards(8)"),
}


def check_methods(**methods: object) -> None:
    """Raises PassError, naming the first that is neither None nor of its kind."""
    for name, value in methods.items():
        kind, example = _KINDS[name]
        if value is not None and not isinstance(value, kind):
            raise PassError(f"{name} is {shown(value)}, where e.g. {example} is expected")
