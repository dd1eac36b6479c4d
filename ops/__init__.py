"""What can be computed: each op with its type rule, gradient and kernel, and its function.

The members of an op's class are its rules: `infer` its type, `vjp` its gradient, `run` its NumPy
kernel. A `vjp` may use ops that only gradients need, such as `NLLGrad`; they stand in the same
file. (`gradient` is no such rule, but the op behind `vg.gradient`: a derivative that a user's graph
asks for.) What several ops need has a file of its own: `labels` checks class numbers and words the
error about one that is out of range, `random` gives random words, of which `dropout` makes its
masks, and `blas` calls NumPy's BLAS where NumPy itself offers no function, as for c += a b.
"""

from . import init
from .activations import elu, leaky_relu, selu, softplus
from .arithmetic import add, divide, maximum, minimum, multiply, negative, power, subtract
from .clipping import ClipBy, ClipFactor, clip_by
from .comparison import equal, greater, greater_equal, less, less_equal, not_equal, where
from .declared_gradient import Gradient
from .dropout import MODES, DropoutMask, LayerDropout, Mode, check_keep, dropout
from .erf import erf, gaussian
from .gelu import gelu
from .initializers import Normal, first_value
from .joining import concat, pad, slice
from .labels import LabelError, check_labels
from .layers import dense, mlp
from .likelihood import log_softmax, nll, softmax
from .linear import Gemm, Linear, LinearRelu, MatMul, linear, matmul
from .losses import (
    binary_cross_entropy_with_logits,
    hinge,
    huber,
    mean_absolute_error,
    mean_squared_error,
    poisson_nll,
    softmax_cross_entropy,
)
from .messages import LINKS, Link, Receive, Send
from .normalization import BatchNorm, BatchVariance, batch_norm, inverse_deviation, layer_norm
from .pointwise import (
    absolute,
    cos,
    exp,
    expm1,
    floor,
    log,
    sigmoid,
    sign,
    sin,
    sqrt,
    square,
    stop_gradient,
    tanh,
)
from .random import check_seed, generator, words
from .reductions import count, max, mean, squared_norm, sum
from .relu import Relu, relu
from .shaping import (
    BroadcastTo,
    Cast,
    Copy,
    Reshape,
    Transpose,
    broadcast_to,
    cast,
    copy,
    dim,
    reshape,
    transpose,
)
from .sharding import AllReduce, GatherRows, Shard, ToShards, TotalVariance
from .silu import silu
from .updates import Axpy, DecayAdd, DecayAddSquare, Descend, DescendScaled, Update

__all__ = [
    "LINKS",
    "MODES",
    "AllReduce",
    "Axpy",
    "BatchNorm",
    "BatchVariance",
    "BroadcastTo",
    "Cast",
    "ClipBy",
    "ClipFactor",
    "Copy",
    "DecayAdd",
    "DecayAddSquare",
    "Descend",
    "DescendScaled",
    "DropoutMask",
    "GatherRows",
    "Gemm",
    "Gradient",
    "LabelError",
    "LayerDropout",
    "Linear",
    "LinearRelu",
    "Link",
    "MatMul",
    "Mode",
    "Normal",
    "Receive",
    "Relu",
    "Reshape",
    "Send",
    "Shard",
    "ToShards",
    "TotalVariance",
    "Transpose",
    "Update",
    "absolute",
    "add",
    "batch_norm",
    "binary_cross_entropy_with_logits",
    "broadcast_to",
    "cast",
    "check_keep",
    "check_labels",
    "check_seed",
    "clip_by",
    "concat",
    "copy",
    "cos",
    "count",
    "dense",
    "dim",
    "divide",
    "dropout",
    "elu",
    "equal",
    "erf",
    "exp",
    "expm1",
    "first_value",
    "floor",
    "gaussian",
    "gelu",
    "generator",
    "greater",
    "greater_equal",
    "hinge",
    "huber",
    "init",
    "inverse_deviation",
    "layer_norm",
    "leaky_relu",
    "less",
    "less_equal",
    "linear",
    "log",
    "log_softmax",
    "matmul",
    "max",
    "maximum",
    "mean",
    "mean_absolute_error",
    "mean_squared_error",
    "minimum",
    "mlp",
    "multiply",
    "negative",
    "nll",
    "not_equal",
    "pad",
    "poisson_nll",
    "power",
    "relu",
    "reshape",
    "selu",
    "sigmoid",
    "sign",
    "silu",
    "sin",
    "slice",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
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
