"""A changed bit of a file is an error, and one of an array names it; nothing else is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from api_nets import rows, snapshot, two_layer
from test_model_files import joined, split

import verigrad as vg
from verigrad.passes.attach_optimizer import AttachOptimizer
from verigrad.passes.differentiate import Differentiate
from verigrad.runtime.files.checksums import digest
from verigrad.runtime.training.checkpoint import read_checkpoint

KEY = "verigrad"
PIPELINE = vg.Pipeline([Differentiate(), AttachOptimizer()])


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A checkpoint of a net that holds a constant, with moments, losses and the best weights."""
    x, y = vg.input("x", ("N", 4)), vg.input("y", ("N",), dtype="i64")
    shift = vg.constant(np.linspace(-1, 1, 4 * 40).reshape(4, 40))
    scores = vg.dense(x, 3, name="fc1") + vg.mean(vg.dense(x @ shift, 1, name="fc2"))
    net = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    data = (rows(8, 4)["x"], np.arange(8) % 3)
    path = tmp_path / "run.safetensors"
    vg.fit(
        vg.compile(net, optimizer=vg.Adam(0.1)), data, validation=data, epochs=2, batch_size=4,
        checkpoint=path, keep_best=True,
    )  # fmt: skip
    return path


def flipped(raw: bytes, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_a_flipped_bit_of_any_array_names_it(checkpoint: Path) -> None:
    raw = checkpoint.read_bytes()
    header, data = split(raw)
    entries = {k: entry["data_offsets"] for k, entry in header.items() if k != "__metadata__"}
    assert {k.split("/")[0] for k in entries} >= {
        "fc1.weight",
        "fc2.bias.first_moment",
        "constants",
        "run",
    }
    for name, (start, stop) in entries.items():
        for place in {start, (start + stop) // 2, stop - 1}:
            checkpoint.write_bytes(flipped(raw, 8 * (len(raw) - len(data) + place) + place % 8))
            with pytest.raises(vg.RunError) as e:
                read_checkpoint(checkpoint)
            assert f"{name!r} was changed since it was saved" in str(e.value)
            assert str(checkpoint) in str(e.value)


def test_a_flipped_bit_of_a_checksum_blames_no_array(checkpoint: Path) -> None:
    raw = checkpoint.read_bytes()
    told = json.loads(split(raw)[0]["__metadata__"][KEY])
    for checksum in (*told["checksums"].values(), told["digest"]):
        checkpoint.write_bytes(flipped(raw, 8 * raw.index(checksum.encode())))
        with pytest.raises(vg.RunError, match="what it tells of the program was changed"):
            read_checkpoint(checkpoint)


def resealed(path: Path, **changes: Any) -> None:
    """Writes a file with other keys, as its writer would have: None stands for no such key."""
    header, data = split(path.read_bytes())
    told = json.loads(header["__metadata__"][KEY]) | changes
    told = {k: v for k, v in told.items() if v is not None}
    arrays = pytest.importorskip("safetensors.numpy").load_file(path)
    told["digest"] = digest(told, arrays)
    path.write_bytes(joined({**header, "__metadata__": {KEY: json.dumps(told)}}, data))


def test_a_file_of_format_1_is_read_and_checked_by_its_one_digest(checkpoint: Path) -> None:
    before = snapshot(vg.load(checkpoint))
    resealed(checkpoint, format=1, checksums=None)
    assert snapshot(vg.load(checkpoint)) == before
    raw = checkpoint.read_bytes()
    checkpoint.write_bytes(flipped(raw, 8 * len(raw) - 1))
    with pytest.raises(vg.RunError, match="is not what was saved: a part of it was changed"):
        vg.load(checkpoint)


@pytest.mark.parametrize("changed", ["without", "another", "more"])
def test_each_array_has_a_checksum_and_each_checksum_an_array(
    checkpoint: Path, changed: str
) -> None:
    told = json.loads(split(checkpoint.read_bytes())[0]["__metadata__"][KEY])
    sums: Mapping[str, str] = told["checksums"]
    wrong, message = {
        "without": ({k: v for k, v in sums.items() if k != "fc1.bias"}, "has no checksum of"),
        "another": ({**sums, "fc1.bias": sums["fc1.weight"]}, "'fc1.bias' was changed"),
        "more": ({**sums, "fc9": sums["fc1.bias"]}, "'fc9', of which it has a checksum, is miss"),
    }[changed]
    resealed(checkpoint, checksums=wrong)
    with pytest.raises(vg.RunError, match=message):
        vg.load(checkpoint)


@pytest.mark.parametrize("bit", range(8))
def test_no_flipped_bit_of_a_model_file_goes_unseen(tmp_path: Path, bit: int) -> None:
    """Every bit of every byte: an error that names the file, or the program that was saved."""
    program = vg.compile(two_layer(2, 2, 2), optimizer=vg.SGD(lr=0.1), pipeline=PIPELINE)
    path = tmp_path / "model"
    program.save(path)
    raw, before, text = path.read_bytes(), snapshot(program), str(program.declared)
    refused = 0
    with path.open("r+b", buffering=0) as file:
        for place, byte in enumerate(raw):
            file.seek(place)
            file.write(bytes([byte ^ 1 << bit]))
            try:
                found = vg.load(path)
            except vg.VerigradError as e:
                assert str(path) in str(e)
                refused += 1
            else:
                assert (snapshot(found), str(found.declared)) == (before, text), (place, bit)
            file.seek(place)
            file.write(bytes([byte]))
    assert refused > 0.99 * len(raw)
