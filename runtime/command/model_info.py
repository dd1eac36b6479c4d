"""What the file of a program holds, line by line: its graph, its options, its certificate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ...graph.sources import Constant
from ...graph.text.attributes import print_value
from ..data.schema import ENCODINGS, schema
from ..files.description import Certified
from ..files.program_file import opened
from ..program import Program
from ..training.dataset import labelled
from .models import file_of, load_model
from .network import TARGET_SCALE

_SHOWN: Final = 6
"""So many skipped tensors, and categories of a column, are named."""


def model_rows(path: Path) -> Iterator[tuple[str, str]]:
    """A name and a value for each thing to tell; the file is read whole, and its checksums held
    against what it holds."""
    program = load_model(path)
    with opened(file_of(path)) as stored:
        certificate, run = stored.certificate, stored.run
    options, g = program.options, program.declared
    yield "file", f"{file_of(path)}, {file_of(path).stat().st_size:,} bytes"
    yield "graph", f"{g.name}, {len(g.order)} nodes"
    yield "inputs", ", ".join([f"{g.names[n]}: {n.type}" for n in g.inputs])
    yield "outputs", ", ".join([f"{key}: {n.type}" for key, n in g.outputs.items()])
    count = sum(v.size for v in program.parameters.values())
    frozen = len(g.parameters) - len(g.trained)
    held = f"{count:,} numbers in {len(program.parameters)} tensors"
    yield "parameters", held + (f", of which {frozen} are frozen" if frozen else "")
    yield "steps", f"{program.step_number:,}"
    for name in ("optimizer", "regularizer", "dropout", "clip"):
        if (value := getattr(options, name)) is not None:
            yield name, print_value(value)
    yield "compiled", _compiled(program)
    if run is not None:
        yield "checkpoint", f"of a run, after {program.step_number:,} steps"
    for key, text in program.metadata.items():
        if key != ENCODINGS:
            yield f"metadata {key}", text
    yield from _columns(program)
    yield from _certificate(certificate)


def _columns(program: Program) -> Iterator[tuple[str, str]]:
    """How each column of a table becomes features, where any is more than a number; and how the
    number to predict is scaled."""
    if ENCODINGS in program.metadata:
        classes = labelled(program.declared)
        known = schema(program.metadata, classes.classes if classes is not None else None)
        for encoding in known.encodings:
            named = ["(missing)" if c is None else c for c in encoding.categories]
            more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
            listed = f": {', '.join(named[:_SHOWN])}{more}" if named else ""
            yield f"column {encoding.name}", f"{encoding.kind}{listed}"
    scale = [program.declared.named.get(name) for name in TARGET_SCALE]
    numbers = [float(n.op.array) for n in scale if n is not None and isinstance(n.op, Constant)]
    if len(numbers) == len(scale):
        mean, deviation = numbers
        yield "target scale", f"mean {mean:.6g}, deviation {deviation:.6g}; undone in predictions"


def _compiled(program: Program) -> str:
    o = program.options
    told = [f"seed {o.seed}", o.dtype, f"backend {o.backend}"]
    told += [f"at most {o.threads} threads"] if o.threads is not None else []
    told += [f"memory_limit {o.memory_limit:,}"] if o.memory_limit is not None else []
    told += ["recompute"] if o.recompute else []
    return ", ".join([*told, *([print_value(o.shards)] if o.shards is not None else [])])


def _certificate(told: Certified | None) -> Iterator[tuple[str, str]]:
    """What the program that wrote the file found of its graph; plans are checked where they run."""
    if told is None:
        yield "certificate", "none: it was compiled with certify=False, or by an older verigrad"
        return
    chance = f"one that differs is missed with a chance of {told.chance:.0e}"
    yield "certificate", f"{told.verdict}: {told.compared} tensors as declared; {chance}"
    if told.derivatives is not None:
        yield "derivatives", f"{told.derivatives}: {told.reason}".removesuffix(": ")
    for name, lines in {"skipped": told.skipped, "differences": told.differences}.items():
        if lines:
            more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
            yield name, "; ".join([*lines[:_SHOWN], *more])
