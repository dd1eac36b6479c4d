"""Graph to Graph rewrites, and the pipelines that they form."""

from .base import Pass, Refused, Rewrite, bisect
from .dtype import op_with_dtype, with_dtype
from .methods import learning_rates as schedules
from .methods.clip import Clip, ClipNorm, ClipValue
from .methods.dropout import Dropout
from .methods.optimizers import (
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    Group,
    Momentum,
    Nesterov,
    Optimizer,
    RMSProp,
)
from .methods.regularizers import L1, L2, ElasticNet, Regularizer
from .methods.shards import Shards
from .pipeline import Compilation, Pipeline, Record
from .pipelines import INFERENCE, TRAINING
from .reverse import cotangents, grad
from .scheduling.recompute import Recompute
from .sharding import PackReductions, Part, ShardBatch, unrolled
from .text import pipeline

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
    "PackReductions",
    "Part",
    "Pass",
    "Pipeline",
    "RMSProp",
    "Recompute",
    "Record",
    "Refused",
    "Regularizer",
    "Rewrite",
    "ShardBatch",
    "Shards",
    "bisect",
    "cotangents",
    "grad",
    "op_with_dtype",
    "pipeline",
    "schedules",
    "unrolled",
    "with_dtype",
]
