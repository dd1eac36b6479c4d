"""What a contender costs before its first step, and what verigrad's plans take.

Import, and the way from there to the end of the first step: once with empty caches and once with
those that the first time left. The step is of the course's net with Adam.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .contenders import CONTENDERS, FLOOR
from .contenders.ours import compiled
from .driver import Case, Row, Settings, Worker, admit, environment
from .nets import NETS, OPTIMIZERS, Net

IMPORTS = 3
"""Processes that an import is timed in; the median counts."""
_IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def startup(
    names: Sequence[str], settings: Settings, tell: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """For each contender: import, cold and warm seconds to the first step, peak bytes."""
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        contender = CONTENDERS[name]
        if name == FLOOR or not contender.trains:
            continue
        tell(f"start of {contender.title}")
        case = Case(NETS["course"], "adam")
        with tempfile.TemporaryDirectory() as folder:
            caches = Path(folder)
            cold, _ = _first(case, name, settings, caches)
            if cold.status != "ok":
                found[name] = {"status": cold.status, "reason": cold.reason}
                continue
            warm, peak = _first(case, name, settings, caches)
            found[name] = {
                "status": "ok",
                "import_seconds": import_seconds(name, settings, caches),
                "cold_seconds": cold.first_step_seconds,
                "warm_seconds": warm.first_step_seconds,
                "peak_bytes": peak,
            }
    return found


def _first(case: Case, name: str, settings: Settings, caches: Path) -> tuple[Row, int | None]:
    row = Row()
    with Worker(case, name, settings.threads, caches) as worker:
        admit(worker, case, row)
        return row, worker.ask("end").get("peak_bytes") if row.status == "ok" else None


def import_seconds(name: str, settings: Settings, caches: Path) -> float:
    """The median time of an import in a new process."""
    # `import verigrad` alone loads names as they are used: with those of a training program.
    imports = {
        "verigrad": "verigrad; verigrad.compile, verigrad.mlp",
        "verigrad-numba": "verigrad, numba; verigrad.compile, verigrad.mlp",
    }
    code = _IMPORT.format(imports.get(name, CONTENDERS[name].import_name))
    command = [sys.executable, "-W", "ignore", "-c", code]
    env = environment(settings.threads, caches)
    taken = [
        subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout
        for _ in range(IMPORTS)
    ]
    return statistics.median(map(float, taken))


def plans(nets: Sequence[Net]) -> list[dict[str, Any]]:
    """The bytes of each training plan, beside what no placement can go below."""
    found = []
    for net in nets:
        for optimizer in OPTIMIZERS:
            plan = compiled(net, optimizer).plan(N=net.batch)
            found.append(
                {
                    "net": net.title,
                    "optimizer": optimizer,
                    "nbytes": plan.nbytes,
                    "lower_bound": plan.lower_bound,
                    "unplanned_nbytes": plan.unplanned_nbytes,
                    "state_nbytes": plan.state_nbytes,
                }
            )
    return found
