"""What a program is kept and shown as, files and pictures; and its loss, block by block."""

from __future__ import annotations

from math import isclose, isfinite
from pathlib import Path
from tempfile import TemporaryDirectory

import verigrad as vg
from verigrad.runtime.totals import Totals

from .case import Case
from .outcome import Outcome
from .running import Run, different, held


def check_views(case: Case, program: vg.Program, run: Run, outcome: Outcome) -> None:
    """A program that is saved and loaded goes on to the same numbers; all views can be made."""
    with outcome.layer("file"), TemporaryDirectory() as folder:
        path = Path(folder) / "program.safetensors"
        program.save(path)
        again = vg.load(path)
        if str(again.declared) != str(program.declared):
            outcome.fail("file", f"the graph is another one\n{again.declared}\n{program.declared}")
        feeds = case.feeds(case.sizes[0])
        for told in different(_stepped(again, feeds), _stepped(program, feeds), run.same):
            outcome.fail("file", f"as loaded, {told}")
    with outcome.layer("views"):
        g = program.executable.graph
        at = {s: case.sizes[0][s] for s in g.symbols}
        _ = str(program.plan(**at)), str(program.cost(**at)), program.source(**at)
        _ = g.to_dot(at), program.declared.to_networkx(), repr(program)


def _stepped(program: vg.Program, feeds: dict) -> dict:
    """What a program holds behind a step, where it can make one."""
    if program.declared.loss is not None and (
        program.options.optimizer is not None or program.declared.updates
    ):
        try:
            program.step(feeds)
        except vg.RunError:
            return held(program)
    return held(program)


def check_blocks(case: Case, program: vg.Program, outcome: Outcome) -> None:
    """The loss of some rows at a time, joined, is that of all rows; where the graph tells how."""
    sizes = max(case.sizes, key=lambda s: s.get("N", 0))
    count = sizes.get("N", 0)
    if program.declared.loss is None or program.declared.symbols != ("N",) or count < 2:
        return
    with outcome.layer("blocks"):
        how = program.blockwise(None)
        if how.parts is None:
            outcome.count("blocks: not to be split")
            return
        g, feeds = program.declared, case.feeds(sizes)
        totals, rows = Totals(how), max(1, count // 2)
        by_row = {g.names[n] for n in g.inputs if n.type.shape[:1] == ("N",)}
        try:
            whole = float(program.evaluate(feeds)["loss"])
            for start in range(0, count, rows):
                block = {k: a[start : start + rows] if k in by_row else a for k, a in feeds.items()}
                totals.add(how.outputs(block), len(range(start, min(start + rows, count))))
            joined = totals.loss()
        except vg.RunError:
            outcome.count("blocks: not defined")
            return
        outcome.count("blocks: joined")
        if isfinite(whole) and not isclose(joined, whole, rel_tol=1e-3, abs_tol=1e-3):
            outcome.fail("blocks", f"the loss is {whole}, and {joined} of blocks of {rows}")
