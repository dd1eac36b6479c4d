"""Graph to Graph rewrites, and the pipelines that they form."""

from .base import Pass, Refused, Rewrite, bisect
from .dropout import Dropout
from .dtype import op_with_dtype, with_dtype
from .optimizers import SGD, Adam, Momentum, Optimizer
from .pipeline import Compilation, Pipeline, Record
from .pipelines import INFERENCE, TRAINING
from .regularizers import L1, L2, ElasticNet, Regularizer
from .reverse import grad, unbroadcast

__all__ = [
    "INFERENCE",
    "L1",
    "L2",
    "SGD",
    "TRAINING",
    "Adam",
    "Compilation",
    "Dropout",
    "ElasticNet",
    "Momentum",
    "Optimizer",
    "Pass",
    "Pipeline",
    "Record",
    "Refused",
    "Regularizer",
    "Rewrite",
    "bisect",
    "grad",
    "op_with_dtype",
    "unbroadcast",
    "with_dtype",
]
