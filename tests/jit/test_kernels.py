"""Kernels as text: what is joined, what is not, and that a kernel is compiled once for all."""

from __future__ import annotations

import sys
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from conftest import batch, net
from effort import tries
from hypothesis import assume, given, settings
from jit_runs import on_threads
from random_graphs import nets, values_of

import verigrad as vg
from verigrad.runtime.backends.numba.kernels import cache
from verigrad.runtime.backends.numba.kernels.compiled import _kernel
from verigrad.runtime.backends.numba.lowering import statements

numba = pytest.importorskip("numba")

OPTIMIZERS = [vg.SGD(0.1), vg.Momentum(0.1), vg.Nesterov(0.05), vg.AdaGrad(0.05), vg.Adam(0.01)]


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(cache.FOLDER, str(tmp_path / "kernels"))
    _kernel.cache_clear()
    return tmp_path / "kernels"


def kernels(folder: Path) -> set[str]:
    return {p.name for p in folder.glob("kernel-*")}


def both(n: vg.Graph, **options: object) -> tuple[vg.Program, vg.Program]:
    return vg.compile(n, **options), vg.compile(n, **options, backend="numba")


def close(a: object, b: object, dtype: str = "f32") -> bool:
    tolerance = 2e-5 if dtype == "f32" else 1e-12
    return np.allclose(np.asarray(a), np.asarray(b), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.name)
@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_steps_are_those_of_numpy(
    optimizer: vg.Optimizer, dtype: str, rng: np.random.Generator
) -> None:
    options = {
        "optimizer": optimizer,
        "regularizer": vg.ElasticNet(1e-3, 1e-3),
        "dropout": vg.Dropout(keep=0.8, input=0.9),
        "clip": vg.ClipNorm(1.0),
        "dtype": dtype,
    }
    plain, jitted = both(net(12, 8, 6, 4), **options)
    for size in (16, 16, 7, 1, 16):
        feeds = batch(rng, size, 12, 4)
        assert close(plain.step(feeds), jitted.step(feeds), dtype)
    for name, value in plain.parameters.items():
        assert close(value, jitted.parameters[name], dtype), name
    feeds = batch(rng, 5, 12, 4)
    assert close(plain.predict(feeds)["scores"], jitted.predict(feeds)["scores"], dtype)
    loss, gradients = plain.gradients(feeds)
    other, others = jitted.gradients(feeds)
    assert close(loss, other, dtype)
    assert all(close(gradients[k], others[k], dtype) for k in gradients)


