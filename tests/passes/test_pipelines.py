"""Pipelines: the order is checked when they are built, every result before the next pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from conftest import net

import verigrad as vg
from verigrad.graph import OPS, Node
from verigrad.passes import Compilation
from verigrad.passes.differentiate import Differentiate
from verigrad.passes.eliminate_common import EliminateCommon
from verigrad.passes.fuse_linear_relu import FuseLinearRelu
from verigrad.passes.scheduling.schedule import ScheduleBuffers
from verigrad.passes.simplify import Simplify


@dataclass(frozen=True)
class CountRelus(vg.Pass):
    """A user's pass: refuses every relu."""

    least: int = 0

    def rewrites(self, g: vg.Graph) -> Iterator[vg.Refused]:
        for n in g.order:
            if n.op.name == "relu":
                yield vg.Refused(n, f"left, of at least {self.least}")


@dataclass(frozen=True)
class Tanhs(vg.Pass):
    """A user's pass: tanh for relu."""

    name: ClassVar[str] = "tanh_for_relu"

    def rewrites(self, g: vg.Graph) -> Iterator[vg.Rewrite]:
        for n in g.order:
            if n.op.name == "relu":
                yield vg.Rewrite(n, vg.tanh(n.inputs[0]), "a smoother one")


@dataclass(frozen=True)
class BreaksTheGraph(vg.Pass):
    def apply(self, g: vg.Graph) -> vg.Graph:
        n = g.outputs["scores"]
        lying = Node(OPS["exp"](), (n.inputs[0],), n.type, "lying")
        return g.but(outputs={**g.outputs, "scores": lying})


@dataclass(frozen=True)
class Fails(vg.Pass):
    def apply(self, g: vg.Graph) -> vg.Graph:
        raise ZeroDivisionError("of its own")


@dataclass(frozen=True)
class ReturnsNothing(vg.Pass):
    def apply(self, g: vg.Graph) -> vg.Graph:
        return None


@dataclass(frozen=True)
class RewritesTwice(vg.Pass):
    def rewrites(self, g: vg.Graph) -> Iterator[vg.Rewrite]:
        n = g.order[0]
        yield vg.Rewrite(n, vg.copy(n), "once")
        yield vg.Rewrite(n, vg.copy(n), "again")


@dataclass(frozen=True)
class NeverEnds(vg.Pass):
    """Repeated, and always finds something to do."""

    repeated: ClassVar[bool] = True

    def rewrites(self, g: vg.Graph) -> Iterator[vg.Rewrite]:
        n = g.order[0]
        yield vg.Rewrite(n, n.but(name=n.name), "once more")


def error_of(build: object, kind: type[Exception] = vg.PassError) -> str:
    with pytest.raises(kind) as e:
        build()
    return str(e.value)


def run(*passes: vg.Pass, g: vg.Graph | None = None) -> Compilation:
    return vg.Pipeline(passes).run(net(4, 3, 2) if g is None else g)


# ---- building -------------------------------------------------------------------------------


def test_fusion_before_differentiation_is_refused_by_name() -> None:
    text = error_of(lambda: vg.Pipeline([FuseLinearRelu(), Differentiate()]))
    assert text == (
        "differentiate needs 'differentiable', which fuse_linear_relu, before it, breaks"
    )
    vg.Pipeline([Differentiate(), FuseLinearRelu()])
    vg.Pipeline([FuseLinearRelu()])


def test_an_insertion_is_checked_at_once() -> None:
    pipeline = vg.TRAINING.without("fuse_linear_relu")
    text = error_of(lambda: pipeline.insert(FuseLinearRelu(), before="differentiate"))
    assert "which fuse_linear_relu, before it, breaks" in text


def test_a_need_that_is_met_later_or_never_is_refused() -> None:
    text = error_of(lambda: vg.TRAINING.without("differentiate"))
    assert text == "clip_gradients needs 'gradients'; no pass gives it"
    text = error_of(lambda: vg.TRAINING.without("differentiate", "clip_gradients"))
    assert text == "attach_optimizer needs 'gradients'; no pass gives it"
    attach = vg.TRAINING.passes[vg.TRAINING.names.index("attach_optimizer")]
    text = error_of(lambda: vg.Pipeline([attach, Differentiate()]))
    assert text == "attach_optimizer needs 'gradients'; differentiate gives it, but runs later"


def test_a_pass_stands_once() -> None:
    text = error_of(lambda: vg.Pipeline([Simplify(), EliminateCommon(), Simplify()]))
    assert text == "the pass simplify stands twice; a stage needs a name of its own"


def test_a_pipeline_is_made_of_passes() -> None:
    assert "not of <class" in error_of(lambda: vg.Pipeline([Simplify]))
    assert "write e.g. MyPass()" in error_of(lambda: vg.Pipeline(["simplify"]))


