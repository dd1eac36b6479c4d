"""What is exported of a program: its inference, its training step, and the values they read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ...graph import (
    Array,
    Constant,
    Graph,
    Node,
    Parameter,
    RunError,
    State,
    compute,
    constant,
    sizes_of,
)
from ...graph.writing import check_writable, given_path
from ...ops import BatchNorm
from ...passes.base import ASSUMED
from ..execution.executable import Certifier
from ..variants import Variants


class Exported(NamedTuple):
    """The graphs of a program that a file holds.

    `predict` gives all outputs but the loss; None where there are none. `step` gives the loss and
    updates the state; None where it was not asked for. `values` are the parameters and the state,
    `sizes` the largest of the symbols, where these are known.
    """

    name: str
    predict: Graph | None
    step: Graph | None
    values: Mapping[str, Array]
    sizes: Mapping[str, int] = {}

    @property
    def graphs(self) -> list[Graph]:
        """Those that there are."""
        return [g for g in (self.predict, self.step) if g is not None]


def exported(variants: Variants, training: bool) -> Exported:
    """The graphs, checked against what was declared as before any run.

    Without `training`, what inference computes of parameters alone is computed here and now. Raises
    RunError where there is nothing to export, or no optimizer to train with.
    """
    if not training or any(k != "loss" for k in variants.declared.outputs):
        prediction = variants.prediction
        _check(prediction.certifier)
        predict: Graph | None = prediction.graph
    else:
        predict = None
    step = _step(variants) if training else None
    values = variants.values.read(variants.sources)
    if predict is not None and step is None:
        predict = with_fixed(predict, values)
    return Exported(variants.declared.name, predict, step, values)


def planned(e: Exported, variants: Variants, sizes: Mapping[str, int] | None) -> Exported:
    """The graphs scheduled anew for these sizes, which are the largest of any call; as a report
    assumes them where none are given. RunError for sizes that are none."""
    due = dict.fromkeys([s for g in e.graphs for s in g.symbols], ASSUMED)
    largest = _sizes(due, sizes)

    def of(g: Graph | None) -> Graph | None:
        return g and variants.planned(g, {s: largest[s] for s in g.symbols})

    return e._replace(predict=of(e.predict), step=of(e.step), sizes=largest)


def with_fixed(g: Graph, values: Mapping[str, Array]) -> Graph:
    """The graph with constants in the place of what it computes once, of parameters alone."""
    assert g.schedule is not None
    known: dict[Node, Array] = {
        n: n.op.array if isinstance(n.op, Constant) else values[g.names[n]]
        for n in g.sources
        if isinstance(n.op, (Constant, Parameter, State))
    }
    fixed: dict[Node, Node] = {}
    for n in g.order:
        if n in g.schedule.once and not n.type.symbols and all(i in known for i in n.inputs):
            if n.op.free_symbols():
                continue
            known[n] = compute(n, [known[i] for i in n.inputs], {})
            fixed[n] = constant(known[n], n.type.dtype, name=g.names[n])
    return g.replace(fixed) if fixed else g


def checked_path(path: str | Path, ending: str, what: str) -> Path:
    """A path that can be written and has the ending; RunError for another."""
    given = given_path(path)
    if given.suffix.lower() != ending:
        raise RunError(
            f"{given} would hold {what}, whose name ends in {ending}; "
            f"write e.g. {given.with_suffix(ending).name or 'net' + ending}"
        )
    check_writable(given)
    return given


def _step(variants: Variants) -> Graph:
    """The training step with the loss as its one output."""
    variants.check_loss()
    if variants.options.optimizer is None and not variants.declared.updates:
        raise RunError(
            "the program has no optimizer, so there is no step to export; "
            "compile(..., optimizer=vg.SGD(lr=0.1)), or export it without training"
        )
    variants = whole(variants)
    _check(variants.executable.certifier)
    return variants.step_alone


def whole(variants: Variants) -> Variants:
    """What trains on batches that are left whole, as an exported step does; where they are cut into
    shards, only the order of sums is another. RunError where batch norm goes by shards."""
    shards = variants.options.cuts
    if shards is None:
        return variants
    normalized = [n for n in variants.declared.order if isinstance(n.op, BatchNorm)]
    if shards.batch_norm == "per_shard" and normalized:
        raise RunError(
            f"%{variants.declared.names[normalized[0]]} normalizes each shard by its own rows, and "
            "an exported step has none; compile with "
            f"shards={shards.count}, which normalizes by all rows, or export it without training"
        )
    return Variants(variants.declared, variants.options.whole(), variants.metadata)


def _check(certifier: Certifier | None) -> None:
    """Raises RefutedError where a compiled graph is not what was declared."""
    if certifier is not None:
        certifier.check_graph()


def _sizes(due: Mapping[str, int], given: Mapping[str, int] | None) -> dict[str, int]:
    """The largest size of each symbol, as given or else as a report assumes it."""
    sizes = dict(due) if given is None else sizes_of("sizes", given, error=RunError)
    if set(sizes) != set(due):
        wanted = ", ".join(f'"{s}": {n}' for s, n in due.items())
        raise RunError(f"sizes are {sizes}, where {{{wanted}}} or other numbers are expected")
    return sizes
