"""The machine and the versions that a run was measured with."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from verigrad.runtime.training.versions import versions as what_bits_depend_on

from .contenders import CONTENDERS


def machine(threads: int) -> dict[str, Any]:
    """The processor, its cores, and the threads that each contender was given."""
    return {
        "cpu": _cpu(),
        "cores": _cores(),
        "threads": threads,
        "pinned": hasattr(os, "sched_setaffinity"),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy_blas": what_bits_depend_on()["blas"],
    }


def versions() -> dict[str, str | None]:
    """The version of each package that a contender needs; None where it is not installed."""
    names = dict.fromkeys(p for c in CONTENDERS.values() for p in c.packages)
    return {name: _version(name) for name in names}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        if name != "verigrad":
            return None
        import verigrad  # found on the path, not installed

        return verigrad.__version__


def _cores() -> int | None:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
