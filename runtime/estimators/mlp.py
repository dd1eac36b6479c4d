"""What the two estimators share: from the arguments of a fit to a program and its attributes."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state, estimator_html_repr
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from ...graph import Array, is_whole, shown
from ..training.callback import Callback
from .batches import Rows
from .compiling import Settings, going_on
from .errors import FitError
from .hooks import CallbackSupportMixin, Hooks
from .lbfgs import minimize
from .losses import LOSSES, activated
from .net import Form
from .parameters import CONSTRAINTS
from .predicting import scores_of
from .rates import optimizer_of, rate_of
from .starting import first_values
from .training import train
from .weights import Weights


class MLP(Weights, CallbackSupportMixin, BaseEstimator):
    """A multi-layer perceptron under scikit-learn's protocol, which is a program inside."""

    _parameter_constraints: ClassVar[dict[str, Any]] = CONSTRAINTS
    _settings: Settings

    # ---- what the classifier and the regressor say --------------------------------------------

    @abstractmethod
    def _encoded(self, y: Any, incremental: bool) -> Array:
        """The targets as the graph is fed with them, [n] of classes or [n,K] of floats."""

    @abstractmethod
    def _loss_and_outputs(self, y: Array) -> tuple[str, int]:
        """The name of the loss in LOSSES, and how many outputs there are."""

    @abstractmethod
    def _score_of(self, scores: Array, y: Array, w: Array | None) -> float:
        """The score of rows with these targets, as `_encoded` gives them."""

    def _weighted(self, y: Any, w: Array | None, incremental: bool) -> Array | None:
        """The weight of each row in the loss, where any has one."""
        return w

    # ---- fit ----------------------------------------------------------------------------------

    def _fit(self, x: Any, y: Any, sample_weight: Any, incremental: bool, **numeric: bool) -> Any:
        self._check(incremental)
        first = "program_" not in vars(self) or not (self.warm_start or incremental)
        x, given = self._validated(x, y, first, **numeric)
        y = self._encoded(given, incremental)
        w = None if sample_weight is None else _check_sample_weight(sample_weight, x)
        weights = self._weighted(given, w, incremental)
        self._random_state = check_random_state(self.random_state)
        self._prepare(self._form_of(x, y, weights is not None, first), x.dtype, first, incremental)
        hooks = Hooks(self, x, given, w, int(self.max_iter) + 1)
        rows = self._rows(x, y, weights)
        if self._stochastic:
            train(self, rows, w, incremental, hooks)
        else:
            minimize(self, rows, hooks)
        hooks.end()
        return self

    @property
    def _stochastic(self) -> bool:
        return self.optimizer is not None or self.solver != "lbfgs"

    def _check(self, incremental: bool) -> None:
        """Raises FitError for parameters that do not go together."""
        if incremental and self.early_stopping:
            raise FitError("partial_fit does not take early_stopping=True: it sees no whole set")
        others = [c for c in self.callbacks or () if not isinstance(c, Callback)]
        if others:
            raise FitError(
                f"callbacks holds {shown(others[0])}, where a vg.Callback is expected; one of "
                "scikit-learn's is given to set_callbacks"
            )
        other = "dropout" if self.dropout else "batch_norm" if self.batch_norm else None
        if other is not None and not self._stochastic:
            raise FitError(
                f"solver='lbfgs' minimizes one function, which {other} makes another at each step; "
                "take solver='adam' or 'sgd'"
            )

    def _validated(self, x: Any, y: Any, first: bool, **numeric: bool) -> tuple[Any, Any]:
        x, y = validate_data(
            self, x, y, accept_sparse=["csr", "csc"], multi_output=True,
            dtype=(np.float64, np.float32), reset=first, **numeric,
        )  # fmt: skip
        return x, column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _form_of(self, x: Any, y: Array, weighted: bool, first: bool) -> Form:
        """The graph's form for these arguments; ValueError for other layers than are trained."""
        given = self.hidden_layer_sizes
        hidden = list(given) if hasattr(given, "__iter__") else [given]
        if not all(is_whole(size, 1) for size in hidden):
            raise FitError(
                f"hidden_layer_sizes must be whole numbers from 1, one a layer, but are {given}"
            )
        loss, outputs = self._loss_and_outputs(y)
        dtype = self.dtype or ("f64" if x.dtype == np.float64 or not self._stochastic else "f32")
        sizes = (x.shape[1], *map(int, hidden), outputs)
        if not first:
            before = self._settings.form
            dtype = before.dtype
            if sizes != before.sizes:
                raise FitError(
                    f"the layers have the sizes {list(sizes)} now, and {list(before.sizes)} as "
                    "they are trained; a warm start goes on with the same"
                )
        return Form(
            sizes, self.activation, loss, float(self.alpha), float(self.l1_ratio), weighted,
            float(self.dropout), bool(self.batch_norm), dtype,
        )  # fmt: skip

    def _prepare(self, form: Form, dtype: Any, first: bool, incremental: bool) -> None:
        """Makes `program_` fit for these arguments: a new one, or that of the last fit."""
        goes_on = incremental and not first and "_rate" in vars(self)
        if not goes_on:
            self._rate = rate_of(self)
        optimizer = self._settings.optimizer if goes_on else None
        if optimizer is None and self._stochastic:
            optimizer = optimizer_of(self, self._rate)
        rng = self._random_state
        if not first:
            how = form, optimizer, self.backend, self.memory_limit, self._settings.seed
            settings = Settings(*how)
            self.program_ = going_on(self._settle(), self._settings, settings, rests=not goes_on)
            self._settings = settings
            self._follow(early=bool(self.early_stopping))
            return
        values = first_values(form, rng)
        seed = int(rng.randint(2**31 - 1)) if form.dropout else 0
        self._settings = Settings(form, optimizer, self.backend, self.memory_limit, seed)
        self.program_ = self._settings.compiled()
        self._held = None
        # As scikit-learn draws them, in the dtype of the data.
        self.program_.parameters.update({k: a.astype(dtype) for k, a in values.items()})
        self._begin(form)

    def _begin(self, form: Form) -> None:
        """The attributes of an estimator that has seen nothing yet."""
        self.n_iter_ = 0
        self.t_ = 0
        self.n_layers_ = len(form.sizes)
        self.n_outputs_ = form.sizes[-1]
        self.out_activation_ = LOSSES[form.loss].out_activation
        self._best = None
        self._no_improvement_count = 0
        for name in ("loss_curve_", "validation_scores_", "best_loss_"):
            self.__dict__.pop(name, None)
        self._follow(early=bool(self.early_stopping))

    def _follow(self, early: bool) -> None:
        """The attributes that follow a fit with batches, where there are none of its kind yet."""
        if not self._stochastic:
            return
        if "loss_curve_" not in vars(self):
            self.loss_curve_: list[float] = []
        followed = "validation_scores_" if early else "best_loss_"
        if vars(self).get(followed) is None:
            self._no_improvement_count = 0
            self.validation_scores_: list[float] | None = [] if early else None
            self.validation_loss_curve_: list[float] | None = [] if early else None
            self.best_validation_score_ = -np.inf if early else None
            self.best_loss_ = None if early else np.inf

    def _rows(self, x: Any, y: Array, w: Array | None) -> Rows:
        """The data in the dtype of the graph, its rows one after another in memory."""
        dtype = self.program_.declared["x"].type.numpy
        x = x.tocsr().astype(dtype, copy=False) if issparse(x) else np.ascontiguousarray(x, dtype)
        targets = y if LOSSES[self._settings.form.loss].of_classes else y.astype(dtype)
        return Rows(x, targets, None if w is None else w.astype(dtype))

    @property
    def _stratifies(self) -> bool:
        """Whether the rows of early stopping are drawn class by class."""
        return False

    # ---- predict ------------------------------------------------------------------------------

    def _adopt(self) -> None:
        held = self._read("coefs_")
        weights, biases = len(held.coefs), len(held.intercepts)
        if not weights or weights != biases:
            raise FitError(
                f"coefs_ has {weights} arrays and intercepts_ {biases}, where one of each a layer "
                "is expected"
            )
        loss = next(k for k, v in LOSSES.items() if v.out_activation == self.out_activation_)
        sizes = (held.coefs[0].shape[0], *[len(b) for b in held.intercepts])
        dtype = "f32" if held.coefs[0].dtype == np.float32 else "f64"
        form = Form(sizes, self.activation, loss, 0.0, 0.0, False, 0.0, False, self.dtype or dtype)
        self._settings = Settings(form, None, self.backend, self.memory_limit, 0)
        program = self._settings.compiled()
        program.parameters.update(held.by_name(form))
        self.program_, self._held = program, None

    def _scores(self, x: Any) -> Array:
        """What the last layer computes for these rows, [n,K]."""
        check_is_fitted(self)
        x = validate_data(self, x, accept_sparse=["csr", "csc"], reset=False)
        return scores_of(self._settle(), x.tocsr() if issparse(x) else x)

    def _activated(self, x: Any) -> Array:
        """What the net says of these rows: probabilities, rates, or the scores themselves."""
        scores = self._scores(x)
        return activated(self.out_activation_, scores)

    # ---- scikit-learn's protocol --------------------------------------------------------------

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _html_repr(self) -> str:
        """What notebooks show: scikit-learn's picture and, once there is one, the program."""
        told = str(estimator_html_repr(self))
        if "program_" not in vars(self):
            return told
        shown = self.program_._repr_mimebundle_()
        program = shown.get("text/html", "")
        return f"{told}<details><summary>program_</summary>{program}</details>"

    def __getstate__(self) -> Any:
        if "program_" not in vars(self):
            return super().__getstate__()
        self._settle()
        # Without what are copies of what the program has.
        return {k: v for k, v in super().__getstate__().items() if k != "_held"}
