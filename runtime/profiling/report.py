"""What a profile says: the kernels of a step, each with its measured and its predicted time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from ...graph import RunError, all_of, check_kind, sizes_of
from ...graph.notebook import Bar, Table, as_html, page
from ...graph.pictures.files import write_svg
from ..backends.step_text import Kernel

_WIDTH: Final = 36


class KernelRow(NamedTuple):
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
        self, name: str, sizes: Mapping[str, int], kernels: Iterable[KernelRow], step: float
    ) -> None:
        self.name = name
        self.sizes = sizes_of("sizes", sizes, error=RunError)
        self.kernels = all_of("kernels", kernels, KernelRow, "a KernelRow of a profile", RunError)
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

    def share(self, kernel: KernelRow) -> float:
        """The part of all kernels' time that one takes."""
        check_kind("kernel", kernel, KernelRow, "one of the profile's kernels", RunError)
        return kernel.measured / self.measured

    def to_svg(self, path: str | Path | None = None) -> str:
        """The kernels as bars, as SVG; written to `path` too, where one is given."""
        from ..figures.bars import Bar, draw_bars

        sizes = ", ".join(f"{s}={n}" for s, n in self.sizes.items())
        title = (
            f"{self.name}{f', {sizes}' if sizes else ''}: a step of {1e6 * self.step:,.0f} us, "
            f"its kernels {1e6 * self.measured:,.0f}, predicted {1e6 * self.predicted:,.0f}"
        )
        bars = [Bar(k.label, k.phase, k.measured, k.predicted) for k in self.kernels]
        return write_svg(path, lambda: draw_bars(title, bars))

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

    @as_html
    def _repr_mimebundle_(self) -> str:
        sizes = ", ".join(f"{s}={n}" for s, n in self.sizes.items())
        most = max([k.measured for k in self.kernels], default=0.0) or 1.0
        rows = [
            (
                f"#{k.key}" if isinstance(k.key, int) else "-",
                k.label,
                k.phase,
                k.flops,
                k.nbytes,
                f"{1e6 * k.predicted:,.1f}",
                Bar(f"{1e6 * k.measured:,.1f}", k.measured / most),
                f"{k.ratio:.2f}",
                f"{100 * self.share(k):.1f} %",
            )
            for k in self.kernels
        ]
        heads = (
            "call", "kernel", "phase", "flops", "bytes", "predicted us", "measured us", "ratio",
            "share",
        )  # fmt: skip
        title = f"profile of {self.name}, {sizes or 'fixed sizes'}"
        return page(title, Table(heads, rows), notes=self.summary())

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
