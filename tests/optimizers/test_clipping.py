"""Clipping bounds what the optimizer reads, as PyTorch does, and nothing that is shown."""

from __future__ import annotations

import decimal
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from smooth_net import Values, batch, gradients, net, trained, worst

import verigrad as vg
from verigrad.runtime.files import program_file

CLIPS = [vg.ClipValue(0.01), vg.ClipNorm(0.1)]


def hand_clipped(clip: vg.Clip, g: Values) -> tuple[Values, bool]:
    """The clipped gradients, and whether any of them is another."""
    if isinstance(clip, vg.ClipValue):
        found = {name: np.clip(a, -clip.limit, clip.limit) for name, a in g.items()}
    else:
        norm = np.sqrt(sum(float((a * a).sum()) for a in g.values()))
        found = {name: a * min(1.0, clip.limit / (norm + 1e-6)) for name, a in g.items()}
    return found, any((found[name] != g[name]).any() for name in g)


@pytest.mark.parametrize("clip", CLIPS, ids=lambda c: c.name)
def test_the_optimizer_reads_the_clipped_gradients(clip: vg.Clip) -> None:
    start, after = trained(vg.SGD(0.3), clip=clip)
    p, expected, clipped = dict(start), [], []
    for step in range(100):
        g, other = hand_clipped(clip, gradients(p, batch(step)))
        clipped.append(other)
        p = {name: p[name] - 0.3 * g[name] for name in p}
        expected.append(p)
    assert worst(after, expected) < 1e-11
    assert any(clipped)


@pytest.mark.parametrize("clip", CLIPS, ids=lambda c: c.name)
@pytest.mark.parametrize("optimizer", [vg.SGD(0.3), vg.Momentum(0.1), vg.Adam(0.01)])
def test_a_hundred_steps_end_where_torch_does(
    torch: Any, clip: vg.Clip, optimizer: vg.Optimizer
) -> None:
    start, after = trained(optimizer.but(weight_decay=0.01), clip=clip)
    p = {name: torch.tensor(w, requires_grad=True) for name, w in start.items()}
    make: dict[str, Any] = {
        "sgd": lambda: torch.optim.SGD(p.values(), 0.3, weight_decay=0.01),
        "momentum": lambda: torch.optim.SGD(p.values(), 0.1, momentum=0.9, weight_decay=0.01),
        "adam": lambda: torch.optim.Adam(p.values(), 0.01, eps=1e-7, weight_decay=0.01),
    }
    theirs, expected = make[optimizer.name](), []
    for step in range(100):
        feeds = {k: torch.tensor(v) for k, v in batch(step).items()}
        theirs.zero_grad()
        h = torch.tanh(feeds["x"] @ p["fc1.weight"] + p["fc1.bias"])
        scores = h @ p["fc2.weight"] + p["fc2.bias"]
        torch.nn.functional.mse_loss(scores, feeds["y"]).backward()
        if clip.name == "clip_value":
            torch.nn.utils.clip_grad_value_(p.values(), clip.limit)
        else:
            torch.nn.utils.clip_grad_norm_(p.values(), clip.limit)
        theirs.step()
        expected.append({name: w.detach().numpy().copy() for name, w in p.items()})
    assert worst(after, expected) < 1e-11


@pytest.mark.parametrize("clip", [vg.ClipValue(1e6), vg.ClipNorm(1e6)], ids=lambda c: c.name)
def test_a_limit_that_is_not_reached_changes_no_bit(clip: vg.Clip) -> None:
    _, plain = trained(vg.Momentum(0.05))
    _, after = trained(vg.Momentum(0.05), clip=clip)
    assert worst(after, plain) == 0


@pytest.mark.parametrize("clip", CLIPS, ids=lambda c: c.name)
def test_gradients_and_loss_are_shown_unclipped(clip: vg.Clip) -> None:
    plain = vg.compile(net(), optimizer=vg.SGD(0.1), dtype="f64")
    program = vg.compile(net(), optimizer=vg.SGD(0.1), dtype="f64", clip=clip)
    feeds = batch(0)
    (loss, shown), (expected_loss, expected) = program.gradients(feeds), plain.gradients(feeds)
    assert loss == expected_loss == program.loss(feeds)
    assert all(np.array_equal(shown[name], expected[name]) for name in expected)
    norm = np.sqrt(sum(float((g * g).sum()) for g in shown.values()))
    assert norm > 0.1
    before = dict(program.parameters)
    assert program.step(feeds) == loss
    taken = [(before[name] - program.parameters[name]) / 0.1 for name in before]
    if isinstance(clip, vg.ClipNorm):
        length = np.sqrt(sum(float((d * d).sum()) for d in taken))
        assert length == pytest.approx(0.1 * norm / (norm + 1e-6), rel=1e-9)
    else:
        assert max(float(np.abs(d).max()) for d in taken) == pytest.approx(0.01, rel=1e-9)


