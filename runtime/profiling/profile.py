"""A step, kernel by kernel: the measured time beside the predicted one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from statistics import fmean
from time import perf_counter
from typing import Any, Final

from ...graph import NUMPY_DTYPES, NonFiniteError, roles
from ...ops.blas import threads
from ..arguments import count_of
from ..backends.backend import CHECK, COPIES, Stamp, Stamps
from ..backends.registry import BACKENDS
from ..backends.step_text import Calls, Kernel
from ..execution.executable import Executable
from ..execution.executor import Executor
from ..options import Options
from ..state import StateArrays
from .cost import nbytes
from .machine import Calibration, Machine
from .prediction import seconds, works
from .report import KernelRow, Profile

_ROUNDS: Final = 10
_WARM: Final = 2
_FEWEST: Final = 5


def profile(
    executable: Executable,
    values: StateArrays,
    options: Options,
    feeds: Mapping[str, Any],
    steps: int,
) -> Profile:
    """Profiles an executable on one batch, on a copy of the values that it runs on.

    Steps without stamps and with them are made in turns, and the machine's rates are measured
    between them: what else the machine does meets all three alike. Then the copy is made anew as
    well, for on one batch a net soon has no loss left, and numbers near 0 are slow. All times are
    of the fastest tenth of the steps, over which a kernel's time is a mean, so that they sum.
    All steps take the same threads. Raises as `step` does.
    """
    steps = count_of("steps", steps)
    values.check_whole()
    _, sizes = executable.reader.read(feeds)
    copy, backend = values.twin(), options.backend
    threaded = options.threads or threads()
    executor = Executor(executable.plan(sizes), copy, backend, headrooms={}, threads=threaded)
    g = executor.graph

    def step() -> float:
        start = perf_counter()
        arrays, _ = executable.reader.read(feeds)
        copy.version += 1
        executor.step(arrays, copy.version)
        return perf_counter() - start

    dtype = NUMPY_DTYPES[options.dtype]
    calibration = Calibration(dtype, nbytes(g.order, sizes), BACKENDS[backend].prepare())
    plain: list[float] = []
    timed: list[tuple[float, dict[Kernel, float]]] = []
    stamped = Stamped(executor)
    try:
        for number in range(steps):
            if number % -(-steps // _ROUNDS) == 0:
                calibration.round()
                copy.fill(values.items())
                for _ in range(_WARM):
                    step()
            plain.append(step())
            with stamped:
                timed.append((step(), stamped.spent()))
    except NonFiniteError as e:
        step_number = int(copy["step"]) if "step" in copy else 0
        raise executor.explained(e, step_number) from None
    quick = sorted(timed, key=lambda pair: pair[0])[: max(_FEWEST, steps // 10)]
    means = {key: fmean(spent[key] for _, spent in quick) for key in quick[0][1]}
    whole = fmean(sorted(plain)[: len(quick)])
    return Profile(
        g.name, sizes, _rows(executor, stamped.calls, calibration.machine(), means), whole
    )


def _rows(
    executor: Executor,
    calls: Mapping[Kernel, Calls],
    machine: Machine,
    means: Mapping[Kernel, float],
) -> Iterator[KernelRow]:
    g, plan = executor.graph, executor.plan
    phases = roles(g)
    done = works(plan, {key: calls[key] for key in means}, executor.watched)
    for work, predicted in zip(done, seconds(done, plan, machine), strict=True):
        names = tuple([g.names[n] for n in work.nodes])
        ops = " + ".join(dict.fromkeys(n.op.name for n in work.nodes))
        phase = phases[work.nodes[-1]] if work.nodes else "update"
        if work.key == CHECK:
            names, ops, phase = (), "finite?", "check"
        elif work.key == COPIES:
            ops, phase = "copy", "update"
        yield KernelRow(
            work.key, phase, ops, names, work.flops, work.nbytes, predicted, means[work.key]
        )


class Stamped:
    """While it is entered, each step of an executor stamps the time after each kernel call.

    `calls` are the NumPy calls that each kernel makes.
    """

    def __init__(self, executor: Executor) -> None:
        self._stamps: Stamps = []
        step = executor.written(self._stamps)
        self.calls = step.calls
        self._executor = executor
        self._plain = executor._compute, executor._commit, executor._whole
        functions = step.made("<profiled step of verigrad>")
        self._stamping = functions["compute"], functions["commit"], None

    def __enter__(self) -> None:
        self._stamps.clear()
        self._swap(self._stamping)

    def __exit__(self, *_: object) -> None:
        self._swap(self._plain)

    def _swap(self, functions: tuple[Any, Any, Any]) -> None:
        self._executor._compute, self._executor._commit, self._executor._whole = functions

    def spent(self) -> dict[Kernel, float]:
        """How long each kernel of the last step took, in the order of the step."""
        stamps: list[Stamp] = []
        for entry in self._stamps:
            stamps += entry() if callable(entry) else [entry]
        pairs = pairwise(stamps)
        return {ended: stop - start for (_, start), (ended, stop) in pairs}
