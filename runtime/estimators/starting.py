"""What a fit begins with: first weights as scikit-learn draws them, and an optimizer at rest."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...graph import Array, Initializer, State
from ...ops import first_value
from ..program import Program
from .net import Form


def first_values(form: Form, rng: np.random.RandomState) -> dict[str, Array]:
    """Weights and biases by name, uniform within the bound of Glorot and Bengio 2010, one layer
    after another; sqrt(2 / (fan_in + fan_out)) for "logistic", sqrt(6 / ...) for all others."""
    drawn: dict[str, Array] = {}
    factor = 2.0 if form.activation == "logistic" else 6.0
    for k, (weight, bias) in enumerate(zip(form.coefs, form.intercepts, strict=True)):
        fan_in, fan_out = form.sizes[k : k + 2]
        bound = np.sqrt(factor / (fan_in + fan_out))
        drawn[weight] = rng.uniform(-bound, bound, (fan_in, fan_out))
        drawn[bias] = rng.uniform(-bound, bound, fan_out)
    return drawn


def optimizer_state(program: Program) -> dict[str, Array]:
    """The first values of the state that the optimizer added, by name: moments, steps, rates."""
    g, kept = program.training, _kept(program)
    first: dict[str, Array] = {}
    for n in g.state:
        name = g.names[n]
        if name not in kept:
            assert isinstance(n.op, State) and isinstance(n.op.init, Initializer)
            first[name] = first_value(n.op.init, n.type, 0, name)
    return first


def values_of(program: Program) -> dict[str, Array]:
    """Copies of all that predictions depend on: parameters, and what norms keep of batches."""
    kept = _kept(program)
    return {**program.parameters, **{k: program.state[k] for k in kept}}


def put_values(program: Program, values: Mapping[str, Array]) -> None:
    """Sets what `values_of` gave, of this program or of one of the same net."""
    kept = _kept(program)
    program.parameters.update({k: a for k, a in values.items() if k not in kept})
    if kept:
        program.state.update({k: values[k] for k in kept})


def _kept(program: Program) -> set[str]:
    """The state that the net itself declares."""
    return {program.declared.names[n] for n in program.declared.state}
