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
    temporaries: list[Array] = []
    for call in calls:
        op = getattr(call.function, "__self__", None)
        form = None
        if isinstance(op, Op):
            form = lowered(op, call.arguments, call.keywords["out"], tape.threads)
        if form is None or form.product is not None:
            looped.append(call)
            continue
        looped += form.calls
        temporaries += form.held
        for instruction in form.instructions:
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
    dead = regions(temporaries)
    for nest in nests:
        Text(nest, dead).append(tape)
    run = tape.runner(0, len(tape))

    def run_all() -> None:
        run()
        for call in rest:
            call.function(*call.arguments, **call.keywords)

    return run_all if rest else run
