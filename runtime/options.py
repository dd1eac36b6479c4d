"""How a graph is to be compiled: everything that `compile` was told beside the graph."""

from __future__ import annotations

from typing import NamedTuple

from ..passes import Dropout, Optimizer, Pipeline, Regularizer


class Options(NamedTuple):
    """The arguments of `compile`; a saved program holds them all."""

    optimizer: Optimizer | None
    regularizer: Regularizer | None
    dropout: Dropout | None
    seed: int
    dtype: str
    pipeline: Pipeline
    inference_pipeline: Pipeline

    def training(self) -> Pipeline:
        """The training pipeline with the options set on its passes."""
        told = {
            "optimizer": self.optimizer,
            "regularizer": self.regularizer,
            "dropout": self.dropout,
        }
        seeded = any("seed" in p.options() for p in self.pipeline)
        return self.pipeline.with_options({**told, "seed": self.seed if seeded else None})

    def inference(self) -> Pipeline:
        """The inference pipeline with the options set on its passes."""
        takes = any("dropout" in p.options() for p in self.inference_pipeline)
        return self.inference_pipeline.with_options({"dropout": self.dropout if takes else None})
