"""`vg.MLPClassifier`: scikit-learn's, with a program inside."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import compute_sample_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    type_of_target,
    unique_labels,
)

from ...graph import Array
from .errors import FitError
from .losses import activated
from .mlp import MLP
from .parameters import CONSTRAINTS, goes_by_batches


class MLPClassifier(ClassifierMixin, MLP):
    """A classifier that is scikit-learn's `MLPClassifier`, trained by a compiled program.

    The parameters up to `max_fun` are scikit-learn's, with its defaults and meanings: with the same
    arguments and `random_state` the first weights, the batches and the losses are its own, up to
    the order of sums. Beside them:

    - `class_weight`: a dict of weights by class, or "balanced", as in other classifiers;
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
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
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
        class_weight: Any = None,
        l1_ratio: float = 0.0,
        dropout: float = 0.0,
        batch_norm: bool = False,
        optimizer: Any = None,
        callbacks: Any = None,
        dtype: str | None = None,
        backend: str = "numpy",
        memory_limit: int | None = None,
    ) -> None:
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
        self.class_weight = class_weight
        self.l1_ratio = l1_ratio
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.optimizer = optimizer
        self.callbacks = callbacks
        self.dtype = dtype
        self.backend = backend
        self.memory_limit = memory_limit

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPClassifier:
        """Trains on rows X [n,D], an array, a frame or a sparse matrix, with labels y: [n], or
        [n,K] of 0 and 1 where a row may have several. Returns the estimator.

        `sample_weight` [n] weighs each row. Raises ValueError for data that cannot be used, and
        where a step is not finite.
        """
        self._fit(X, y, sample_weight, incremental=False)
        return self

    @available_if(goes_by_batches)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        classes: Any = None,
    ) -> MLPClassifier:
        """One epoch over these rows, from where the last call ended. Returns the estimator.

        The first call needs all `classes` that any call will have.
        """
        if _check_partial_fit_first_call(self, classes):
            several = type_of_target(y).startswith("multilabel")
            self._label_binarizer = LabelBinarizer().fit(y if several else classes)
        self._fit(X, y, sample_weight, incremental=True)
        return self

    def predict(self, X: Any) -> Array:
        """The label of each row of X, [n], or [n,K] of 0 and 1 where a row may have several."""
        return self._labels(self._activated(X))

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, [n,K], in the order of `classes_`."""
        p = self._activated(X)
        return np.hstack([1 - p, p]) if self.n_outputs_ == 1 else p

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithm of `predict_proba`."""
        p = self.predict_proba(X)
        return np.log(p, out=p)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    # ---- what it says to a fit ----------------------------------------------------------------

    def _encoded(self, y: Any, incremental: bool) -> Array:
        if "classes_" not in vars(self) or not (self.warm_start or incremental):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
        else:
            self._check_classes(unique_labels(y))
        encoded: Array = self._label_binarizer.transform(y)
        return encoded.argmax(axis=1) if self._one_of_many else encoded

    def _check_classes(self, classes: Array) -> None:
        """Raises FitError for labels that do not go with those that are known."""
        if self.warm_start and set(classes) != set(self.classes_):
            raise FitError(
                f"a warm start goes on with the classes of the fit before, {self.classes_}, but y "
                f"has {classes}"
            )
        new = sorted(set(classes) - set(self.classes_))
        if new:
            raise FitError(f"y has the classes {new}, which are not among {self.classes_}")

    @property
    def _one_of_many(self) -> bool:
        return bool(self._label_binarizer.y_type_ == "multiclass")

    def _loss_and_outputs(self, y: Array) -> tuple[str, int]:
        if self._one_of_many:
            return "log_loss", len(self.classes_)
        return "binary_log_loss", y.shape[1]

    def _weighted(self, y: Any, w: Array | None, incremental: bool) -> Array | None:
        if self.class_weight is None:
            return w
        if incremental and self.class_weight == "balanced":
            raise FitError(
                "class_weight='balanced' counts the labels of all rows, which partial_fit does not "
                "see; give a dict, such as compute_class_weight('balanced', ...) makes"
            )
        by_class: Array = compute_sample_weight(self.class_weight, y)
        return by_class if w is None else by_class * w

    @property
    def _stratifies(self) -> bool:
        return self.n_outputs_ == 1

    def _labels(self, p: Array) -> Array:
        labels: Array = self._label_binarizer.inverse_transform(
            p.ravel() if self.n_outputs_ == 1 else p
        )
        return labels

    def _score_of(self, scores: Array, y: Array, w: Array | None) -> float:
        p = activated(self.out_activation_, scores)
        if self.out_activation_ == "softmax":
            right = p.argmax(axis=1) == y
        else:
            right = ((p > 0.5) == y).all(axis=1)
        return float(np.average(right, weights=w))
