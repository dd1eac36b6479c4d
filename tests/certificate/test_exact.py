"""The exact layer: compiled graphs against what was declared, in numbers modulo a prime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import hypothesis.strategies as st
import numpy as np
import pytest
from conftest import batch, net
from effort import some
from hypothesis import given
from random_graphs import Builder

import verigrad as vg
from verigrad.graph import RefutedError
from verigrad.ops import Descend, DescendScaled
from verigrad.passes.eliminate_common import EliminateCommon
from verigrad.runtime.certificate.exact import compare

OPTIMIZERS = (
    vg.SGD(0.1),
    vg.Momentum(0.1),
    vg.Nesterov(0.1),
    vg.Nesterov(0.1, dialect="cs231n"),
    vg.Adam(0.001, dialect="course"),
    vg.AdaGrad(0.1),
    vg.RMSProp(0.1),
    vg.Adam(0.001),
    vg.AdamW(0.001, weight_decay=0.01),
    vg.Momentum(vg.schedules.cosine(0.1, steps=10)),
)
ACTIVATIONS = (vg.relu, vg.tanh, vg.sigmoid, vg.gelu, vg.silu, vg.elu, vg.selu, vg.leaky_relu)
NORMALIZATIONS = (None, vg.batch_norm, vg.layer_norm)
REGULARIZERS = (None, vg.L2(0.001), vg.L1(0.001), vg.ElasticNet(0.001, 0.001))
DROPOUTS = (None, vg.Dropout(keep=0.7), vg.Dropout(keep=0.7, mode="vanilla"))
CLIPS = (None, vg.ClipNorm(1.0), vg.ClipValue(0.5))
ALL = list(product(OPTIMIZERS, ACTIVATIONS, NORMALIZATIONS, REGULARIZERS, DROPOUTS, CLIPS))


def repr_of(case: tuple[object, ...]) -> str:
    """A name of a case that is the same in every process."""
    return "-".join(getattr(c, "__name__", str(c)) for c in case)


def deep(activation: Callable[[vg.Node], vg.Node], normalization: object = None) -> vg.Graph:
    """5-6-6-4."""
    h, y = vg.input("x", ("N", 5)), vg.input("y", ("N",), dtype="i64")
    for _ in range(2):
        h = vg.dense(h, 6)
        h = activation(normalization(h) if callable(normalization) else h)
    scores = vg.dense(h, 4)
    loss = vg.softmax_cross_entropy(scores, y)
    return vg.Graph("net", {"scores": scores, "p": vg.softmax(scores)}, loss=loss)


@pytest.mark.parametrize("case", some(ALL, 120), ids=repr_of)
def test_every_combination_is_proved(case: tuple[object, ...]) -> None:
    optimizer, activation, normalization, regularizer, dropout, clip = case
    program = vg.compile(
        deep(activation, normalization),
        optimizer=optimizer,
        regularizer=regularizer,
        dropout=dropout,
        clip=clip,
        # Small tensors are added to in place, too.
        pipeline=vg.TRAINING.with_options({"smallest": 1}),
    )
    variants = program._variants
    for executable in (variants.executable, variants.evaluation, variants.gradients, variants.loss):
        certificate = executable.certifier.certificate
        assert certificate.verdict == "proved", certificate
        assert not certificate.exact.skipped and certificate.exact.chance < 1e-10
    assert program.certificate.exact.compared == len(program.training.outputs) + len(
        program.training.updates
    )
    assert program.certificate.derivatives.verdict == "proved"


@pytest.mark.parametrize("seed", range(3))
def test_what_runs_is_what_is_proved(seed: int, rng: np.random.Generator) -> None:
    program = vg.compile(net(6, 5, 3), optimizer=vg.Adam(0.01), seed=seed)
    assert program.step(batch(rng, 4, 6, 3)) > 0
    assert str(program.certificate).startswith("certificate of net: proved")


@st.composite
def graphs(draw: st.DrawFn) -> vg.Graph:
    builder = Builder(draw)
    kinds = {
        Builder.unary: 3,
        Builder.binary: 4,
        Builder.choice: 1,
        Builder.product: 2,
        Builder.linear: 2,
        Builder.softmax: 1,
        Builder.reduction: 2,
    }
    builder.grow(kinds, 20)
    picked = [draw(st.sampled_from(builder.nodes)) for _ in range(3)]
    return vg.Graph("random", {f"y{k}": n for k, n in enumerate(picked)})


@given(graphs())
def test_random_graphs_are_proved(g: vg.Graph) -> None:
    compiled = vg.compile(g).inference
    found = compare(g, compiled)
    assert found.verdict == "proved", found


@pytest.mark.parametrize("step", [lambda w: w + w, lambda w: w * 0.5 + w], ids=["twice", "shares"])
def test_a_long_chain_on_a_large_tensor_takes_time_in_proportion(
    step: Callable[[vg.Node], vg.Node],
) -> None:
    """Each node reads the one before it twice, and they are more than Python's stack is deep."""
    w = vg.state("w", (200, 100), "ones")
    new = w
    for _ in range(1_500):
        new = step(new)
    g, other = (vg.Graph("chain", {"y": vg.sum(w)}, updates={w: n}) for n in (new, new * 2.0))
    assert compare(g, other).verdict == "refuted"
    same = vg.Graph("chain", {"y": vg.sum(w)}, updates={w: (new + 0.5) - 0.5})
    assert compare(g, same).verdict == "proved"


