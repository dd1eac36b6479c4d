"""What the bits of a run depend on beside the program: versions, the BLAS and its threads."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final

import numpy as np

from ...graph import SETTINGS
from ..optional import require

COMPARED: Final = {
    "numpy": "NumPy",
    "blas": "the BLAS",
    "threads": "the number of threads",
}
"""What a resumed run may not differ in without a warning."""


def versions() -> dict[str, str]:
    """Versions of Python, NumPy and its BLAS, and how many threads multiply matrices.

    Where threadpoolctl is installed, the BLAS is the one that is loaded, with the processor that
    it works for; otherwise the one that NumPy was built with, and the threads are those that the
    environment or the machine gives.
    """
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    versions = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{built['name']} {built['version']}",
        "threads": str(
            os.environ.get("OPENBLAS_NUM_THREADS")
            or os.environ.get("OMP_NUM_THREADS")
            or os.cpu_count()
        ),
    }
    if find_spec("threadpoolctl") is not None:
        with SETTINGS:
            pools = require("threadpoolctl", "threads").threadpool_info()
        for pool in pools:
            if pool["user_api"] == "blas" and "numpy" in pool["filepath"]:
                versions["threads"] = str(pool["num_threads"])
                versions["blas"] = " ".join(
                    str(pool[key])
                    for key in ("internal_api", "version", "architecture")
                    if pool.get(key)
                )
    return versions


def differences(
    before: Mapping[str, str], now: Mapping[str, str], file: str = "checkpoint"
) -> list[str]:
    """A line for each thing that makes other bits than before likely."""
    return [
        f"{name} was {before[key]} when the {file} was written, and is {now[key]} now"
        for key, name in COMPARED.items()
        if key in before and before[key] != now.get(key)
    ]
