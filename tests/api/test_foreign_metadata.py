"""Model files whose metadata is another's: refused by file and key, whatever stands there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_model_files import joined, split

import verigrad as vg
from verigrad.runtime import loading
from verigrad.runtime.command.run_options import read_config
from verigrad.runtime.files.checksums import digest
from verigrad.runtime.training.checkpoint import read_checkpoint

Key = tuple[str | int, ...]

VALUES = [None, -3, 2.5, 10**30, "a{", "\u2028\n" * 9999, [[[]]], {"a": [1]}]
MISSING = object()


def net() -> vg.Graph:
    x, y = vg.input("x", ("N", 2)), vg.input("y", ("N",), dtype="i64")
    scores = vg.dense(x, 2)
    return vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def compiled() -> vg.Program:
    return vg.compile(net(), optimizer=vg.Adam(0.1), clip=vg.ClipNorm(1.0))


DATA = (np.arange(12.0).reshape(6, 2), [0, 1, 0, 1, 1, 0])


def train(path: Path, epochs: int, resume: bool = False) -> None:
    vg.fit(
        compiled(), DATA, validation=DATA, epochs=epochs, batch_size=3, checkpoint=path,
        resume=resume, keep_best=True, callbacks=[vg.EarlyStopping(3)],
    )  # fmt: skip


class Foreign:
    """A checkpoint, and what it tells, to be written with something else in its place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        train(path, 2)
        self.header, self.data = split(path.read_bytes())
        ((self.key, text),) = self.header["__metadata__"].items()
        self.told = json.loads(text)
        safetensors = pytest.importorskip("safetensors.numpy")
        self.arrays = safetensors.load_file(path)

    def write(self, told: Any) -> None:
        """With a checksum that is right, as another's writer would."""
        if isinstance(told, dict):
            told = {**told, "digest": digest(told, self.arrays)}
        self.write_text(json.dumps(told))

    def write_text(self, text: str) -> None:
        self.path.write_bytes(joined({**self.header, "__metadata__": {self.key: text}}, self.data))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Foreign:
    return Foreign(tmp_path_factory.mktemp("foreign") / "run.safetensors")


def keys(value: Any, at: Key = ()) -> Iterator[Key]:
    """Where each value lies; of a list, the first alone."""
    yield at
    if isinstance(value, dict):
        for k, v in value.items():
            yield from keys(v, (*at, k))
    elif isinstance(value, list) and value:
        yield from keys(value[0], (*at, 0))


def put(value: Any, at: Key, new: object) -> Any:
    if not at:
        return new
    changed = value.copy()
    if len(at) == 1 and new is MISSING:
        del changed[at[0]]
    else:
        changed[at[0]] = put(changed[at[0]], at[1:], new)
    return changed


UNNAMED = ("pipeline", "inference_pipeline", "optimizer")
"""Where a pass is named, or the first array that the program doesn't have."""


def says(path: Path, error: vg.VerigradError, at: Key) -> bool:
    """Whether an error names the file, and the key that another thing stands under."""
    names = [k.split(".")[0] for k in at if isinstance(k, str)][-1:]
    return path.name in str(error) and all(k in str(error) or k in UNNAMED for k in names)


