"""Typed code of a user: mypy and pyright accept the right calls, and no wrong one.

Every line that a type checker has to refuse says so; `make lint` holds that none is refused for
nothing. What is wrong to the checkers is an error of ours when it runs.
"""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import inspect
import pydoc
from collections.abc import Callable, Iterator
from typing import ClassVar

import numpy as np
import pytest

import verigrad as vg
from verigrad.graph import Array, op_function


class Shift(vg.Value):
    """A user's own record."""

    name: ClassVar[str] = "shift_of_a_typed_user"
    by: float
    times: int = 1


def test_right_calls_with_data() -> None:
    data = vg.data.digits(split_seed=1)
    x, y = vg.input("x", ("N", data.features)), vg.input("y", ("N",), dtype="i64")
    scores = vg.dense(vg.dense(data.scaling.of(x), 4, trainable=False), 10)
    net = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    program = vg.compile(net.freeze("fc1.*"), optimizer=vg.SGD(lr=0.1))
    program = program.but(net.unfreeze("*"), clip=vg.ClipNorm(1.0))

    def batches(epoch: int) -> Iterator[tuple[Array, Array]]:
        yield data.train.x, data.train.y + epoch

    def worst(true: Array, scores: Array) -> float:
        return float(np.abs(true - scores.argmax(axis=1)).max())

    vg.fit(program, batches, validation=data.validation, metrics=["f1", worst], epochs=1)
    vg.fit(program, [(data.train.x, data.train.y)], epochs=1)
    vg.fit(program, data.train, validation_split=0.1, metrics={"a": worst, "b": "f1"}, steps=1)
    value: float = vg.measure(program, data.test, metrics="auc").metrics["auc"]
    assert 0 <= value <= 1
    program.reset()
    with pytest.raises(TypeError):
        vg.data.csv("a.csv")  # type: ignore[call-arg]


def test_right_calls() -> None:
    x = vg.input("x", ("N", 8))
    y = vg.input("y", ("N",), dtype="i64")
    h = vg.relu(vg.dense(x, 16, init=vg.init.normal(0.01)))
    h = h * 2.0 + np.float64(1.0)
    scores = vg.dense(h, 3, name="fc2", init=vg.init.array(np.ones((16, 3))))
    loss = vg.softmax_cross_entropy(scores, y, label_smoothing=0.1)
    net = vg.Graph("net", {"scores": scores}, loss=loss)
    rate = vg.schedules.warmup(vg.schedules.cosine(0.1, steps=90, final=1e-3), steps=10)
    optimizers: list[vg.Optimizer] = [
        vg.SGD(0.1, weight_decay=1e-4),
        vg.Momentum(rate, 0.8, dampening=0.1, rate_is="inside"),
        vg.Nesterov(0.1, 0.9, False, dialect="torch"),
        vg.AdaGrad(lr=0.1, eps=1e-10, start=0.1),
        vg.RMSProp(0.1, 0.9, 1e-8, True, momentum=0.9),
        vg.Adam(1e-3, 0.9, 0.999, 1e-8, bias_correction=False, groups=[vg.Group("*.bias", lr=0.1)]),
        vg.AdamW(lr=1e-3, weight_decay=0.1, eps_inside=True),
    ]
    for optimizer in optimizers:
        program: vg.Program = vg.compile(
            net,
            optimizer=optimizer,
            regularizer=vg.ElasticNet(1e-5, l2=1e-4),
            dropout=vg.Dropout(keep=0.8, layers={"fc1": 0.5}, input=0.9, mode="vanilla"),
            clip=vg.ClipNorm(1.0),
        )
        assert program.step(x=np.ones((4, 8)), y=[0, 1, 2, 0]) > 0
    assert Shift(0.5).times == 1 and vg.TensorType("f32", ("N", 8)) == x.type


def test_right_operators() -> None:
    x = vg.input("x", ("N", 4))
    nodes: list[vg.Node] = [
        np.float32(2) * x,
        x - np.int64(2),
        2 / x,
        2**x,
        x**2,
        abs(x),
        x > 0,
        vg.where(x > 0, x, 0.0),
        vg.maximum(x, np.float32(0)),
        x[:, 0],
        x[..., None],
        x @ x.T,
        vg.sum(x, axes=1),
        vg.mean(x, -1, keepdims=True),
        vg.concat([x, x], axis=1),
        vg.concat(x, x, axis=1),
        *vg.grad(vg.sum(x), [x]),
    ]
    shape: tuple[int | str, ...] = x.shape
    dtype: str = x.dtype
    assert (shape, dtype) == (("N", 4), "f32") and len(nodes) == 17


