"""verigrad on one rank or several: `program.step` on the rows that are a rank's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from verigrad.runtime.execution.own_rows import OwnRows
from verigrad.runtime.ranks.communicator import Communicator
from verigrad.runtime.training.team import AUDIT, Team

from ..contenders import Trainer
from ..contenders.ours import compiled, trainer
from ..nets import Net, batches


@contextmanager
def train(
    net: Net, optimizer: str, comm: Communicator | None, options: Mapping[str, Any]
) -> Iterator[Trainer]:
    """The compiled net as one rank of several trains it, or by itself."""
    program = compiled(net, optimizer, **options)
    data: list[Mapping[str, Any]] = [{"x": x, "y": y} for x, y in batches(net)]
    if comm is None:
        yield trainer(program, data)
        return
    team = Team(program, comm, AUDIT)
    own = [OwnRows({k: team.own(v) for k, v in b.items()}, net.batch) for b in data]
    with team.training():
        yield trainer(program, own)
