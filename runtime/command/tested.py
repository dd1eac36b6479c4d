"""How a run ended: the loss and the metrics of the parts that were not trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..data.parts import TaskData
from ..program import Program
from ..training.measure import measure
from .scoring import line_of


class Tested:
    """How good a trained program is: its loss on the test part, and the metrics of both parts that
    it was not trained on."""

    def __init__(self, data: TaskData, program: Program, names: Sequence[str]) -> None:
        self._data = data
        self.on_test = measure(program, data.test, metrics=names)
        self.test = self.on_test.metrics
        self.validation: Mapping[str, float] = {}
        if len(data.validation.y):
            self.validation = measure(program, data.validation, metrics=names).metrics

    def __str__(self) -> str:
        count, values = len(self._data.test.y), dict(self.test)
        loss = f"test loss {self.on_test.loss:.4f}"
        if self._data.task == "regression":
            lines = [f"test {line_of(values)} ({count:,} rows), {loss}"]
        else:
            accuracy = values.pop("accuracy")
            right = round(accuracy * count)
            lines = [f"test accuracy {accuracy:.4f} ({right:,} of {count:,}), {loss}"]
            lines += [f"test {line_of(values)}"] if values else []
        if values and self.validation:
            lines.append(f"validation {line_of(self.validation)}")
        return "\n".join(lines)
