"""The sweep that finds shared bytes, against a look at every two pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from verigrad.graph.overlaps import Piece, overlaps

calls, offsets = st.integers(0, 8), st.integers(0, 20)
pieces = st.tuples(calls, st.integers(0, 8), offsets, st.integers(0, 12)).map(
    lambda p: (p[0], p[0] + p[1], p[2], p[2] + p[3])
)


@given(st.lists(pieces, max_size=12))
def test_a_sweep_finds_what_a_look_at_every_two_finds(given: list[Piece]) -> None:
    def meet(a: Piece, b: Piece) -> bool:
        return a[0] <= b[1] and b[0] <= a[1] and a[2] < b[3] and b[2] < a[3]

    every = {(i, j) for i in range(len(given)) for j in range(i) if meet(given[i], given[j])}
    found = list(overlaps(given))
    assert {(max(pair), min(pair)) for pair in found} == every
    assert len(found) == len(every)
    assert all(given[i] <= given[j] for i, j in found), "the earlier comes first"
