"""`program.bisect`: planted faults are found, with a small graph and a test that shows them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import batch, net

import verigrad as vg
from verigrad.graph import OPS
from verigrad.runtime.planning import plan as planning


@dataclass(frozen=True)
class Scales(vg.Pass):
    """Scales the results of an op, from some size on."""

    name = "scales_results"
    op: str = "matmul"
    by: float = 1.0005

    def rewrites(self, g: vg.Graph) -> Iterator[vg.Rewrite]:
        for n in g.order:
            if n.op.name == self.op:
                yield vg.Rewrite(n, vg.multiply(n, vg.constant(self.by)), f"times {self.by}")


@dataclass(frozen=True)
class LosesBias(vg.Pass):
    """A whole-graph pass that leaves out one bias."""

    name = "loses_bias"

    def apply(self, g: vg.Graph) -> vg.Graph:
        n = next(n for n in g.order if n.op.name == "linear" and n.type.shape[1] == 6)
        return g.replace({n: vg.matmul(*n.inputs[:2])})


def program(**options: Any) -> vg.Program:
    options = {"optimizer": vg.Adam(0.01), "regularizer": vg.L2(0.01), **options}
    return vg.compile(net(12, 8, 6, 4), certify=False, **options)


PASSES: dict[str, tuple[vg.Pass, str, str]] = {
    "a gradient": (Scales("matmul"), "simplify", "times 1.0005"),
    "an activation": (Scales("relu_grad", 0.999), "simplify", "times 0.999"),
    "a moment": (Scales("decay_add", 0.99999), "attach_optimizer", "times 0.99999"),
    "a whole graph": (LosesBias(), "simplify", ""),
    "what is as small as rounding": (Scales("mean", 1.000001), "differentiate", "times 1.000001"),
}


@pytest.mark.parametrize("fault", PASSES)
def test_the_pass_and_its_rewrite_are_found(fault: str) -> None:
    p, after, reason = PASSES[fault]
    found = program(pipeline=vg.TRAINING.insert(p, after=after)).bisect()
    assert found and found.guilty == f"the pass {p.name}"
    assert f" s: the pass {p.name} is guilty\n" in str(found)
    assert reason in found.rewrite and bool(reason) == bool(found.rewrite)
    assert found.found is not None and found.found.layer == "exact"
    assert found.small is not None and len(found.small.order) <= 4
    with pytest.raises(vg.RefutedError):
        made(found.test)()


def made(text: str) -> Callable[[], None]:
    """The test that a file defines."""
    names: dict[str, Any] = {}
    exec(compile(text, "test_fault.py", "exec"), names)
    (test,) = [value for name, value in names.items() if name.startswith("test_")]
    return test


def fails(path: Path, mended: Callable[[str], str] = str) -> bool:
    """Whether a test file fails, in a process of its own, and not by being no test."""
    path.write_text(mended(path.read_text()))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=path.parent, env=environment(), check=False
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    if done.returncode:
        assert "RefutedError" in done.stdout or "AssertionError" in done.stdout, done.stdout
    return bool(done.returncode)


def environment() -> dict[str, str]:
    """One in which the faults of this file can be imported."""
    import os

    here = Path(__file__).parent
    paths = [str(here), str(here.parent), *sys.path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def test_the_test_passes_once_the_pass_is_mended(tmp_path: Path) -> None:
    pipeline = vg.TRAINING.insert(Scales(), after="simplify")
    found = program(pipeline=pipeline).bisect()
    path = tmp_path / "test_fault.py"
    found.write(path)
    assert fails(path)
    assert not fails(path, lambda text: text.replace("by=1.0005", "by=1.0"))


@pytest.fixture
def wrong_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    vjp = OPS["relu"].vjp

    def scaled(self: Any, y: Any, dy: Any) -> Any:
        return [g * 1.01 for g in vjp(self, y, dy)]

    monkeypatch.setattr(OPS["relu"], "vjp", scaled)


@pytest.mark.usefixtures("wrong_gradient")
def test_a_wrong_gradient_rule_is_found() -> None:
    found = program().bisect()
    assert found.guilty == "the vjp of op relu"
    assert found.small is not None and len(found.small.order) <= 5
    assert "vg.gradcheck(vg.parse(GRAPH), VALUES)" in found.test
    with pytest.raises(AssertionError):
        made(found.test)()


def test_a_fused_kernel_that_is_wrong_is_found_with_its_rewrite(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_right = OPS["linear_relu"].run

    def without_bias(self: Any, x: Any, w: Any, b: Any, *, out: Any) -> None:
        run_right(self, x, w, b * np.float32(0.5), out=out)

    monkeypatch.setattr(OPS["linear_relu"], "run", without_bias)
    found = program().bisect()
    assert found.guilty == "the pass fuse_linear_relu"
    assert found.found is not None and found.found.layer == "floats"
    assert "is read by" in found.rewrite
    with pytest.raises(vg.RefutedError):
        made(found.test)()
    monkeypatch.setattr(OPS["linear_relu"], "run", run_right)
    made(found.test)()


def test_an_unsound_plan_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "verify", lambda g: None)
    monkeypatch.setattr(planning, "_offsets", lambda lives, packed: [0 for _ in lives])
    found = program().bisect()
    assert found.guilty == "the plan"
    assert found.found is not None and "share bytes of the arena" in found.found.words
    assert found.small is not None and len(found.small.order) <= 6


def test_a_kernel_of_a_backend_that_is_wrong_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    from verigrad.runtime.backends.numba.lowering import products

    append = products.append

    def doubled(p: Any, blas: Any, tape: Any) -> int:
        if p.sizes[2] == 8:  # the product of the second layer
            p = p._replace(b=p.b._replace(array=p.b.array[::-1].copy()))
        return append(p, blas, tape)

    monkeypatch.setattr(products, "append", doubled)
    wrong = vg.compile(net(12, 8, 6, 4), optimizer=vg.SGD(0.1), backend="numba", certify=True)
    with pytest.raises(vg.RefutedError, match=r"the first that is off: %fc2 = linear_relu"):
        wrong.step(batch(np.random.default_rng(0), 5, 12, 4))
    found = program(backend="numba", optimizer=vg.SGD(0.1)).bisect()
    assert found.guilty == "the kernel of %fc2, linear_relu, on numba"
    assert "backend='numba'" in found.test and "optimizer=vg.SGD(lr=0.1" in found.test


@pytest.mark.parametrize("options", [{}, {"dropout": vg.Dropout(keep=0.5)}, {"dtype": "f64"}])
def test_nobody_is_guilty_of_what_is_right(
    options: dict[str, Any], rng: np.random.Generator
) -> None:
    for feeds in ({}, batch(rng, 5, 12, 4)):
        found = program(**options).bisect(feeds)
        assert not found and found.test == "" and "nobody is guilty" in str(found)


def test_an_inference_graph_has_a_bisection_as_well() -> None:
    x = vg.input("x", ("N", 12))
    g = vg.Graph("g", {"y": vg.relu(vg.dense(x, 6, name="fc"))})
    wrong = vg.INFERENCE.insert(LosesBias(), before="fuse_linear_relu")
    found = vg.compile(g, inference_pipeline=wrong, certify=False).bisect()
    assert found.guilty == "the pass loses_bias"
    found = program(inference_pipeline=wrong).bisect()  # of a net that is trained, too
    assert found.guilty == "the pass loses_bias"


def test_check_same_tells_what_differs_exactly_and_in_numbers() -> None:
    g = vg.parse("graph g {\n  %x: f32[N,4] = input\n  %y: f32[N,4] = exp(%x)\n  return y=%y\n}")
    vg.check_same(g, g)
    vg.check_same(g, vg.parse(str(g)), {"x": np.ones((2, 4), np.float32)})
    other = g.replace({g["y"]: vg.multiply(g["y"], vg.constant(1.01))})
    with pytest.raises(vg.RefutedError, match="graph g is not what g was: output y"):
        vg.check_same(g, other)
    more = g.but(outputs={"y": g["y"], "z": g["x"]})
    with pytest.raises(vg.RefutedError, match=r"output z, which is declared by nobody, differs$"):
        vg.check_same(g, more)
    with pytest.raises(vg.RefutedError, match=r"check_same: after .* a Graph"):
        vg.check_same(g, "graph")  # type: ignore[arg-type]


def labelled() -> vg.Graph:
    return net(3, 4)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"q": 1.0}, "there is no input 'q'; there are x, y"),
        ({"x": "text"}, "'x' is a text"),
        ({"x": np.zeros((2, 5), np.float32)}, r"'x' is float32\[2, 5\], where f32\[N,3\]"),
        ({"x": np.zeros((2, 3), np.float32), "y": np.zeros(4, int)}, "y"),
    ],
)
def test_values_that_do_not_fit_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(vg.RunError, match=said):
        vg.check_same(labelled(), labelled(), values)
    with pytest.raises(vg.RunError):
        program().bisect(values)


def test_values_may_be_some_of_all() -> None:
    vg.check_same(labelled(), labelled(), {"x": np.ones((7, 3), np.float32)})


@vg.op
class Unknown(vg.Op):
    """What has no exact meaning, and gives nothing that is finite."""

    name = "bisect_unknown"
    elementwise = True

    def infer(self, x: vg.TensorType) -> vg.TensorType:
        return x

    def run(self, x: Any, *, out: Any) -> None:
        out[...] = np.nan


def test_what_cannot_be_compared_is_not_the_same() -> None:
    x = vg.input("x", ("N", 3))
    g = vg.Graph("g", {"y": vg.apply(Unknown(), x)})
    vg.check_same(g, vg.parse(str(g)))  # one op on one input
    other = vg.Graph("g", {"y": vg.apply(Unknown(), vg.negative(vg.negative(x)))})
    with pytest.raises(vg.RunError, match="could not be compared with g: not exactly, output y"):
        vg.check_same(g, other)
