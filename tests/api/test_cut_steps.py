"""A step that is cut off while it writes the state: nothing of it is used or saved."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from api_nets import rows, says, two_layer

import verigrad as vg


def cut(program: vg.Program, feeds: dict[str, object]) -> None:
    """Interrupts a step between its first write of state and its last."""
    executor = program.executable.executor({"N": 8})

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    executor._commit = interrupted
    executor._whole = None  # what runs at once is not cut
    with pytest.raises(KeyboardInterrupt):
        program.step(feeds)


def test_a_cut_step_makes_the_program_unusable_and_its_file_stays(tmp_path: Path) -> None:
    program, feeds = vg.compile(two_layer(), optimizer=vg.SGD(lr=0.1)), rows(8)
    program.step(feeds)
    path = tmp_path / "model.safetensors"
    program.save(path)
    kept = path.read_bytes()
    cut(program, feeds)
    for use in (program.step, program.loss, program.predict):
        with says("cut off", "load"):
            use(feeds)
    with says("cut off", "load"):
        program.save(path)
    with says("cut off", "load"):
        copy.copy(program)
    assert path.read_bytes() == kept
    assert vg.load(path).step_number == 1