# ---- faults ---------------------------------------------------------------------------------


class Fault(vg.Pass):
    """Puts another node in the place of the first one of a kind."""

    def wrong(self, n: vg.Node, g: vg.Graph) -> vg.Node | None:
        """What stands there instead."""
        raise NotImplementedError

    def rewrites(self, g: vg.Graph) -> Iterator[vg.Rewrite]:
        for n in g.order:
            new = self.wrong(n, g)
            if new is not None:
                yield vg.Rewrite(n, new, "a fault")
                return


def fault(name: str, wrong: Callable[[vg.Node, vg.Graph], vg.Node | None]) -> type[Fault]:
    return dataclass(frozen=True)(
        type(name, (Fault,), {"wrong": lambda _, n, g: wrong(n, g), "__module__": __name__})
    )


def scaled(k: int, by: float = 0.999) -> Callable[[vg.Node, vg.Graph], vg.Node | None]:
    """One of the inputs of an update, times a number."""

    def wrong(n: vg.Node, g: vg.Graph) -> vg.Node | None:
        if not isinstance(n.op, (Descend, DescendScaled)) or k >= len(n.inputs):
            return None
        inputs = list(n.inputs)
        inputs[k] = inputs[k] * by
        return n.but(inputs=tuple(inputs))

    return wrong


def bias_left_out(n: vg.Node, g: vg.Graph) -> vg.Node | None:
    return vg.matmul(*n.inputs[:2]) if n.op.name == "linear" else None


def transposed(n: vg.Node, g: vg.Graph) -> vg.Node | None:
    square = n.op.name == "matmul" and n.inputs[1].shape == (6, 6)
    return vg.matmul(n.inputs[0], n.inputs[1].T, **vars_of(n)) if square else None


def vars_of(n: vg.Node) -> dict[str, bool]:
    return {"transpose_a": n.op.transpose_a, "transpose_b": n.op.transpose_b}


def negated(n: vg.Node, g: vg.Graph) -> vg.Node | None:
    return -n if n.op.name == "sum" and n.type.rank == 1 else None


def of_another_sign_in_a_column(n: vg.Node, g: vg.Graph) -> vg.Node | None:
    if n.op.name != "linear" or n.shape[1] != 6:
        return None
    return n * vg.constant(np.array([1, 1, 1, 1, 1, -1.0]))


def stale(n: vg.Node, g: vg.Graph) -> vg.Node | None:
    """The old value in the place of the new."""
    new = {m: w for w, m in g.updates.items()}
    return vg.copy(new[n]) if n in new and n.type.rank == 2 else None


