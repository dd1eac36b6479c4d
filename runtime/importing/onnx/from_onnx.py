"""`from_onnx`: a file as a graph of ours, with the loss that it is to train on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....graph import Dim, Graph, GraphError, Node, VerigradError, check_kind, shown, suggest
from .definitions import inlined
from .loss import with_loss
from .model import check_known, opsets, read_model, step_of, told_parameters
from .naming import cleaned
from .reader import Reader
from .rules import RULES
from .sources import Sources, Wishes
from .values import Known, Value

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def from_onnx(
    path: str | Path | bytes | Any,
    *,
    loss: str | Callable[[Node], Node] | None = None,
    output: str | None = None,
    target: str = "y",
    trainable: bool | Iterable[str] | None = None,
    shapes: Mapping[str, Sequence[Dim]] | None = None,
    constants: Mapping[str, ArrayLike] | None = None,
) -> Graph:
    """The graph of an ONNX file, whose initializers are parameters that begin as they are there:
    `vg.compile(vg.from_onnx("net.onnx"))` runs it, and with a loss and an optimizer trains it on.

    `path` is that of a file, its bytes, or an onnx.ModelProto. `loss` is the name of one, such as
    "softmax_cross_entropy" or "mean_squared_error", of the output and of an input that is called
    `target`; or a function that makes a scalar node of the output. Which of several is said by
    `output`. A loss of scores reads what the last softmax or sigmoid of the file reads.

    Parameters are the float initializers with axes, but for bounds and for what scales an input
    before the first layer, which are constants, and for running values, which are states of
    `batch_norm`; files of verigrad's own tell them. `trainable` chooses others: their names in
    the file, or all or none of them. Weights of dense layers are [in,out], as `vg.dense` declares
    them. `shapes` gives inputs other shapes, as {"x": ("N", 64)} where the file fixed a batch;
    `constants` fixes inputs or initializers, by name.

    Where a file describes a training step, as `program.to_onnx(..., training=True)` writes it, the
    graph has its updates, and the step's state, unless a loss is asked for: run it with
    `vg.interpret`, and compare it with `vg.check_same`.

    Opsets from 7 on are read. int32 is read as i64. Texts become class numbers, and ZipMaps the
    probabilities that they hold. Raises RunError for what is no file of ONNX, and GraphError for
    what cannot be read, naming all ops that are missing. Nothing in a file is executed.
    """
    for what, given in (("shapes", shapes), ("constants", constants)):
        if given is not None:
            check_kind(f"from_onnx: {what}", given, Mapping, "a dict by the names of inputs")
    model, folder, called = read_model(path)
    try:
        model = inlined(model, RULES)
        check_known(model, RULES)
        step, bindings = step_of(model)
        told = told_parameters(model)
        wishes = Wishes(
            told if trainable is None else trainable, shapes or {}, constants or {}, bindings,
            turns=told is None,
        )  # fmt: skip
        graphs = [model.graph] if step is None else [model.graph, step]
        reader = Reader(opsets(model), Sources(folder, wishes, graphs))
        values = reader.read(graphs)
        inputs = [*reader.sources.inputs]
        updates = reader.updates(bindings)
        outputs = _outputs(reader, values, {*updates.values()})
        name = cleaned(model.graph.name or "onnx")
        if loss is None and output is None:
            return Graph(name, outputs, updates=updates, inputs=inputs)
        return with_loss(name, outputs, inputs, loss, output, target)
    except VerigradError as e:
        raise type(e)(f"{called} cannot be read: {e}") from None


def _outputs(reader: Reader, values: Mapping[str, Value], updates: Set[Node]) -> dict[str, Node]:
    """The outputs by our names for them; texts and updates are left out, where there are others."""
    outputs: dict[str, Node] = {}
    for name, value in values.items():
        if isinstance(value, Known) and value.array.dtype.kind == "U":
            continue
        n = reader.node(value)
        if n in updates:
            continue
        wanted = cleaned(name)
        if wanted == "loss" and (n.type.rank or not n.type.is_float):
            wanted = "loss_"
        if wanted in outputs:
            raise GraphError(f"two outputs are called {shown(wanted)}{suggest(name, outputs)}")
        outputs[wanted] = n
    if not outputs:
        raise GraphError("it has no output that is a tensor of numbers")
    return outputs
