"""A run of `train` or `resume`: the training itself, and what is told and written at its end."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from ...graph import VerigradError, on_one_line
from ..data.parts import TaskData
from ..figures.curves import draw_curves
from ..program import Program
from ..ranks.communicator import Communicator
from ..training.callback import Callback
from ..training.checkpoint import Checkpoint
from ..training.fit import fit
from ..training.following import EarlyStopping, KeepBest
from ..training.history import History, Row
from ..training.sampling import steps_per_epoch
from ..training.team import AUDIT
from .folder import CURVES, Folder, Written
from .log_to import loggers_of
from .ranks import how_to_go_on, is_first
from .report import one_batch
from .run_options import RunOptions
from .scoring import doubt, names_of, of_epochs, plain
from .settings import Settings
from .tested import Tested


class TrainingRun:
    """A program, the data that it is trained on, and where that is written."""

    def __init__(
        self,
        data: TaskData,
        program: Program,
        settings: Settings,
        run_options: RunOptions,
        folder: Folder | None,
        comm: Communicator | None = None,
    ) -> None:
        self.data = data
        self.program = program
        self.settings = settings
        self.options = run_options
        self.folder = folder
        self.comm = comm
        self.metrics = names_of(data.task, run_options.metrics)
        asked = of_epochs(data.task, run_options.metrics, run_options.keep_best)
        self.of_epochs = asked if len(data.validation.y) else ()
        self._loggers = loggers_of(settings, run_options, folder.path if folder else None)

    def run(self, checkpoint: Checkpoint | None, as_json: bool) -> None:
        """Trains, and tests in one rank; a run that is interrupted is told how it goes on."""
        try:
            history = self.train(checkpoint)
            if is_first(self.comm):
                self.finish(history, as_json)
        except KeyboardInterrupt:
            if self.folder is not None and self.folder.checkpoint.exists():
                click.echo(how_to_go_on(self.folder.path, self.comm), err=True)
            raise

    def train(self, checkpoint: Checkpoint | None) -> History:
        """Trains to the end, from the checkpoint where it says so; writes the model. The history
        of the whole run."""
        steps = steps_of_run(self.data, self.settings, self.options)
        best, rest = followed(self.program, self.options)
        written = [Written(self.folder, self.program, best)] if self.folder is not None else []
        try:
            history = fit(
                self.program,
                self.data.train,
                validation=self.data.validation if len(self.data.validation.y) else None,
                steps=steps,
                batch_size=self.settings.batch_size,
                sampler=self.options.sampler,
                metrics=self.of_epochs,
                callbacks=[*rest, *written],
                loggers=self._loggers,
                checkpoint=checkpoint,
                bundle=self.folder.bundle if self.folder is not None else None,
                progress=True,
                verify_products=self.options.verify_products,
                audit=self.options.audit or AUDIT,
                comm=self.comm,
            )
        except BaseException:
            self._save_unfinished(best)
            raise
        self._save(best)
        if best is not None:
            best.put_back()
        return history

    def _save(self, best: KeepBest | None) -> bool:
        """Writes the model into the folder, where there is one with a run."""
        if self.folder is None or not self.folder.checkpoint.exists():
            return False
        self.folder.save(self.program, best)
        click.echo(f"model saved in {self.folder.path}", err=True)
        return True

    def _save_unfinished(self, best: KeepBest | None) -> None:
        """The same of a run that an error has ended, which is the error that is told."""
        try:
            if not self._save(best):
                click.echo("nothing was saved: --out DIR keeps the model", err=True)
        except VerigradError as e:
            click.echo(f"the model could not be saved: {e}", err=True)

    def finish(self, history: History, as_json: bool) -> None:
        """Tests the program, draws the curves, writes the report and prints the result."""
        rows = history.rows
        click.echo(self.program.certificate.line, err=True)
        tested = Tested(self.data, self.program, self.metrics)
        try:
            if self.folder is not None:
                s = self.settings
                title = f"{self.data.name}, {s.optimizer}, lr {s.rate:g}, seed {s.seed}"
                self.folder.write(CURVES, _curves(title, rows, tested.on_test.accuracy))
                self.folder.draw(self.program)
                batch = one_batch(self.data, s.batch_size)
                self.folder.report(self.program, batch, history)
        finally:
            self._tell(rows[-1], tested, as_json)

    def _tell(self, last: Row, tested: Tested, as_json: bool) -> None:
        """Prints how the run ended."""
        plan = self.program.plan(N=self.settings.batch_size)
        doubted = doubt(self.data, tested.test) if self.settings.class_weight is None else None
        if doubted is not None:
            click.echo(f"Warning: {doubted}", err=True)
        if as_json:
            result = {
                "data": self.data.name,
                "task": self.data.task,
                "seed": self.settings.seed,
                "epochs": last.epoch,
                "steps": last.step,
                "seconds": round(last.seconds, 3),
                "train_loss": last.train_loss,
                "train_accuracy": last.train_accuracy,
                "validation_loss": last.validation_loss,
                "validation_accuracy": last.validation_accuracy,
                "test_loss": tested.on_test.loss,
                "test_accuracy": tested.on_test.accuracy,
                "validation": plain(tested.validation),
                "test": plain(tested.test),
                "parameters": sum(v.size for v in self.program.parameters.values()),
                "arena_bytes": plan.nbytes,
                "unplanned_bytes": plan.unplanned_nbytes,
                "out": str(self.folder.path) if self.folder is not None else None,
            }
            click.echo(json.dumps(result))
            return
        share = 100 * plan.nbytes / plan.unplanned_nbytes
        click.echo(
            f"{tested}\n"
            f"train loss {last.train_loss:.4f} after {last.step:,} steps in {last.seconds:.1f} s\n"
            f"arena {plan.nbytes:,} bytes a step, {share:.0f} % of unplanned"
        )


def followed(program: Program, options: RunOptions) -> tuple[KeepBest | None, list[Callback]]:
    """What keeps the best weights, if anything, and all that follows the validation."""
    best = KeepBest(program, options.keep_best) if options.keep_best else None
    callbacks: list[Callback] = [best] if best is not None else []
    if options.early_stopping is not None:
        callbacks.append(EarlyStopping(options.early_stopping, options.keep_best or "loss"))
    return best, callbacks


def steps_of_run(data: TaskData, settings: Settings, run_options: RunOptions) -> int:
    """How many steps a run makes, unless it is stopped."""
    an_epoch = steps_per_epoch(run_options.sampler, len(data.train.y), settings.batch_size)
    return run_options.length(an_epoch)


def describe(data: TaskData, program: Program) -> None:
    """Says on stderr what is trained on what."""
    name = on_one_line(data.name)
    for note in data.notes:
        click.echo(f"{name}: {note}", err=True)
    weights = [p.type.shape for p in program.declared.parameters if p.type.rank == 2]
    sizes = [data.features, *(shape[-1] for shape in weights)]
    count = sum(v.size for v in program.parameters.values())
    click.echo(
        f"{name}: {len(data.train.y):,} rows to train on, "
        f"{len(data.validation.y):,} to validate, {len(data.test.y):,} to test\n"
        f"net {'-'.join(map(str, sizes))}, {count:,} parameters",
        err=True,
    )


def _curves(title: str, rows: Sequence[Row], test_accuracy: float | None) -> str:
    epochs, losses = [row.epoch for row in rows], [row.train_loss for row in rows]
    measured = [row.validation_loss for row in rows], [row.validation_accuracy for row in rows]
    return draw_curves(title, epochs, losses, *measured, test_accuracy)
