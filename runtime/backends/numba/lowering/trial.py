"""Each compiled loop beside the NumPy calls that it stands for, on its first use in a process.

Both run on numbers of their own, in memory laid out as the loop's arrays are: what lies at one
place there lies at one place here. They may differ by rounding, which is far less than _ALLOWED; a
loop that is wrong in one row, one column or one function is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from .....graph import SETTINGS, Array, RefutedError
from ...tracing import Call
from ..kernels.compiled import call
from ..tape.tape import Word
from .nests import Nest, Region
from .statements import Statement

_ALLOWED: Final = {"f4": 1e-4, "f8": 1e-11}
"""How far an array may be off, as a part of its norm."""
_ROUNDING: Final = 2.0**-23
"""By how much numbers are moved, relatively, to see what their rounding does to a result."""
_MULTIPLE: Final = 64
"""So many times as far may a result be off."""
_TRIES: Final = 3
"""So many times may a comparison of numbers that are all but equal come out otherwise."""
_PERIOD: Final = 10_007
"""Numbers after which those repeat that are drawn: no row is like another."""

Memory = Mapping[Region, Array]
"""Bytes for each region that a loop reads or writes."""
_TRIED: set[str] = set()


def try_once(
    text: str,
    nest: Nest,
    unwritten: frozenset[Region],
    kernel: Any,
    words: Callable[[Callable[[Array], Array]], tuple[Word, ...]],
) -> None:
    """Raises RefutedError where a kernel does not give the numbers of its nest's statements.

    `unwritten` are the regions that it need not write, and `words` gives what it reads for arrays
    that are put in the place of its own.
    """
    if text in _TRIED:
        return
    for number in range(_TRIES):
        wrong = _wrong(nest, unwritten, kernel, words, number)
        if wrong is None:
            _TRIED.add(text)
            return
    ops = " + ".join(dict.fromkeys([n.op.name for n in nest.nodes]))
    raise RefutedError(
        f"a loop that numba compiled for {ops} does not give NumPy's numbers: {wrong}\n"
        '  fix: backend="numpy"; the lowering, Numba or its cache is at fault'
    )


def _wrong(
    nest: Nest,
    unwritten: frozenset[Region],
    kernel: Any,
    words: Callable[[Callable[[Array], Array]], tuple[Word, ...]],
    number: int,
) -> str | None:
    """What is wrong with the results of a kernel on numbers that are drawn; None for nothing."""
    due, moved = (
        _drawn(nest, np.random.default_rng(number), positive=number == 0, off=off)
        for off in (0.0, _ROUNDING)
    )
    made = {region: a.copy() for region, a in due.items()}
    with SETTINGS, np.errstate(all="ignore"):
        for s in nest.statements:
            assert s.call is not None
            _make(s.call, due)
            _make(s.call, moved)
        call(kernel, words(lambda a: _at(made, a)))
    for s in nest.statements:
        if s.out.key in unwritten:
            continue
        a, b = _at(made, s.out.array), _at(due, s.out.array)
        off = _off(a, b)
        # What cancels is as far off as its operands' rounding takes it.
        cancels = _MULTIPLE * _off(_at(moved, s.out.array), b)
        if not off <= max(_ALLOWED.get(a.dtype.str[1:], 0.0), cancels if cancels < 1 else 0.0):
            return f"after {_name(s)}, {list(a.shape)} differs by {off:.2g} of its norm"
    return None


def _name(s: Statement) -> str:
    return str(getattr(s.call.function, "__name__", s.kind)) if s.call is not None else s.kind


def _off(a: Array, b: Array) -> float:
    """How far two arrays are apart, as a part of the norm; what is not finite must be alike."""
    if a.dtype.kind != "f":
        return 0.0 if np.array_equal(a, b) else np.inf
    finite = np.isfinite(b)
    if not np.array_equal(finite, np.isfinite(a)):
        return float(np.inf)
    with np.errstate(all="ignore"):
        x, y = a[finite].astype(np.float64), b[finite].astype(np.float64)
        far = float(np.linalg.norm(x - y))
        return far / float(np.linalg.norm(y)) if far else 0.0


def _make(c: Call, memory: Memory) -> None:
    """Makes a NumPy call on arrays of the memory."""

    def there(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple([there(v) for v in value])
        return _at(memory, value) if isinstance(value, np.ndarray) else value

    function, owner = c.function, getattr(c.function, "__self__", None)
    if isinstance(owner, np.ndarray):
        function = getattr(_at(memory, owner), c.function.__name__)
    arguments = [there(a) for a in c.arguments]
    function(*arguments, **{k: there(v) for k, v in c.keywords.items()})


def _at(memory: Memory, a: Array) -> Array:
    """An array of the memory in the place of one of the step; one that lies elsewhere as it is."""
    region = a.ctypes.data, a.nbytes
    if region not in memory:
        return a
    there: Array = memory[region].view(a.dtype).reshape(a.shape)
    return there


def _drawn(nest: Nest, rng: np.random.Generator, positive: bool, off: float) -> dict[Region, Array]:
    """Numbers for all that a nest reads or writes, moved up and down in turns by a part of them;
    places are such as it may read, and what no step changes is as it is."""
    memory: dict[Region, Array] = {}
    given = {id(a) for s in nest.statements if s.call is not None for a in _arrays(s.call)}
    for s in nest.statements:
        for o in (*s.inputs, s.out):
            if not o.array.flags.writeable or _is_number(o.array, given):
                memory[o.key] = np.ascontiguousarray(o.array).reshape(-1).view(np.uint8).copy()
            elif o.key not in memory or o.array.dtype.kind == "f":
                numbers = _numbers(o.array, rng, positive, off)
                memory[o.key] = numbers.reshape(-1).view(np.uint8)
    for s in nest.statements:
        if s.kind in ("take", "put"):
            at = s.inputs[1 if s.kind == "take" else 0]
            columns = s.columns or 1
            rows = np.arange(at.array.size) * columns
            places = (rows + rng.integers(0, columns, at.array.size)).astype(at.array.dtype)
            memory[at.key] = places.view(np.uint8)
    return memory


def _is_number(a: Array, given: set[int]) -> bool:
    """Whether an operand stands for a number that is no array of the calls."""
    return a.size == 1 and a.base is None and id(a) not in given


def _numbers(like: Array, rng: np.random.Generator, positive: bool, off: float) -> Array:
    count = min(like.size, _PERIOD)
    if like.dtype.kind == "f":
        drawn: Array = rng.uniform(0.1 if positive else -2.0, 2.0, count)
        drawn[::2] *= 1 + off
        drawn[1::2] *= 1 - off
    else:
        drawn = rng.integers(0, 2, count) if like.dtype.kind == "b" else rng.integers(1, 5, count)
    return np.resize(drawn.astype(like.dtype), like.shape)


def _arrays(call: Call) -> list[Array]:
    values = [*call.arguments, *call.keywords.values(), getattr(call.function, "__self__", None)]
    return [v for v in values if isinstance(v, np.ndarray)]
