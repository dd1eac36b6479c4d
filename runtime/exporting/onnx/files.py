"""Programs written to files of ONNX: inference, or the whole training step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ....graph import Array, Graph, Initializer, Parameter, PassError, RunError, State
from ....graph.writing import write_whole
from ....ops import first_value
from ....passes import Pipeline
from ...files.program_file import check_metadata
from ...optional import require
from ...variants import Variants
from ..graphs import checked_path, whole
from .columns import raw_input
from .model import model_proto
from .training import add_training_info

_TIDYING: Final = ("fold_constants", "simplify", "eliminate_common")
"""Passes that leave fewer nodes of the same ops."""
_MOST: Final = 2**31 - 1
"""How many bytes a file of the format holds: its messages count them in 31 bits."""


def write_onnx(
    variants: Variants, path: str | Path, metadata: Mapping[str, str], *, training: bool = False
) -> None:
    """Writes inference, or the training step, to a file whose name ends in .onnx.

    Raises RunError where the file cannot be written, where an op has no form in ONNX, or where
    there is nothing to write; the file is then as it was.
    """
    target = checked_path(path, ".onnx", "ONNX")
    require("onnx", "onnx")
    check_metadata(metadata)
    model = (_step if training else _inference)(variants, metadata)
    _check(model)
    write_whole(target, model.SerializeToString(deterministic=True))


def _check(model: Any) -> None:
    """Raises RunError for what the format's own checker refuses, every shape inferred: what a
    user's op wrote may be no ONNX."""
    onnx = require("onnx", "onnx")
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as e:
        raise RunError(f"{model.graph.name} would be no valid ONNX: {str(e).strip()}") from None


def _inference(variants: Variants, metadata: Mapping[str, str]) -> Any:
    """The model of all outputs but the loss, with the values as they are now."""
    g = inferred(variants)
    model, _ = model_proto(
        g, _values(variants, g), raw_input(g, metadata), metadata, state_is_fed=False
    )
    return model


def _step(variants: Variants, metadata: Mapping[str, str]) -> Any:
    """The model of a training step, from the state as it is now."""
    g = stepped(variants)
    model, given = model_proto(
        g, _values(variants, g), raw_input(g, metadata), metadata, state_is_fed=True
    )
    add_training_info(model, given.updates, _first_values(variants, given.updates))
    return model


def inferred(variants: Variants) -> Graph:
    """The graph of inference as it is written. Raises RunError where it gives nothing."""
    declared = variants.declared
    outputs = {k: n for k, n in declared.outputs.items() if k != "loss"}
    if not outputs:
        raise RunError(
            f"graph {declared.name} has no output but its loss, and inference would give nothing; "
            'declare one, vg.Graph(..., outputs={"scores": scores}), or give training=True'
        )
    return _meant(declared.but(outputs=outputs, updates={}), variants.options.inference())


def stepped(variants: Variants) -> Graph:
    """The graph of a training step as it is written. Raises RunError where nothing is trained."""
    variants.check_loss()
    g = _meant(variants.declared, whole(variants).options.training())
    if not g.updates:
        raise RunError(
            "the program has no optimizer, so there is no step to write; "
            "compile(..., optimizer=vg.SGD(lr=0.1)), or leave training=True out"
        )
    return g


def _meant(declared: Graph, pipeline: Pipeline) -> Graph:
    """What is written: the declared graph after the passes that define what it computes, with
    constants folded and equal nodes joined.

    Not the compiled one. What is fused and planned for NumPy would have to be taken apart again,
    and batch normalization is a node that a reader knows: a runtime has fusions of its own.
    """
    kept = [p for p in pipeline if p.defines or p.name in _TIDYING]
    try:
        return Pipeline(kept).run(declared).graph
    except PassError:  # a pass of the user's needs others
        return pipeline.run(declared).graph.but(schedule=None)


def _values(variants: Variants, g: Graph) -> dict[str, Array]:
    """The parameters and the state. Raises RunError where a file cannot hold what it has to."""
    held = (*g.parameters, *g.state, *g.constants)
    first = g.updates  # whose first values are in the file as well
    size = sum(n.type.nbytes({}) for n in (*held, *first))
    if size > _MOST:
        raise RunError(
            f"the values of {g.name} take {size:,} bytes, and a file of ONNX holds {_MOST:,} at "
            "most; a program's own file, program.save(...), has no limit"
        )
    return variants.values.read([g.names[n] for n in (*g.parameters, *g.state)])


def _first_values(variants: Variants, names: Mapping[str, str]) -> dict[str, Array]:
    """What the state begins with: a function of the seed."""
    first = {}
    for name in names:
        n = variants.sources[name]
        assert isinstance(n.op, (Parameter, State)) and isinstance(n.op.init, Initializer)
        first[name] = first_value(n.op.init, n.type, variants.options.seed, name)
    return first
