"""Whatever public name is used first in a process finds all that it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "line",
    [
        'vg.parameter("w", (3, 3))',
        'vg.parse("graph g {\\n  %x: f32[] = input\\n  %y: f32[] = exp(%x)\\n  return y=%y\\n}")',
        'vg.input("x", (2,)) + 1.0',
        "vg.TRAINING",
        'vg.decay_add(vg.input("v", (2,)), vg.input("g", (2,)), decay=0.9)',
        "vg.init.normal(0.1)",
    ],
)
def test_the_first_line_of_a_process_works(line: str) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import verigrad as vg; print({line})"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip()
