"""Who hears of a run's steps and epochs: the user's callbacks, and what follows the validation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final, NamedTuple

from ...graph import RunError, all_of
from ...passes.methods.learning_rates.plateau import plateau_in
from ..arguments import check_switch
from ..program import Program
from .callback import Callback
from .dataset import DataSet, labelled
from .following import Following, KeepBest, ReduceRate

GIVE_VALIDATION: Final = "give fit validation=(x, y), or validation_split=0.1"
"""What to do where there is none, and one is needed."""
_CALLED: Final = {KeepBest: "keep_best", ReduceRate: "the plateau schedule"}


class Followers(NamedTuple):
    """The callbacks in the order in which they hear, and what puts back the best weights."""

    callbacks: tuple[Callback, ...]
    put_back: Callable[[], None]


def followers(
    program: Program,
    callbacks: Callback | Iterable[Callback],
    keep_best: bool | str,
    valid: DataSet | None,
    metrics: Collection[str],
) -> Followers:
    """The user's callbacks, between what keeps the best weights and what lowers the rate.

    Raises RunError for what is no callback, a class in the place of its object too, and where one
    follows what will not be measured.
    """
    listed = [callbacks] if isinstance(callbacks, Callback) else callbacks
    heard = [*all_of("callbacks", listed, Callback, "e.g. vg.EarlyStopping(2)", RunError)]
    if not isinstance(keep_best, str):
        check_switch("keep_best", keep_best)
    best = None
    if keep_best is not False:
        best = KeepBest(program, "loss" if keep_best is True else keep_best)
    if best is not None:
        heard.insert(0, best)
    plateau = plateau_in(program.options.optimizer)
    if plateau is not None:
        heard.append(ReduceRate(program, plateau))
    measured = {"loss", *metrics}
    if labelled(program.declared) is not None:
        measured.add("accuracy")
    _check_followed(heard, valid, measured)
    return Followers(tuple(heard), best.put_back if best is not None else lambda: None)


def _check_followed(
    callbacks: Iterable[Callback], valid: DataSet | None, measured: Collection[str]
) -> None:
    """Raises RunError where a callback follows what will not be measured."""
    for callback in callbacks:
        if not isinstance(callback, Following):
            continue
        name = _CALLED.get(type(callback), type(callback).__name__)
        if valid is None:
            raise RunError(f"{name} follows the validation; {GIVE_VALIDATION}")
        if callback.by in measured:
            continue
        if callback.by == "accuracy":
            raise RunError(
                f"{name} follows the accuracy, but the graph has no scores [N,C] for labels "
                'i64[N]; follow the "loss"'
            )
        raise RunError(
            f"{name} follows {callback.by}, which is not measured; give fit metrics={[callback.by]}"
        )