def unbiased(n: vg.Node, g: vg.Graph) -> vg.Node | None:
    if n.op.name != "batch_variance":
        return None
    rows = vg.cast(vg.dim("N"), "f32")
    return n * rows / (rows - 1.0)


FAULTS = {
    "scaled_weight": scaled(0),
    "scaled_gradient": scaled(1, 1.0005),
    "scaled_rate": scaled(2),
    "bias_left_out": bias_left_out,
    "transposed": transposed,
    "negated": negated,
    "sign_of_a_column": of_another_sign_in_a_column,
    "stale": stale,
    "unbiased": unbiased,
    "relu_for_tanh": lambda n, g: vg.relu(n.inputs[0]) if n.op.name == "tanh" else None,
    "mean_for_sum": lambda n, g: (
        vg.mean(n.inputs[0], axis=0) if n.op.name == "sum" and n.op.axes == (0,) else None
    ),
    "half_a_decay": lambda n, g: (
        vg.apply(type(n.op)(n.op.decay / 2, n.op.scale), *n.inputs)
        if n.op.name in ("decay_add", "decay_add_square")
        else None
    ),
}
PLACES = ("insert_dropout", "attach_optimizer", "fold_constants", "fuse_softmax_nll")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_pass_is_refuted_by_name(name: str, place: str, rng: np.random.Generator) -> None:
    guilty = fault(name.title().replace("_", ""), FAULTS[name])()
    pipeline = vg.TRAINING.insert(guilty, after=place)
    g = deep(vg.tanh, vg.batch_norm if name == "unbiased" else None)
    try:
        program = vg.compile(g, optimizer=vg.Adam(0.01), pipeline=pipeline)
    except vg.VerigradError:
        pytest.skip("refused before it could be compiled")
    if not any(r.stage == guilty.name for r in program.records):
        pytest.skip("there is nothing that it could spoil there")
    before = {**program.parameters, **program.state}
    with pytest.raises(RefutedError) as error:
        program.step(batch(rng, 8, 5, 4))
    assert f"after the pass {guilty.name}" in str(error.value)
    assert all((a == before[k]).all() for k, a in {**program.parameters, **program.state}.items())
    with pytest.raises(RefutedError):  # and once more, the next time
        program.step(batch(rng, 8, 5, 4))


def test_every_fault_was_tried_somewhere() -> None:
    for name, wrong in FAULTS.items():
        guilty = fault(name.title().replace("_", ""), wrong)()
        g = deep(vg.tanh, vg.batch_norm if name == "unbiased" else None)
        found = 0
        for place in PLACES:
            pipeline = vg.TRAINING.insert(guilty, after=place)
            try:
                program = vg.compile(g, optimizer=vg.Adam(0.01), pipeline=pipeline, certify=False)
            except vg.VerigradError:
                continue
            found += any(r.stage == guilty.name for r in program.records)
        assert found, name


def test_a_fault_in_inference_alone_is_refuted(rng: np.random.Generator) -> None:
    guilty = fault("OfInference", bias_left_out)()
    pipeline = vg.INFERENCE.insert(guilty, after="fold_constants")
    program = vg.compile(net(5, 6, 4), optimizer=vg.SGD(0.1), inference_pipeline=pipeline)
    feeds = batch(rng, 8, 5, 4)
    program.step(feeds)
    for call in (program.evaluate, program.predict):
        with pytest.raises(RefutedError, match="of_inference"):
            call(feeds)


@dataclass(frozen=True)
class Halved(vg.Pass):
    """A pass that is to change what is computed, and says so."""

    defining: ClassVar[bool] = True

    def rewrites(self, g: vg.Graph) -> Iterator[vg.Rewrite]:
        for n in g.order:
            if n.op.name == "tanh":
                yield vg.Rewrite(n, vg.tanh(n.inputs[0] * 0.5), "half")


