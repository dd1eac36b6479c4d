"""How a run ended: the loss and the metrics of the parts that were not trained on."""

from __future__ import annotations

from collections.abc import Sequence

from ..data.parts import TaskData
from ..program import Program
from ..training.measure import measure
from .network import PREDICTIONS
from .scoring import line_of, measured


class Tested:
    """How good a trained program is: its loss on the test part, and the metrics of both parts that
    it was not trained on."""

    def __init__(self, data: TaskData, program: Program, names: Sequence[str]) -> None:
        self._data = data
        self.on_test = measure(program, data.test)
        key = PREDICTIONS if data.task == "regression" else "scores"
        self.test = measured(program, key, data.test, data.task, names)
        parts = [data.validation] if len(data.validation.y) else []
        found = [measured(program, key, part, data.task, names) for part in parts]
        self.validation = found[0] if found else {}

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
