"""Schedules against their formulas, against PyTorch, and as nodes of the step counter."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
from smooth_net import batch, net

import verigrad as vg

s = vg.schedules
STEPS = 100


def one_cycle(t: int, lr: float, steps: int, rise: float, div: float, final_div: float) -> float:
    top, end = rise * steps - 1, steps - 1
    low, last = lr / div, lr / div / final_div
    if t <= top:
        return low + (lr - low) * (1 - math.cos(math.pi * t / top)) / 2
    return last + (lr - last) * (1 + math.cos(math.pi * (t - top) / (end - top))) / 2


FORMULAS: dict[str, tuple[vg.schedules.Schedule, Callable[[int], float]]] = {
    "constant": (s.constant(0.3), lambda t: 0.3),
    "step": (s.step(0.3, 7), lambda t: 0.3 * 0.1 ** (t // 7)),
    "step by half": (s.step(0.3, every=30, factor=0.5), lambda t: 0.3 * 0.5 ** (t // 30)),
    "exponential": (s.exponential(0.3, 0.95), lambda t: 0.3 * 0.95**t),
    "exponential up": (s.exponential(1e-3, 1.05), lambda t: 1e-3 * 1.05**t),
    "inverse": (s.inverse(0.3, 0.1), lambda t: 0.3 / (1 + 0.1 * t)),
    "inverse of nothing": (s.inverse(0.3, 0), lambda t: 0.3),
    "cosine": (
        s.cosine(0.3, 60),
        lambda t: 0.3 * (1 + math.cos(math.pi * min(t, 60) / 60)) / 2,
    ),
    "cosine to": (
        s.cosine(0.3, steps=60, final=0.02),
        lambda t: 0.02 + 0.28 * (1 + math.cos(math.pi * min(t, 60) / 60)) / 2,
    ),
    "warmup": (s.warmup(0.3, 10), lambda t: 0.3 * min(t + 1, 10) / 10),
    "warmup of one": (s.warmup(0.3, 1), lambda t: 0.3),
    "warmup of cosine": (
        s.warmup(s.cosine(0.3, steps=60), steps=10),
        lambda t: (
            0.3 * (t + 1) / 10
            if t < 10
            else 0.3 * (1 + math.cos(math.pi * min(t - 10, 60) / 60)) / 2
        ),
    ),
    "warmup of warmup": (
        s.warmup(s.warmup(s.inverse(0.3, 0.1), 5), 10),
        lambda t: (
            0.3 * (t + 1) / 10 / 5
            if t < 10
            else 0.3 * min(t - 9, 5) / 5 / (1 + 0.1 * max(t - 15, 0))
        ),
    ),
    "one_cycle": (s.one_cycle(0.3, 100), lambda t: one_cycle(t, 0.3, 100, 0.3, 25.0, 1e4)),
    "one_cycle of": (
        s.one_cycle(0.3, 90, 0.4, 10, 100),
        lambda t: one_cycle(min(t, 89), 0.3, 90, 0.4, 10, 100),
    ),
}


def close(found: np.ndarray, expected: Any) -> bool:
    """Whether rates agree to 1e-12; cosines near 0 to that share of the largest rate."""
    expected = np.asarray(expected)
    off = np.abs(found - expected).max() / np.abs(expected).max()
    return found.shape == expected.shape and bool(off < 1e-12)


@pytest.mark.parametrize("case", FORMULAS)
def test_rates_are_the_formula(case: str) -> None:
    schedule, formula = FORMULAS[case]
    expected = [formula(t) for t in range(STEPS)]
    assert close(schedule.rates(STEPS), expected)
    assert close(schedule.rates(STEPS - 40, start=40), expected[40:])


@pytest.mark.parametrize("case", FORMULAS)
@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_a_step_takes_the_rate_of_its_number_rounded_once(case: str, dtype: str) -> None:
    """On loss = -w, each step adds the rate: w from 0 is the rate itself."""
    schedule, _ = FORMULAS[case]
    w = vg.parameter("w", (1,), init="zeros")
    g = vg.Graph("g", loss=-vg.sum(w))
    program = vg.compile(g, optimizer=vg.SGD(schedule), dtype=dtype)
    expected, taken = schedule.rates(STEPS), []
    for _ in range(STEPS):
        program.parameters["w"] = np.zeros(1)
        program.step()
        taken.append(program.parameters["w"][0])
    if dtype == "f32":
        np.testing.assert_array_max_ulp(np.array(taken), expected.astype(np.float32), maxulp=1)
    else:
        assert close(np.array(taken), expected)


def test_the_rate_is_computed_in_f64_and_cast_once() -> None:
    """Every parameter reads one and the same f32 scalar; all before it is f64."""
    g = vg.compile(net(), optimizer=vg.SGD(s.warmup(s.cosine(0.1, 50), 5))).training
    rates = {n.inputs[2] for n in g.order if n.op.name == "descend"}
    assert len(rates) == 1
    (rate,) = rates
    assert (rate.op.name, str(rate.type)) == ("cast", "f32[]")
    before, seen = [*rate.inputs], set()
    while before:
        n = before.pop()
        if n not in seen:
            seen.add(n)
            assert n.type.shape == ()
            assert n.type.dtype in ("f64", "i64", "bool")
            before += n.inputs
    assert {g.names[n] for n in seen if n.op.name == "state"} == {"step"}


@pytest.mark.parametrize(
    "kind", [vg.SGD, vg.Momentum, vg.Nesterov, vg.AdaGrad, vg.RMSProp, vg.Adam, vg.AdamW]
)
def test_a_constant_schedule_is_the_number(kind: type) -> None:
    pair = [vg.compile(net(), optimizer=kind(lr), dtype="f64") for lr in (0.01, s.constant(0.01))]
    for step in range(20):
        losses = [program.step(batch(step)) for program in pair]
        assert losses[0] == pytest.approx(losses[1], rel=1e-13)


# ---- against PyTorch ------------------------------------------------------------------------


def by_torch(torch: Any, make: Callable[[Any, Any], Any], lr: float, steps: int) -> list[float]:
    """The rates that an optimizer of PyTorch's has at each step under a scheduler."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr)
    scheduler = make(torch.optim.lr_scheduler, optimizer)
    found = []
    for _ in range(steps):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return found


