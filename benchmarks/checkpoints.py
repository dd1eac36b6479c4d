"""What checkpoints cost: `python benchmarks/checkpoints.py fashion-mnist:FOLDER`.

Trains 784-512-256-10 with one checkpoint an epoch, and prints the share of the run that writing
them took, for momentum and for Adam.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import verigrad as vg
from verigrad.runtime.data.parts import TaskData
from verigrad.runtime.data.source import load_data
from verigrad.runtime.training.checkpoint import Checkpoint

EPOCHS = 5


def share(optimizer: vg.Optimizer, data: TaskData) -> float:
    """The share of a run's seconds that were spent in writing checkpoints."""
    train = data.train
    x = vg.input("x", ("N", train.x.shape[1]))
    y = vg.input("y", ("N",), dtype="i64")
    scores = vg.mlp(x, [512, 256, 10])
    net = vg.Graph("fashion", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    program = vg.compile(net, optimizer=optimizer)
    written = [0.0]
    save = Checkpoint.save

    def timed(self: Checkpoint, *args: object) -> None:
        start = time.perf_counter()
        save(self, *args)  # type: ignore[arg-type]
        written[0] += time.perf_counter() - start

    Checkpoint.save = timed  # type: ignore[assignment, method-assign]
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.safetensors"
        rows = (train.x.astype("float32") / 255, train.y)
        vg.fit(program, rows, epochs=EPOCHS, batch_size=128, checkpoint=path)
    seconds = time.perf_counter() - start
    Checkpoint.save = save  # type: ignore[method-assign]
    return written[0] / seconds


def main() -> None:
    data = load_data(sys.argv[1])
    for optimizer in (vg.Momentum(lr=0.01), vg.Adam(lr=1e-3)):
        print(f"{optimizer.name:<9} {100 * share(optimizer, data):.2f} % of the run")


if __name__ == "__main__":
    main()
