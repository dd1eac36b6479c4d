"""Classical machine learning's ops, as scikit-learn's converter writes them around a net.

Texts are no tensors of ours: where a file gives the name of a class, we give its number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from .....graph import GraphError, Node, constant
from .....ops import add, cast, equal, greater, multiply, not_equal, sigmoid, softmax, where
from ..call import Call, Rules
from ..values import Known, Value
from .choosing import looked_up
from .normalization import normalizer
from .parts import as_dtype, expanded, in_floats, joined, picked
from .products import product


def _scaler(c: Call) -> Value:
    """(x - offset) scale; what scales the inputs is not trained."""
    x = as_dtype(c.node(0), "f32") if not c.node(0).type.is_float else c.node(0)
    offset, scale = (constant(np.array(c.numbers(n)), x.dtype) for n in ("offset", "scale"))
    return multiply(x - offset, scale)


def _zip_map(c: Call) -> Value:
    """The probabilities as they are, one column a class, and not as maps."""
    return c.value(0)


def _extract(c: Call) -> Value:
    """The elements at places along the last axis; of classes, by what a feed decides, their
    numbers where they are texts."""
    table, places = c.value(0), c.value(1)
    if isinstance(table, Known) and isinstance(places, Node):
        numbers = table.array.reshape(-1)
        if numbers.dtype.kind == "U" or np.array_equal(numbers, np.arange(numbers.size)):
            return places
        return looked_up(c.node(0), places, table.array.ndim - 1)
    x = c.node(0)
    x = expanded(x, [0]) if x.type.rank == 1 else x
    return picked(x, x.type.rank - 1, c.whole(1))


def _binarizer(c: Call) -> Value:
    x = c.node(0)
    return cast(greater(x, c.number("threshold", 0.0)), x.dtype)


def _encoder(c: Call) -> Value:
    """Whole numbers in the place of others, or the class's number where they stand for texts."""
    x = c.node(0)
    keys = c.integers("keys_int64s")
    texts, numbers = c.texts("values_strings"), c.integers("values_int64s")
    floats = c.numbers("values_floats")
    if keys is None or x.dtype != "i64":
        raise GraphError(f"it encodes {x.type} by keys that are no whole numbers")
    if texts:
        numbers, default = list(range(len(texts))), -1.0
    elif floats:
        default = c.number("default_float", -0.0)
    else:
        default = float(c.integer("default_int64", -1))
    values = floats or numbers or []
    y: Node = constant(default if floats else int(default), "f32" if floats else "i64")
    for key, value in zip(keys, values, strict=True):
        y = where(equal(x, key), value, y)
    return y


def _imputer(c: Call) -> Value:
    """A number for each column in the place of what is missing."""
    x = c.node(0)
    values = constant(np.array(c.numbers("imputed_value_floats")), x.dtype)
    marker = c.number("replaced_value_float", 0.0)
    missing = not_equal(x, x) if np.isnan(marker) else equal(x, marker)
    return where(missing, values, x)


def _features(c: Call) -> Value:
    return joined(c.nodes(), 1)


_LINKS: Final[Mapping[str, Callable[[Node], Node]]] = {
    "NONE": lambda x: x,
    "LOGISTIC": sigmoid,
    "SOFTMAX": softmax,
}


def _linear(c: Call, targets: int) -> Node:
    """x weights + intercepts, which are attributes, and so not trained."""
    x = in_floats(c.node(0))
    weights = np.array(c.numbers("coefficients")).reshape(targets, -1).T.copy()
    scores = product(x, constant(weights, x.dtype))
    bias = c.numbers("intercepts")
    return add(scores, constant(np.array(bias), x.dtype)) if bias else scores


def _link(c: Call, x: Node) -> Node:
    kind = c.text("post_transform", "NONE")
    if kind not in _LINKS:
        raise GraphError(f"the transform {kind!r} is none of {', '.join(_LINKS)}")
    return _LINKS[kind](x)


def _linear_regressor(c: Call) -> Value:
    return _link(c, _linear(c, c.integer("targets", 1)))


RULES: Final[Rules] = {
    "ArrayFeatureExtractor": _extract,
    "Binarizer": _binarizer,
    "FeatureVectorizer": _features,
    "Imputer": _imputer,
    "LabelEncoder": _encoder,
    "LinearRegressor": _linear_regressor,
    "Normalizer": normalizer,
    "Scaler": _scaler,
    "ZipMap": _zip_map,
}
