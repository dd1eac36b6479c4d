"""Files of programs, checkpoints and texts of graphs, and when they are read right."""

from __future__ import annotations

import contextlib
import json
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

import verigrad as vg
from verigrad.runtime.command.model_info import model_rows
from verigrad.runtime.data.schema import schema
from verigrad.runtime.execution.frame_names import columns_of
from verigrad.runtime.training.checkpoint import read_checkpoint

from .formats import KEY, split

DATA: Final = (np.linspace(-1, 1, 24).reshape(12, 2), np.arange(12) % 2)
GOLDEN: Final = Path(__file__).parents[2] / "golden"


def net() -> vg.Graph:
    """A small net with batch normalization, dropout and a constant that the file holds."""
    x, y = vg.input("x", ("N", 2)), vg.input("y", ("N",), dtype="i64")
    wide = x @ vg.constant(np.linspace(-1, 1, 2 * 40).reshape(2, 40), dtype="f32")
    h = vg.dropout(vg.relu(vg.batch_norm(vg.dense(wide, 3, name="fc1"), name="bn")), keep=0.9)
    scores = vg.dense(h, 2, name="fc2")
    return vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def compiled() -> vg.Program:
    return vg.compile(net(), optimizer=vg.Adam(0.1), clip=vg.ClipNorm(1.0), certify=False)


def train(path: Path, epochs: int, resume: bool = False) -> vg.Program:
    """A run on a few rows, from its beginning or from the checkpoint that `path` holds."""
    program = compiled()
    vg.fit(
        program, DATA, validation=DATA, epochs=epochs, batch_size=6, checkpoint=path,
        resume=resume, keep_best=True, callbacks=[vg.EarlyStopping(3)],
    )  # fmt: skip
    return program


def _made() -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        program = train(path, 2)
        runs = [path.read_bytes()]
        program.metadata.update(
            classes='["x", "y"]', columns='["a", "b"]', fill="[0.5, 1]", target="kind"
        )
        program.save(path)
        models = [path.read_bytes()]
        y = vg.dense(vg.input("x", ("N", 2), dtype="f64"), 1, name="fc")
        falling = vg.SGD(lr=vg.schedules.cosine(0.1, 10))
        plain = vg.Graph("plain", loss=vg.mean(vg.square(y)))
        vg.compile(plain, optimizer=falling, certify=False).save(path)
        models.append(path.read_bytes())
    return tuple(models), tuple(runs)


MODELS, CHECKPOINTS = _made()
GRAPHS: Final = tuple(
    part.encode()
    for path in sorted(GOLDEN.rglob("*.ir"))[::7]
    for part in path.read_text(encoding="utf-8").split("// -----")
    if part.lstrip().startswith("graph")
)


def content(program: vg.Program) -> dict[str, Any]:
    """What of a program is compared: its texts, and every bit of its state."""
    values = {**program.parameters, **program.state}
    return {
        "graph": str(program.declared),
        "metadata": dict(program.metadata),
        **{k: (v.dtype, v.shape, v.tobytes()) for k, v in values.items()},
    }


def _contents() -> dict[str, dict[str, Any]]:
    found = {}
    with TemporaryDirectory() as folder:
        for raw in (*MODELS, *CHECKPOINTS):
            path = Path(folder) / "file"
            path.write_bytes(raw)
            found[split(raw)[0]["__metadata__"][KEY]] = content(vg.load(path))
    return found


ORIGINALS: Final = _contents()
"""The content of the right files, by what they tell."""


def read_model(path: Path) -> object:
    """A program: that of the original file where it tells the same, and the same once saved."""
    program = vg.load(path)
    told = split(path.read_bytes())[0]["__metadata__"][KEY]
    found = content(program)
    assert found == ORIGINALS.get(told, found)
    again = path.with_name("again")
    program.save(again)
    assert content(vg.load(again)) == found
    columns_of(program.metadata)
    assert all(isinstance(text, str) for _, text in model_rows(path))
    classes = program.declared.outputs.get("scores")
    if classes is not None:
        try:
            schema(program.metadata, int(classes.type.shape[-1]))
        except vg.RunError as e:  # of a command, which was given the model
            assert "the model's metadata" in str(e)
    return program


def read_run(path: Path) -> object:
    """A checkpoint, and where the run goes on from it, one that is another epoch further."""
    stored = read_checkpoint(path)
    told = split(path.read_bytes())[0]["__metadata__"][KEY]
    found = content(stored.program)
    assert found == ORIGINALS.get(told, found)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", vg.VerigradWarning)
        with contextlib.suppress(vg.NonFiniteError):  # a step that numbers of a file overflow
            resumed = train(path, 3, resume=True)
            assert resumed.step_number >= stored.position.step
    return stored


def read_graph(path: Path) -> object:
    """A graph, whose text is read again as the same text."""
    g = vg.parse(path.read_bytes().decode("utf-8", "surrogateescape"))
    text = str(g)
    assert str(vg.parse(text)) == text
    json.dumps(text)
    return g
