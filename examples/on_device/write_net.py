"""Writes net.c, the training step of a 64-32-10 net, and the digits as bytes: a row, its label."""

from pathlib import Path

import numpy as np

import verigrad as vg


def main(folder: Path) -> None:
    """Writes net.c, net.h, train.bin and test.bin to a folder."""
    x, y = vg.input("x", ("N", 64)), vg.input("y", ("N",), dtype="i64")
    scores = vg.mlp(x, [32, 10])
    net = vg.Graph("digits", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    program = vg.compile(net, optimizer=vg.Momentum(lr=0.05, rho=0.9))
    print(program.to_c(folder / "net.c", training=True, sizes={"N": 16}))
    for name, part in zip(("train", "test"), vg.digits(), strict=True):
        rows = np.concatenate([part.x, part.y[:, None]], axis=1).astype(np.uint8)
        (folder / f"{name}.bin").write_bytes(rows.tobytes())


if __name__ == "__main__":
    main(Path(__file__).parent)
