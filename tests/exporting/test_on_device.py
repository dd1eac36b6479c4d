"""The example that trains on a device: its main is short, and what it trains has learned."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from c_library import needs_gcc

pytestmark = pytest.mark.numpy_bits  # no export depends on what runs a step

FOLDER = Path(__file__).parents[2] / "examples" / "on_device"


def test_its_main_is_short() -> None:
    lines = (FOLDER / "main.c").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 40 and max(map(len, lines)) <= 100


@needs_gcc
@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
def test_it_learns_the_digits_in_31_kilobytes(tmp_path: Path) -> None:
    folder = shutil.copytree(FOLDER, tmp_path / "on_device")
    environment = {**os.environ, "CFLAGS": "-std=c99 -Os -Wall -Wextra -Wpedantic -Werror"}
    command = ["make", "-s", f"PYTHON={sys.executable}", "CC=gcc"]
    made = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    told = "12,008 bytes of arena, 19,288 of state, 9,472 constant"
    assert made.stdout.startswith(told)
    text, data, bss = map(int, re.findall(r"\d+", made.stdout.splitlines()[2])[:3])
    assert data == 0 and bss <= 31_500 and text - 9_472 < 4_500
    accuracy = re.search(r"test accuracy (0\.\d+)$", made.stdout.strip())
    assert accuracy is not None and float(accuracy[1]) > 0.95
