"""scikit-learn's own checks of an estimator, all of them, with no expected failure."""

from __future__ import annotations

import pytest

sklearn = pytest.importorskip("sklearn")
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

import verigrad as vg  # noqa: E402

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.numpy_bits,
    # The checks fit small sets as often as they like, and so do those of scikit-learn's own.
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


@parametrize_with_checks([vg.MLPClassifier(), vg.MLPRegressor()])
def test_every_check_passes(estimator, check) -> None:
    check(estimator)
