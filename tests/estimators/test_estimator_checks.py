"""scikit-learn's own checks of an estimator, all of them, with no expected failure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

pytest.importorskip("sklearn")
from sklearn.utils.estimator_checks import estimator_checks_generator

import verigrad as vg

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.numpy_bits,
    # The checks fit small sets for as long as they like, those of scikit-learn's own as well.
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

CHECKS = [
    pair
    for estimator in (vg.MLPClassifier(), vg.MLPRegressor())
    for pair in estimator_checks_generator(estimator)
]


def named(value: Any) -> str:
    """An estimator by its class, a check by its function and what it is given beside."""
    if not isinstance(value, partial):
        return type(value).__name__
    more = [f"{k}={v}" for k, v in value.keywords.items()]
    return "-".join([value.func.__name__, *more])


@pytest.mark.parametrize(("estimator", "check"), CHECKS, ids=named)
def test_every_check_passes(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


def test_there_are_many_checks() -> None:
    assert len(CHECKS) > 100
