"""`verigrad predict`: classes or numbers for the rows of a data set, and how good they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from ...graph import Array, RunError, on_one_line, shown
from ...graph.writing import write_whole
from ..data.parts import Samples
from ..data.rows import Rows
from ..data.schema import Schema, schema
from ..data.source import load_rows
from ..metrics.classification import probabilities
from ..program import Program
from ..training.dataset import labelled
from ..training.scoring import scored
from .models import load_model
from .outputs import STDOUT, check_figure
from .predictions import Predictions, check_output, single
from .scorecard import ClassCard, NumberCard, Scorecard
from .scoring import outputs


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data")
@click.option("--target", metavar="NAME", help="The column of DATA that holds what is true.")
@click.option("--proba", is_flag=True, help="The probability of each class, too, as a table.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, allow_dash=True), metavar="FILE",
    help="Write the predictions there, .csv or .parquet; stdout then has how good they are.",
)  # fmt: skip
@click.option(
    "--svg", type=click.Path(path_type=Path), metavar="FILE",
    help="Draw what is true beside what is predicted there.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def predict(
    model: Path,
    data: str,
    target: str | None,
    proba: bool,
    output: Path | None,
    svg: Path | None,
    as_json: bool,
) -> None:
    """Print the class, or the number, that MODEL gives to each row of DATA, one a line.

    A name that is not all printable, such as one of two lines, stands in quotes, as JSON has it.
    MODEL is a file that train wrote, or its folder. DATA is named as in train --data; of a data
    set with a test part, that part. The columns of a table are found by their names. Where DATA
    has what is true, it is told on stderr how many are right; with --target or -o, by class.
    """
    check_output(output)
    if svg is not None:
        check_figure(svg)
    reader = _Reader.of(model)
    if proba:
        reader.check_probabilities(model)
    rows = load_rows(data, reader.known, target)
    if svg is not None and rows.labels is None:
        raise RunError(f"--svg shows what is true beside what is predicted; {_unlabelled(data)}")
    for note in (*rows.notes, *_unknown(rows.labels, reader)):
        click.echo(f"{data}: {note}", err=True)
    found = np.concatenate(list(_finite(reader, rows.x)))
    predicted = reader.predictions(found, proba)
    card = reader.scorecard(rows, found, predicted)
    _tell(predicted, card, output, whole=target is not None or output is not None, as_json=as_json)
    if svg is not None and card is not None:
        write_whole(svg, card.draw(f"{model.resolve().name} on {Path(data).name}"))
        click.echo(f"figure in {svg}", err=True)


def _tell(
    predicted: Predictions, card: Scorecard | None, output: Path | None, whole: bool, as_json: bool
) -> None:
    """Writes the predictions to their file or to stdout, and how good they are, `whole` or in a
    line, to stdout where that is free, else to stderr."""
    to_file = output is not None and output != STDOUT
    if output is not None and to_file:
        predicted.write(output)
        click.echo(f"{len(predicted.values):,} predictions in {output}", err=True)
    if as_json:
        click.echo(json.dumps(_plain(predicted, card, to_file)))
    elif output == STDOUT or (output is None and predicted.probabilities is not None):
        click.echo(predicted.csv(), nl=False)
    elif output is None:
        click.echo(predicted.lines())
    if card is not None:
        told = str(card) if whole and not as_json else card.line
        click.echo(told, err=as_json or not to_file)


class _Reader(NamedTuple):
    """A program, what it keeps of the data that it was trained on, and the output that predicts,
    of which a class has a column."""

    program: Program
    known: Schema
    key: str
    classes: tuple[str, ...]

    @classmethod
    def of(cls, model: Path) -> _Reader:
        """The program of a file; RunError where it predicts neither classes nor a number."""
        program = load_model(model)
        classifier = labelled(program.declared)
        if classifier is None and program.metadata.get("task") != "regression":
            raise RunError(f"{model} is no classifier: it has no scores [N,classes] for labels [N]")
        try:
            known = schema(program.metadata, classifier.classes if classifier is not None else None)
        except RunError as e:
            raise RunError(f"{model} cannot be read: {e}") from None
        if classifier is None:
            return cls(program, known, scored(program.declared).output, ())
        names = known.classes or tuple([str(i) for i in range(classifier.classes)])
        return cls(program, known, classifier.scores, names)

    def check_probabilities(self, model: Path) -> None:
        """Raises a usage error where the output is none of probabilities."""
        if not self.classes:
            raise click.UsageError(f"--proba is for classes, and {model} predicts a number")
        loss = self.program.metadata.get("loss")
        if loss not in (None, "softmax"):
            raise click.UsageError(
                f"{model} was trained with --loss {loss}, whose scores are no logarithms of "
                "probabilities; train with --loss softmax for --proba"
            )

    def predictions(self, found: Array, proba: bool) -> Predictions:
        """What the output says of each row."""
        if not self.classes:
            if found.size != len(found):
                raise RunError(
                    f"the model predicts {found.size // len(found)} numbers a row, where one is "
                    "expected; use program.predict for others"
                )
            return Predictions(single(found.reshape(len(found))))
        chosen = np.array(self.classes)[found.argmax(axis=1)]
        shares = probabilities(found) if proba else None
        return Predictions(chosen, self.classes, shares)

    def scorecard(self, rows: Samples, found: Array, predicted: Predictions) -> Scorecard | None:
        """How good that is, where the rows say what is true."""
        if rows.labels is None:
            return None
        if not self.classes:
            return NumberCard(rows.labels, predicted.values)
        return ClassCard(rows.labels, found, self.classes)


def _unlabelled(data: str) -> str:
    return f"{shown(data)} does not say what is true; --target names a column that does"


def _unknown(labels: Array | None, reader: _Reader) -> Iterator[str]:
    """What to tell of labels that are of no class: such rows count as wrong."""
    if labels is not None and reader.classes:
        of_none = ~np.isin(labels, np.array(reader.classes))
        if of_none.any():
            name = on_one_line(str(labels[of_none.argmax()]))
            count = int(of_none.sum())
            yield f"{count:,} labels, such as {name}, are of no class that the model knows"


def _finite(reader: _Reader, x: Array | Rows) -> Iterator[Array]:
    """The output for each row, some at a time; RunError names the first that is not finite."""
    start = 0
    for found in outputs(reader.program, reader.key, x):
        wrong = np.flatnonzero(~np.isfinite(found.reshape(len(found), -1)).all(axis=1))
        if wrong.size:
            row = start + int(wrong[0])
            raise RunError(
                f"the {reader.key} of row {row} are not finite: the row holds "
                f"{np.abs(x[row]).max():g}, or the weights are not finite"
            )
        start += len(found)
        yield found


def _plain(predicted: Predictions, card: Scorecard | None, to_file: bool) -> dict[str, object]:
    """The result in types that JSON has; predictions that went to a file are not in it."""
    accuracy = card.metrics.get("accuracy") if card is not None else None
    told: dict[str, object] = {"accuracy": accuracy}
    if not to_file:
        told = {"predictions": predicted.values.tolist(), **told}
        if predicted.probabilities is not None:
            told["classes"] = predicted.classes
            told["probabilities"] = predicted.probabilities.tolist()
    return told if card is None else {**told, "scores": card.as_dict()}