@pytest.fixture
def compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that tell of the same net and the same options are read into the same program."""
    made: dict[str, vg.Program] = {}

    def program(declared: vg.Graph, options: Any) -> vg.Program:
        told = f"{declared}{options}"
        if told not in made:
            made[told] = vg.Program(declared, options)
        return made[told]

    monkeypatch.setattr(loading, "Program", program)


@pytest.mark.usefixtures("compiled_once")
def test_whatever_stands_under_a_key_the_file_and_the_key_are_named(foreign: Foreign) -> None:
    for at in keys(foreign.told):
        for value in [*VALUES, MISSING]:
            if at[:1] == ("digest",) or (not at and value is MISSING):
                continue
            foreign.write(put(foreign.told, at, value))
            try:
                read_checkpoint(foreign.path)
            except vg.VerigradError as e:
                assert says(foreign.path, e, at), (at, value)
                assert len(str(e)) < 1500


def test_a_run_goes_on_from_a_foreign_checkpoint_or_is_refused(foreign: Foreign) -> None:
    for at in keys(foreign.told["run"]):
        if at[:1] in (("callbacks",), ("position",)):
            for value in (None, -3, "x", [1], MISSING):
                foreign.write(put(foreign.told, ("run", *at), value))
                try:
                    train(foreign.path, 3, resume=True)
                except vg.VerigradError as e:
                    assert foreign.path.name in str(e), (at, value)


TEXTS = [
    "", "null", "[]", "3", '"x"', "nan", "{", "[" * 100_000, '{"a":' * 100_000,
    '{"format": 1}', '{"format": 1, "format": 1}',
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:20])
def test_metadata_that_is_none_of_ours_is_refused(foreign: Foreign, text: str) -> None:
    foreign.write_text(text)
    with pytest.raises(vg.VerigradError, match=foreign.path.name):
        vg.load(foreign.path)


def test_a_key_that_stands_twice_is_refused(foreign: Foreign) -> None:
    foreign.write(foreign.told)
    vg.load(foreign.path)
    for key in ("seed", "notes", "waited"):
        text = json.dumps(foreign.told).replace(f'"{key}":', f'"{key}": 0, "{key}":')
        foreign.write_text(text)
        with pytest.raises(vg.RunError, match=f"{foreign.path.name} .*'{key}' stands in it twice"):
            vg.load(foreign.path)


def test_arrays_of_another_dtype_or_name_are_named(foreign: Foreign) -> None:
    text = foreign.header["__metadata__"]
    for name, entry in foreign.header.items():
        if name == "__metadata__":
            continue
        kind = {"F32": "I32", "F64": "I64", "I64": "F64"}[entry["dtype"]]
        changes = [
            {**foreign.header, name: {**entry, "dtype": kind}},
            {"other" if k == name else k: v for k, v in foreign.header.items()},
        ]
        for header in changes:
            foreign.path.write_bytes(joined({**header, "__metadata__": text}, foreign.data))
            with pytest.raises(vg.VerigradError, match=foreign.path.name):
                train(foreign.path, 3, resume=True)


def test_a_file_cut_or_of_other_bytes_anywhere_is_refused(foreign: Foreign) -> None:
    foreign.write(foreign.told)
    raw = foreign.path.read_bytes()
    header = len(raw) - len(foreign.data)
    for at in range(0, len(raw), 64):
        changed = bytearray(raw)
        changed[at] = 0xFF
        for content in (raw[:at], bytes(changed) if 8 < at < header else b""):
            foreign.path.write_bytes(content)
            with pytest.raises(vg.VerigradError, match=foreign.path.name):
                vg.load(foreign.path)


CONFIGS = [
    "", "null", "[]", '{"train": 3}', '{"train": {"hidden": "100"}}', '{"train": {"keep": [[1]]}}',
    '{"train": {"optimizer": "best"}}', '{"train": {"optimizer": 3}}', '{"train": {"epochs": 0}}',
    '{"train": {"batch_size": -1}}', '{"train": {"sampler": "x"}}', '{"train": {"lr": "x"}}',
    '{"train": {"threads": 1e30}}', '{"train": {"nothing": 1}}', '{"verigrad": 1}', "[" * 100_000,
    '{"train": {"steps": Infinity}}', '{"train": {"batch_size": -Infinity}}',
    '{"train": {"epochs": NaN}}', '{"train": {"threads": 1e999}}', '{"train": {"steps": 2.5}}',
    '{"train": {"backend": "x"}}', '{"train": {"data": ["digits"]}}', '{"train": {"seed": null}}',
]  # fmt: skip


@pytest.mark.parametrize("text", CONFIGS, ids=lambda text: text[:40])
def test_the_settings_of_a_run_are_held_against_its_options(text: str) -> None:
    with pytest.raises(vg.RunError):
        read_config(text)
