"""The handwritten digits that ship with the package (see digits.LICENSE)."""

from __future__ import annotations

import numpy as np

from ...graph import RunError
from .npz import read_npz
from .parts import TEST_SHARE, Parts, TaskData, held_out, split


def digits() -> Parts:
    """Optical recognition of handwritten digits: 1,438 rows to train on and 359 to test on.

    `train, test = vg.digits()` gives two pairs (x, y): x f32[n,64] holds 8 x 8 pixels, row by
    row, whole numbers from 0 to 16; y i64[n] the digit. The parts are always the same ones, and
    stratified: each has the same share of every digit.
    Source: Alpaydin and Kaynak, UCI Machine Learning Repository, doi 10.24432/C50P49, CC BY 4.0.
    """
    return _split(0)


def digits_classification(split_seed: int = 0) -> TaskData:
    """The digits, with the names of their classes and a validation part."""
    train, test = _split(split_seed)
    names = tuple("0123456789")
    return held_out("digits", train, test, names, pixels=True, split_seed=split_seed)


def _split(seed: int) -> Parts:
    from importlib.resources import as_file, files

    with as_file(files(__package__).joinpath("digits.npz")) as path:
        rows = read_npz(path)[0]
    if rows.labels is None:
        raise RunError(f"{path} is damaged: it has no labels; install verigrad again")
    x, y = rows.x.astype(np.float32), rows.labels.astype(np.int64)
    return split(x, y, TEST_SHARE, "digits", seed)
