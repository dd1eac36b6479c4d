"""Graph to Graph rewrites, and the pipelines that they form."""

from . import schedules
from .base import Pass, Refused, Rewrite, bisect
from .clip import Clip, ClipNorm, ClipValue
from .dropout import Dropout
from .dtype import op_with_dtype, with_dtype
from .optimizers import SGD, AdaGrad, Adam, AdamW, Group, Momentum, Nesterov, Optimizer, RMSProp
from .pipeline import Compilation, Pipeline, Record
from .pipelines import INFERENCE, TRAINING
from .recompute import Recompute
from .regularizers import L1, L2, ElasticNet, Regularizer
from .reverse import cotangents, grad

__all__ = [
    "INFERENCE",
    "L1",
    "L2",
    "SGD",
    "TRAINING",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Clip",
    "ClipNorm",
    "ClipValue",
    "Compilation",
    "Dropout",
    "ElasticNet",
    "Group",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "Pass",
    "Pipeline",
    "RMSProp",
    "Recompute",
    "Record",
    "Refused",
    "Regularizer",
    "Rewrite",
    "bisect",
    "cotangents",
    "grad",
    "op_with_dtype",
    "schedules",
    "with_dtype",
]
