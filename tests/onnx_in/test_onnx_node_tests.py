"""The node tests of the `onnx` package: every one of ops that are read gives what it says.

An input that decides on shapes has to be known as a file is read: it is fixed where the error asks
for it, and where it does not the input is fed. Counted here: how many of how many.
"""

from __future__ import annotations

import re
import warnings
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

import verigrad as vg

pytestmark = [pytest.mark.oracle, pytest.mark.numpy_bits]

OURS = {1, 6, 7, 9, 11}
"""The element types that are read: float, int32, int64, bool and double."""
OUTSIDE = {
    "AveragePool", "BitCast", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor",
    "Col2Im", "Conv", "ConvTranspose", "DFT", "DeformConv", "Det", "GRU", "GridSample", "LRN",
    "LSTM", "Loop", "LpPool", "MaxPool", "MaxUnpool", "MelWeightMatrix", "NonMaxSuppression",
    "OptionalGetElement", "OptionalHasElement", "RNN", "RandomUniformLike", "Resize", "RoiAlign",
    "STFT", "Scan", "TensorScatter", "TfIdfVectorizer", "TreeEnsemble", "Unique", "Upsample",
}  # fmt: skip
"""Ops that are not read: what no node of ours says, such as convolutions and recurrence."""
MADE_OF_THEM = {"CausalConvWithState", "LinearAttention"}
"""Ops that ONNX defines by Conv and by Scan."""
RANDOM = ("test_training_dropout", "test_bernoulli")


@cache
def node_tests() -> dict[str, Any]:
    """The node tests of onnx by their names."""
    loader = pytest.importorskip("onnx.backend.test.loader")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy, on what the tests are made of
        return {t.name: t for t in loader.load_model_tests(kind="node") if t.model is not None}


def is_of_our_types(model: Any) -> bool:
    told = [*model.graph.input, *model.graph.output]
    return all(
        v.type.HasField("tensor_type") and v.type.tensor_type.elem_type in OURS for v in told
    )


def ops_of(model: Any) -> set[str]:
    return {n.op_type for n in model.graph.node}


def is_read(test: Any) -> bool:
    ops = ops_of(test.model)
    return is_of_our_types(test.model) and not ops & (OUTSIDE | MADE_OF_THEM)


def is_random(name: str) -> bool:
    return name.startswith(RANDOM) and "zero_ratio" not in name


FLAT = {"ArgMax", "ArgMin", "ArrayFeatureExtractor", "Binarizer", "Cast", "CastLike", "Ceil",
        "EyeLike", "Floor", "Hardmax", "OneHot", "Range", "Round", "Sign"}  # fmt: skip
"""Ops through which no gradient passes, and casts of what is not finite."""
SINGULAR = {"test_acosh_example", "test_pow"}
"""Tests at points without a slope."""


def differentiable() -> dict[str, str]:
    """For each op of floats, its first node test, where the op has a slope."""
    first: dict[str, str] = {}
    for name, test in node_tests().items():
        told = (test.model.graph.input, test.model.graph.output)
        floats = all(any(v.type.tensor_type.elem_type in (1, 11) for v in side) for side in told)
        op, *others = ops_of(test.model)
        smooth = not others and op not in FLAT and name not in SINGULAR
        if floats and smooth and is_read(test) and not is_random(name):
            first.setdefault(op, name)
    return first


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Loaded for one backend alone, since what is compared is the graph and not how it is run."""
    if "name" in metafunc.fixturenames:
        tests = node_tests() if _runs(metafunc) else {}
        names = [k for k, t in tests.items() if is_read(t) and not is_random(k)]
        metafunc.parametrize("name", names)
    if "op_of" in metafunc.fixturenames:
        found = [*differentiable().items()] if _runs(metafunc) else []
        metafunc.parametrize("op_of", found, ids=[op for op, _ in found])


def _runs(metafunc: pytest.Metafunc) -> bool:
    once = metafunc.config.getoption("--backend") == "numpy"
    return once and find_spec("onnx") is not None


def numpy_helper() -> Any:
    return pytest.importorskip("onnx.numpy_helper")


def array(value: Any) -> np.ndarray:
    """A value of a test; int32 is i64 here."""
    if hasattr(value, "data_type"):
        value = numpy_helper().to_array(value)
    given = np.asarray(value)
    return given.astype(np.int64) if given.dtype == np.int32 else given


def read(model: Any, feeds: dict[str, np.ndarray]) -> vg.Graph:
    """The graph of a model, with those of the inputs fixed that it asks for."""
    fixed: dict[str, np.ndarray] = {}
    for _ in feeds:
        try:
            return vg.from_onnx(model, constants=fixed)
        except vg.GraphError as e:
            asked = re.search(r"constants=\{(.*)\}", str(e))
            if asked is None:
                raise
            fixed |= {name: feeds[name] for name in re.findall(r"'(.*?)': array", asked[1])}
    return vg.from_onnx(model, constants=fixed)


def test_a_node_gives_what_onnx_says(name: str) -> None:
    test = node_tests()[name]
    for inputs, outputs in test.data_sets:
        feeds = {v.name: array(a) for v, a in zip(test.model.graph.input, inputs, strict=True)}
        g = read(test.model, feeds)
        found = vg.interpret(g, {n.name: feeds[n.name] for n in g.inputs}).outputs
        assert len(found) == len(outputs)
        for mine, theirs in zip(found.values(), map(array, outputs), strict=True):
            assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape)
            np.testing.assert_allclose(mine, theirs, rtol=test.rtol, atol=test.atol)


def test_its_gradient_is_that_of_differences(op_of: tuple[str, str]) -> None:
    """The floats that a node test feeds are parameters of the net that it makes."""
    test = node_tests()[op_of[1]]
    model, fixed = type(test.model)(), {}
    model.CopyFrom(test.model)
    for told, value in zip(test.model.graph.input, map(array, test.data_sets[0][0]), strict=True):
        if value.dtype.kind == "f":
            model.graph.initializer.append(numpy_helper().from_array(value, told.name))
        else:
            fixed[told.name] = value
    g = vg.from_onnx(model, constants=fixed, trainable=True)
    rng = np.random.default_rng(0)
    sums = [
        vg.cast(vg.sum(n * vg.constant(rng.uniform(0.5, 1.5, n.shape), n.dtype)), "f32")
        for n in g.outputs.values()
        if n.type.is_float
    ]
    report = vg.gradcheck(vg.Graph("node", loss=sum(sums[1:], sums[0])), {}, entries=6)
    assert report, report


def test_so_many_node_tests_are_of_ops_that_are_read(onnx: Any) -> None:
    tests = node_tests()
    typed = [t for t in tests.values() if is_of_our_types(t.model)]
    mine = [k for k, t in tests.items() if is_read(t) and not is_random(k)]
    assert len(tests) >= 1884 and len(typed) >= 1428
    assert len(mine) >= 1140
    assert len(differentiable()) >= 90


@pytest.mark.parametrize("op", sorted(OUTSIDE))
def test_an_op_that_is_not_read_is_named(onnx: Any, op: str) -> None:
    tests = [t for t in node_tests().values() if op in ops_of(t.model)]
    model = next(t.model for t in tests if is_of_our_types(t.model))
    with pytest.raises(vg.GraphError, match=rf"that verigrad has not:[^$]*\b{op}: "):
        vg.from_onnx(model)