WRONG: list[Callable[[], object]] = [
    lambda: vg.Adam(),  # type: ignore[call-arg]
    lambda: vg.Adam(lr=0.1, epsilon=1e-8),  # type: ignore[call-arg]
    lambda: vg.Adam(0.1, beta1="0.9"),  # type: ignore[arg-type]
    lambda: vg.SGD(0.1, 1e-4),  # type: ignore[call-arg]
    lambda: vg.Momentum(0.1, rate_is="within"),  # type: ignore[arg-type]
    lambda: vg.Nesterov(0.1, dialect="keras"),  # type: ignore[arg-type]
    lambda: vg.SGD(0.1, groups=["*.bias"]),  # type: ignore[list-item]
    lambda: vg.Group(),  # type: ignore[call-arg]
    lambda: vg.L2(),  # type: ignore[call-arg]
    lambda: vg.L2("much"),  # type: ignore[arg-type]
    lambda: vg.ElasticNet(0.1, strength=0.1),  # type: ignore[call-arg]
    lambda: vg.ClipNorm(limit=None),  # type: ignore[arg-type]
    lambda: vg.Dropout(0.5),  # type: ignore[call-arg]
    lambda: vg.Dropout(keep=0.5, mode="inverse"),  # type: ignore[arg-type]
    lambda: vg.schedules.cosine(0.1),  # type: ignore[call-arg]
    lambda: vg.init.normal(sigma=0.1),  # type: ignore[call-arg]
    lambda: vg.TensorType("f32", shape=5),  # type: ignore[arg-type]
    lambda: Shift(by=1.0, twice=2),  # type: ignore[call-arg]
    lambda: vg.relu("x"),  # type: ignore[arg-type]
    lambda: vg.sum(vg.input("x", (2,)), axis="rows"),  # type: ignore[arg-type]
    lambda: vg.Graph("g", vg.input("x", (2,))),  # type: ignore[arg-type]
    lambda: vg.grad(vg.input("x", ()), vg.input("y", ())),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("call", WRONG, ids=range(len(WRONG)))
def test_wrong_calls(call: Callable[[], object]) -> None:
    with pytest.raises(vg.GraphError):
        call()


def test_a_field_that_goes_by_name_says_how() -> None:
    with pytest.raises(TypeError, match=r"write Dropout\(keep=0.5\)"):
        vg.Dropout(0.5)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (vg.Momentum, "(lr, rho=0.9, *, rate_is='outside', dampening=0.0, weight_decay=0.0, "),
        (vg.AdaGrad, "(lr, eps=1e-07, start=0.0, lr_decay=0.0, *, eps_inside=False, weight_decay"),
        (vg.Adam, "(lr, beta1=0.9, beta2=0.999, eps=1e-07, bias_correction=True, eps_hat=False, "),
        (vg.Group, "(pattern, lr=None, weight_decay=None)"),
        (vg.ElasticNet, "(l1, l2)"),
        (vg.ClipValue, "(limit)"),
        (vg.Dropout, "(*, keep=1.0, layers={}, input=1.0, mode='inverted')"),
        (vg.schedules.one_cycle, "(lr, steps, rise=0.3, div=25.0, final_div=10000.0)"),
        (vg.init.normal, "(std=1.0, mean=0.0)"),
        (vg.init.array, "(value)"),
        (Shift, "(by, times=1)"),
    ],
)
def test_signatures_are_what_can_be_written(kind: type[vg.Record], shown: str) -> None:
    found = inspect.signature(kind)
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in found.parameters.values()]
    assert str(inspect.Signature(bare)).startswith(shown)
    assert f"{kind.__name__}{found}" in pydoc.plain(pydoc.render_doc(kind))


def test_the_function_of_an_op_names_inputs_and_attributes() -> None:
    @vg.op
    class Blend(vg.Op):
        """y = a share + b (1 - share)."""

        name: ClassVar[str] = "blend_of_a_typed_user"
        share: float = 0.5

        def run(self, a: Array, b: Array, *, out: Array) -> None:
            np.add(a * self.share, b * (1 - self.share), out=out)

    function = op_function("blend_of_a_typed_user")
    assert function is not None and function.__doc__ == Blend.__doc__
    shown = "(a: 'Operand', b: 'Operand', /, *, share: 'float' = 0.5, name: 'str | None' = None)"
    assert str(inspect.signature(function)).startswith(shown)
    assert str(inspect.signature(vg.tanh)).startswith("(x: 'Operand', *, name")