def test_pipelines_are_values() -> None:
    shorter = vg.TRAINING.without("simplify", "fold_constants")
    assert "simplify" in vg.TRAINING.names and "simplify" not in shorter.names
    assert shorter == vg.TRAINING.without("fold_constants").without("simplify") != vg.TRAINING
    longer = vg.TRAINING.insert(CountRelus(), after="simplify")
    assert longer.names.index("count_relus") == longer.names.index("simplify") + 1
    before = vg.TRAINING.insert(CountRelus(), before="simplify")
    assert before.names.index("count_relus") == before.names.index("simplify") - 1
    assert longer.without("count_relus") == before.without("count_relus") == vg.TRAINING
    assert repr(vg.Pipeline([Simplify(), CountRelus()])) == "<Pipeline simplify -> count_relus>"


def test_a_name_that_is_not_there_is_refused_with_a_suggestion() -> None:
    assert "there is no pass 'simplfy' in the pipeline; did you mean 'simplify'?" in error_of(
        lambda: vg.TRAINING.without("simplfy")
    )
    assert "there is no pass 'x' in" in error_of(lambda: vg.TRAINING.insert(Tanhs(), after="x"))
    for places in ({}, {"after": "simplify", "before": "simplify"}):
        text = error_of(lambda places=places: vg.TRAINING.insert(Tanhs(), **places))
        assert text == "insert takes after= or before=, the name of a pass"


def test_options_go_to_the_passes_that_take_them() -> None:
    pipeline = vg.Pipeline([CountRelus(), Simplify()]).with_options({"least": 3, "other": None})
    assert pipeline.passes[0] == CountRelus(3)
    text = error_of(lambda: pipeline.with_options({"most": 3}))
    assert text == "most= is given, but no pass of <Pipeline count_relus -> simplify> takes it"


def test_a_pass_is_named_after_its_class() -> None:
    assert CountRelus.name == "count_relus" and Tanhs.name == "tanh_for_relu"
    assert vg.Pass.kinds()["count_relus"] is CountRelus


# ---- running --------------------------------------------------------------------------------


def test_every_stage_is_kept_in_order() -> None:
    program = vg.compile(net(4, 3, 2), optimizer=vg.SGD(0.1))
    assert list(program.stages) == ["declared", *vg.TRAINING.names]
    assert list(program.inference_stages) == ["declared", *vg.INFERENCE.names]
    assert program.stages["schedule"] is program.training
    assert set(program.seconds) == set(vg.TRAINING.names)
    assert all(s >= 0 for s in program.seconds.values())


def test_a_callback_sees_each_stage() -> None:
    seen: dict[str, vg.Graph] = {}
    compiled = vg.TRAINING.run(net(4, 3, 2), callback=seen.__setitem__)
    assert seen == {k: g for k, g in compiled.stages.items() if k != "declared"}


def test_a_users_pass_runs_and_its_reasons_are_kept() -> None:
    compiled = run(CountRelus(1), Tanhs())
    assert [n.op.name for n in compiled.graph.order][:2] == ["linear", "tanh"]
    assert [str(r) for r in compiled.records] == [
        "count_relus: %fc1.relu: - left, of at least 1",
        "tanh_for_relu: %fc1.relu: a smoother one",
    ]


def test_reasons_say_what_was_fused_and_what_was_not() -> None:
    x = vg.input("x", ("N", 4))
    h = vg.dense(x, 3)
    again = vg.dense(vg.relu(h), 3)
    g = vg.Graph("g", {"y": vg.relu(again), "shadow": vg.tanh(h)})
    reasons = {str(r) for r in run(FuseLinearRelu(), g=g).records}
    assert reasons == {
        "fuse_linear_relu: %fc1.relu: - not fused: %fc1 is also read by %shadow",
        "fuse_linear_relu: %y: %fc2 is read by %y alone",
    }


def test_a_refusal_of_every_sweep_is_recorded_once() -> None:
    x = vg.input("x", ("N",))
    big = vg.broadcast_to(vg.constant(1.0), (20,))
    one = vg.multiply(vg.sum(big), vg.constant(1.0))
    compiled = vg.INFERENCE.run(vg.Graph("g", {"y": x * one}))
    refused = [r for r in compiled.records if r.refused]
    assert [str(r) for r in refused] == [
        "fold_constants: %broadcast_to: - not folded: f32[20] is larger than 16 elements"
    ]


def test_a_pass_that_breaks_the_graph_is_named() -> None:
    text = error_of(lambda: run(Simplify(), BreaksTheGraph(), CountRelus()), vg.GraphError)
    assert "%lying: f32[N,2] = exp: the op gives f32[N,3]" in text
    assert text.endswith("in the pass breaks_the_graph, after declared, simplify")


