"""Random programs in ONNX: all ops, nets, optimizers and pipelines that the fuzzer draws, in f64.

`python -m pytest tests/onnx_out/test_onnx_programs.py` tries some; `make test-more` twenty times
as many.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from effort import tries
from fuzz.case import Case, case
from fuzz.running import different
from onnx_runs import Session, checked

import verigrad as vg
from verigrad.runtime.exporting.onnx.files import inferred, stepped

pytestmark = [pytest.mark.oracle, pytest.mark.numpy_bits]

BLOCK = 8


def close(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays are equal but for rounding."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype.kind != "f":
        return np.array_equal(a, b)
    scale = float(np.abs(b[np.isfinite(b)]).max(initial=1.0))
    return np.allclose(a, b, 1e-6, 1e-6 * scale, equal_nan=True)


def graphs(program: vg.Program) -> list[tuple[vg.Graph, bool]]:
    """What a program's files hold: inference, the training step."""
    declared, found = program.declared, []
    if set(declared.outputs) - {"loss"}:
        found.append((inferred(program._variants), False))
    if declared.loss is not None and (program.options.optimizer or declared.updates):
        found.append((stepped(program._variants), True))
    return found


def told(c: Case, program: vg.Program, g: vg.Graph, training: bool, path: Path) -> list[str]:
    """What a file gives that the interpreter does not."""
    program.to_onnx(path, training=training)
    read = {v.name for v in checked(path).graph.input}
    session, held = Session(path), {**program.parameters, **program.state}
    wanted = {g.names[n] for n in (*g.inputs, *g.parameters, *g.state)}
    wrong = []
    for sizes in c.sizes:
        feeds = {k: np.asarray(a, "f8") if a.dtype.kind == "f" else a
                 for k, a in c.feeds(sizes).items()}  # fmt: skip
        try:
            due = vg.interpret(g, {k: a for k, a in {**feeds, **held}.items() if k in wanted})
        except vg.RunError:  # such as the mean of no rows
            continue
        outputs = session.run({k: a for k, a in feeds.items() if k in read})
        # Some outputs are called otherwise, as an input has their name: they come in order.
        names = [*due.outputs, *[f"{k} updated" for k in due.updates]]
        found = dict(zip(names, outputs.values(), strict=True))
        expected = dict(zip(names, [*due.outputs.values(), *due.updates.values()], strict=True))
        wrong += different(found, expected, close)
    return wrong


@pytest.mark.parametrize("block", range(tries(5)))
@np.errstate(all="ignore")
def test_random_programs_are_the_same_in_onnx(onnx: Any, block: int, tmp_path: Path) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        c = case(seed)
        program = c.compile(certify=False, dtype="f64", threads=1)
        for g, training in graphs(program):
            assert told(c, program, g, training, tmp_path / "net.onnx") == [], seed
