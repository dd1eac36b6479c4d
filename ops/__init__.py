"""What can be computed: each op with its type rule, gradient and kernel, and its function."""

from .arithmetic import add, divide, maximum, minimum, multiply, negative, power, subtract
from .comparison import equal, greater, greater_equal, less, less_equal, not_equal, where
from .dropout import Dropout, DropoutMask, check_keep, dropout
from .initializers import Normal, first_value
from .layers import dense, mlp
from .linear import Linear, LinearRelu, linear, matmul
from .losses import (
    log_softmax,
    mean_squared_error,
    nll,
    softmax,
    softmax_cross_entropy,
)
from .pointwise import absolute, exp, log, sigmoid, sign, sqrt, square, stop_gradient, tanh
from .random import check_seed, generator, words
from .reductions import max, mean, squared_norm, sum
from .relu import Relu, relu
from .shaping import (
    BroadcastTo,
    Cast,
    broadcast_to,
    cast,
    concat,
    copy,
    dim,
    pad,
    reshape,
    slice_,
    transpose,
)
from .updates import DecayAdd, DecayAddSquare, Descend, DescendScaled

__all__ = [
    "BroadcastTo",
    "Cast",
    "DecayAdd",
    "DecayAddSquare",
    "Descend",
    "DescendScaled",
    "Dropout",
    "DropoutMask",
    "Linear",
    "LinearRelu",
    "Normal",
    "Relu",
    "absolute",
    "add",
    "broadcast_to",
    "cast",
    "check_keep",
    "check_seed",
    "concat",
    "copy",
    "dense",
    "dim",
    "divide",
    "dropout",
    "equal",
    "exp",
    "first_value",
    "generator",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "linear",
    "log",
    "log_softmax",
    "matmul",
    "max",
    "maximum",
    "mean",
    "mean_squared_error",
    "minimum",
    "mlp",
    "multiply",
    "negative",
    "nll",
    "not_equal",
    "pad",
    "power",
    "relu",
    "reshape",
    "sigmoid",
    "sign",
    "slice_",
    "softmax",
    "softmax_cross_entropy",
    "sqrt",
    "square",
    "squared_norm",
    "stop_gradient",
    "subtract",
    "sum",
    "tanh",
    "transpose",
    "where",
    "words",
]
