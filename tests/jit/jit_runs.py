"""Runs of the jitted backend on so many threads as a test says, whatever the machine has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import verigrad as vg
from verigrad.ops import blas

Bits = Mapping[str, np.ndarray]


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    """What is compiled here is cut for so many threads, and as many run it."""
    with pytest.MonkeyPatch.context() as patch, threadpool_limits(count, user_api="blas"):
        patch.setattr(blas, "threads", lambda: count)
        yield


def state_after(
    n: vg.Graph, feeds: Sequence[Mapping[str, np.ndarray]], alone: bool = False, **options: object
) -> Bits:
    """Parameters, state and losses after a step on each feed, and the scores of the first.

    `alone` keeps the BLAS to one thread while the program runs, so that no helper is asked.
    """
    program = vg.compile(n, **options)
    program.source(N=len(feeds[0]["x"]))
    program.predict(feeds[0])
    losses = []
    with threadpool_limits(1 if alone else None, user_api="blas"):
        losses = [program.step(f) for f in feeds]
        scores = program.predict(feeds[0])["scores"]
    return {**program.parameters, **program.state, "losses": np.array(losses), "scores": scores}


def same_bits(a: Bits, b: Bits) -> bool:
    assert a.keys() == b.keys()
    return all(np.array_equal(a[k], b[k]) for k in a)