def test_batch_norm_and_other_activations_agree(rng: np.random.Generator) -> None:
    x, y = vg.input("x", ("N", 12)), vg.input("y", ("N",), dtype="i64")
    h = vg.relu(vg.batch_norm(vg.dense(x, 9)))
    h = vg.tanh(vg.layer_norm(vg.dense(h, 7)))
    h = vg.gelu(vg.dense(vg.leaky_relu(vg.dense(h, 6)), 5))
    scores = vg.dense(vg.sigmoid(h), 4)
    n = vg.Graph("kin", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    # Not an optimizer that divides by the gradient: that of the bias before bn1 is nothing but
    # rounding.
    plain, jitted = both(n, optimizer=vg.Momentum(1e-2), regularizer=vg.L2(1e-3))
    for _ in range(4):
        feeds = batch(rng, 20, 12, 4)
        assert close(plain.step(feeds), jitted.step(feeds))
    for name, value in {**plain.parameters, **plain.state}.items():
        assert close(value, {**jitted.parameters, **jitted.state}[name]), name


@pytest.mark.parametrize("few", [0, 10, 50, 1024])
def test_functions_of_many_elements_stay_calls(
    few: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a kernel makes for such a call is written, also where it is a temporary."""
    monkeypatch.setattr(statements, "_FEW", few)
    options = {"optimizer": vg.Adam(0.01), "regularizer": vg.L2(0.1), "dtype": "f64"}
    plain, jitted = both(net(12, 8, 6, 4), **options)
    for size in (40, 7):
        feeds = batch(rng, size, 12, 4)
        assert close(plain.step(feeds), jitted.step(feeds), "f64")
        assert close(plain.evaluate(feeds)["loss"], jitted.evaluate(feeds)["loss"], "f64")
    source = jitted.source(N=40)
    assert ("exp(" in source) == (few < 160) and ("log(" in source) == (few < 40)
    assert ("step = run" in source) == (few >= 160)


@settings(max_examples=tries(12))
@given(nets(most=12), st.sampled_from([3, 20]))
def test_steps_of_random_nets_are_those_of_numpy(n: vg.Graph, size: int) -> None:
    plain, jitted = both(n, optimizer=vg.Momentum(0.01), dropout=vg.Dropout(keep=0.5), dtype="f64")
    feeds = {k: v for k, v in values_of(n, size).items() if k in ("x", "y", "z")}
    try:
        loss = plain.step(feeds)
    except vg.NonFiniteError:
        assume(False)
    assert np.isclose(loss, jitted.step(feeds), rtol=1e-9)
    for name, value in plain.parameters.items():
        assert np.allclose(value, jitted.parameters[name], rtol=1e-7, atol=1e-9), name


@pytest.mark.parametrize("clip", [None, vg.ClipValue(0.1), vg.ClipNorm(0.1)], ids=repr)
def test_a_step_of_a_dense_net_is_all_on_the_tape(clip: vg.Clip | None) -> None:
    """Its text says what is there: products, and between them loops alone."""
    options = {"regularizer": vg.L2(1e-3), "dropout": vg.Dropout(keep=0.5)}
    _, jitted = both(net(12, 8, 6, 4), optimizer=vg.Adam(0.1), clip=clip, **options)
    source = jitted.source(N=16)
    assert "    step = run" in source
    step = source[source.index("def compute") : source.index("step = run")]
    lines = [line.strip() for line in step.splitlines() if "(" in line and "def " not in line]
    python = [line for line in lines if not line.startswith("#")]
    assert all(line.startswith(("run", "return run")) for line in python)
    listed = [line.lstrip("# ") for line in lines if line.startswith("#")]
    assert sum(line.startswith("dot(") for line in listed) == 8  # 3 forward, 3 + 2 backward
    assert sum(" = mask(" in line for line in listed) == 2
    made = "dot(", "loop(", " = mask(", " = places(", " = clip_factor("
    assert all(any(what in line for what in made) for line in listed)


@pytest.mark.parametrize("columns", [8, 31, 32, 100])
def test_a_chain_around_an_exponential_is_one_loop(columns: int) -> None:
    """However narrow, and also where it is long enough to run tile by tile."""
    x, y = vg.input("x", ("N", 30)), vg.input("y", ("N",), dtype="i64")
    h = vg.dense(x, columns)
    scores = vg.dense(vg.exp(-vg.square(h)), 4)
    n = vg.Graph("bells", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    with on_threads(2):
        source = vg.compile(n, optimizer=vg.SGD(0.1), backend="numba").source(N=8_000)
    assert "# linear + square + negative + exp\n" in source and "step = run" in source


@pytest.mark.parametrize("columns", [2, 10, 31, 32, 40])
@pytest.mark.parametrize("rows", [1, 5, 64])
def test_the_exponentials_of_a_softmax_are_those_of_numpy(
    rows: int, columns: int, rng: np.random.Generator
) -> None:
    """Those of few classes run over all elements as one row."""
    x = vg.input("x", ("N", columns))
    plain, jitted = both(vg.Graph("g", {"log": vg.log_softmax(x)}))
    feeds = {"x": (10 * rng.standard_normal((rows, columns))).astype("f4")}
    assert close(plain.predict(feeds)["log"], jitted.predict(feeds)["log"])
    loops = [line for line in jitted.source(N=rows).splitlines() if "loop(" in line]
    assert rows == 1 or len(loops) == (1 if columns >= 32 else 3)


def test_a_new_net_of_known_parts_compiles_nothing(
    empty_cache: Path, rng: np.random.Generator
) -> None:
    vg.compile(net(12, 8, 6, 4), optimizer=vg.Adam(0.01), backend="numba").step(
        batch(rng, 16, 12, 4)
    )
    known = kernels(empty_cache)
    assert known
    other = vg.compile(net(30, 20, 10, 10, 5), optimizer=vg.Adam(0.3), backend="numba")
    other.step(batch(rng, 33, 30, 5))
    assert kernels(empty_cache) == known


def test_kernels_are_compiled_anew_where_the_functions_that_they_call_have_changed(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def source() -> None:
        y = vg.tanh(vg.input("x", ("N", 6)) + 1.0)
        vg.compile(vg.Graph("g", {"y": y}), backend="numba").predict(x=np.ones((4, 6), "f4"))

    source()
    before = kernels(empty_cache)
    assert before
    source()
    assert kernels(empty_cache) == before
    monkeypatch.setattr(cache, "_functions", lambda: "others")
    _kernel.cache_clear()
    source()
    assert len(kernels(empty_cache)) == 2 * len(before)


def test_failures_are_the_same(rng: np.random.Generator) -> None:
    plain, jitted = both(net(6, 5, 3), optimizer=vg.SGD(0.1))
    feeds = batch(rng, 8, 6, 3)
    wrong = {**feeds, "y": np.full(8, 7)}
    hurt = {**feeds, "x": feeds["x"].copy()}
    hurt["x"][2, 1] = np.nan
    before = {k: v.copy() for k, v in jitted.parameters.items()}
    for bad in (wrong, hurt):
        with pytest.raises(vg.VerigradError) as one:
            plain.step(bad)
        with pytest.raises(vg.VerigradError) as other:
            jitted.step(bad)
        assert str(one.value).splitlines()[-2:] == str(other.value).splitlines()[-2:]
    assert all((before[k] == v).all() for k, v in jitted.parameters.items())


def test_a_backend_is_saved_and_an_unknown_one_refused(tmp_path: Path) -> None:
    program = vg.compile(net(6, 5, 3), optimizer=vg.SGD(0.1), backend="numba")
    program.save(tmp_path / "p.safetensors")
    assert vg.load(tmp_path / "p.safetensors").options.backend == "numba"
    with pytest.raises(vg.PassError, match="'numpy' or 'numba'"):
        vg.compile(net(6, 5, 3), backend="cuda")


def test_without_numba_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(vg.RunError, match=r"\[jit\]"):
        vg.compile(net(6, 5, 3), backend="numba")


def test_batch_norm_by_running_values_agrees(rng: np.random.Generator) -> None:
    """What a kernel makes for a row of columns is read by the next: it must have been written."""
    x = vg.input("x", ("N", 12))
    h = vg.relu(vg.batch_norm(vg.dense(x, 9)))
    n = vg.Graph("normed", {"scores": vg.dense(h, 4)})
    options = {"inference_pipeline": vg.INFERENCE.without("fold_batch_norm")}
    plain, jitted = both(n, **options)
    assert "batch_norm" in [m.op.name for m in jitted.inference.order]
    feeds = {"x": rng.random((7, 12), np.float32)}
    assert close(plain.predict(feeds)["scores"], jitted.predict(feeds)["scores"])


@pytest.mark.parametrize("threads", [1, 2])
def test_recomputation_changes_no_bit(threads: int, rng: np.random.Generator) -> None:
    """Kernels then hold other statements, but a sum is made in the same order in each."""
    x, y = vg.input("x", ("N", 24)), vg.input("y", ("N",), dtype="i64")
    h = x
    for _ in range(4):
        h = vg.layer_norm(vg.relu(vg.batch_norm(vg.dense(h, 40))))
    n = vg.Graph("deep", {"scores": h}, loss=vg.softmax_cross_entropy(vg.dense(h, 6), y))
    options = {
        "optimizer": vg.Adam(0.01),
        "regularizer": vg.L2(0.1),
        "dropout": vg.Dropout(keep=0.7),
        "backend": "numba",
    }
    with on_threads(threads):
        free = vg.compile(n, **options)
        limit = int(0.8 * free.plan(N=200).nbytes)
        limited = vg.compile(n, **options, memory_limit=limit, recompute=True)
        assert limited.plan(N=200).recomputed
        for _ in range(3):
            feeds = batch(rng, 200, 24, 6)
            assert limited.step(feeds) == free.step(feeds)
        for name, value in free.parameters.items():
            assert np.array_equal(value, limited.parameters[name]), name