def test_a_pass_that_fails_is_named_with_what_had_run() -> None:
    text = error_of(lambda: run(Simplify(), Fails()))
    said, at, after = text.splitlines()
    assert said == "the pass fails failed with ZeroDivisionError: of its own"
    assert at.startswith("  at test_pipelines.py:") and "raise ZeroDivisionError" in at
    assert after == "  after declared, simplify"
    assert "apply gave None, where a Graph is expected" in error_of(lambda: run(ReturnsNothing()))
    assert "%fc1 is rewritten twice in one sweep" in error_of(lambda: run(RewritesTwice()))


def test_a_declared_graph_is_verified_first() -> None:
    x = vg.input("x", (2,))
    broken = vg.Graph("g", {"y": Node(OPS["exp"](), (x,), vg.sum(x).type)})
    assert "violation" in error_of(lambda: run(Fails(), g=broken), vg.GraphError)


def test_a_fixed_point_takes_at_most_ten_sweeps() -> None:
    text = error_of(lambda: run(NeverEnds(), Simplify()))
    assert text == "never_ends, simplify: no fixed point after 10 sweeps"


def test_repeated_passes_run_until_none_finds_anything() -> None:
    x = vg.input("x", (2,))
    one = vg.constant(2.0) - vg.constant(1.0)  # folded, then x 1 = x, then -(-x) = x, and so on
    y = vg.negative(vg.negative(x * one) * one) * one
    compiled = vg.INFERENCE.run(vg.Graph("g", {"y": vg.exp(y), "z": vg.exp(x)}))
    assert [n.op.name for n in compiled.graph.order] == ["exp"]


def test_the_scheduled_graph_of_a_pipeline_runs() -> None:
    compiled = run(ScheduleBuffers())
    assert compiled.graph.schedule is not None
    assert run(Simplify()).graph.schedule is None


# ---- bisect ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class OneBadRewrite(vg.Pass):
    """Copies every node but the `bad`-th, which it turns to zeros."""

    bad: int = -1

    def rewrites(self, g: vg.Graph) -> Iterator[vg.Rewrite]:
        for k, n in enumerate(g.order):
            if k == self.bad:
                zeros = vg.broadcast_to(vg.constant(0.0), n.type.shape)
                yield vg.Rewrite(n, zeros, "wrong")
            else:
                yield vg.Rewrite(n, vg.copy(n), "right")


def chain(length: int) -> vg.Graph:
    n = vg.input("x", (2,))
    for k in range(length):
        n = vg.negative(n + 1.0, name=f"t{k}")
    return vg.Graph("chain", {"y": n})


def keeps_numbers(reference: vg.Graph) -> object:
    feeds = {"x": np.array([0.5, -0.5], np.float32)}
    wanted = vg.interpret(reference, feeds).outputs["y"]

    def good(g: vg.Graph) -> bool:
        found = vg.interpret(g, {k: v for k, v in feeds.items() if k in g.named}).outputs["y"]
        return np.array_equal(found, wanted)

    return good


@pytest.mark.parametrize("bad", [0, 7, 19])
def test_bisect_finds_the_bad_rewrite(bad: int) -> None:
    g = chain(10)
    found = vg.bisect(OneBadRewrite(bad), g, keeps_numbers(g))
    assert found is not None and found.reason == "wrong" and found.old is g.order[bad]


def test_bisect_of_a_sound_pass_finds_nothing() -> None:
    g = chain(3)
    assert vg.bisect(OneBadRewrite(), g, keeps_numbers(g)) is None


def test_bisect_wants_a_graph_that_is_good_before() -> None:
    text = error_of(lambda: vg.bisect(OneBadRewrite(), chain(1), lambda g: False))
    assert text == "the graph is not good before one_bad_rewrite rewrites anything"


def test_equal_chains_become_one_in_one_sweep() -> None:
    x = vg.input("x", (2,))
    a, b = (vg.exp(vg.tanh(vg.relu(x))) for _ in range(2))
    g = EliminateCommon().apply(vg.Graph("g", {"y": a + b}))
    assert [n.op.name for n in g.order] == ["relu", "tanh", "exp", "add"]


def test_a_compilation_tells_each_pass_as_it_ran() -> None:
    x = vg.input("x", ("N",))
    net = vg.Graph("net", {"y": vg.exp(x * 1.0) + vg.exp(x)})
    done = vg.INFERENCE.run(net)
    assert [s.stage.name for s in done.steps if not s.sweep] == [*vg.INFERENCE.names]
    assert done.steps[0].before is net and done.steps[-1].after is done.graph
    assert all(a.after is b.before for a, b in pairwise(done.steps))
    assert all(s.after is not s.before for s in done.steps if s.sweep)
    reasons = {r.reason for s in done.steps for r in s.outcomes}
    assert reasons == {r.reason for r in done.records}
