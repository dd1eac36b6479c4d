"""A step, kernel by kernel: the measured time beside the predicted one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from statistics import fmean
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..graph import NUMPY_DTYPES, NonFiniteError, RunError, all_of, check_kind, roles, sizes_of
from ..graph.writing import write_whole
from .arguments import count_of
from .backend import CHECK, COPIES, Calls, Kernel, Stamp, Stamps
from .cost import nbytes
from .executable import Executable
from .executor import Executor
from .machine import Calibration, Machine
from .options import Options
from .prediction import seconds, works
from .registry import BACKENDS
from .values import Held

if TYPE_CHECKING:
    from pathlib import Path

_ROUNDS: Final = 10
_WARM: Final = 2
_FEWEST: Final = 5
_WIDTH: Final = 36


class Row(NamedTuple):
    """A row of a profile: what a kernel should take, and what it took, in seconds."""

    key: Kernel
    phase: str
    ops: str
    nodes: tuple[str, ...]
    flops: int
    nbytes: int
    predicted: float
    measured: float

    @property
    def ratio(self) -> float:
        """The measured time over the predicted one."""
        return self.measured / self.predicted

    @property
    def label(self) -> str:
        """The ops, and the nodes as far as there is room."""
        text = f"{self.ops} {', '.join(self.nodes)}".strip()
        return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


class Profile:
    """The kernels of a step in the order in which they run.

    `step` is the time of a step that was not profiled, feeds read and all; `measured` the sum of
    the kernels' times, `predicted` that of what the cost model says.
    """

    def __init__(
        self, name: str, sizes: Mapping[str, int], kernels: Iterable[Row], step: float
    ) -> None:
        self.name = name
        self.sizes = sizes_of("sizes", sizes, error=RunError)
        self.kernels = all_of("kernels", kernels, Row, "a Row of a profile", RunError)
        self.step = step

    @property
    def measured(self) -> float:
        return sum(k.measured for k in self.kernels)

    @property
    def predicted(self) -> float:
        return sum(k.predicted for k in self.kernels)

    @property
    def flops(self) -> int:
        return sum(k.flops for k in self.kernels)

    @property
    def nbytes(self) -> int:
        return sum(k.nbytes for k in self.kernels)

    def share(self, kernel: Row) -> float:
        """The part of all kernels' time that one takes."""
        check_kind("kernel", kernel, Row, "one of the profile's kernels", RunError)
        return kernel.measured / self.measured

    def to_svg(self, path: str | Path | None = None) -> str:
        """The kernels as bars, as SVG; written to `path` too, where one is given."""
        from .figures.bars import Bar, draw_bars

        sizes = ", ".join(f"{s}={n}" for s, n in self.sizes.items())
        title = (
            f"{self.name}{f', {sizes}' if sizes else ''}: a step of {1e6 * self.step:,.0f} us, "
            f"its kernels {1e6 * self.measured:,.0f}, predicted {1e6 * self.predicted:,.0f}"
        )
        bars = [Bar(k.label, k.phase, k.measured, k.predicted) for k in self.kernels]
        text = draw_bars(title, bars)
        if path is not None:
            write_whole(path, text)
        return text

    def as_dict(self) -> dict[str, Any]:
        """All that the table shows, in types that JSON has; times in seconds."""
        whole = {k: getattr(self, k) for k in ("step", "measured", "predicted", "flops", "nbytes")}
        kernels = [{**k._asdict(), "nodes": list(k.nodes)} for k in self.kernels]
        return {"graph": self.name, "sizes": self.sizes, **whole, "kernels": kernels}

    def __str__(self) -> str:
        sizes = ", ".join(f"{s}={n}" for s, n in self.sizes.items())
        head = (
            f"  {'':>6} {'kernel':<{_WIDTH}} {'nodes':>5} {'flops':>13} {'bytes':>11} "
            f"{'predicted':>9} {'measured':>9} {'ratio':>5} {'share':>6}"
        )
        lines = [f"profile of {self.name}, {sizes or 'fixed sizes'}; times in us", head]
        for k in self.kernels:
            number = f"#{k.key}" if isinstance(k.key, int) else ""
            lines.append(
                f"  {number:>6} {k.label:<{_WIDTH}} {len(k.nodes):>5} {k.flops:>13,} "
                f"{k.nbytes:>11,} {1e6 * k.predicted:>9.1f} {1e6 * k.measured:>9.1f} "
                f"{k.ratio:>5.2f} {100 * self.share(k):>5.1f}%"
            )
        lines.append(
            f"  {'':>6} {'all kernels':<{_WIDTH}} {'':>5} {self.flops:>13,} {self.nbytes:>11,} "
            f"{1e6 * self.predicted:>9.1f} {1e6 * self.measured:>9.1f} "
            f"{self.measured / self.predicted:>5.2f} {100.0:>5.1f}%"
        )
        return "\n".join([*lines, *self.summary()])

    def summary(self) -> list[str]:
        """The whole step in words."""
        rest = 1e6 * (self.step - self.measured)
        shown = f"{rest:,.1f} us" if rest > 0 else "too little to be measured"
        rate = self.flops / self.step / 1e9
        return [
            f"  a step takes {1e6 * self.step:,.1f} us unprofiled, {rate:.1f} Gflop/s; its kernels "
            f"sum to {100 * self.measured / self.step:.1f} % of it",
            f"  overhead beside the kernels, feeds included: {shown}",
        ]


