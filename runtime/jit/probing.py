"""NumPy calls as a tape, to time what the jitted backend takes for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...ops import Axpy
from ...ops.blas import numpy_blas
from ...ops.dropout import DropoutMask
from ..recording import Call
from .loops import Text
from .nests import Nest, Region
from .products import append, product
from .special import append_mask
from .statements import multiple, statement
from .tape import Tape


def prepared(calls: Sequence[Call]) -> Callable[[], object]:
    """The calls as loops, products and masks, in a function that runs them; a call that is none
    of them, or a product where no BLAS is known, is made as it stands."""
    tape, nests = Tape([]), list[Nest]()
    rest: list[Call] = []
    looped, dead = _looped(calls)
    for call in looped:
        op = getattr(call.function, "__self__", None)
        s, p, blas = statement(call), product(call), numpy_blas()
        if s is not None:
            if not (nests and nests[-1].take([s])):
                nests.append(Nest([s]))
        elif p is not None and blas is not None:
            append(p, blas, tape)
        elif isinstance(op, DropoutMask):
            (step,) = call.arguments
            append_mask(op, step, call.keywords["out"], tape)
        else:
            rest.append(call)
    for nest in nests:
        Text(nest, dead).append(tape)
    run = tape.runner(0, len(tape))

    def made() -> None:
        run()
        for call in rest:
            call.function(*call.arguments, **call.keywords)

    return made if rest else run


def _looped(calls: Sequence[Call]) -> tuple[list[Call], frozenset[Region]]:
    """The calls, `axpy` as those that loops can make; and what these do not write."""
    found: list[Call] = []
    dead: set[Region] = set()
    for call in calls:
        if isinstance(getattr(call.function, "__self__", None), Axpy):
            y, x, alpha = call.arguments
            parts, times = multiple(y, x, alpha, call.keywords["out"])
            found += parts
            dead.add((times.ctypes.data, times.nbytes))
        else:
            found.append(call)
    return found, frozenset(dead)
