"""The pipelines for training and for inference."""

from __future__ import annotations

from typing import Final

from .add_in_place import AddInPlace
from .attach_optimizer import AttachOptimizer
from .clip_gradients import ClipGradients
from .differentiate import Differentiate
from .eliminate_common import EliminateCommon
from .expand_batch_norm import ExpandBatchNorm
from .expand_gradients import ExpandGradients
from .fold_batch_norm import FoldBatchNorm
from .fold_constants import FoldConstants
from .fuse_linear_relu import FuseLinearRelu
from .fuse_softmax_nll import FuseSoftmaxNLL
from .insert_dropout import InsertDropout
from .insert_regularization import InsertRegularization
from .keep_logs import KeepLogs
from .pipeline import Pipeline
from .scale_dropout import ScaleDropout
from .scheduling.schedule import ScheduleBuffers
from .simplify import Simplify

TRAINING: Final = Pipeline(
    (
        KeepLogs(),
        InsertDropout(),
        InsertRegularization(),
        ExpandBatchNorm(),
        ExpandGradients(),
        Differentiate(),
        ClipGradients(),
        AttachOptimizer(),
        FoldConstants(),
        Simplify(),
        EliminateCommon(),
        FuseLinearRelu(),
        FuseSoftmaxNLL(),
        AddInPlace(),
        ScheduleBuffers(),
    )
)

INFERENCE: Final = Pipeline(
    (
        KeepLogs(),
        ScaleDropout(),
        ExpandGradients(),
        FoldBatchNorm(),
        FoldConstants(),
        Simplify(),
        EliminateCommon(),
        FuseLinearRelu(),
        ScheduleBuffers(parameters_change=False),
    )
)
