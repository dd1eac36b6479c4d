"""Each plan that runs is proved a second time, and one that is unsound runs nothing."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import batch, net

import verigrad as vg
from verigrad.runtime.planning import plan as planning


def test_each_plan_that_has_run_is_proved_twice(rng: np.random.Generator) -> None:
    program = vg.compile(net(5, 6, 4), optimizer=vg.Adam(0.1))
    program.plan(N=30)  # looked at, and never run
    for rows in (7, 2, 7):
        program.step(batch(rng, rows, 5, 4))
    found = program.certificate.placements
    assert [p.sizes for p in found] == [{"N": 7}, {"N": 2}]
    assert all(p.values > 40 and p.pairs > p.values for p in found)
    assert "plan         N=7: proved twice: of " in str(program.certificate)


def test_a_plan_whose_planner_and_verifier_are_wrong_together_runs_nothing(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "verify", lambda g: None)
    monkeypatch.setattr(planning, "_offsets", lambda lives, packed: [0 for _ in lives])
    program = vg.compile(net(5, 6, 4), optimizer=vg.SGD(0.1))
    before = {k: v.copy() for k, v in program.parameters.items()}
    with pytest.raises(vg.RefutedError, match="share bytes of the arena while both are needed"):
        program.step(batch(rng, 7, 5, 4))
    for name, value in before.items():
        np.testing.assert_array_equal(program.parameters[name], value)
    assert program.step_number == 0


def test_blocks_of_an_evaluation_are_certified(rng: np.random.Generator) -> None:
    program = vg.compile(net(5, 6, 4), optimizer=vg.SGD(0.1))
    blocks = program.blockwise("scores")
    blocks.outputs(batch(rng, 7, 5, 4))
    assert blocks._blocks is not None and blocks._blocks.certifier is not None
    certificate = blocks._blocks.certifier.certificate
    assert certificate.verdict == "proved" and certificate.exact.compared == 2
    assert [p.sizes for p in certificate.placements] == [{"N": 7}]
    assert [f.verdict for f in certificate.floats] == ["within bounds"]


def test_a_graph_that_computes_again_is_compared_as_well(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from verigrad.runtime.certificate import certifier

    deep = net(9, *[16] * 12, 4)
    limit = int(0.7 * vg.compile(deep, optimizer=vg.SGD(0.1)).plan(N=256).nbytes)
    again = vg.compile(deep, optimizer=vg.SGD(0.1), memory_limit=limit, recompute=True)
    assert again.plan(N=256).recomputed
    seen, compare = [], certifier.compare
    monkeypatch.setattr(
        certifier, "compare", lambda a, b, *rest: seen.append(b) or compare(a, b, *rest)
    )
    again.step(batch(rng, 256, 9, 4))
    assert again.plan(N=256).graph in seen
