"""ONNX Runtime: the net as an ONNX model of Gemm and Relu, for predictions alone."""

from __future__ import annotations

import os

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from ..nets import Array, Net, weights
from .contender import Predictor, Trainer, UnavailableError


def train(net: Net, optimizer: str) -> Trainer:
    raise UnavailableError("ONNX Runtime only predicts")


def predict(net: Net, x: Array) -> Predictor:
    """One run of a session with the benchmark's threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(model_of(net), options, providers=providers)
    feeds = {"x": x}
    return Predictor(lambda: np.asarray(session.run(None, feeds)[0]))


def model_of(net: Net) -> bytes:
    """The model's bytes: x [N,in] to scores [N,classes]."""
    nodes, constants, h = [], [], "x"
    for i, w in enumerate(weights(net), 1):
        zeros = np.zeros(w.shape[1], np.float32)
        constants += [numpy_helper.from_array(w, f"w{i}"), numpy_helper.from_array(zeros, f"b{i}")]
        out = "scores" if i == net.layers else f"h{i}"
        nodes.append(helper.make_node("Gemm", [h, f"w{i}", f"b{i}"], [out]))
        if i < net.layers:
            nodes.append(helper.make_node("Relu", [out], [f"r{i}"]))
            h = f"r{i}"
    f32 = TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info("x", f32, ["N", net.sizes[0]])]
    outputs = [helper.make_tensor_value_info("scores", f32, ["N", net.sizes[-1]])]
    graph = helper.make_graph(nodes, net.name, inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
