"""Files of ONNX as a user has them: written, checked by the format's own checker, and run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import verigrad as vg

Arrays = Mapping[str, np.ndarray]


def checked(path: Path) -> Any:
    """The model of a file, after the checker has inferred every shape of it."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(
        model, check_type=True, strict_mode=True, data_prop=True
    )
    assert len(inferred.graph.output) == len(model.graph.output)
    return model


class Session:
    """A file in onnxruntime."""

    def __init__(self, path: Path) -> None:
        ort = pytest.importorskip("onnxruntime")
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.outputs = [o.name for o in self._session.get_outputs()]

    def run(self, feeds: Arrays) -> dict[str, np.ndarray]:
        arrays = {k: np.asarray(a) for k, a in feeds.items()}
        return dict(zip(self.outputs, self._session.run(None, arrays), strict=True))


def predicted(program: vg.Program, folder: Path, feeds: Arrays) -> dict[str, np.ndarray]:
    """What the file of a program's inference gives."""
    path = folder / "net.onnx"
    program.to_onnx(path)
    model = checked(path)
    read = {v.name for v in model.graph.input}
    return Session(path).run({k: v for k, v in feeds.items() if k in read})


def new_state(outputs: Arrays) -> dict[str, np.ndarray]:
    """What is to be fed in the next step."""
    return {k.removesuffix(".new"): v for k, v in outputs.items() if k.endswith(".new")}
