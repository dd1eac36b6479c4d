"""The gradient check of a program: as it was compiled, at its own parameters and state."""

from __future__ import annotations

import numpy as np
import pytest
from kinked import Skewed, batch, net

import verigrad as vg


def trained(g: vg.Graph, feeds: dict[str, np.ndarray], **options: object) -> vg.Program:
    program = vg.compile(g, optimizer=vg.Nesterov(lr=0.1), seed=3, **options)
    for _ in range(3):
        program.step(feeds)
    return program


def test_a_program_is_checked_where_it_stands(rng: np.random.Generator) -> None:
    feeds = batch(rng)
    program = trained(
        net(lambda h: vg.relu(vg.batch_norm(h, name="bn1"))),
        {k: a if k == "y" else a.astype("f4") for k, a in feeds.items()},
        regularizer=vg.L2(0.3),
        dropout=vg.Dropout(keep=0.7),
        clip=vg.ClipNorm(1e-3),
        memory_limit=100_000,
    )
    values = {**program.parameters, **program.state}
    kept = {name: np.array(a) for name, a in values.items()}
    report = vg.gradcheck(program, feeds)
    assert report.verdict == "PASS", report
    assert {r.name for r in report.rows} == set(program.parameters)
    assert all(
        (kept[name] == a).all() for name, a in {**program.parameters, **program.state}.items()
    )
    row = next(r for r in report.rows if r.name == "fc2.bias")
    assert str(vg.gradcheck(program, feeds)) == str(report)
    moved = vg.gradcheck(program, feeds, parameters={"fc2.bias": np.ones(3)})
    assert next(r for r in moved.rows if r.name == "fc2.bias").symbolic != row.symbolic


def test_a_wrong_gradient_of_a_program_fails(rng: np.random.Generator) -> None:
    feeds = batch(rng)
    program = trained(net(lambda h: vg.apply(Skewed(wrong=0.01), h)), feeds, dtype="f64")
    report = vg.gradcheck(program, feeds)
    assert report.verdict == "FAIL"
    assert report.faults[0].startswith("%fc1.checking_skewed at [")


def test_options_beside_a_program_are_refused(rng: np.random.Generator) -> None:
    program = vg.compile(net(vg.tanh))
    with pytest.raises(vg.RunError, match="give it the graph"):
        vg.gradcheck(program, batch(rng), regularizer=vg.L2(1.0))


def test_the_kernels_of_a_backend_are_checked(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    pytest.importorskip("numba")
    from verigrad.runtime.backends.numba.lowering import kernel_text

    made: list[str] = []
    right = kernel_text.compiled
    monkeypatch.setattr(kernel_text, "compiled", lambda text: made.append(text) or right(text))
    report = vg.gradcheck(net(vg.relu), batch(rng), backend="numba")
    assert report.ok and made
