"""Kills ranks of runs at random times, and looks at what is left: `make kill`, which kills those
that mpiexec started, and those that are processes of `vg.launch`.

One run is killed so many times, and goes on each time with another number of ranks from what the
last checkpoint holds. It ends with the bits of a run that was never stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from verigrad.runtime.training.checkpoint import read_checkpoint

from . import mains, under_mpi

BY_MPI = [str(Path(sys.executable).parent / "mpiexec"), "-n"]
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}


class Death(NamedTuple):
    """What became of one run in which a rank was killed."""

    ranks: int
    rank: int
    seconds: float
    """Until mpiexec and all processes of the run had ended."""
    named: bool
    """Whether the one error says which rank it was, and how to go on."""
    clean: bool
    """Whether nothing is left in shared memory."""
    step: int
    """Of the checkpoint, which was read as a whole."""


class Way(NamedTuple):
    """A way to start ranks."""

    command: Callable[[int, list[str]], list[str]]
    """What starts so many ranks with a task."""
    told: str
    """What is told of a death."""
    shared: str
    """The files in shared memory that a rank has mapped."""
    trained: Callable[[int], list[str]]
    """What a run of one process ends with, after so many steps."""


WAYS = {
    "mpiexec": Way(
        lambda ranks, task: [*BY_MPI, str(ranks), sys.executable, under_mpi.__file__, *task],
        r"Error: rank {rank} of {ranks} \(process {process} on .*go on with: mpiexec.*",
        r"/dev/shm/mpich_shm_\w+",
        lambda steps: under_mpi.trained(steps=steps),
    ),
    "processes": Way(
        lambda ranks, task: [sys.executable, "-m", mains.__name__, task[0], str(ranks), *task[1:]],
        r".*RankError: rank {rank} of {ranks} was killed by SIGKILL; start the ranks again.*",
        r"/dev/shm/verigrad\w*",
        lambda steps: mains.in_words(mains.trained("numpy", steps, None, None)),
    ),
}


def death(way: Way, ranks: int, path: Path, most: float) -> Death:
    """Kills a rank within so many seconds after the first step."""
    with subprocess.Popen(
        way.command(ranks, ["killed", str(path)]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as running:
        assert running.stdout is not None
        processes = json.loads(running.stdout.readline())
        maps = Path(f"/proc/{processes[0]}/maps").read_text()
        shared = [Path(p) for p in set(re.findall(way.shared, maps))]
        time.sleep(random.uniform(0, most))
        rank = random.randrange(ranks)
        os.kill(processes[rank], signal.SIGKILL)
        begun = time.monotonic()
        _, err = running.communicate(timeout=60)
    while any(Path(f"/proc/{p}").exists() for p in processes):
        time.sleep(0.001)
    seconds = time.monotonic() - begun
    told = re.findall(r"^.*Error: .*$", err, re.MULTILINE)
    due = way.told.format(rank=rank, ranks=ranks, process=processes[rank])
    named = len(told) == 1 and re.fullmatch(due, told[0]) is not None
    if not named:
        print(f"rank {rank} was killed, and this was told:\n{err}")
    clean = not any(p.exists() for p in shared)
    return Death(ranks, rank, seconds, named, clean, step_of(path))


def step_of(path: Path) -> int:
    """The step of a checkpoint, which is read as a whole; 0 where none was written yet."""
    return read_checkpoint(path).position.step if path.exists() else 0


def main() -> None:
    """Prints what was found, and fails where any of it is not as promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--by", choices=[*WAYS], default="mpiexec", help="what starts the ranks")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=1.0, help="the longest before a kill")
    options = parser.parse_args()
    way = WAYS[options.by]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.safetensors"
        deaths = []
        for _ in range(options.kills):
            deaths.append(death(way, random.choice((2, 4, 8)), path, options.seconds))
            print(deaths[-1], flush=True)
        steps = step_of(path) + 20
        ended = subprocess.run(
            way.command(2, ["resumed_to", str(path), str(steps)]),
            capture_output=True,
            text=True,
            env=ENVIRONMENT,
            check=True,
        )
    same = json.loads(ended.stdout) == way.trained(steps)
    seconds = [d.seconds for d in deaths]
    named, clean = sum([d.named for d in deaths]), sum([d.clean for d in deaths])
    print(
        f"{len(deaths)} kills, {named} named, {clean} left nothing; all had ended after "
        f"{statistics.median(seconds):.2f} s, {max(seconds):.2f} s at most; each checkpoint was "
        f"whole, up to step {steps - 20}; the run that went on from the last has "
        f"{'the' if same else 'NOT the'} bits of one rank's"
    )
    if min(named, clean) < len(deaths) or max(seconds) > 10 or not same:
        sys.exit(1)


if __name__ == "__main__":
    main()