def test_look_ahead_clips_the_gradient_at_the_look_ahead_point() -> None:
    clip = vg.ClipNorm(0.1)
    start, after = trained(vg.Nesterov(0.1), clip=clip)
    w, v = dict(start), {name: np.zeros_like(a) for name, a in start.items()}
    expected = []
    for step in range(100):
        ahead = {name: w[name] + 0.9 * v[name] for name in w}
        g, _ = hand_clipped(clip, gradients(ahead, batch(step)))
        v = {name: 0.9 * v[name] - 0.1 * g[name] for name in w}
        w = {name: w[name] + v[name] for name in w}
        expected.append(w)
    assert worst(after, expected) < 1e-11


@pytest.mark.parametrize("clip", [vg.ClipValue(1.0), vg.ClipNorm(1.0)], ids=lambda c: c.name)
@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_an_infinite_gradient_is_refused_and_not_clipped(clip: vg.Clip, dtype: str) -> None:
    """The loss is sqrt(w), finite at 0, where its slope is infinite."""
    w = vg.parameter("w", (2,), init="zeros")
    program = vg.compile(
        vg.Graph("g", loss=vg.sum(vg.sqrt(w))), optimizer=vg.SGD(0.1), clip=clip, dtype=dtype
    )
    with pytest.raises(vg.NonFiniteError, match=r"w\.grad"):
        program.step()
    np.testing.assert_array_equal(program.parameters["w"], 0)
    assert program.step_number == 0


LARGE = {"f32": 3e38, "f64": 1.7e308}
GRADIENTS = {
    "the largest": lambda large, tiny: [[large, -large], [large] * 3, [large]],
    "one that is huge": lambda large, tiny: [[1.0, large / 2], [1e-5, -3.0], [0.0]],
    "beyond the squares": lambda large, tiny: [[large**0.5, 1.0], [large**0.6], [-(large**0.55)]],
    "as they are": lambda large, tiny: [[0.3, -1.7, 2.1], [5.0], [-0.01]],
    "small": lambda large, tiny: [[1e-20, -3e-19], [2e-21], [0.0]],
    "the smallest": lambda large, tiny: [[tiny, -tiny / 4], [tiny / 1000], [tiny]],
    "zero": lambda large, tiny: [[0.0, 0.0], [0.0], [0.0]],
}


def exactly_clipped(limit: float, gradients: list[np.ndarray]) -> list[list[float]]:
    """By decimals of 40 digits, whose exponents have no end."""
    with decimal.localcontext(prec=40):
        exact = [[decimal.Decimal(float(v)) for v in g] for g in gradients]
        norm = sum([v * v for g in exact for v in g], decimal.Decimal(0)).sqrt()
        factor = min(decimal.Decimal(1), decimal.Decimal(limit) / (norm + decimal.Decimal("1e-6")))
        return [[float(v * factor) for v in g] for g in exact]


@pytest.mark.parametrize("kind", GRADIENTS)
@pytest.mark.parametrize("limit", [1e-30, 1e-6, 1.0, 1e30])
@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_any_finite_gradient_is_clipped_to_the_last_digits(
    kind: str, limit: float, dtype: str
) -> None:
    info = np.finfo({"f32": np.float32, "f64": np.float64}[dtype])
    given = GRADIENTS[kind](LARGE[dtype], float(info.tiny))
    fed = [np.array(g, info.dtype) for g in given]
    w = [vg.parameter(f"w{k}", (len(g),), init="zeros") for k, g in enumerate(fed)]
    x = [vg.input(f"x{k}", (len(g),)) for k, g in enumerate(fed)]
    loss = sum([vg.sum(a * b) for a, b in zip(w, x, strict=True)], vg.constant(0.0, "f32"))
    program = vg.compile(
        vg.Graph("g", loss=loss), optimizer=vg.SGD(1.0), clip=vg.ClipNorm(limit), dtype=dtype
    )
    program.step({f"x{k}": -g for k, g in enumerate(fed)})
    least = 2 * float(info.smallest_subnormal)
    for k, expected in enumerate(exactly_clipped(limit, fed)):
        found = program.parameters[f"w{k}"]
        np.testing.assert_allclose(found, expected, rtol=4 * float(info.eps), atol=least)


