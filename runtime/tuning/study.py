"""The study of Optuna that keeps the trials: what to try next, and what was found."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from ...graph import RunError, shown
from ...graph.errors import WriteError
from ...graph.writing import check_writable, given_path
from ..optional import require
from .ranges import Plain, Range
from .trial import DONE, FAILED, Ran, Trial

_NAME: Final = "verigrad"
_ENDED: Final = "verigrad:ended"
"""What a trial of ours is known by, in a study that may hold others."""
_ASKED: Final = "verigrad:asked"


class Suggestion(NamedTuple):
    """What to try: drawn values by name, and what the sampler notes beside them."""

    drawn: Mapping[str, Plain]
    notes: Mapping[str, Any]


class Asked(NamedTuple):
    """All that the table of a tuning depends on, beside the number of its trials: the ranges, as
    texts, and what is fixed."""

    ranges: Mapping[str, str]
    fixed: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """In types that JSON has."""
        plain: dict[str, Any] = json.loads(
            json.dumps({"ranges": dict(self.ranges), **self.fixed}, default=str)
        )
        return plain


def fingerprint(*data: object) -> str:
    """What tells data from others, in any process; nothing of what cannot be pickled: streams."""
    with suppress(pickle.PicklingError, AttributeError, TypeError):
        return str(require("joblib", "tune").hash(data))
    return ""


class Study:
    """The trials of a tuning, and what to try in the round after some of them.

    Only trials that are over are in the store, each written at once: a process that is killed
    leaves those before, and what it was at is tried again.
    """

    def __init__(self, study: Any, ranges: Mapping[str, Range], seed: int | None) -> None:
        self.study = study
        self._ranges = ranges
        self._seed = seed
        self._foreign = [t for t in study.get_trials() if _ENDED not in t.user_attrs]
        self._kept = [t for t in study.get_trials() if _ENDED in t.user_attrs]
        self.trials = [self._trial(i, t) for i, t in enumerate(self._kept)]

    def suggest(self, first: int, count: int) -> list[Suggestion]:
        """What to try in the round that begins with trial `first`: a function of the trials before
        it, and of the seed."""
        optuna = require("optuna", "tune")
        sampler = self.study.sampler
        if self._seed is not None:
            text = f"{self._seed} {first}".encode()
            seed = int.from_bytes(hashlib.sha256(text).digest()[:4], "little")
            sampler = optuna.samplers.TPESampler(seed=seed)
        with quiet():
            beside = optuna.create_study(sampler=sampler, directions=self.study.directions)
            for trial in (*self._foreign, *self._kept[:first]):
                beside.add_trial(trial)
            drawn = {name: r.distribution for name, r in self._ranges.items()}
            asked = {beside.ask(drawn).number for _ in range(count)}
            found = [t for t in beside.get_trials() if t.number in asked]
            return [Suggestion(t.params, t.system_attrs) for t in found]

    def options(self, drawn: Mapping[str, Plain]) -> dict[str, Any]:
        """The values that drawn ones stand for."""
        return {name: r.value(drawn[name]) for name, r in self._ranges.items()}

    def add(self, suggestion: Suggestion, ran: Ran) -> Trial:
        """Keeps a trial that is over. Raises WriteError where the store does not take it."""
        optuna = require("optuna", "tune")
        states = optuna.trial.TrialState
        over = {DONE: states.COMPLETE, FAILED: states.FAIL}
        kept = optuna.trial.create_trial(
            state=over.get(ran.ended.partition(":")[0], states.PRUNED),
            value=ran.value,
            params=dict(suggestion.drawn),
            distributions={name: r.distribution for name, r in self._ranges.items()},
            user_attrs={_ENDED: ran.ended},
            system_attrs=dict(suggestion.notes),
            intermediate_values=dict(enumerate(ran.values, 1)),
        )
        expected = len(self._foreign) + len(self._kept)
        with writing(), quiet():
            if len(self.study.get_trials(deepcopy=False)) != expected:
                raise RunError("another process adds trials to the same study; end one of them")
            self.study.add_trial(kept)
        self._kept.append(kept)
        self.trials.append(self._trial(len(self.trials), kept))
        return self.trials[-1]

    def _trial(self, number: int, kept: Any) -> Trial:
        values = tuple(kept.intermediate_values[k] for k in sorted(kept.intermediate_values))
        if set(kept.params) != set(self._ranges):
            raise RunError(
                f"the study holds trials of {shown(sorted(kept.params))}, and is asked to try "
                f"{shown(sorted(self._ranges))}; give another study"
            )
        return Trial(number, self.options(kept.params), kept.value, values, kept.user_attrs[_ENDED])


@contextmanager
def opened(path: str | Path | None, asked: Asked, direction: str) -> Iterator[Any]:
    """The study in a file, made where there is none, or one in memory.

    Raises RunError for a file that is none, and where the study there was asked for something else.
    """
    optuna = require("optuna", "tune")
    if path is None:
        with quiet():
            yield optuna.create_study(direction=direction)
        return
    path = given_path(path)
    check_writable(path)
    # Not by a URL: a path may hold what these read otherwise.
    engine = {"creator": lambda: require("sqlite3", "tune").connect(path)}
    with writing(), quiet():
        storage = optuna.storages.RDBStorage("sqlite://", engine_kwargs=engine)
    try:
        with writing(), quiet():
            study = optuna.create_study(
                storage=storage, study_name=_NAME, load_if_exists=True, direction=direction
            )
            agree(path, study, asked)
        yield study
    finally:
        storage.engine.dispose()


def agree(path: Path, study: Any, asked: Asked) -> None:
    """Notes what a new study is asked for; RunError where one was asked for something else."""
    due, before = asked.as_dict(), study.user_attrs.get(_ASKED)
    if before is None:
        study.set_user_attr(_ASKED, due)
        return
    for name in sorted({*before, *due}):
        if before.get(name) != due.get(name):
            raise RunError(
                f"the study in {path} was begun with {name} {shown(before.get(name))}, and is to "
                f"go on with {shown(due.get(name))}; give another file, or the options of before"
            )


@contextmanager
def writing() -> Iterator[None]:
    """Errors of a store, of Optuna or SQLite, as ours."""
    internal = require("optuna.exceptions", "tune").StorageInternalError
    database = require("sqlalchemy.exc", "tune").SQLAlchemyError
    try:
        yield
    except (internal, database, require("sqlite3", "tune").Error) as e:
        cause = e.__cause__ or e
        said = str(getattr(cause, "orig", None) or cause).splitlines()[0]
        raise WriteError(f"the study cannot be kept: {said}") from None


@contextmanager
def quiet() -> Iterator[None]:
    """Without the messages of Optuna, which tells of each study and each trial."""
    logging = require("optuna", "tune").logging
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)
