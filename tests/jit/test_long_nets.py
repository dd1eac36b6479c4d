"""What the numba backend takes for a net grows no faster than the net, and its kernels are few."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from test_long_graphs import BUILDS, Build, calls, chain, steep

pytest.importorskip("numba")

from verigrad.runtime.backends.numba.lowering import fixed_kernels, kernel_text
from verigrad.runtime.backends.numba.tape import driver


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The kernels that steps ask for: none is compiled, and no tape runs."""
    found: set[str] = set()

    def compiled(text: str) -> SimpleNamespace:
        found.add(text)
        return SimpleNamespace(address=0)

    monkeypatch.setattr(kernel_text, "compiled", compiled)
    monkeypatch.setattr(fixed_kernels, "compiled", compiled)
    monkeypatch.setattr(kernel_text, "try_once", lambda *given: None)
    monkeypatch.setattr(driver, "runner", lambda feeds: lambda *words: True)
    return found


@pytest.mark.usefixtures("texts")
@pytest.mark.parametrize("build", BUILDS)
def test_no_function_is_called_more_often_than_the_net_grows(build: Build) -> None:
    assert not steep(build, 80, "numba")


def test_a_long_chain_is_made_of_few_kernels(texts: set[str]) -> None:
    calls(chain, 200, "numba")
    before = set(texts)
    calls(chain, 400, "numba")
    assert len(texts - before) <= 3
    assert max(map(len, texts - before), default=0) <= max(map(len, before))
