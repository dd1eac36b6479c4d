"""What ranks send each other within a step: sums of their own shards, which meet in one tree.

Ranks are processes that each compute some shards of every batch. What they sum of a bucket is sent
as soon as the last part of it is there; the total is read where it is needed first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final

from ..graph import Array, GraphError, Op, RunError, TensorType, op


class Link(ABC):
    """What carries buckets between ranks; ops know it by its number in LINKS.

    All ranks open the same buckets, and start and finish them in the same order.
    """

    @abstractmethod
    def start(self, bucket: int, parts: Sequence[Array]) -> None:
        """Sends what this rank has summed of a bucket; waits for nobody, and keeps no part."""

    @abstractmethod
    def finish(self, bucket: int, part: int, out: Array) -> None:
        """Writes the sum over all ranks of a part of the bucket; waits for those who have not
        started it."""


LINKS: Final[dict[int, Link]] = {}
"""Those that are open, by their numbers."""


@op
class Send(Op):
    """Sends the inputs as bucket `bucket` over link `link`; y is 0, and stands for the bucket."""

    name: ClassVar[str] = "send"
    eager: ClassVar[bool] = True
    flops_per_element: ClassVar[int] = 0
    link: int
    bucket: int

    def infer(self, *types: TensorType) -> TensorType:
        dtypes = {t.dtype for t in types}
        if len(dtypes) != 1 or any(t.symbols or not t.is_float for t in types):
            listed = ", ".join(map(str, types)) or "nothing"
            raise GraphError(f"inputs are {listed}, where floats of one dtype are expected")
        return TensorType("i64", ())

    def run(self, *parts: Array, out: Array) -> None:
        _link(self.link).start(self.bucket, parts)
        out.fill(0)


@op
class Receive(Op):
    """y = the sum over all ranks of part `part` of the bucket that the input stands for."""

    name: ClassVar[str] = "receive"
    lazy: ClassVar[bool] = True
    flops_per_element: ClassVar[int] = 0
    link: int
    bucket: int
    part: int
    type: TensorType

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 1, "sent")
        if types[0] != TensorType("i64", ()):
            raise GraphError(f"the input is {types[0]}, where what was sent, i64[], is expected")
        return self.type

    def run(self, sent: Array, *, out: Array) -> None:
        _link(self.link).finish(self.bucket, self.part, out)


def _link(number: int) -> Link:
    if number not in LINKS:
        raise RunError(f"link {number} is closed: its ranks are not there any more")
    return LINKS[number]
