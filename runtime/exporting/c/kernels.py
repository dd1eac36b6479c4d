"""The table of ops in C that are no expression of one element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ....graph import Node
from .body import Body
from .labels import (
    write_batch_norm,
    write_label_places,
    write_log_softmax,
    write_nll,
    write_nll_at,
    write_nll_grad,
    write_softmax_nll_grad,
)
from .moves import (
    write_concat,
    write_dim,
    write_dropout_mask,
    write_pad,
    write_reshape,
    write_row_starts,
    write_slice,
    write_transpose,
)
from .products import write_gemm, write_linear, write_linear_relu, write_matmul
from .sums import (
    write_batch_variance,
    write_clip_factor,
    write_first_max,
    write_max,
    write_mean,
    write_squared_norm,
    write_sum,
)

KERNELS: Final[dict[str, Callable[[Body, Node], None]]] = {
    "batch_norm": write_batch_norm,
    "batch_variance": write_batch_variance,
    "clip_factor": write_clip_factor,
    "concat": write_concat,
    "dim": write_dim,
    "dropout_mask": write_dropout_mask,
    "first_max": write_first_max,
    "gemm": write_gemm,
    "label_places": write_label_places,
    "linear": write_linear,
    "linear_relu": write_linear_relu,
    "log_softmax": write_log_softmax,
    "matmul": write_matmul,
    "max": write_max,
    "mean": write_mean,
    "nll": write_nll,
    "nll_at": write_nll_at,
    "nll_grad": write_nll_grad,
    "pad": write_pad,
    "reshape": write_reshape,
    "row_starts": write_row_starts,
    "slice": write_slice,
    "softmax_nll_grad": write_softmax_nll_grad,
    "squared_norm": write_squared_norm,
    "sum": write_sum,
    "transpose": write_transpose,
}