def profile(
    executable: Executable, held: Held, options: Options, feeds: Mapping[str, Any], steps: int
) -> Profile:
    """Profiles an executable on one batch, on a copy of the values that it runs on.

    Steps without stamps and with them are made in turns, and the machine's rates are measured
    between them: what else the machine does meets all three alike. Then the copy is made anew as
    well, for on one batch a net soon has no loss left, and numbers near 0 are slow. All times are
    of the fastest tenth of the steps, over which a kernel's time is a mean, so that they sum.
    Raises as `step` does.
    """
    steps = count_of("steps", steps)
    held.check_whole()
    _, sizes = executable.reader.read(feeds)
    copy, backend = held.twin(), options.backend
    executor = Executor(executable.plan(sizes), copy, backend)
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
                copy.fill(held.items())
                for _ in range(_WARM):
                    step()
            plain.append(step())
            with stamped:
                timed.append((step(), stamped.spent()))
    except NonFiniteError as e:
        made = int(copy["step"]) if "step" in copy else 0
        raise executor.explained(e, made) from None
    quick = sorted(timed, key=lambda pair: pair[0])[: max(_FEWEST, steps // 10)]
    found = {key: fmean(spent[key] for _, spent in quick) for key in quick[0][1]}
    whole = fmean(sorted(plain)[: len(quick)])
    return Profile(
        g.name, sizes, _rows(executor, stamped.calls, calibration.machine(), found), whole
    )


def _rows(
    executor: Executor,
    calls: Mapping[Kernel, Calls],
    machine: Machine,
    found: Mapping[Kernel, float],
) -> Iterator[Row]:
    g, plan = executor.graph, executor.plan
    phases = roles(g)
    done = works(plan, {key: calls[key] for key in found}, executor.watched)
    for work, predicted in zip(done, seconds(done, plan, machine), strict=True):
        names = tuple([g.names[n] for n in work.nodes])
        ops = " + ".join(dict.fromkeys(n.op.name for n in work.nodes))
        phase = phases[work.nodes[-1]] if work.nodes else "update"
        if work.key == CHECK:
            names, ops, phase = (), "finite?", "check"
        elif work.key == COPIES:
            ops, phase = "copy", "update"
        yield Row(work.key, phase, ops, names, work.flops, work.nbytes, predicted, found[work.key])


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
        made = step.made("<profiled step of verigrad>")
        self._stamping = made["compute"], made["commit"], None

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
        for made in self._stamps:
            stamps += made() if callable(made) else [made]
        pairs = pairwise(stamps)
        return {ended: stop - start for (_, start), (ended, stop) in pairs}
