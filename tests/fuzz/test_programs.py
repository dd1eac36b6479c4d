"""Some hundred random programs, of other seeds where more is tried; none fails a check."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from effort import tries

import verigrad as vg

from .__main__ import main
from .case import case
from .choices import Choices
from .families import NAMES, maker
from .pipelines import allowed
from .work import How, worked

TESTS = Path(__file__).parent.parent
BLOCK = 16


def test_every_op_can_be_drawn() -> None:
    assert all(maker(name) is not None for name in NAMES)


@pytest.mark.parametrize("block", range(tries(10)))
def test_the_exact_layer_proves_random_programs(block: int) -> None:
    seeds = range(block * BLOCK, (block + 1) * BLOCK)
    tally = worked(seeds, How(exact_only=True))
    assert tally.found == []
    assert tally.graphs >= BLOCK


@pytest.mark.parametrize("seed", range(10_000, 10_000 + tries(8)))
def test_all_checks_hold_of_random_programs(seed: int) -> None:
    assert worked([seed], How()).found == []


@pytest.mark.parametrize("block", range(tries(6)))
def test_all_checks_hold_of_programs_in_shards(block: int) -> None:
    tally = worked(range(20_000 + 4 * block, 20_000 + 4 * (block + 1)), How(shards=True))
    assert tally.found == []


def test_the_exact_layer_proves_programs_in_shards() -> None:
    tally = worked(range(30_000, 30_000 + tries(24)), How(exact_only=True, shards=True))
    assert tally.found == []
    assert tally.programs >= tries(24) / 3


def test_a_seed_is_one_program_in_any_process() -> None:
    code = "from fuzz.case import case; print([case(seed).told() for seed in range(20)])"
    here = str([case(seed).told() for seed in range(20)])
    env = {**os.environ, "PYTHONPATH": str(TESTS), "PYTHONHASHSEED": "7"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    assert run.stdout.strip() == here


def test_batches_of_a_seed_are_the_same() -> None:
    one, other = case(3), case(3)
    for sizes in one.sizes:
        a, b = one.feeds(sizes), other.feeds(sizes)
        assert a.keys() == b.keys() and all((a[k] == b[k]).all() for k in a)


def test_what_is_allowed_is_what_a_pipeline_takes() -> None:
    agreed = set()
    for seed in range(tries(200)):
        passes = Choices(seed).shuffled(vg.TRAINING)
        try:
            vg.Pipeline(passes)
        except vg.PassError:
            taken = False
        else:
            taken = True
        assert taken == allowed(passes)
        agreed.add(taken)
    few = [p for p in vg.TRAINING if p.name in ("simplify", "fuse_linear_relu", "schedule")]
    assert allowed(few) and vg.Pipeline(few) and False in agreed


def test_the_command_runs_one_seed() -> None:
    result = CliRunner().invoke(main, ["--seed", "12", "--exact-only"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("seed 12: ") and "all checks hold" in result.output
