"""A program made again of one that is compiled: the same graphs, and values of its own."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from conftest import batch, net

import verigrad as vg


def compiled(**more: object) -> vg.Program:
    return vg.compile(net(5, 6, 4), optimizer=vg.Adam(0.1), seed=3, **more)


def test_it_goes_the_same_way_on_values_of_its_own(rng: np.random.Generator) -> None:
    feeds = batch(rng, 7, 5, 4)
    first = compiled()
    first.metadata["classes"] = "a"
    losses = [first.step(feeds) for _ in range(3)]
    other = first.again()
    assert other.step_number == 0 and other.metadata == {} and other.declared is first.declared
    assert [other.step(feeds) for _ in range(3)] == losses
    other.again().step(feeds)
    assert first.step_number == other.step_number == 3
    first.parameters["fc1.bias"] = np.ones(6)
    for call in (vg.Program.predict, vg.Program.evaluate):
        assert not np.array_equal(call(first, feeds)["scores"], call(other, feeds)["scores"])
    assert first.loss(feeds) != other.loss(feeds)
    assert first.gradients(feeds)[0] != other.gradients(feeds)[0]
    assert (first.plan(N=7) is other.plan(N=7)) and str(first.training) == str(other.training)


def test_what_was_certified_is_not_checked_again(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from verigrad.runtime.certificate.certifier import Certifier

    checked: list[int] = []
    check = Certifier.check_plan
    monkeypatch.setattr(
        Certifier, "check_plan", lambda self, step: checked.append(1) or check(self, step)
    )
    first = compiled(certify=True)
    first.step(batch(rng, 7, 5, 4))
    other = first.again()
    other.step(batch(rng, 7, 5, 4))
    assert len(checked) == 1
    other.step(batch(rng, 8, 5, 4))
    assert len(checked) == 2 and other.certificate.verdict == "proved"


def test_one_made_of_another_does_not_hold_it(rng: np.random.Generator) -> None:
    first = compiled()
    second = first.again()
    second.step(batch(rng, 7, 5, 4))
    third, gone = second.again(), weakref.ref(second._values)
    third.step(batch(rng, 7, 5, 4))
    del second
    gc.collect()
    assert gone() is None
