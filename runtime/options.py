"""How a graph is to be compiled: everything that `compile` was told beside the graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from ..graph import CallError, PassError, RunError, is_whole, shown, suggest
from ..passes import (
    INFERENCE,
    TRAINING,
    Clip,
    Dropout,
    Optimizer,
    PackReductions,
    Pipeline,
    Regularizer,
    ShardBatch,
    Shards,
)
from ..passes.methods.kinds import check_methods
from .backends.registry import BACKENDS, Backend

RATES: Final = ("lr", "rate", "learning_rate")
"""What users call the rate, which is no option of a program."""
_RATE: Final = (
    "the rate is the optimizer's; write program = "
    "program.but(optimizer=program.options.optimizer.but(lr=0.01)), or compile with a schedule, "
    "such as vg.SGD(lr=vg.schedules.cosine(0.1, steps=1000))"
)


class Options(NamedTuple):
    """The arguments of `compile`; a saved program holds them all."""

    optimizer: Optimizer | None
    regularizer: Regularizer | None
    dropout: Dropout | None
    seed: int
    dtype: str
    pipeline: Pipeline
    inference_pipeline: Pipeline
    clip: Clip | None = None
    memory_limit: int | None = None
    recompute: bool = False
    backend: Backend = "numpy"
    threads: int | None = None
    certify: bool = True
    shards: Shards | int | None = None

    def changed(self) -> dict[str, Any]:
        """Those that are not as `compile` has them unless said, but for `certify`."""
        usual = Options(None, None, None, 0, "f32", TRAINING, INFERENCE)
        pairs = zip(self._fields, self, usual, strict=True)
        return {k: value for k, value, other in pairs if value != other and k != "certify"}

    def but(self, changed: Mapping[str, Any], net: object) -> Options:
        """These options with others in the place of some, checked; of a program that is made anew
        of `net`, or else of its own graph."""
        for name in changed:
            if name in RATES:
                raise CallError(f"{name!r} is no option of compile: {_RATE}")
            if name not in self._fields:
                raise CallError(f"compile has no option {shown(name)}{suggest(name, self._fields)}")
        dtype = changed.get("dtype", self.dtype)
        if net is None and self.dtype == "f64" and dtype != "f64":
            raise RunError(
                f"dtype={shown(dtype)}: the graph of this program is in f64 by now; give the one "
                "that it was compiled from, program.but(net, dtype='f32')"
            )
        return self._replace(**changed).check()

    def for_training(self) -> list[str]:
        """The names of those given that inference does not read."""
        names = ("optimizer", "regularizer", "dropout", "clip", "shards")
        return [name for name in names if getattr(self, name) is not None]

    def check(self) -> Options:
        """The same options; raises PassError for one of another kind than it has to be."""
        given: Any = self.shards
        shards = Shards(given) if is_whole(given) else given
        check_methods(
            optimizer=self.optimizer,
            regularizer=self.regularizer,
            dropout=self.dropout,
            clip=self.clip,
            shards=shards,
        )
        pipelines = {"pipeline": self.pipeline, "inference_pipeline": self.inference_pipeline}
        for name, pipeline in pipelines.items():
            if not isinstance(pipeline, Pipeline):
                raise PassError(f"{name} is {shown(pipeline)}, where e.g. vg.TRAINING is expected")
        if not isinstance(self.backend, str) or self.backend not in BACKENDS:
            known = " or ".join(map(repr, BACKENDS))
            raise PassError(f"backend is {shown(self.backend)}, where {known} is expected")
        BACKENDS[self.backend].require()
        if not isinstance(self.certify, bool):
            raise PassError(f"certify is {shown(self.certify)}, where True or False is expected")
        limit, threads = self._checked_limit(), self._checked_threads()
        return self._replace(memory_limit=limit, threads=threads, shards=shards)

    def _checked_threads(self) -> int | None:
        if self.threads is None:
            return None
        if not is_whole(self.threads, 1):
            raise PassError(
                f"threads is {shown(self.threads)}, where a whole number from 1 is expected, or "
                "None for a choice by measured time"
            )
        return int(self.threads)

    def _checked_limit(self) -> int | None:
        limit = self.memory_limit
        if not isinstance(self.recompute, bool):
            raise PassError(
                f"recompute is {shown(self.recompute)}, where True or False is expected"
            )
        if limit is None:
            if self.recompute:
                raise PassError(
                    "recompute=True keeps a step to a limit, and there is none; "
                    "give it in bytes, e.g. memory_limit=64_000_000"
                )
            return None
        if not is_whole(limit, 1):
            raise PassError(
                f"memory_limit is {shown(limit)}, where a whole number of bytes is expected, "
                "e.g. 64_000_000"
            )
        return int(limit)

    def training(self) -> Pipeline:
        """The training pipeline with the options set on its passes."""
        methods = {
            "optimizer": self.optimizer,
            "regularizer": self.regularizer,
            "dropout": self.dropout,
            "clip": self.clip,
        }
        pipeline = self._sharding() if self.shards is not None else self.pipeline
        seeded = any("seed" in p.options() for p in pipeline)
        return pipeline.with_options({**methods, "seed": self.seed if seeded else None})

    def _sharding(self) -> Pipeline:
        """The training pipeline with the pass that cuts batches, where none of its own does."""
        shards = self.shards
        assert isinstance(shards, Shards)
        if any("shards" in p.options() for p in self.pipeline):
            return self.pipeline.with_options({"shards": shards})
        # By themselves, shards are normalized after they are cut.
        before = "expand_batch_norm" if shards.batch_norm == "per_shard" else "differentiate"
        pipeline = self.pipeline.insert(ShardBatch(shards), before=before)
        scheduling = [p.name for p in pipeline if "scheduled" in p.gives]
        at = {"before": scheduling[-1]} if scheduling else {"after": pipeline.names[-1]}
        return pipeline.insert(PackReductions(), **at)

    @property
    def cuts(self) -> Shards | None:
        """Into what the training pipeline cuts each batch; None where it is left whole."""
        given = [p.options().get("shards") for p in self.training()]
        return next((s for s in given if isinstance(s, Shards)), None)

    def whole(self) -> Options:
        """The same for batches that are left whole."""
        passes = [
            p.but(shards=None) if isinstance(p.options().get("shards"), Shards) else p
            for p in self.pipeline
        ]
        return self._replace(shards=None, pipeline=Pipeline(passes))

    def gradients(self) -> Pipeline:
        """The same without what clips or uses the gradients: what is left ends with them."""
        pipeline = self.training()
        beyond = {"updates", "clipped gradients"}
        return pipeline.without(*(p.name for p in pipeline if beyond & {*p.gives, *p.needs}))

    def inference(self) -> Pipeline:
        """The inference pipeline with the options set on its passes."""
        takes = any("dropout" in p.options() for p in self.inference_pipeline)
        return self.inference_pipeline.with_options({"dropout": self.dropout if takes else None})


def instead(name: str, parameters: Iterable[str], state: Iterable[str]) -> str:
    """What to do where a user sets that attribute of a program, which would have no effect."""
    for kind, names in (("parameters", parameters), ("state", state)):
        if name == kind or name in names:
            key = name if name in names else "fc1.weight"
            return f"set values by name, as in program.{kind}[{key!r}] = array"
    if name == "metadata":
        return "it is a dict of texts: program.metadata['classes'] = ..."
    if name in Options._fields:
        return (
            f"a program is compiled with it; program.but({name}=...) makes another that goes on "
            "with its weights"
        )
    if name in RATES:
        return _RATE
    return "a program stays as it is compiled; program.but(...) or vg.compile makes another"
