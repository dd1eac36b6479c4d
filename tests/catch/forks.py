"""Running modules in forks of a process that has imported the slow ones, for many short runs."""

from __future__ import annotations

import os
import resource
import runpy
import signal
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Final

from catch.copies import ROOT, Copy

_IMPORTED: Final = ("numpy", "pytest", "_pytest.assertion.rewrite", "hypothesis", "networkx")
_WAIT: Final = 20.0
"""On a busy machine, a second of a processor may take so many."""


def run_forked(copy: Copy, module: str, arguments: list[str], seconds: int) -> bool:
    """Whether `python -m MODULE ARGUMENTS`, on a copy, ends without an error and in time."""
    for name in _IMPORTED:
        import_module(name)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if not pid:
        os._exit(_run(copy, module, arguments, seconds))
    until = time.monotonic() + _WAIT * seconds
    while time.monotonic() < until:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


def _forget_the_checkout() -> None:
    """What was imported from the checkout is to be imported again, from the copy."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and Path(file).is_relative_to(ROOT) and "site-packages" not in file:
            del sys.modules[name]


def _run(copy: Copy, module: str, arguments: list[str], seconds: int) -> int:
    """What the fork does: its exit code."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    with tempfile.TemporaryFile() as told:
        for stream in (1, 2):
            os.dup2(told.fileno(), stream)
        environment = copy.environment()
        os.environ.update(environment)
        os.chdir(copy.folder)
        sys.path[:0] = environment["PYTHONPATH"].split(os.pathsep)
        _forget_the_checkout()
        sys.argv[1:] = arguments
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as e:
            return int(bool(e.code))
        except BaseException:
            return 1
        return 0
