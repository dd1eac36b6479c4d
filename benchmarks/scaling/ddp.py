"""PyTorch's DistributedDataParallel over gloo: each process has an equal part of every batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from ..contenders import Trainer
from ..contenders.pytorch import model_of, optimizer_of, trainer
from ..nets import Net, batches


@contextmanager
def group(rank: int, size: int, folder: str) -> Iterator[None]:
    """The processes, which meet by a file in a folder, and one thread in each."""
    torch.set_num_threads(1)
    meeting = (Path(folder) / "meeting").as_uri()
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=size)
    try:
        yield
    finally:
        dist.destroy_process_group()


def train(net: Net, optimizer: str) -> Trainer:
    """The model, whose gradients are the means over all processes; the loss is of its own rows."""
    model = DistributedDataParallel(model_of(net), gradient_as_bucket_view=True)
    rank, each = dist.get_rank(), net.batch // dist.get_world_size()
    own = slice(rank * each, (rank + 1) * each)
    data = [(x[own], y[own]) for x, y in batches(net)]
    descent = optimizer_of(optimizer, net, model)
    return trainer(model, descent, lambda x, y: cross_entropy(model(x), y), data)