def sequence(all_of: Any, o: Any) -> Any:
    """LinearLR reaches the rate at step 9; CosineAnnealingLR takes over at step 10."""
    parts = [
        all_of.LinearLR(o, start_factor=1 / 10, total_iters=9),
        all_of.CosineAnnealingLR(o, T_max=80),
    ]
    return all_of.SequentialLR(o, parts, milestones=[10])


TORCH: dict[str, tuple[vg.schedules.Schedule, Callable[[Any, Any], Any], int]] = {
    "StepLR": (s.step(0.3, 7), lambda m, o: m.StepLR(o, 7), 100),
    "StepLR by half": (s.step(0.3, 30, 0.5), lambda m, o: m.StepLR(o, 30, gamma=0.5), 100),
    "ExponentialLR": (s.exponential(0.3, 0.97), lambda m, o: m.ExponentialLR(o, 0.97), 100),
    "CosineAnnealingLR": (s.cosine(0.3, 80), lambda m, o: m.CosineAnnealingLR(o, 80), 81),
    "CosineAnnealingLR to": (
        s.cosine(0.3, 80, 0.01),
        lambda m, o: m.CosineAnnealingLR(o, 80, eta_min=0.01),
        81,
    ),
    "LinearLR": (
        s.warmup(0.3, 10),
        lambda m, o: m.LinearLR(o, start_factor=1 / 10, total_iters=9),
        100,
    ),
    "SequentialLR": (s.warmup(s.cosine(0.3, 80), 10), sequence, 91),
    "OneCycleLR": (
        s.one_cycle(0.3, 100),
        lambda m, o: m.OneCycleLR(o, 0.3, total_steps=101, cycle_momentum=False),
        100,
    ),
    "OneCycleLR of": (
        s.one_cycle(0.3, 80, rise=0.45, div=10.0, final_div=50.0),
        lambda m, o: m.OneCycleLR(
            o,
            0.3,
            total_steps=80,
            pct_start=0.45,
            div_factor=10.0,
            final_div_factor=50.0,
            cycle_momentum=False,
        ),
        79,
    ),
    "LambdaLR of 1/t": (
        s.inverse(0.3, 0.1),
        lambda m, o: m.LambdaLR(o, lambda t: 1 / (1 + 0.1 * t)),
        100,
    ),
}


@pytest.mark.parametrize("case", TORCH)
def test_rates_are_those_of_torch(torch: Any, case: str) -> None:
    schedule, make, steps = TORCH[case]
    if case == "OneCycleLR":  # its last step is counted, so that `scheduler.step` may follow it
        schedule = schedule.but(steps=101)
    assert close(schedule.rates(steps), by_torch(torch, make, 0.3, steps))


# ---- what they refuse -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: s.constant(-0.1), "lr"),
        (lambda: s.constant("0.1"), "lr"),
        (lambda: s.step(0.1, every=0), "every"),
        (lambda: s.step(0.1, every=10, factor=0), "factor"),
        (lambda: s.exponential(0.1, decay=float("nan")), "decay"),
        (lambda: s.inverse(0.1, decay=-1), "decay"),
        (lambda: s.inverse(True, decay=1), "lr"),
        (lambda: s.cosine(0.1, steps=0), "steps"),
        (lambda: s.cosine(0.1, steps=10, final=float("inf")), "final"),
        (lambda: s.cosine(0.1, steps=10, final=s.constant(0.1)), "final"),
        (lambda: s.warmup(0.1, steps=-5), "steps"),
        (lambda: s.warmup(-0.1, steps=5), "then"),
        (lambda: s.warmup(None, steps=5), "then"),
        (lambda: s.one_cycle(0.1, steps=10, rise=1.0), "rise"),
        (lambda: s.one_cycle(0.1, steps=10, rise=None), "rise"),
        (lambda: s.one_cycle(0.1, steps=10, div=0), "div"),
    ],
)
def test_what_is_no_schedule_is_refused(make: Callable[[], object], name: str) -> None:
    with pytest.raises(vg.GraphError, match=f"{name} is"):
        make()


def test_a_short_cycle_is_finite() -> None:
    for steps in range(1, 12):
        for rise in (0.05, 0.3, 0.5, 0.95):
            rates = s.one_cycle(0.3, steps=steps, rise=rise).rates(steps + 5)
            assert np.isfinite(rates).all(), (steps, rise)
            assert rates.min() >= 0
            assert rates.max() <= 0.3 * (1 + 1e-12)


class Soft(vg.schedules.Schedule):
    """A rate made by an op that takes a temporary."""

    name: ClassVar[str] = "soft"
    lr: float

    def at(self, step: vg.Node) -> vg.Node:
        return vg.softplus(step) * self.lr


def test_the_ops_of_a_schedule_may_take_temporaries() -> None:
    expected = 0.1 * np.log1p(np.exp(np.arange(2.0, 7.0)))
    np.testing.assert_allclose(Soft(0.1).rates(5, start=2), expected, rtol=1e-15)