@pytest.mark.parametrize("size", [1e-30, 1e-20, 1.0, 1e18, 2e25, "largest"])
@pytest.mark.parametrize("count", [1, 4, 20_000])
@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_a_gradient_whose_squares_overflow_is_clipped(
    size: float | str, count: int, dtype: str
) -> None:
    """Equal elements become 1 / sqrt(count) each, where the norm is above the limit of 1."""
    large = LARGE[dtype] / count if size == "largest" else float(size)
    w, x = vg.parameter("w", (count,), init="zeros"), vg.input("x", (count,))
    g = vg.Graph("g", loss=vg.sum(w * x))
    program = vg.compile(g, optimizer=vg.SGD(1.0), clip=vg.ClipNorm(1.0), dtype=dtype)
    program.step(x=np.full(count, -large))
    expected = min(large, 1 / np.sqrt(count))
    np.testing.assert_allclose(program.parameters["w"], expected, rtol=2e-6)


def test_the_norm_of_many_equal_elements_has_its_digits() -> None:
    """A sum of their squares in f32 is off by more and more."""
    w, x = vg.parameter("w", (300_000,), init="zeros"), vg.input("x", (300_000,))
    g = vg.Graph("g", loss=vg.sum(w * x))
    program = vg.compile(g, optimizer=vg.SGD(1.0), clip=vg.ClipNorm(1.0))
    program.step(x=np.full(300_000, -0.3))
    np.testing.assert_allclose(program.parameters["w"], 300_000**-0.5, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_a_gradient_whose_sum_overflows_is_clipped_by_value(dtype: str) -> None:
    w, x = vg.parameter("w", (3,), init="zeros"), vg.input("x", (3,))
    g = vg.Graph("g", loss=vg.sum(w * x))
    program = vg.compile(g, optimizer=vg.SGD(1.0), clip=vg.ClipValue(0.5), dtype=dtype)
    program.step(x=np.array([LARGE[dtype], LARGE[dtype], -0.25]))
    np.testing.assert_array_equal(program.parameters["w"], [-0.5, -0.5, 0.25])


@pytest.mark.parametrize("bad", [0, -1.0, float("nan"), float("inf"), True, "1", None])
def test_a_limit_is_a_positive_number(bad: object) -> None:
    for kind in (vg.ClipValue, vg.ClipNorm):
        with pytest.raises(vg.GraphError, match="limit is"):
            kind(bad)
        assert type(kind(np.float32(0.5)).limit) is float


@pytest.mark.parametrize("kind", [vg.ClipValue, vg.ClipNorm])
def test_a_limit_holds_in_the_dtype_of_the_gradients(kind: type[vg.Clip]) -> None:
    def stepped(clip: vg.Clip | None, dtype: str) -> Values:
        program = vg.compile(net(), optimizer=vg.SGD(1.0), clip=clip, dtype=dtype)
        program.step(batch(0))
        return dict(program.parameters)

    with pytest.raises(vg.GraphError, match=r"limit is 1e-50, which is 0 in f32, and so would"):
        stepped(kind(1e-50), "f32")
    bias = stepped(kind(1e-50), "f64")["fc1.bias"]
    assert 0 < np.abs(bias).max() <= 1e-50
    plain, clipped = stepped(None, "f32"), stepped(kind(1e300), "f32")
    assert all((clipped[name] == plain[name]).all() for name in plain)


def test_other_kinds_are_refused() -> None:
    with pytest.raises(vg.PassError, match=r"clip is 1\.0, where e\.g\. vg\.ClipNorm"):
        vg.compile(net(), optimizer=vg.SGD(0.1), clip=1.0)
    bare = vg.TRAINING.without("clip_gradients")
    with pytest.raises(vg.PassError, match="clip= is given, but no pass"):
        vg.compile(net(), optimizer=vg.SGD(0.1), clip=vg.ClipNorm(1.0), pipeline=bare)


@pytest.mark.parametrize("clip", CLIPS, ids=lambda c: c.name)
def test_a_saved_run_goes_on_clipping(clip: vg.Clip, tmp_path: Path) -> None:
    program = vg.compile(net(), optimizer=vg.Momentum(0.1), clip=clip)
    for step in range(3):
        program.step(batch(step))
    program.save(tmp_path / "run.safetensors")
    again = vg.load(tmp_path / "run.safetensors")
    assert again.options.clip == clip
    for step in range(3, 6):
        assert again.step(batch(step)) == program.step(batch(step))


def test_a_file_from_before_clipping_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = vg.compile(net(), optimizer=vg.Momentum(0.1))
    program.step(batch(0))
    described = program_file.described

    def older(*told: Any) -> dict[str, Any]:
        found = described(*told)
        del found["clip"]
        found["pipeline"].remove("clip_gradients")
        return json.loads(json.dumps(found))

    monkeypatch.setattr(program_file, "described", older)
    program.save(tmp_path / "run.safetensors")
    again = vg.load(tmp_path / "run.safetensors")
    assert again.options.clip is None
    assert "clip_gradients" not in again.stages
    assert again.step(batch(1)) == program.step(batch(1))
