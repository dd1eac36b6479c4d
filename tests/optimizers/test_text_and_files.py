"""Optimizers and schedules read back from their text, and runs go on from a file bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
from smooth_net import batch, net

import verigrad as vg
from verigrad.graph import Value
from verigrad.graph.text.attributes import Reader, print_value
from verigrad.passes.methods.optimizers import DIALECTS

s = vg.schedules
SCHEDULES = [
    s.constant(0.1),
    s.step(0.1, every=30),
    s.exponential(0.1, 0.99),
    s.inverse(0.1, 0.01),
    s.cosine(0.1, steps=50, final=1e-3),
    s.warmup(0.1, steps=5),
    s.warmup(s.cosine(0.1, steps=50), steps=5),
    s.warmup(s.warmup(s.step(0.1, 10, 0.5), 4), 5),
    s.one_cycle(0.1, steps=50, rise=0.2),
]
OPTIMIZERS = [
    *[
        kind(0.01, dialect=dialect)
        for kind in (vg.SGD, vg.Momentum, vg.Nesterov, vg.AdaGrad, vg.RMSProp, vg.Adam, vg.AdamW)
        for dialect in DIALECTS
    ],
    vg.Adam(0.01, eps=1e-7, dialect="torch"),  # the course's own value, in another dialect
    vg.Adam(0.01, eps_hat=False, first=1, dialect="onnx"),
    vg.RMSProp(0.01, momentum=0.5, centered=True, eps_inside=False, dialect="optax"),
    vg.Momentum(0.01, rate_is="outside", dampening=0.5, dialect="sklearn"),
    vg.AdamW(0.01, weight_decay=0.0),
    vg.AdamW(0.01, weight_decay=0.01, dialect="optax"),
    vg.Adam(s.warmup(s.cosine(0.01, steps=90), steps=10)),
    vg.SGD(0.1, groups=(vg.Group("*.bias", s.constant(0.2)), vg.Group("fc1.*", weight_decay=0.1))),
]


@pytest.mark.parametrize("value", [*SCHEDULES, *OPTIMIZERS], ids=print_value)
def test_it_reads_back_from_its_text(value: Value) -> None:
    text = print_value(value)
    assert Reader(text).value() == value
    assert print_value(Reader(text).value()) == text
    assert value.but() == value


def test_text_shows_what_the_dialect_does_not_say() -> None:
    assert print_value(vg.Adam(0.01, dialect="torch")) == "adam(0.01,dialect=torch)"
    assert print_value(vg.Adam(0.01, eps=1e-7, dialect="torch")) == (
        "adam(0.01,eps=1e-07,dialect=torch)"
    )
    assert repr(vg.Momentum(0.01, dialect="sklearn")) == "Momentum(lr=0.01, dialect='sklearn')"
    assert print_value(s.cosine(0.1, steps=9)) == "schedules.cosine(lr=0.1,steps=9)"


def test_no_two_kinds_of_value_share_a_name() -> None:
    """Text names the kind alone: `constant(0.5)` is a first value, and no learning rate."""

    def below(kind: type[Value]) -> list[type[Value]]:
        return [k for sub in kind.__subclasses__() for k in (sub, *below(sub))]

    names = [k.name for k in below(Value) if "name" in k.__dict__ and "verigrad" in k.__module__]
    assert len(names) > 20
    assert sorted(names) == sorted(set(names))
    assert Reader("constant(0.5)").value() == vg.init.constant(0.5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=print_value)
def test_a_saved_run_goes_on_bit_for_bit(optimizer: vg.Optimizer, tmp_path: Path) -> None:
    program = vg.compile(net(), optimizer=optimizer, seed=1)
    for step in range(4):
        program.step(batch(step))
    program.save(tmp_path / "run.safetensors")
    again = vg.load(tmp_path / "run.safetensors")
    assert again.options == program.options
    assert str(again.training) == str(program.training)
    for step in range(4, 8):
        assert again.step(batch(step)) == program.step(batch(step))
    for held in ("parameters", "state"):
        a, b = getattr(program, held), getattr(again, held)
        assert {k: v.tobytes() for k, v in a.items()} == {k: v.tobytes() for k, v in b.items()}


@pytest.mark.parametrize("optimizer", [OPTIMIZERS[-1], vg.AdaGrad(0.1, dialect="optax")])
def test_the_training_graph_reads_back_from_its_text(optimizer: vg.Optimizer) -> None:
    text = str(vg.compile(net(), optimizer=optimizer).training)
    assert str(vg.parse(text)) == text
