"""`make accuracy`: measures every op, and writes ACCURACY.md."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .measure import all_measured
from .report import report
from .units import DTYPES


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m accuracy", description=__doc__)
    parser.add_argument("--dense", type=int, default=8, help="times as many numbers as the tests")
    parser.add_argument("--count", type=int, default=4000, help="elements of other results")
    asked = parser.parse_args()
    found = []
    for backend in ("numpy", "numba"):
        for dtype in DTYPES:
            for m in all_measured(dtype, backend, asked.dense, asked.count):
                print(f"{m.backend} {m.dtype} {m.name}: {m.worst.units:.3f} of {m.bound:g}")
                found.append(m)
    Path(__file__).with_name("ACCURACY.md").write_text(report(found), encoding="utf-8")
    sys.exit(any(not m.worst.units <= m.bound for m in found))


if __name__ == "__main__":
    main()
