"""What would have no effect is refused: misspelled methods, attributes, options."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import pytest

import verigrad as vg
from verigrad.passes.methods.learning_rates import Schedule


def first(self: object, *args: object) -> Any:
    return args[0] if args else None


def made(base: type, **body: Any) -> type:
    return type("Mine", (base,), {"__module__": __name__, "__qualname__": "Mine", **body})


# ---- methods that nothing would call --------------------------------------------------------

MISSPELLED = [
    (vg.Pass, "rewrite", "rewrites"),
    (vg.Pass, "aply", "apply"),
    (vg.Pass, "need", "needs"),
    (vg.Op, "inferr", "infer"),
    (vg.Op, "vpj", "vjp"),
    (vg.Op, "rum", "run"),
    (vg.Op, "scrach", "scratch"),
    (vg.Op, "in_place", "inplace"),
    (vg.Op, "element_wise", "elementwise"),
    (vg.Op, "kink", "kinks"),
    (vg.Op, "flop", "flops"),
    (vg.Op, "over_row", "over_rows"),
    (vg.Optimizer, "update", "updates"),
    (vg.Optimizer, "lookahead", "look_ahead"),
    (vg.Optimizer, "state", "states"),
    (vg.Regularizer, "penality", "penalty"),
    (vg.Clip, "cliped", "clipped"),
    (Schedule, "att", "at"),
    (vg.Callback, "on_epochs", "on_epoch"),
    (vg.Callback, "restor", "restore"),
]


@pytest.mark.parametrize(("base", "name", "meant"), MISSPELLED, ids=lambda v: getattr(v, "name", v))
def test_a_misspelled_method_is_refused(base: type, name: str, meant: str) -> None:
    with pytest.raises(vg.VerigradError, match=rf"Mine\.{name}: nothing (reads|calls) it.*{meant}"):
        made(base, **{name: first})


@pytest.mark.parametrize("name", ["on_epoch_ends", "on_train_begin", "on_batch"])
def test_a_hook_that_fit_does_not_call_is_refused(name: str) -> None:
    with pytest.raises(vg.GraphError, match=rf"Mine\.{name}: nothing calls it"):
        made(vg.Callback, **{name: first})


TAKES = [
    (vg.Pass, "rewrites", lambda self: ()),
    (vg.Pass, "apply", lambda self, g, h: g),
    (vg.Op, "vjp", lambda self, dy: (dy,)),
    (vg.Op, "run", lambda self, x: None),
    (vg.Op, "run", lambda self, x, output: None),
    (vg.Optimizer, "updates", lambda self, w, g: {}),
    (vg.Regularizer, "penalty", lambda self: None),
    (vg.Callback, "on_step", lambda self, step: None),
    (vg.Callback, "on_epoch", lambda self: None),
    (Schedule, "at", lambda self: None),
]


@pytest.mark.parametrize(("base", "name", "method"), TAKES, ids=lambda v: getattr(v, "name", v))
def test_a_method_that_cannot_be_called_is_refused(
    base: type, name: str, method: Callable[..., Any]
) -> None:
    with pytest.raises(vg.VerigradError, match=rf"Mine\.{name} takes .*, but is called as {name}"):
        made(base, **{name: method})


def test_names_of_ones_own_stay_free() -> None:
    class Kept(vg.Pass):
        """A pass with fields, a constant and methods of its own."""

        gain: float = 1.0
        limits: ClassVar[tuple[int, ...]] = (1, 2)

        def matches(self, n: vg.Node) -> bool:
            return n.op.name == "relu"

        def rewrites(self, graph: vg.Graph, *, verbose: bool = False) -> tuple[()]:
            return ()

        def _rewrite(self) -> None: ...

    class Heard(vg.Callback):
        def on_epoch(self, *args: object, **more: object) -> None: ...

        def report(self) -> str:
            return ""

    assert Kept().matches(vg.relu(vg.input("x", ())))
    assert Heard().report() == ""


HELPERS = [
    (vg.Pass, "apply_to match kind option cut names needs_relu"),
    (vg.Op, "value values_of take places field flops_of fused_op shape"),
    (vg.Optimizer, "kind value change updates_of put"),
    (vg.Regularizer, "penalty_of value"),
    (vg.Clip, "norm value"),
    (Schedule, "rate value at_end"),
    (vg.Callback, "log stop restore_from"),
    (vg.Initializer, "value sample_of"),
]


@pytest.mark.parametrize(("base", "names"), HELPERS, ids=lambda v: getattr(v, "__name__", ""))
def test_helpers_are_taken_for_no_hooks(base: type, names: str) -> None:
    for name in names.split():
        assert getattr(made(base, **{name: first}), name) is first


def test_a_class_that_was_refused_is_not_among_those_with_names() -> None:
    kept = []
    for base, body in (
        (vg.Pass, {"name": "refused", "rewrite": first}),
        (vg.Pass, {"name": "refused", "rewrites": 3}),
        (vg.Regularizer, {"name": "refused", "penality": first}),
    ):
        with pytest.raises(vg.VerigradError) as e:
            made(base, **body)
        kept.append(e)
    assert "refused" not in vg.Pass.kinds() and "refused" not in vg.Value.kinds()


class Mixed:
    """What passes share, in a class of its own."""

    def rewrite(self, g: vg.Graph) -> tuple[()]:
        return ()


def test_a_misspelled_method_that_is_mixed_in_is_refused() -> None:
    with pytest.raises(vg.PassError, match=r"Mine\.rewrite: nothing reads it.*'rewrites'"):
        type("Mine", (Mixed, vg.Pass), {"__module__": __name__})


def test_what_is_mixed_in_behind_ours_is_not_looked_at() -> None:
    class Behind:
        def state(self, key: str) -> str:
            return key

    assert type("Mine", (vg.Callback, Behind), {"__module__": __name__})().state() == {}


def test_a_fact_may_be_worked_out_from_options() -> None:
    @dataclass(frozen=True)
    class Careful(vg.Pass):
        exact: bool = True
        repeated: bool = field(default=True)

        @cached_property
        def needs(self) -> tuple[str, ...]:  # type: ignore[override]
            return ("forward",) if self.exact else ()

        def rewrites(self, g: vg.Graph) -> tuple[()]:
            return ()

    assert vg.Pipeline([Careful(exact=False)]).names == ("careful",)


@pytest.mark.parametrize(
    ("base", "name", "value", "said"),
    [
        (vg.Pass, "rewrites", (), "rewrites is (), where a method is expected"),
        (vg.Op, "vjp", None, "vjp is None, where a method is expected"),
        (vg.Pass, "needs", "forward", "needs is 'forward', where a tuple such as"),
        (vg.Pass, "repeated", "yes", "repeated is 'yes', where True or False is expected"),
        (vg.Pass, "defining", first, "defining is a method, where True or False is expected"),
        (vg.Pass, "numbers", "reasociate", "numbers is 'reasociate', where one of nothing, reasso"),
        (vg.Pass, "name", "my pass", "name is 'my pass', where a name such as 'my_pass'"),
        (vg.Op, "inplace", 0, "inplace is 0, where a tuple such as"),
        (vg.Op, "elementwise", 1, "elementwise is 1, where True or False is expected"),
        (vg.Callback, "on_step", 3, "on_step is 3, where a method is expected"),
    ],
    ids=lambda v: v if isinstance(v, str) and v.isidentifier() else "",
)
def test_a_value_of_another_kind_is_refused(
    base: type, name: str, value: object, said: str
) -> None:
    with pytest.raises(vg.VerigradError, match=re.escape(f"Mine.{said}")):
        made(base, **{name: value})


@dataclass(frozen=True)
class Idle(vg.Pass):
    """A pass whose one method is not one that a pass is asked for."""

    def transform(self, g: vg.Graph) -> vg.Graph:
        return g


def test_a_pass_that_does_nothing_is_refused() -> None:
    with pytest.raises(vg.PassError, match="Idle does nothing: it gives neither `rewrites"):
        vg.TRAINING.insert(Idle(), after="simplify")


# ---- attributes and options -----------------------------------------------------------------


@pytest.fixture
def program() -> vg.Program:
    loss = vg.mean(vg.square(vg.dense(vg.input("x", ("N", 2)), 1, name="fc1")))
    return vg.compile(vg.Graph("net", loss=loss), optimizer=vg.Momentum(0.1))


ATTRIBUTES: list[tuple[Callable[[vg.Program], object], str, str]] = [
    (lambda p: p, "lr", "the rate is the optimizer's"),
    (lambda p: p, "backend", r"program\.but\(backend=\.\.\.\) makes another"),
    (lambda p: p, "seed", r"program\.but\(seed=\.\.\.\) makes another"),
    (lambda p: p, "fc1.weight", r"program\.parameters\['fc1.weight'\] = array"),
    (lambda p: p, "fc1.weight.velocity", r"program\.state\['fc1.weight.velocity'\] = array"),
    (lambda p: p, "parameters", r"program\.parameters\['fc1.weight'\] = array"),
    (lambda p: p, "anything", r"vg\.compile makes another"),
    (lambda p: p.parameters, "w", r"program\.parameters\['w'\] = array"),
    (lambda p: p.state, "step", r"program\.state\['step'\] = array"),
    (lambda p: p.plan(N=2), "nbytes", r"program\.plan\(N=\.\.\.\) gives another"),
    (lambda p: p.training, "outputs", r"g\.but\(outputs=\.\.\.\) makes another"),
    (lambda p: p.training, "nodes", r"g\.replace\(\.\.\.\) make others"),
    (lambda p: p.training.order[0], "name", r"use Graph\.replace"),
    (lambda p: p.options.pipeline, "passes", "insert, without and with_options make other"),
    (lambda p: p.options.optimizer, "lr", r"\.but\(lr=\.\.\.\), and compile with it"),
]


@pytest.mark.parametrize(("of", "name", "said"), ATTRIBUTES, ids=lambda v: v)
def test_an_attribute_that_nothing_would_read_is_not_set(
    of: Callable[[vg.Program], object], name: str, said: str, program: vg.Program
) -> None:
    holder = of(program)
    for error in (vg.VerigradError, AttributeError):
        with pytest.raises(error, match=said):
            setattr(holder, name, 0.5)
    with pytest.raises(AttributeError):
        delattr(holder, name)
    program.step(x=[[1.0, 2.0]])
    assert program.metadata == {}


def test_options_that_there_are_not_are_refused() -> None:
    dropout = next(p for p in vg.TRAINING if p.name == "insert_dropout")
    with pytest.raises(vg.PassError, match=r"option of [a-z_]+ 'sed'"):
        dropout.but(sed=1)
    with pytest.raises(vg.VerigradError, match="'rate' is unknown"):
        vg.SGD(0.1).but(rate=0.2)
    with pytest.raises(vg.PassError, match="'simplfy' in the pipeline; did you mean 'simplify'"):
        vg.TRAINING.without("simplfy")
    with pytest.raises(vg.PassError, match="'simplfy' in the pipeline; did you mean 'simplify'"):
        vg.TRAINING.insert(dropout, after="simplfy")


# ---- errors within a pass -------------------------------------------------------------------


@dataclass(frozen=True)
class Fails(vg.Pass):
    def apply(self, g: vg.Graph) -> vg.Graph:
        return g.but(outputs={"y": 1 / 0})


def test_an_error_within_a_pass_is_one_error() -> None:
    x, w = vg.input("x", ("N",)), vg.parameter("w", ())
    lost = vg.Graph("g", {"y": x * w}, loss=vg.mean(x))
    cases = [
        (lost, vg.TRAINING, vg.GraphError, "the loss does not reach the parameter 'w'"),
        (
            vg.Graph("g", loss=vg.mean(x * w)),
            vg.TRAINING.insert(Fails(), before="differentiate"),
            vg.PassError,
            "the pass fails failed with ZeroDivisionError: division by zero",
        ),
    ]
    for g, pipeline, error, said in cases:
        with pytest.raises(error, match=said) as e:
            vg.compile(g, pipeline=pipeline)
        shown = "".join(traceback.format_exception(e.value))
        assert shown.count("Traceback") == 1
        assert shown.rindex("in the pass" if g is lost else "after") > shown.index(said)
    assert "test_without_effect.py" in str(e.value) and "1 / 0" in str(e.value)


@dataclass(frozen=True)
class Yields(vg.Pass):
    what: Any = None

    def rewrites(self, g: vg.Graph) -> Any:
        yield self.what


@pytest.mark.parametrize("what", [3, None, "relu", (1, 2, 3), vg.input("x", ("N",))], ids=str)
def test_what_is_no_rewrite_is_refused_by_name(what: object) -> None:
    g = vg.Graph("g", {"y": vg.relu(vg.input("x", ("N",)))})
    pipeline = vg.INFERENCE.insert(Yields(what), after="simplify")
    with pytest.raises(vg.PassError, match=r"where vg.Rewrite\(old, new.*\n  in the pass yields"):
        vg.compile(g, inference_pipeline=pipeline)


@dataclass(frozen=True)
class Untied(vg.Pass):
    """Takes the second of two products for the first."""

    needs: ClassVar[tuple[str, ...]] = ("forward",)
    numbers = "meaning"

    def rewrites(self, g: vg.Graph) -> Any:
        products = [n for n in g.order if n.op.name == "multiply"]
        if len(products) == 2:
            yield vg.Rewrite(products[1], products[0], "for a test")


def test_a_parameter_that_a_pass_takes_away_stays_and_has_no_gradient() -> None:
    x, w, v = vg.input("x", ("N",)), vg.parameter("w", (), "ones"), vg.parameter("v", (), "ones")
    g = vg.Graph("g", loss=vg.mean(x * w) + vg.mean(x * v))
    pipeline = vg.TRAINING.insert(Untied(), before="differentiate")
    inference = vg.INFERENCE.insert(Untied(), before="fold_constants")
    program = vg.compile(g, optimizer=vg.SGD(0.1), pipeline=pipeline, inference_pipeline=inference)
    assert program.gradients(x=[1.0, 3.0]) == (4.0, {"w": 4.0})
    program.step(x=[1.0, 3.0])
    assert program.parameters["v"] == 1.0


@pytest.mark.parametrize(
    "option", [{"regularizer": vg.L2(0.1)}, {"dropout": vg.Dropout(keep=0.5)},
               {"clip": vg.ClipNorm(1.0)}, {"optimizer": vg.SGD(0.1)}], ids=lambda o: next(iter(o))
)  # fmt: skip
def test_what_only_training_reads_is_refused_without_a_loss(option: dict[str, Any]) -> None:
    g = vg.Graph("g", {"y": vg.dense(vg.input("x", ("N", 2)), 1)})
    with pytest.raises(vg.GraphError, match=f"no loss to optimize, so {next(iter(option))} has no"):
        vg.compile(g, **option)
