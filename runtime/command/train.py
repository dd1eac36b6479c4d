"""`verigrad train`: data in, a trained program out."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import click

from ..data.parts import Classification
from ..data.source import load_data
from ..extras import require
from ..program import Program
from ..training.fit import Callback, fit
from ..training.history import Row
from ..training.measure import measure
from ..training.sampling import ShuffledEpochs
from .curves import draw_curves
from .folder import CURVES, Folder, Metrics
from .network import compiled
from .progress import progress
from .settings import EPOCHS, Setting, Settings, takes_settings


@click.command()
@takes_settings
@click.option(
    "--epochs", default=EPOCHS, show_default=True, type=click.IntRange(min=1),
    help="How often each row is trained on.",
)  # fmt: skip
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the matrix products.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR",
    help="Where the model, its metrics, settings and pictures go; nothing is written without it.",
)  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Lose a run that DIR already holds.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def train(
    settings: Settings,
    epochs: int,
    threads: int | None,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Train a net on a data set, and test it.

    Without arguments: three layers on the handwritten digits that ship with verigrad. A tenth of
    the training part is held out to follow the training; the test part is used once, at the end.
    """
    with _limited(threads):
        folder = Folder(out, overwrite) if out is not None else None
        data = load_data(settings.data, settings.target, settings.split_seed)
        sampler = ShuffledEpochs(len(data.train.y), settings.batch_size, settings.seed)
        program = compiled(data, settings, epochs * sampler.steps_per_epoch)
        _describe(data, program)
        if folder is not None:
            folder.begin(program, _config(settings, epochs, threads))
        rows: list[Row] = []
        with progress(epochs, epochs * sampler.steps_per_epoch) as shown:
            callbacks: list[Callback] = [_Keep(rows), shown]
            if folder is not None:
                callbacks.append(Metrics(folder))
            try:
                fit(
                    program,
                    data.train,
                    validation=data.validation if len(data.validation.y) else None,
                    epochs=epochs,
                    batch_size=settings.batch_size,
                    callbacks=callbacks,
                )
            finally:
                if folder is not None:
                    folder.save(program)
                    click.echo(f"model saved in {folder.path}", err=True)
                elif len(rows) < epochs:
                    click.echo("nothing was saved: --out DIR keeps the model", err=True)
        _finish(data, program, rows, folder, settings, as_json)


class _Keep(Callback):
    """Keeps the rows, also those of a run that is cut short."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows

    def on_epoch(self, row: Row) -> None:
        self._rows.append(row)


def _finish(
    data: Classification,
    program: Program,
    rows: list[Row],
    folder: Folder | None,
    settings: Settings,
    as_json: bool,
) -> None:
    """Tests the program, draws the curves and prints the result."""
    tested = measure(program, data.test)
    assert tested.accuracy is not None
    last = rows[-1]
    plan = program.plan(N=settings.batch_size)
    if folder is not None:
        title = f"{data.name}, {settings.optimizer}, lr {settings.rate:g}, seed {settings.seed}"
        folder.write(CURVES, draw_curves(title, rows, tested.accuracy))
    if as_json:
        result = {
            "data": data.name,
            "seed": settings.seed,
            "epochs": last.epoch,
            "steps": last.step,
            "seconds": round(last.seconds, 3),
            "train_loss": last.train_loss,
            "validation_loss": last.validation_loss,
            "validation_accuracy": last.validation_accuracy,
            "test_loss": tested.loss,
            "test_accuracy": tested.accuracy,
            "parameters": sum(v.size for v in program.parameters.values()),
            "arena_bytes": plan.nbytes,
            "unplanned_bytes": plan.unplanned_nbytes,
            "out": str(folder.path) if folder is not None else None,
        }
        click.echo(json.dumps(result))
        return
    right = round(tested.accuracy * len(data.test.y))
    share = 100 * plan.nbytes / plan.unplanned_nbytes
    click.echo(
        f"test accuracy {tested.accuracy:.4f} ({right:,} of {len(data.test.y):,}), "
        f"test loss {tested.loss:.4f}\n"
        f"train loss {last.train_loss:.4f} after {last.step:,} steps in {last.seconds:.1f} s\n"
        f"arena {plan.nbytes:,} bytes a step, {share:.0f} % of unplanned"
    )


def _describe(data: Classification, program: Program) -> None:
    for note in data.notes:
        click.echo(f"{data.name}: {note}", err=True)
    weights = [p.type.shape for p in program.declared.parameters if p.type.rank == 2]
    sizes = [data.features, *(shape[-1] for shape in weights)]
    count = sum(v.size for v in program.parameters.values())
    click.echo(
        f"{data.name}: {len(data.train.y):,} rows to train on, "
        f"{len(data.validation.y):,} to validate, {len(data.test.y):,} to test\n"
        f"net {'-'.join(map(str, sizes))}, {count:,} parameters",
        err=True,
    )


def _config(settings: Settings, epochs: int, threads: int | None) -> dict[str, dict[str, Setting]]:
    """All settings as they came out, to be read again."""
    from importlib.metadata import version

    told: dict[str, Setting] = {**settings.as_config(), "epochs": epochs}
    if threads is not None:
        told["threads"] = threads
    return {"verigrad": {"version": version("verigrad")}, "train": told}


def _limited(threads: int | None) -> AbstractContextManager[object]:
    """The matrix products kept to so many threads."""
    if threads is None:
        return nullcontext()
    limits: AbstractContextManager[object] = require("threadpoolctl", "threads").threadpool_limits(
        threads
    )
    return limits
