"""The estimators by their names, and what stands for them where scikit-learn is not installed."""

from __future__ import annotations

from importlib.util import find_spec
from inspect import Signature
from typing import TYPE_CHECKING, Any

from ..optional import require

if TYPE_CHECKING or find_spec("sklearn"):
    from .classifier import MLPClassifier
    from .regressor import MLPRegressor
else:

    class _Missing:
        """What says, once it is called, which extra brings it."""

        __signature__ = Signature()

        def __init__(self, *_: Any, **__: Any) -> None:
            require("sklearn", "sklearn")

    class MLPClassifier(_Missing):
        """scikit-learn's classifier with a program inside; it needs the extra sklearn."""

    class MLPRegressor(_Missing):
        """scikit-learn's regressor with a program inside; it needs the extra sklearn."""


__all__ = ["MLPClassifier", "MLPRegressor"]
