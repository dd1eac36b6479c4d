"""What must be intact when a call writes, on calls that are written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from verigrad.runtime.planning.liveness import Call, Calls, Place, Value


def value(label: str, start: int = 0, stop: int = 8, memory: str = "arena") -> Value:
    return Value(label, Place(memory, start, stop))


A, B, C, D = [value(label) for label in "abcd"]


def beside(calls: Calls) -> dict[str, str]:
    """For each value, the others that must be intact when it is written."""
    return {
        v.label: "".join(sorted([calls.values[k].label for k in np.flatnonzero(others)]))
        for v, others in calls.interfering()
    }


def test_a_value_is_needed_from_its_call_to_its_last_reader() -> None:
    calls = Calls([Call([A]), Call([B], [A]), Call([C], [A, B]), Call([D], [C])], [D])
    walked = [
        "".join([v.label for v, needed in zip(calls.values, live, strict=True) if needed])
        for _, live in calls.backwards()
    ]
    assert walked == ["d", "c", "ab", "a", ""]


def test_what_is_written_lies_beside_what_its_call_reads_and_what_is_read_later() -> None:
    assert beside(Calls([Call([A]), Call([B], [A]), Call([C], [B]), Call([D], [A, C])])) == {
        "a": "", "b": "a", "c": "ab", "d": "ac"
    }  # fmt: skip


def test_all_that_a_call_writes_lies_side_by_side_and_each_pair_is_told_once() -> None:
    assert beside(Calls([Call([A, B, C])], [C])) == {"a": "", "b": "a", "c": "ab"}


def test_a_value_replaces_what_nothing_reads_behind_it() -> None:
    replaced = {B: A}
    assert beside(Calls([Call([A]), Call([B], [A], replaced)], [B])) == {"a": "", "b": ""}
    assert beside(Calls([Call([A]), Call([B], [A], replaced)], [A, B])) == {"a": "", "b": "a"}


@pytest.mark.parametrize(
    ("place", "met"),
    [
        ((0, 8), True),
        ((7, 9), True),
        ((3, 5), True),
        ((8, 16), False),
        ((4, 4), False),
        ((0, 0), False),
    ],
)
def test_values_share_the_bytes_that_both_have(place: tuple[int, int], met: bool) -> None:
    other, elsewhere = value("other", *place), value("elsewhere", *place, memory="tile")
    calls = Calls([Call([A]), Call([other]), Call([elsewhere])])
    everything = np.ones(3, bool)
    for mine, theirs in ((A, other), (other, A)):
        assert (theirs in calls.shared(mine, everything)) == met
        assert elsewhere not in calls.shared(mine, everything)


def test_a_step_of_no_calls_has_no_values() -> None:
    calls = Calls([])
    assert calls.values == [] and beside(calls) == {}
