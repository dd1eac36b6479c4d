"""`verigrad predict`: classes for the rows of a data set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import numpy as np

from ...graph import Array, RunError, on_one_line
from ..data.schema import schema
from ..data.source import load_rows
from ..program import Program
from ..training.dataset import labelled
from .models import load_model

_AT_A_TIME: Final = 1024


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def predict(model: Path, data: str, as_json: bool) -> None:
    """Print the class that MODEL gives to each row of DATA, one a line.

    A name that is not all printable, such as one of two lines, stands in quotes, as JSON has it.
    MODEL is a file that train wrote, or its folder. DATA is named as in train --data; of a data
    set with a test part, that part. Where DATA has labels, the accuracy is told on stderr.
    """
    program = load_model(model)
    classifier = labelled(program.declared)
    if classifier is None:
        raise RunError(f"{model} is no classifier: it has no scores [N,classes] for labels [N]")
    try:
        known = schema(program.metadata, classifier.classes)
    except RunError as e:
        raise RunError(f"{model} cannot be read: {e}") from None
    rows = load_rows(data, known)
    classes = np.array(known.classes or [str(i) for i in range(classifier.classes)])
    for note in (*rows.notes, *_unknown(rows.labels, classes)):
        click.echo(f"{data}: {note}", err=True)
    predicted = classes[np.concatenate(list(_chosen(program, classifier.scores, rows.x)))]
    accuracy = float(np.mean(predicted == rows.labels)) if rows.labels is not None else None
    if as_json:
        click.echo(json.dumps({"predictions": predicted.tolist(), "accuracy": accuracy}))
    else:
        shown = {name: on_one_line(name) for name in classes.tolist()}
        click.echo("\n".join([shown[name] for name in predicted.tolist()]))
    if accuracy is not None:
        click.echo(f"accuracy {accuracy:.4f} of {len(predicted):,} rows", err=True)


def _unknown(labels: Array | None, classes: Array) -> Iterator[str]:
    """What to tell of labels that are of no class: such rows count as wrong."""
    if labels is not None:
        of_none = ~np.isin(labels, classes)
        if of_none.any():
            name = on_one_line(str(labels[of_none.argmax()]))
            count = int(of_none.sum())
            yield f"{count:,} labels, such as {name}, are of no class that the model knows"


def _chosen(program: Program, key: str, x: Array) -> Iterator[Array]:
    """The number of the largest score of each row, some rows at a time."""
    names = [program.inference.names[n] for n in program.inference.inputs if n.type.is_float]
    if len(names) != 1:
        raise RunError(
            f"the model reads {len(names)} inputs of floats ({', '.join(names)}), where one is "
            "expected; use program.predict for others"
        )
    count = program.rows_at_a_time(_AT_A_TIME)
    for start in range(0, len(x), count):
        scores = program.predict({names[0]: x[start : start + count]})[key]
        wrong = np.flatnonzero(~np.isfinite(scores).all(axis=1))
        if wrong.size:
            raise RunError(
                f"the scores of row {start + wrong[0]} are not finite: the row holds "
                f"{np.abs(x[start + wrong[0]]).max():g}, or the weights are not finite"
            )
        yield scores.argmax(axis=1)
