"""What optimizers take: positions, names, NumPy's numbers, groups; and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from smooth_net import Update, batch, by_hand, net, trained, worst

import verigrad as vg
from verigrad.graph.text.attributes import Reader, print_value
from verigrad.passes.methods.optimizers import DIALECTS

KINDS = (vg.SGD, vg.Momentum, vg.Nesterov, vg.AdaGrad, vg.RMSProp, vg.Adam, vg.AdamW)

POSITIONS = [
    (vg.SGD(0.5), {"lr": 0.5}),
    (vg.Momentum(0.5, 0.8), {"lr": 0.5, "rho": 0.8}),
    (vg.Nesterov(0.5, 0.8, False), {"lr": 0.5, "rho": 0.8, "lookahead": False}),
    (vg.AdaGrad(0.5, 1e-4), {"lr": 0.5, "eps": 1e-4}),
    (
        vg.RMSProp(0.5, 0.95, 1e-4, True),
        {"lr": 0.5, "decay": 0.95, "eps": 1e-4, "centered": True},
    ),
    (
        vg.Adam(0.5, 0.8, 0.99, 1e-4, False),
        {"lr": 0.5, "beta1": 0.8, "beta2": 0.99, "eps": 1e-4, "bias_correction": False},
    ),
    (
        vg.AdamW(0.5, 0.8, 0.99, 1e-4, False, weight_decay=0.2),
        {
            "lr": 0.5,
            "beta1": 0.8,
            "beta2": 0.99,
            "eps": 1e-4,
            "bias_correction": False,
            "weight_decay": 0.2,
        },
    ),
]


@pytest.mark.parametrize(("optimizer", "fields"), POSITIONS, ids=lambda v: getattr(v, "name", ""))
def test_the_documented_order(optimizer: vg.Optimizer, fields: dict[str, object]) -> None:
    assert {name: getattr(optimizer, name) for name in fields} == fields
    assert optimizer == type(optimizer)(**fields)


def test_the_defaults_are_the_courses() -> None:
    assert vg.Momentum(0.1).rho == 0.9
    assert (vg.Nesterov(0.1).rho, vg.Nesterov(0.1).lookahead) == (0.9, True)
    assert (vg.AdaGrad(0.1).eps, vg.AdaGrad(0.1).start, vg.AdaGrad(0.1).lr_decay) == (1e-7, 0, 0)
    rmsprop, adam = vg.RMSProp(0.1), vg.Adam(0.1)
    assert (rmsprop.decay, rmsprop.eps, rmsprop.centered) == (0.99, 1e-7, False)
    assert (adam.beta1, adam.beta2, adam.eps, adam.bias_correction) == (0.9, 0.999, 1e-7, True)
    assert all(kind(0.1).dialect == "course" for kind in KINDS)
    assert all(kind(0.1).weight_decay == 0 for kind in KINDS[:-1])


@pytest.mark.parametrize("number", [np.float32(0.1), np.float64(0.1), np.array(0.1), np.int64(1)])
def test_numbers_of_numpy_are_held_as_pythons(number: object) -> None:
    for kind in KINDS:
        optimizer = kind(number, weight_decay=number, groups=[vg.Group("*", number)])
        assert type(optimizer.lr) is type(number.item())
        assert optimizer.lr == optimizer.weight_decay == optimizer.groups[0].lr == number
        assert Reader(print_value(optimizer)).value() == optimizer
    adam = vg.Adam(lr=0.1, beta1=np.float32(0.5), eps=np.float64(1e-3), bias_correction=np.True_)
    assert [type(v) for v in (adam.beta1, adam.eps, adam.bias_correction)] == [float, float, bool]
    schedule = vg.schedules.cosine(np.float32(0.5), steps=np.int64(10))
    assert (type(schedule.lr), type(schedule.steps)) == (float, int)


@pytest.mark.parametrize("bad", [-0.1, float("nan"), float("inf"), True, "0.1", None])
def test_a_rate_is_a_number_from_0_or_a_schedule(bad: object) -> None:
    for kind in KINDS:
        with pytest.raises(vg.GraphError, match="lr is"):
            kind(bad)
    if bad is not None:
        with pytest.raises(vg.GraphError, match="lr is"):
            vg.Group("*", lr=bad)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (vg.Momentum, "rho"),
        (vg.Nesterov, "rho"),
        (vg.RMSProp, "decay"),
        (vg.RMSProp, "momentum"),
        (vg.Adam, "beta1"),
        (vg.AdamW, "beta2"),
    ],
)
@pytest.mark.parametrize("bad", [1.0, 1.5, -0.1, float("nan"), "0.9", None, True])
def test_a_decay_is_below_1(kind: type, name: str, bad: object) -> None:
    with pytest.raises(vg.GraphError, match=f"{name} is .*below 1"):
        kind(0.1, **{name: bad})


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (vg.AdaGrad, "eps"),
        (vg.RMSProp, "eps"),
        (vg.Adam, "eps"),
        (vg.Adam, "eps_root"),
        (vg.AdaGrad, "start"),
        (vg.AdaGrad, "lr_decay"),
        (vg.Momentum, "dampening"),
        (vg.SGD, "weight_decay"),
        (vg.AdamW, "weight_decay"),
    ],
)
@pytest.mark.parametrize("bad", [-1e-8, float("nan"), float("inf"), "1e-8", False])
def test_eps_and_its_like_are_numbers_from_0(kind: type, name: str, bad: object) -> None:
    with pytest.raises(vg.GraphError, match=f"{name} is"):
        kind(0.1, **{name: bad})


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (vg.Nesterov, {"lookahead": 1}),
        (vg.RMSProp, {"centered": "yes"}),
        (vg.RMSProp, {"rate_is": "somewhere"}),
        (vg.Adam, {"bias_correction": 0}),
        (vg.Adam, {"eps_hat": None}),
        (vg.Adam, {"eps_inside": 2}),
        (vg.Adam, {"first": 2}),
        (vg.Momentum, {"rate_is": "within"}),
        (vg.SGD, {"groups": ["*.bias"]}),
        (vg.SGD, {"groups": "*.bias"}),
    ],
)
def test_a_choice_is_one_of_its_values(kind: type, fields: dict[str, object]) -> None:
    (name,) = fields
    with pytest.raises(vg.GraphError, match=f"{name} is"):
        kind(0.1, **fields)


def test_unknown_dialects_and_arguments_are_refused() -> None:
    for kind in KINDS:
        with pytest.raises(vg.GraphError, match=r"dialect is 'keras'.*course, cs231n, torch"):
            kind(0.1, dialect="keras")
        with pytest.raises(TypeError, match="'epsilon' is unknown"):
            kind(0.1, epsilon=1e-8)
        with pytest.raises(TypeError, match="lr"):
            kind()


def test_the_first_group_that_matches_counts() -> None:
    groups = [vg.Group("fc1.*", lr=0.0), vg.Group("*.weight", lr=0.2), vg.Group("fc1.bias", 0.5)]
    start, after = trained(vg.SGD(0.1, groups=groups[:2]))
    for name in ("fc1.weight", "fc1.bias"):
        np.testing.assert_array_equal(after[-1][name], start[name])
    optimizer = vg.SGD(0.1, groups=groups)
    rates = {name: optimizer.for_parameter(name).lr for name in start}
    assert rates == {"fc1.weight": 0.0, "fc1.bias": 0.0, "fc2.weight": 0.2, "fc2.bias": 0.1}
    assert vg.SGD(0.1, groups=groups[0]) == vg.SGD(0.1, groups=groups[:1])


def test_a_group_may_have_a_schedule_or_a_decay_of_its_own() -> None:
    everywhere = vg.Group("*", lr=vg.schedules.exponential(0.2, 0.98), weight_decay=0.05)
    start, after = trained(vg.SGD(7.0, groups=(everywhere,)))

    def make() -> Update:
        return lambda w, g, t: w - 0.2 * 0.98 ** (t - 1) * (g + 0.05 * w)

    assert worst(after, by_hand(start, make)) < 1e-11


def test_a_pattern_without_a_match_is_an_error() -> None:
    optimizer = vg.SGD(0.1, groups=(vg.Group("*.bias", lr=0.1), vg.Group("fc9.*", lr=0.1)))
    with pytest.raises(vg.GraphError, match=r"no parameter matches the group 'fc9\.\*'.*fc1\.bias"):
        vg.compile(net(), optimizer=optimizer)


def test_centered_variance_is_never_below_0() -> None:
    """A gradient that stays the same leaves a variance that rounding may take below 0."""
    w = vg.parameter("w", (50,), init="ones")
    x = vg.input("x", (50,))
    g = vg.Graph("g", loss=vg.sum(w * x))
    program = vg.compile(g, optimizer=vg.RMSProp(1e-6, 0.5, eps=1e-3, centered=True))
    feeds = {"x": np.linspace(0.1, 3.7, 50, dtype=np.float32)}
    for _ in range(300):
        program.step(feeds)
    assert np.isfinite(program.parameters["w"]).all()


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_adamw_updates_the_parameter_in_place(dtype: str) -> None:
    plans = [
        vg.compile(net(), optimizer=kind(0.01), dtype=dtype).plan(N=8)
        for kind in (vg.Adam, vg.AdamW)
    ]
    assert plans[0].nbytes == plans[1].nbytes


def test_every_dialect_runs_in_f32_as_in_f64() -> None:
    for kind in KINDS:
        for dialect in DIALECTS:
            optimizer = kind(0.001, dialect=dialect)
            single = vg.compile(net(), optimizer=optimizer)
            double = vg.compile(net(), optimizer=optimizer, dtype="f64")
            for name in single.parameters:
                double.parameters[name] = single.parameters[name]
            for step in range(5):
                assert single.step(batch(step)) == pytest.approx(double.step(batch(step)), rel=1e-4)
