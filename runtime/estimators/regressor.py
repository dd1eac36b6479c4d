"""`vg.MLPRegressor`: scikit-learn's, with a program inside."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from ...graph import Array
from .errors import FitError
from .losses import activated
from .mlp import MLP
from .parameters import CONSTRAINTS, goes_by_batches

_LOSSES = ("squared_error", "poisson", "huber", "absolute_error")


class MLPRegressor(RegressorMixin, MLP):
    """A regressor that is scikit-learn's `MLPRegressor`, trained by a compiled program.

    The parameters up to `max_fun` are scikit-learn's, with its defaults and meanings: with the same
    arguments and `random_state` the first weights, the batches and the losses are its own, up to
    the order of sums. Beside them:

    - `loss`: "huber" and "absolute_error" (also "mae"), which are reported as "squared_error" is:
      as the mean over outputs, where their sum is descended;
    - `l1_ratio`: the share of the penalty `alpha` that is on |w|, from 0 to 1, the rest on w w / 2;
    - `dropout`: the probability with which a hidden unit is dropped at a step;
    - `batch_norm`: whether each hidden layer is normalized by its batch before its activation;
    - `optimizer`: one of verigrad's in the place of `solver` and of what is said of it, such as
      `vg.AdamW(1e-3)`, with a schedule of steps for its rate where one is wanted;
    - `callbacks`: a list of `vg.Callback`; those of scikit-learn itself go to `set_callbacks`;
    - `dtype`: "f32" or "f64"; unless said, that of X, as in scikit-learn;
    - `backend`: "numpy", or "numba", which compiles what lies between the matrix products;
    - `memory_limit`: the most bytes that the arena of a step or of a prediction may take.

    `activation` may be "leaky_relu", "elu", "selu", "gelu", "silu" or "softplus" as well.

    Attributes are those of scikit-learn's, and `program_`, the trained `vg.Program`, and
    `validation_loss_curve_`, the loss of the rows that early stopping sets aside, epoch by epoch.
    `coefs_` and `intercepts_` are copies of the program's parameters: what is written into them is
    given to the program before it next runs, unless the program was changed since they were read.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **CONSTRAINTS,
        "loss": [StrOptions({*_LOSSES, "mae"})],
    }

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        l1_ratio: float = 0.0,
        dropout: float = 0.0,
        batch_norm: bool = False,
        optimizer: Any = None,
        callbacks: Any = None,
        dtype: str | None = None,
        backend: str = "numpy",
        memory_limit: int | None = None,
    ) -> None:
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.l1_ratio = l1_ratio
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.optimizer = optimizer
        self.callbacks = callbacks
        self.dtype = dtype
        self.backend = backend
        self.memory_limit = memory_limit

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """Trains on rows X [n,D], an array, a frame or a sparse matrix, with targets y, [n] or
        [n,K]. Returns the estimator.

        `sample_weight` [n] weighs each row. Raises ValueError for data that cannot be used, and
        where a step is not finite.
        """
        self._fit(X, y, sample_weight, incremental=False, y_numeric=True)
        return self

    @available_if(goes_by_batches)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """One epoch over these rows, from where the last call ended. Returns the estimator."""
        self._fit(X, y, sample_weight, incremental=True, y_numeric=True)
        return self

    def predict(self, X: Any) -> Array:
        """The prediction for each row of X, [n], or [n,K] of several outputs."""
        return _flat(self._activated(X))

    # ---- what it says to a fit ----------------------------------------------------------------

    def _encoded(self, y: Any, incremental: bool) -> Array:
        if self.loss == "poisson" and (y < 0).any():
            raise FitError(f"loss='poisson' is of counts from 0, but y has {y.min()}")
        targets: Array = y.reshape(-1, 1) if y.ndim == 1 else y
        return targets

    def _loss_and_outputs(self, y: Array) -> tuple[str, int]:
        return ("absolute_error" if self.loss == "mae" else self.loss), y.shape[1]

    def _score_of(self, scores: Array, y: Array, w: Array | None) -> float:
        predicted = activated(self.out_activation_, scores)
        if not np.isfinite(predicted).all():
            return np.nan
        return float(r2_score(_flat(y), _flat(predicted), sample_weight=w))


def _flat(values: Array) -> Array:
    """One output as [n]."""
    return values.ravel() if values.shape[1] == 1 else values
