"""Trains on a memory-mapped file that is larger than the memory that the process may have.

    python -m benchmarks.larger_than_memory --gigabytes 10 --limit 1

The file is sparse: it takes no room on the disk, and reads as zeros, but is as long as a real one.
RLIMIT_DATA bounds what the process may take for itself, which the pages of a mapped file are not
part of: the kernel takes these back when it likes. An array of the file's size cannot be made.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

import verigrad as vg

FEATURES = 784


def net() -> vg.Graph:
    """784-32-10, whose labels have nothing to do with the zeros that it reads."""
    x, y = vg.input("x", ("N", FEATURES)), vg.input("y", ("N",), dtype="i64")
    scores = vg.mlp(x, [32, 10], activation="tanh")
    return vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=10.0)
    parser.add_argument("--limit", type=float, default=1.0, help="of memory, in gigabytes")
    parser.add_argument("--steps", type=int, default=500)
    asked = parser.parse_args()
    limit = int(asked.limit * 1e9)
    rows = int(asked.gigabytes * 1e9) // (4 * FEATURES)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npy"
        np.lib.format.open_memmap(path, "w+", np.float32, (rows, FEATURES)).flush()
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        x = np.load(path, mmap_mode="r")
        y = np.arange(rows, dtype=np.int64) % 10
        try:
            np.array(x)
        except MemoryError:
            print(f"{x.nbytes / 1e9:.2f} GB of {rows:,} rows do not fit into {limit / 1e9:g} GB")
        program = vg.compile(net(), optimizer=vg.Adam(lr=1e-3))
        began = time.process_time()
        history = vg.fit(program, (x, y), validation_split=0.001, steps=asked.steps)
        seconds = time.process_time() - began
        print(f"{len(history.losses)} steps in {seconds:.1f} s of CPU time")
        loss = history.rows[-1].validation_loss
        print(f"validated on {round(0.001 * rows):,} rows: loss {loss:.4f}")


if __name__ == "__main__":
    main()
