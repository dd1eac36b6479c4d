"""NumPy calls as a tape, to time what the jitted backend takes for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ....graph import Array, Op
from ....ops.blas import numpy_blas
from ..tracing import Call
from .lowering.kernel_text import Text
from .lowering.nests import Nest, regions
from .lowering.ops import lowered
from .lowering.products import append, product
from .lowering.statements import statement
from .tape.tape import Tape


def prepared(calls: Sequence[Call]) -> Callable[[], object]:
    """The calls as loops, products and instructions, in a function that runs them; a call that is
    none of them, or a product where no BLAS is known, is made as it stands."""
    tape, nests, blas = Tape([]), list[Nest](), numpy_blas()
    looped, rest = list[Call](), list[Call]()
    held: list[Array] = []
    for call in calls:
        op = getattr(call.function, "__self__", None)
        found = None
        if isinstance(op, Op):
            found = lowered(op, call.arguments, call.keywords["out"], tape.threads)
        if found is None or found.product is not None:
            looped.append(call)
            continue
        looped += found.calls
        held += found.held
        for instruction in found.instructions:
            tape.add(*instruction)
    for call in looped:
        s, p = statement(call), product(call)
        if s is not None:
            if not (nests and nests[-1].take([s])):
                nests.append(Nest([s]))
        elif p is not None and blas is not None:
            append(p, blas, tape)
        else:
            rest.append(call)
    dead = regions(held)
    for nest in nests:
        Text(nest, dead).append(tape)
    run = tape.runner(0, len(tape))

    def made() -> None:
        run()
        for call in rest:
            call.function(*call.arguments, **call.keywords)

    return made if rest else run