def test_a_pass_that_says_so_may_change_the_meaning() -> None:
    pipeline = vg.TRAINING.insert(Halved(), after="insert_dropout")
    program = vg.compile(deep(vg.tanh), optimizer=vg.SGD(0.1), pipeline=pipeline)
    assert program.certificate.verdict == "proved"


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_two_terms_of_a_gradient_that_a_pass_makes_one_are_their_sum(dtype: str) -> None:
    w = vg.parameter("w", (2, 2))
    loss = vg.squared_norm(w) * (1 / 3) + vg.squared_norm(w) * 0.01 - vg.squared_norm(w) * 0.7
    pipeline = [p for p in vg.TRAINING if p.name != "eliminate_common"]
    early = vg.Pipeline(pipeline).insert(EliminateCommon(), before="differentiate")
    program = vg.compile(
        vg.Graph("g", loss=loss), optimizer=vg.SGD(0.1), pipeline=early, dtype=dtype
    )
    assert program.certificate.verdict == "proved"


@pytest.mark.parametrize("kept", [lambda s: s, lambda s: s * 1.0, lambda s: vg.copy(s)])
def test_an_update_that_changes_nothing_need_not_be_made(
    kept: Callable[[vg.Node], vg.Node], rng: np.random.Generator
) -> None:
    g, s = net(5, 4), vg.state("s", (3,), "ones")
    program = vg.compile(g.but(updates={s: kept(s)}), optimizer=vg.SGD(0.1))
    program.step(batch(rng, 4, 5, 4))
    assert program.certificate.verdict == "proved"
    assert (program.state["s"] == 1).all()


@dataclass(frozen=True)
class Forgets(vg.Pass):
    """A pass that drops what keeps the velocities."""

    def apply(self, g: vg.Graph) -> vg.Graph:
        kept = {w: n for w, n in g.updates.items() if "velocity" not in g.names[w]}
        return g.but(updates=kept)


def test_an_update_that_is_dropped_is_refuted(rng: np.random.Generator) -> None:
    pipeline = vg.TRAINING.insert(Forgets(), after="attach_optimizer")
    program = vg.compile(net(5, 4), optimizer=vg.Momentum(0.1), pipeline=pipeline)
    with pytest.raises(RefutedError, match=r"velocity.* differs after the pass forgets"):
        program.step(batch(rng, 4, 5, 4))


def test_without_certify_a_fault_runs_as_it_is(rng: np.random.Generator) -> None:
    pipeline = vg.TRAINING.insert(fault("Stale", stale)(), after="fold_constants")
    options = {"optimizer": vg.SGD(0.1), "pipeline": pipeline}
    program = vg.compile(deep(vg.tanh), **options, certify=False)
    assert program.step(batch(rng, 8, 5, 4)) > 0
    with pytest.raises(vg.RunError, match="has no certificate"):
        _ = program.certificate
    with pytest.raises(vg.PassError, match="certify is 1, where True or False"):
        vg.compile(deep(vg.tanh), certify=1)


