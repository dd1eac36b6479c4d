"""The errors of the estimators: ours, and of the kinds that scikit-learn's users catch."""

from __future__ import annotations

from ...graph import NonFiniteError, VerigradError


class FitError(VerigradError, ValueError):
    """Data, or a combination of parameters, that an estimator cannot be fitted with."""


class DivergedError(NonFiniteError, ValueError):
    """A step whose loss or gradients are not finite: the weights are those before it."""
