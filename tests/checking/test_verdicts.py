"""PASS, FAIL and INCONCLUSIVE: what each takes, and how the report says it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from kinked import Skewed, batch, lines, net

import verigrad as vg
from verigrad.runtime.checking.numeric import derivative, one_sided

SMOOTH = {"tanh": vg.tanh, "sigmoid": vg.sigmoid, "gelu": vg.gelu, "softplus": vg.softplus}


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("seed", range(3))
def test_smooth_nets_pass(name: str, seed: int, rng: np.random.Generator) -> None:
    report = vg.gradcheck(net(SMOOTH[name]), batch(rng), regularizer=vg.L2(0.7), seed=seed)
    assert (report.verdict, report.ok, report.faults) == ("PASS", True, ())
    assert report.max_relative_error < 1e-7
    assert [(r.failed, r.inconclusive, r.kinks) for r in report.rows] == [(0, 0, 0)] * 4


@pytest.mark.parametrize("wrong", [0.0005, -0.0005, -2.0])
def test_a_wrong_gradient_fails(wrong: float, rng: np.random.Generator) -> None:
    report = vg.gradcheck(net(lambda h: vg.apply(Skewed(wrong=wrong), h)), batch(rng))
    assert (report.verdict, report.ok) == ("FAIL", False)
    assert {r.name: r.failed for r in report.rows} == {
        "fc1.weight": 30, "fc1.bias": 5, "fc2.weight": 0, "fc2.bias": 0
    }  # fmt: skip
    assert "(30 wrong)  <- FAIL" in lines(report, "fc1.weight")[0]


@pytest.mark.parametrize(("offset", "wrong"), [(1e9, 0.0), (1e12, 0.0), (1e12, 0.0005)])
def test_a_loss_that_drowns_in_rounding_is_inconclusive(
    offset: float, wrong: float, rng: np.random.Generator
) -> None:
    act = lambda h: vg.apply(Skewed(wrong=wrong), h)  # noqa: E731
    report = vg.gradcheck(net(act, offset), batch(rng))
    assert (report.verdict, report.ok, bool(report)) == ("INCONCLUSIVE", False, False)
    text = str(report)
    assert "PASS" not in text and "FAIL" not in text
    assert "open)  <- INCONCLUSIVE" in lines(report, "fc2.weight")[0]
    assert "the numeric derivative may itself be off by" in lines(report, "inconclusive:")[0]


def test_an_offset_that_leaves_enough_digits_passes(rng: np.random.Generator) -> None:
    assert vg.gradcheck(net(vg.tanh, 1e3), batch(rng)).verdict == "PASS"


def test_what_is_wrong_by_more_than_the_rounding_fails_all_the_same(
    rng: np.random.Generator,
) -> None:
    act = lambda h: vg.apply(Skewed(wrong=0.0005), h)  # noqa: E731
    report = vg.gradcheck(net(act, 1e6), batch(rng))
    assert report.verdict == "FAIL"
    assert lines(report, "guilty:")[0].startswith("guilty: %fc1.checking_skewed at [")


@pytest.mark.parametrize("strength", [0.0, 0.7])
def test_a_bias_in_front_of_batch_norm_passes(strength: float, rng: np.random.Generator) -> None:
    g = net(lambda h: vg.relu(vg.batch_norm(h, name="bn1")))
    report = vg.gradcheck(g, batch(rng), regularizer=vg.L2(strength))
    assert report.verdict == "PASS", report
    bias = next(r for r in report.rows if r.name == "fc1.bias")
    assert abs(bias.symbolic) < 1e-14 and bias.error < 1e-6


def test_a_gradient_that_is_small_and_wrong_is_not_taken_for_0(rng: np.random.Generator) -> None:
    g = net(lambda h: vg.apply(Skewed(wrong=0.0005), h * 1e-3))
    assert vg.gradcheck(g, batch(rng)).verdict == "FAIL"


def test_the_report_of_a_failure(rng: np.random.Generator) -> None:
    g = net(lambda h: vg.apply(Skewed(wrong=0.5, at=(3, 2)), h), rows=4)
    report = vg.gradcheck(g, batch(rng), entries=6)
    head, titles, *_ = str(report).splitlines()
    assert head == "gradient check of net, in f64"
    assert (
        " ".join(titles.split())
        == "parameter max error relative to at symbolic numeric step checked"
    )
    assert lines(report, "fc1.bias")[0].endswith("5 of 5 (1 wrong)  <- FAIL")
    assert lines(report, "fc2.weight")[0].endswith("6 of 15")
    assert lines(report, "FAIL:") == [
        f"FAIL: largest error {report.max_relative_error:.2e}, allowed 1e-06"
    ]
    assert [s.split(":")[1] for s in lines(report, "guilty:")] == [" %fc1.checking_skewed at [3,2]"]


def test_clipping_is_left_out_as_it_is_of_what_gradients_shows(rng: np.random.Generator) -> None:
    clipping = vg.TRAINING.with_options({"clip": vg.ClipNorm(1e-3)})
    assert vg.gradcheck(net(vg.tanh), batch(rng), pipeline=clipping).ok


def test_the_check_leaves_no_trace(rng: np.random.Generator) -> None:
    feeds = batch(rng)
    kept = {name: a.copy() for name, a in feeds.items()}
    values = {"fc1.bias": np.zeros(5)}
    first = str(vg.gradcheck(net(vg.relu), feeds, parameters=values))
    assert str(vg.gradcheck(net(vg.relu), feeds, parameters=values)) == first
    assert not values["fc1.bias"].any()
    assert all((feeds[name] == a).all() for name, a in kept.items())


def test_derivatives_know_their_own_error() -> None:
    for f, expected in ((math.exp, 1.0), (math.sin, 1.0), (lambda h: 1e6 + math.exp(h), 1.0)):
        for n in (derivative(f), one_sided(f, 1), one_sided(f, -1)):
            assert abs(n.value - expected) <= 10 * n.error
            assert n.error < 1e-6 * (1 if f(0.0) < 2 else 1e3)


def test_one_sided_derivatives_of_a_kink() -> None:
    f = lambda h: max(h, 0.0) + math.exp(h)  # noqa: E731
    assert one_sided(f, 1).value == pytest.approx(2.0, abs=1e-9)
    assert one_sided(f, -1).value == pytest.approx(1.0, abs=1e-9)
