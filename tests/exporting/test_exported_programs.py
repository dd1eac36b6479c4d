"""Random programs of the fuzzer: their C and their NumPy files do what they do."""

from __future__ import annotations

from pathlib import Path

import pytest
from c_library import needs_gcc
from effort import tries
from fuzzed import InC, InNumpy, differences

pytestmark = pytest.mark.numpy_bits  # no export depends on what runs a step


@needs_gcc
@pytest.mark.parametrize("seed", range(tries(10)))
def test_c_does_what_random_programs_do(seed: int, tmp_path: Path) -> None:
    assert differences(seed, InC, tmp_path) == ""


@pytest.mark.parametrize("seed", range(100, 100 + tries(20)))
def test_numpy_does_what_random_programs_do(seed: int, tmp_path: Path) -> None:
    assert differences(seed, InNumpy, tmp_path) == ""
