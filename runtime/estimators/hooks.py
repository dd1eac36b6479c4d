"""scikit-learn's callbacks (SLEP023), where the one that is installed has them: from 1.9 on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupportMixin
except ImportError:  # scikit-learn 1.8: fits go on without

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to support."""


Rebuild = Callable[[], Mapping[str, Any]]
"""The attributes of an estimator whose fit would have ended here, made when they are asked for."""


class Hooks:
    """Tells the callbacks of an estimator, if it has any, where its fit is."""

    def __init__(self, estimator: Any, x: Any, y: Any, w: Any, iterations: int) -> None:
        self._estimator = estimator
        self._context: Any = None
        self._told = {
            "X": x,
            "y": y,
            "metadata": None if w is None else {"sample_weight": w},
        }
        if hasattr(estimator, "_init_callback_context"):
            self._context = estimator._init_callback_context(max_subtasks=iterations)
            self._context.call_on_fit_task_begin(estimator=estimator, **self._told)

    @property
    def heard(self) -> bool:
        """Whether anybody hears of it."""
        return self._context is not None and hasattr(self._estimator, "_skl_callbacks")

    def begin_iteration(self, rebuild: Rebuild) -> Any:
        """An epoch, or an iteration of lbfgs, begins; what it returns is given at its end."""
        if not self.heard:
            return None
        task = self._context.subcontext(task_name="iteration")
        task.call_on_fit_task_begin(
            estimator=self._estimator, reconstruction_attributes=rebuild, **self._told
        )
        return task

    def end_iteration(self, task: Any, rebuild: Rebuild | None) -> bool:
        """It has ended; true where a callback asks for the end of the fit. Without a `rebuild` it
        was begun, and nothing was done in it."""
        if task is None:
            return False
        return bool(
            task.call_on_fit_task_end(
                estimator=self._estimator, reconstruction_attributes=rebuild, **self._told
            )
        )

    def end(self) -> None:
        """The fit has ended."""
        if self._context is not None:
            self._context.call_on_fit_task_end(
                estimator=self._estimator, reconstruction_attributes={}, **self._told
            )
