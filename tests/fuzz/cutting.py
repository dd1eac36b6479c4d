"""A case with its batches cut into shards."""

from __future__ import annotations

import verigrad as vg

from .case import Case
from .choices import Choices

_NOT_TO_BE_CUT = "compile without shards="
"""What an error says of a graph in which something takes all rows at once."""


def cut(made: Case) -> Case | None:
    """The same case in a number of shards, a function of its seed; None where it cannot be cut."""
    if made.graph.loss is None:
        return None
    c = Choices(made.seed)
    shards = vg.Shards(c.one((1, 2, 4, 8)), c.one(("synchronised", "synchronised", "per_shard")))
    found = made._replace(options={**made.options, "shards": shards})
    try:
        found.compile(certify=False)
    except vg.PassError as e:
        return None if _NOT_TO_BE_CUT in str(e) else found
    except vg.VerigradError:
        pass  # which is found when it is checked
    return found
