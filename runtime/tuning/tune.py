"""`tune`: tries options of a program that a function builds, and says which are best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final, NamedTuple

from ...graph import RunError, check_callable, check_kind, shown
from ..arguments import check_switch, count_of
from ..optional import require
from ..program import Program, check_program
from ..training.dataset import Data
from ..training.fit import fit
from ..training.following import MEASURES, larger_is_better
from .on_dask import Wanted
from .ranges import ranged
from .rounds import ROUND, Bars, rounds
from .study import Asked, Study, fingerprint, opened
from .trial import Ran, Watch, watched
from .tuning import Tuning

_OF_FIT: Final = ("epochs", "batch_size", "sampler")
"""What `fit` takes of the options that are tried; all others are the builder's."""


class _Fitted(NamedTuple):
    """How a trial is made, in any process."""

    build: Callable[..., Program]
    data: Data
    validation: Data
    by: str
    keep_best: bool
    fixed: dict[str, Any]

    def __call__(self, options: Mapping[str, Any], bars: Bars) -> Ran:
        def train(watch: Watch) -> float | None:
            program = self.build(**{k: v for k, v in options.items() if k not in _OF_FIT})
            check_program("tune", program)
            fitted = self.fixed | {k: v for k, v in options.items() if k in _OF_FIT}
            fit(
                program, self.data, validation=self.validation, callbacks=[watch, Wanted()],
                metrics=() if self.by in MEASURES else [self.by], progress=False, **fitted,
            )  # fmt: skip
            return watch.best if self.keep_best else None

        return watched(Watch(self.by, bars), train)


def tune(
    build: Callable[..., Program],
    ranges: Mapping[str, Any],
    data: Data,
    *,
    validation: Data,
    epochs: int | None = None,
    batch_size: int | None = None,
    trials: int = 30,
    jobs: int | None = None,
    by: str = "loss",
    keep_best: bool = False,
    prune: bool = True,
    seed: int = 0,
    study: Any = None,
    round_size: int = ROUND,
) -> Tuning:
    """Tries options, so many trials, and says what each came to: the measure `by` of the
    validation, "loss", "accuracy" or a metric by name, after the last epoch; with `keep_best` after
    the best one.

    `build(**options)` compiles a program. `ranges` says by name what is tried: "16..128" is a whole
    number, "0.5..1" any number, "log:1e-4..1e-1" one of equal chance in each power of ten, a list
    is something to choose from, and distributions of Optuna are what they are. Options called
    `epochs`, `batch_size` and `sampler` go to `fit`, as do those two where they are given here.

    What is tried next is Optuna's choice, by all trials of earlier rounds, of `round_size` each.
    After a third of its epochs, a trial ends where its best measure so far is worse than the median
    of those (Golovin et al., Google Vizier, KDD 2017), unless `prune=False`. The table is a
    function of the arguments alone. So many `jobs` are at work at a time, each on one thread, and
    change nothing but the time: joblib's, which are processes of this machine, or what
    `joblib.parallel_config` says, such as a cluster of Dask. Unsaid, there are as many as are
    configured there; where nothing is, one, which is this process.

    `study` is a file (SQLite), in which every trial is kept: the tuning goes on with it, however it
    was ended, to the same table; more `trials` add to it. Or a study of Optuna's, with the sampler
    that it has. A trial whose build or run raises an error of ours has "failed: ..."; other errors
    end the tuning. Needs the extra `tune`. RunError names an argument that is none.
    """
    check_callable("build", build, "a function that compiles a program", RunError)
    check_kind("ranges", ranges, Mapping, 'a dict such as {"lr": "log:1e-3..1e-1"}', RunError)
    check_switch("keep_best", keep_best)
    check_switch("prune", prune)
    for name, number in (("trials", trials), ("round_size", round_size)):
        count_of(name, number)
    if jobs is not None:
        count_of("jobs", jobs)
    found = {name: ranged(name, given) for name, given in ranges.items()}
    if not found:
        raise RunError('ranges is empty, where something to try is expected, e.g. {"lr": "0.1..1"}')
    fixed = {"epochs": epochs, "batch_size": batch_size}
    fixed = {k: v for k, v in fixed.items() if v is not None and k not in found}
    if "epochs" not in fixed | found:
        raise RunError("tune takes epochs=, e.g. epochs=10, or a range of them")
    Watch(by, ())  # says what else is there
    facts = {
        "by": by,
        "keep_best": keep_best,
        "prune": prune,
        "seed": seed,
        "round_size": round_size,
    }
    if isinstance(study, (str, Path)):
        facts["data"] = fingerprint(data, validation)
    asked = Asked({k: repr(r.distribution) for k, r in found.items()}, facts | fixed)
    run = _Fitted(build, data, validation, by, keep_best, fixed)
    with _opened(study, asked, by) as kept:
        own = None if kept is study else seed
        trial_study = Study(kept, found, own)
        for _ in rounds(trial_study, run, by, trials, jobs, round_size, prune):
            pass  # kept in the study
        return Tuning(trial_study.trials[:trials], by, found)


def _opened(study: Any, asked: Asked, by: str) -> Any:
    """The study that is given, or of the file that is given, as a context."""
    if study is None or isinstance(study, (str, Path)):
        return opened(study, asked, direction_of(by))
    check_kind(
        "study", study, require("optuna", "tune").Study, "a path or a study of Optuna", RunError
    )
    found = [d.name.lower() for d in study.directions]
    if found != [direction_of(by)]:
        raise RunError(f"the study is to {shown(found)}; {by!r} is to {direction_of(by)}")
    return nullcontext(study)


def direction_of(by: str) -> str:
    """What is to become of the measure, as Optuna says it."""
    return "maximize" if larger_is_better(by) else "minimize"
