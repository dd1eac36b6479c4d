"""Without scikit-learn the names are there, and say what to install."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import sys
sys.modules["sklearn"] = None
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "sklearn" else found(name, *more)
import verigrad as vg
from verigrad import *
try:
    vg.MLPClassifier((10,), random_state=0)
except vg.RunError as e:
    print(e)
"""


@pytest.mark.numpy_bits
def test_the_error_names_the_extra() -> None:
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert "pip install" in run.stdout and "[sklearn]" in run.stdout
