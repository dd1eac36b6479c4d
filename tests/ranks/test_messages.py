"""The ops that ranks send and receive by, and the order in which they run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

import verigrad as vg
from verigrad.graph import TensorType, apply
from verigrad.ops import LINKS, Link, Receive, Send
from verigrad.passes import Part, unrolled

from .test_bits import net


class Twice(Link):
    """A link to one more rank that has sent the same."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.parts: dict[int, list[np.ndarray]] = {}

    def start(self, bucket: int, parts: Sequence[np.ndarray]) -> None:
        self.calls.append(("start", bucket))
        self.parts[bucket] = [2 * p for p in parts]

    def finish(self, bucket: int, part: int, out: np.ndarray) -> None:
        self.calls.append(("finish", bucket))
        np.copyto(out, self.parts[bucket][part])


def test_a_sum_is_sent_and_received(monkeypatch: pytest.MonkeyPatch) -> None:
    link = Twice()
    monkeypatch.setitem(LINKS, 5, link)
    x = vg.input("x", (2, 3))
    sent = apply(Send(5, 0), x * 2.0, vg.sum(x))
    parts = [
        apply(Receive(5, 0, k, t), sent) for k, t in enumerate([x.type, TensorType("f32", ())])
    ]
    program = vg.compile(vg.Graph("g", {"a": parts[0], "b": parts[1]}), certify=False)
    given = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = program.predict(x=given)
    np.testing.assert_array_equal(found["a"], 4 * given)
    assert found["b"] == 30
    assert link.calls == [("start", 0), ("finish", 0), ("finish", 0)]


def test_a_closed_link_is_an_error() -> None:
    sent = apply(Send(123456, 0), vg.input("x", (2,)))
    program = vg.compile(vg.Graph("g", {"y": sent}), certify=False)
    with pytest.raises(vg.RunError, match="link 123456 is closed"):
        program.predict(x=np.zeros(2))


@pytest.mark.parametrize("types", [["f32[2]", "f64[2]"], ["i64[2]"], ["f32[N]"], []])
def test_what_is_sent_is_floats_of_one_dtype(types: list[str]) -> None:
    with pytest.raises(vg.GraphError, match="floats of one dtype"):
        Send(0, 0).infer(*map(vg.graph.types.parse_type, types))


def test_sums_leave_as_soon_as_they_are_there_and_are_read_late() -> None:
    wide = vg.input("x", ("N", 64))
    loss = vg.mean(vg.square(vg.mlp(wide, [600, 900, 1])))
    program = vg.compile(vg.Graph("g", loss=loss), optimizer=vg.SGD(0.1), shards=2)
    g = program._variants.of_rank(Part(0, 2, 0)).graph
    order = [n.op.name for n in g.order]
    sends = [k for k, n in enumerate(g.order) if isinstance(n.op, Send)]
    receives = [k for k, n in enumerate(g.order) if isinstance(n.op, Receive)]
    assert len(sends) >= 2
    assert "matmul" in order[sends[0] : sends[-1]]  # the last layer's are on their way
    assert max(sends) < min(receives)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_ranks_have_equal_graphs_but_for_their_numbers(batch_norm: bool) -> None:
    g = vg.compile(net(batch_norm), optimizer=vg.SGD(0.1), shards=4).training
    texts = [str(unrolled(g, Part(rank, 2, 0))) for rank in range(2)]
    texts[1] = texts[1].replace("shard2-3", "shard0-1")
    for shard in range(2):
        texts[1] = texts[1].replace(f"shard{shard + 2}", f"shard{shard}")
        texts[1] = texts[1].replace(f"N.{shard + 2}of4", f"N.{shard}of4")
    texts[1] = texts[1].replace("N.2-3of4", "N.0-1of4")
    assert texts[0] == texts[1]