# ---- gradients ------------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["MatMul", "Linear", "Tanh", "BatchVariance", "SquaredNorm"])
def test_a_wrong_vjp_is_refuted_by_name(
    op: str, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    kinds = {type_.__name__: type_ for type_ in vg.graph.OPS.values()}
    kind, vjp = kinds[op], kinds[op].vjp

    def wrong(self: vg.Op, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        first, *rest = vjp(self, node, dy)
        return (first * 1.0005, *rest)

    monkeypatch.setattr(kind, "vjp", wrong)
    x, y = vg.input("x", ("N", 5)), vg.input("y", ("N",), dtype="i64")
    h = vg.tanh(vg.batch_norm(vg.matmul(vg.tanh(vg.dense(x, 6)), vg.parameter("w", (6, 6)))))
    g = vg.Graph("net", loss=vg.softmax_cross_entropy(vg.dense(h, 4), y))
    program = vg.compile(g, optimizer=vg.SGD(0.1), regularizer=vg.L2(0.01))
    with pytest.raises(RefutedError, match=f"the vjp of op {kind.name}, at %"):
        program.step(batch(rng, 8, 5, 4))
    report = vg.gradcheck(g, batch(rng, 8, 5, 4), regularizer=vg.L2(0.01), tolerance=0.1)
    assert report.verdict == "FAIL"
    assert f"exact: refuted: the vjp of op {kind.name}" in str(report)


def test_gradcheck_says_that_gradients_are_proved(rng: np.random.Generator) -> None:
    report = vg.gradcheck(deep(vg.gelu, vg.layer_norm), batch(rng, 8, 5, 4))
    assert report.ok and "exact: proved" in str(report)
    assert report.as_dict()["exact"] == "proved"


# ---- ops of a user's own ----------------------------------------------------------------------


@vg.op
class CubeUnsaid(vg.Op):
    """y = x x x, which does not say what it means."""

    name: ClassVar[str] = "cube_unsaid"
    elementwise: ClassVar[bool] = True

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        self.takes(types, 1)
        return types[0]

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        return (dy * vg.square(node.inputs[0]) * 3.0,)

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.multiply(x * x, x, out=out)


@vg.op
class Cube(CubeUnsaid):
    """The same, and says it."""

    name: ClassVar[str] = "cube"

    def exact(self, at: object, x: vg.graph.Residues) -> vg.graph.Residues:
        return x * x * x


@vg.op
class CubeWrong(CubeUnsaid):
    """The same, and says another."""

    name: ClassVar[str] = "cube_wrong"

    def exact(self, at: object, x: vg.graph.Residues) -> vg.graph.Residues:
        return x * x * x + x


def test_what_an_op_without_a_meaning_reaches_is_skipped_by_its_name() -> None:
    """Unless both graphs compute it in the same way."""
    x, y = vg.input("x", ("N", 5)), vg.input("y", ("N",), dtype="i64")
    scores = vg.dense(vg.apply(CubeUnsaid(), vg.relu(vg.dense(x, 6))), 4)
    g = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    certificate = vg.compile(g, optimizer=vg.SGD(0.1)).certificate
    assert certificate.verdict == "partly skipped"
    assert certificate.derivatives.verdict == "skipped"
    assert "op cube_unsaid has no `exact`" in str(certificate)
    said = vg.dense(vg.apply(Cube(), vg.relu(vg.dense(x, 6))), 4)
    g = vg.Graph("net", {"scores": said}, loss=vg.softmax_cross_entropy(said, y))
    assert vg.compile(g, optimizer=vg.SGD(0.1)).certificate.verdict == "proved"


def test_check_op_checks_an_exact_meaning() -> None:
    def reference(x: np.ndarray) -> np.ndarray:
        return x**3

    assert vg.check_op(Cube(), ["f32[N,3]"], reference).ok
    report = vg.check_op(CubeWrong(), ["f32[N,3]"], reference)
    assert any("exact differs from `run` at" in v for v in report.violations)
    assert any("the vjp is not the derivative of `exact`" in v for v in report.violations)


@pytest.mark.parametrize("twice", [False, True])
def test_a_choice_between_equal_constants_is_that_constant(
    twice: bool, rng: np.random.Generator
) -> None:
    """Found by random programs: simplify drops the choice, and what is left is folded, rounded."""
    chosen, x = vg.input("chosen", (2,), dtype="bool"), vg.input("x", (2,))
    numbers = [vg.constant(np.array([1.0, 0.3], np.float32)) for _ in range(2)]
    branches = (numbers[0], numbers[0]) if twice else tuple(numbers)
    g = vg.Graph("g", {"y": vg.tanh(vg.where(chosen, *branches)) + x}, loss=vg.sum(vg.exp(x)))
    program = vg.compile(g)
    feeds = {"chosen": np.array([True, False]), "x": rng.standard_normal(2).astype(np.float32)}
    program.evaluate(feeds)
    assert program._variants.evaluation.certifier.certificate.verdict == "proved"
    other = vg.Graph("g", {"y": vg.tanh(vg.where(chosen, numbers[0], x))})
    wrong = vg.Graph("g", {"y": vg.tanh(numbers[0])})
    assert compare(other, wrong).verdict == "refuted"
