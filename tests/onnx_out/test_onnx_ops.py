"""Every op in ONNX, by the samples of the table of ops: onnxruntime beside the interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_runs import predicted
from table import EXPORTED, OF_SHARDS, TABLE, Row

import verigrad as vg
from verigrad.graph import OPS, Source
from verigrad.graph.types import parse_type
from verigrad.runtime.checking.sample import Sample

pytestmark = [pytest.mark.oracle, pytest.mark.numpy_bits]


def test_every_op_has_a_form() -> None:
    from verigrad.runtime.exporting.onnx.rules import RULES

    ours = {k for k, kind in OPS.items() if kind.__module__.startswith("verigrad.")}
    sources = {k for k in ours if issubclass(OPS[k], Source)}
    assert set(RULES) == ours - sources - {"gradient", *OF_SHARDS}  # which passes expand


def case(sample: Sample, size: int) -> tuple[vg.Graph, dict[str, np.ndarray]]:
    """A graph of the sampled op alone, and what it is fed with."""
    nodes = [vg.input(f"x{k}", t.shape, dtype=t.dtype) for k, t in enumerate(sample.types)]
    sizes = sample.sizes(size)
    feeds = {f"x{k}": array for k, array in enumerate(sample.draw(sizes))}
    outputs = {"y": vg.apply(sample.op, *nodes)}
    bound = {s for t in sample.types for s in t.symbols}
    for s in sizes.keys() - bound:  # which an input that nothing else reads binds
        outputs[s] = vg.input(s, (s,))
        feeds[s] = np.zeros(size, np.float32)
    return vg.Graph("case", outputs), feeds


@pytest.mark.parametrize("size", [5, 1, 0])
@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("row", EXPORTED, ids=lambda r: r.label)
def test_an_op_is_the_same_in_onnx(
    onnx: Any, row: Row, dtype: str, size: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    sample = Sample(row.op, list(map(parse_type, row.types)), row.reference, row.values, rng)
    g, feeds = case(sample.with_dtype(dtype), size)
    try:
        expected = vg.interpret(g, feeds).outputs["y"]
    except vg.RunError:  # the mean of nothing, the variance of one row
        return
    found = predicted(vg.compile(g, dtype=dtype), tmp_path, feeds)["y"]
    assert found.dtype == expected.dtype and found.shape == expected.shape
    tiny = 2e-6 if dtype == "f32" else 1e-13
    size = float(np.abs(expected).max(initial=0))
    np.testing.assert_allclose(found, expected, rtol=4 * tiny, atol=tiny * max(size, 1.0))


SPREAD = [0.0, 1e-30, 1e-8, 1e-3, 0.5, 1.0, 2.5, 7.0, 30.0, 60.0, 300.0, 1e4, 1e18]
UNARY = sorted({r.op.name: r for r in TABLE if r.op.elementwise and len(r.types) == 1}.items())
SLOPES = [r for r in TABLE if r.op.name.endswith("_grad") and r.op.elementwise]


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("row", [*(r for _, r in UNARY), *SLOPES], ids=lambda r: r.label)
def test_a_function_of_a_number_is_the_same_however_large_it_is(
    onnx: Any, row: Row, dtype: str, tmp_path: Path
) -> None:
    """As near to ours as the format's own functions are, wherever ours is a finite number."""
    spread = np.array([*SPREAD, *[-v for v in SPREAD]]).astype(parse_type(f"{dtype}[]").numpy)
    nodes = [vg.input(f"x{k}", ("N",), dtype=dtype) for k in range(len(row.types))]
    g = vg.Graph("case", {"y": vg.apply(row.op, *nodes)})
    feeds = {f"x{k}": spread if k == 0 else np.ones_like(spread) for k in range(len(nodes))}
    with np.errstate(all="ignore"):
        expected = vg.interpret(g, feeds).outputs["y"]
    found = predicted(vg.compile(g, dtype=dtype), tmp_path, feeds)["y"]
    told = np.isfinite(expected)
    tiny = 1e-6 if dtype == "f32" else 1e-13
    np.testing.assert_allclose(found[told], expected[told], rtol=tiny, atol=tiny)


@pytest.mark.parametrize("name", ["erf", "expm1"])
def test_small_results_are_exact_in_f64(onnx: Any, name: str, tmp_path: Path) -> None:
    x = vg.input("x", ("N",), dtype="f64")
    g = vg.Graph("case", {"y": vg.apply(OPS[name](), x)})
    near = np.array([1e-300, -1e-30, 1e-9, -1e-3, 0.3, 0.46, -0.47, 0.5])
    found = predicted(vg.compile(g, dtype="f64"), tmp_path, {"x": near})["y"]
    expected = vg.interpret(g, {"x": near}).outputs["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=0)


@pytest.mark.parametrize(
    ("dtype", "size", "limit"),
    [
        ("f32", 1e30, 1.0),
        ("f32", 3e38, 1e-3),  # the factor has not all digits in f32: its root is given
        ("f64", 1e200, 1.0),  # the squares overflow
        ("f64", 1e300, 1e-100),
        ("f32", 1e-30, 1.0),
    ],
)
def test_gradients_of_any_size_are_clipped_the_same(
    onnx: Any, dtype: str, size: float, limit: float, tmp_path: Path, rng: np.random.Generator
) -> None:
    gradients = [vg.input(k, ("N", 2), dtype=dtype) for k in "ab"]
    factor = vg.apply(OPS["clip_factor"](limit=limit), *gradients)
    outputs = {f"clipped_{k}": vg.apply(OPS["clip_by"](), n, factor)
               for k, n in zip("ab", gradients, strict=True)}  # fmt: skip
    g = vg.Graph("case", {"factor": factor, **outputs})
    kind = parse_type(f"{dtype}[]").numpy
    feeds = {k: (size * rng.uniform(-1, 1, (3, 2))).astype(kind) for k in "ab"}
    found = predicted(vg.compile(g, dtype=dtype), tmp_path, feeds)
    expected = vg.interpret(g, feeds).outputs
    assert np.isfinite(expected["factor"]) and expected["factor"] != 0
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-6 if dtype == "f32" else 1e-13)
