"""Files in place of a model: foreign, cut off, changed and hostile ones; folders that are none."""

from __future__ import annotations

import json
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from api_nets import rows, says, snapshot, two_layer

import verigrad as vg


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A program of two steps, saved."""
    program = vg.compile(
        two_layer(),
        optimizer=vg.Adam(lr=0.01),
        regularizer=vg.L2(0.1),
        dropout=vg.Dropout(keep=0.5),
    )
    for seed in range(2):
        program.step(rows(8, seed=seed))
    program.save(tmp_path / "run.safetensors")
    return tmp_path / "run.safetensors"


def split(raw: bytes) -> tuple[dict, bytes]:
    """The header and the data of a safetensors file."""
    size = int.from_bytes(raw[:8], "little")
    return json.loads(raw[8 : 8 + size]), raw[8 + size :]


def joined(header: object, data: bytes) -> bytes:
    """A safetensors file."""
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def test_the_file_is_readable_by_others(saved: Path) -> None:
    load_file = pytest.importorskip("safetensors.numpy").load_file
    arrays = load_file(saved)
    program = vg.load(saved)
    for name in program.parameters:
        np.testing.assert_array_equal(arrays[name], program.parameters[name])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with says("nothing.safetensors"):
        vg.load(tmp_path / "nothing.safetensors")


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with says(tmp_path.name):
        vg.load(tmp_path)


def test_a_file_cut_off_anywhere_is_refused(saved: Path) -> None:
    raw = saved.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    for length in (0, 1, 7, 8, 9, size // 2, size + 7, size + 8, size + 9, len(raw) - 1):
        saved.write_bytes(raw[:length])
        with says("run.safetensors"):
            vg.load(saved)


def test_bytes_after_the_end_are_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes() + b"more")
    with says("run.safetensors"):
        vg.load(saved)


def test_any_changed_byte_is_refused(saved: Path) -> None:
    raw = bytearray(saved.read_bytes())
    rng = np.random.default_rng(0)
    for place in [*range(0, 40), *rng.integers(40, len(raw), 120).tolist(), len(raw) - 1]:
        changed = bytearray(raw)
        changed[place] ^= 1 << int(rng.integers(8))
        saved.write_bytes(changed)
        with says("run.safetensors"):
            vg.load(saved)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 1000,
        b"\xff" * 1000,
        b"PK\x03\x04 a zip",
        b"\x93NUMPY\x01\x00",
        b"hello, world",
        pickle.dumps({"weights": [1, 2, 3]}),
        joined([], b""),
        joined(3, b""),
        joined({}, b""),
        joined({"__metadata__": {}}, b""),
        joined({"__metadata__": {"verigrad": "1"}}, b""),
        joined({"__metadata__": 3}, b""),
        joined({"__metadata__": "x" * 30_000}, b""),
        joined({"w": {"dtype": "F32" * 10_000, "shape": [1], "data_offsets": [0, 4]}}, b"\0" * 4),
        joined({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"\0" * 4),
        (8).to_bytes(8, "little") + b'{"a": 1,',
        (8).to_bytes(8, "little") + b"\xff" * 8,
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "foreign").write_bytes(content)
    with pytest.raises(vg.RunError, match="foreign") as e:
        vg.load(tmp_path / "foreign")
    assert len(str(e.value)) < 1500


@pytest.mark.parametrize("size", [2**63, 2**64 - 1, 2**40, 2**31, 10**9])
def test_a_header_that_claims_to_be_huge_takes_no_memory(tmp_path: Path, size: int) -> None:
    (tmp_path / "huge").write_bytes(size.to_bytes(8, "little") + b"{}" * 100)
    tracemalloc.start()
    with says("huge"):
        vg.load(tmp_path / "huge")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2**40, 2**20], "data_offsets": [0, 120]},
        {"dtype": "F32", "shape": [6, 5], "data_offsets": [0, 2**60]},
        {"dtype": "F32", "shape": [6, 5], "data_offsets": [-120, 0]},
        {"dtype": "F32", "shape": [-6, -5], "data_offsets": [0, 120]},
        {"dtype": "F32", "shape": [5, 6], "data_offsets": [0, 120]},
        {"dtype": "I32", "shape": [6, 5], "data_offsets": [0, 120]},
        {"dtype": "OBJECT", "shape": [6, 5], "data_offsets": [0, 120]},
        {"dtype": "F32", "shape": "6,5", "data_offsets": [0, 120]},
        {"dtype": "F32", "shape": [6.0, 5], "data_offsets": [0, 120]},
        {"dtype": "F32", "shape": [6, 5]},
        {"dtype": "F32", "shape": [6, 5], "data_offsets": [0]},
        None,
        [],
    ],
)
def test_a_header_that_lies_about_an_array_is_refused(saved: Path, entry: object) -> None:
    header, data = split(saved.read_bytes())
    assert "fc1.weight" in header
    saved.write_bytes(joined({**header, "fc1.weight": entry}, data))
    tracemalloc.start()
    with says("run.safetensors"):
        vg.load(saved)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_missing_and_additional_arrays_are_refused(saved: Path) -> None:
    header, data = split(saved.read_bytes())
    saved.write_bytes(joined({k: v for k, v in header.items() if k != "fc1.bias"}, data))
    with says("run.safetensors"):
        vg.load(saved)
    saved.write_bytes(joined({**header, "extra": header["fc1.bias"]}, data))
    with says("run.safetensors"):
        vg.load(saved)


@pytest.mark.parametrize("source", [vg.parameter, vg.state])
def test_a_graph_that_claims_to_be_huge_takes_no_memory(source, tmp_path: Path) -> None:
    saved = tmp_path / "run.safetensors"
    w = source("w", (6, 5), "he_normal")
    scale = vg.parameter("scale", (), "ones")
    vg.compile(vg.Graph("g", loss=scale * vg.sum(w)), optimizer=vg.Adam(lr=0.1)).save(saved)
    header, data = split(saved.read_bytes())
    (key,) = header["__metadata__"]
    text = header["__metadata__"][key]
    assert "f32[6,5]" in text
    for shape in ("f32[4000,5000]", "f32[6000000000,5000000000]", "f32[6,5,0]", "f32[5,6]"):
        metadata = {key: text.replace("f32[6,5]", shape)}
        saved.write_bytes(joined({**header, "__metadata__": metadata}, data))
        tracemalloc.start()
        with says("run.safetensors"):
            vg.load(saved)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 5_000_000


def test_texts_of_the_user_are_saved_and_others_refused(saved: Path) -> None:
    program = vg.load(saved)
    program.metadata["classes"] = "cat, d\u00f6g\n"
    program.save(saved)
    assert vg.load(saved).metadata == {"classes": "cat, d\u00f6g\n"}
    program.metadata["classes"] = np.ones(3)
    with says("metadata", "classes"):
        program.save(saved)
    assert vg.load(saved).metadata == {"classes": "cat, d\u00f6g\n"}


def test_a_header_of_deep_nesting_is_refused(tmp_path: Path) -> None:
    text = b"[" * 200_000
    (tmp_path / "deep").write_bytes(len(text).to_bytes(8, "little") + text)
    with says("deep"):
        vg.load(tmp_path / "deep")


def test_nothing_in_a_file_is_executed(saved: Path, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    header, data = split(saved.read_bytes())
    for key, value in header["__metadata__"].items():
        for attack in (
            f"__import__('pathlib').Path({str(witness)!r}).touch()",
            value.replace("adam", "__import__").replace("linear", "eval"),
            pickle.dumps(witness.touch).hex(),
        ):
            metadata = {**header["__metadata__"], key: attack}
            saved.write_bytes(joined({**header, "__metadata__": metadata}, data))
            if attack != value:
                with says("run.safetensors"):
                    vg.load(saved)
    assert not witness.exists()


def test_a_folder_that_is_missing_or_a_file_is_named_and_nothing_is_lost(saved: Path) -> None:
    program = vg.load(saved)
    before = snapshot(program)
    with says("no_such_folder"):
        program.save(saved.parent / "no_such_folder" / "run")
    with says("run.safetensors"):
        program.save(saved / "run")
    with says(saved.parent.name):
        program.save(saved.parent)
    assert snapshot(program) == before
    assert snapshot(vg.load(saved)) == before


def test_saving_replaces_a_file_whole_and_leaves_nothing_else(saved: Path) -> None:
    program = vg.load(saved)
    program.step(rows(8))
    program.save(saved)
    program.save(str(saved))
    assert [p.name for p in saved.parent.iterdir()] == ["run.safetensors"]
    assert snapshot(vg.load(str(saved))) == snapshot(program)
