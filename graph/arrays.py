"""The one door through which what a user hands over becomes an array of numbers."""

from __future__ import annotations

import sys
from collections import UserList, deque
from collections.abc import Iterator, Mapping, Set, Sized
from numbers import Real
from typing import Any, Final, NamedTuple

import numpy as np

from .errors import GraphError, VerigradError
from .op import Array
from .types import NUMPY_DTYPES

_NUMBERS: Final = "biuf"
"""The kinds of dtypes that are numbers: truth values, integers and floats."""
_DEEPEST: Final = 64
"""As many dimensions as an array of NumPy can have."""
_LISTS: Final = (list, tuple, deque, UserList)
"""What NumPy reads element by element, and would read through the masks of its parts."""


class Refused(NamedTuple):
    """What was found in the place of numbers, and what the user may write instead."""

    found: str
    fix: str = ""


def as_array(
    value: Any,
    what: str,
    expected: object = "numbers",
    *,
    name: str,
    error: type[VerigradError] = GraphError,
    kind: str = "",
) -> Array:
    """`value` as an array of NumPy's own class that holds truth values, integers or floats.

    Numbers, sequences of them, arrays and whatever has `__array__` are taken, where they can be
    without a copy; frames of pandas column by column, as floats where `kind`, that of the dtype
    which is due, is "f". Refused, with `error`, is all whose elements are not numbers in an order
    or do not all count: masked arrays with masked elements, dicts, sets, iterators, texts,
    objects, complex numbers, times, records, `np.matrix`, and what cannot be converted. `what` and
    `expected` say in the error whose value it is and what is due (`input 'x'`, `f32[N,64]`);
    `name` is how the remedy writes it (`x`).
    """
    if type(value) is np.ndarray and value.dtype.kind in _NUMBERS:
        return value
    if type(value) in (float, int) and (array := np.asarray(value)).dtype.kind in _NUMBERS:
        return array
    if "pandas" in sys.modules:  # before it is imported, nothing is of it
        from .frames import unframed

        value = unframed(what, value, kind, error)
    refused = _kept_out(value, name)
    if refused is None:
        try:
            converted = np.asanyarray(value)
        except Exception as e:  # the conversion may run any code, such as the user's `__array__`
            refused = _failed(value, e, name)
        else:
            refused = _kept_out(converted, name) or _no_numbers(value, np.asarray(converted), name)
            if refused is None:
                return np.asarray(converted)
    fix = f"; {refused.fix}" if refused.fix else ""
    raise error(f"{what} is {refused.found}, where {expected} is expected{fix}") from None


def _kept_out(value: object, name: str) -> Refused | None:
    """Why a value is refused for what it is, before anything is converted."""
    if isinstance(value, np.matrix):
        return Refused("a np.matrix, which has two dimensions always", f"give np.asarray({name})")
    if isinstance(value, Mapping):
        return Refused(f"a {_kind(value)} of {len(value)}", "give an array or a list")
    if isinstance(value, Set):
        return Refused(f"a {_kind(value)}, which has no order", "give an array or a list")
    if isinstance(value, Iterator):
        return Refused(f"a {_kind(value)}, which can be read once", f"give list({name})")
    if isinstance(value, (str, bytes, bytearray)):
        return Refused(f"a text, {value[:20]!r}", "give numbers")
    masked = next(_masked(value), None)
    if masked is None:
        return None
    at = f", the first at {list(masked)}" if masked else ""
    return Refused(
        f"a masked array, of which elements are masked{at}",
        f"fill them in, {name}.filled(0), or leave their rows out"
        if isinstance(value, np.ma.MaskedArray)
        else "fill them in, or leave their rows out",
    )


def _masked(value: object, at: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """The places that are masked, in arrays and in nested lists of them."""
    if isinstance(value, np.ma.MaskedArray):
        for place in np.argwhere(np.ma.getmaskarray(value))[:1].tolist():
            yield (*at, *place)
    elif isinstance(value, _LISTS) and not set(map(type, value)) <= {int, float, bool}:
        for i, part in enumerate(value) if len(at) < _DEEPEST else ():
            yield from _masked(part, (*at, i))


def _failed(value: object, e: Exception, name: str) -> Refused:
    """What an error in the conversion says; tensors of other libraries have a way out."""
    message = next(iter(str(e).strip().splitlines()), "")
    parts = list(value) if isinstance(value, (list, tuple)) else []
    lengths = [len(part) if isinstance(part, Sized) else None for part in parts]
    other = next((i for i, n in enumerate(lengths) if n != lengths[0]), None)
    if other is not None:
        rows = f"[0] has {lengths[0]} elements and [{other}] has {lengths[other]}"
        return Refused(f"a {_kind(value)} whose parts differ: {rows}", "give each as many")
    problem = f"a {_kind(value)} that cannot be made an array ({type(e).__name__}: {message})"
    way = ".detach().cpu().float().numpy()" if "BFloat16" in message else ".detach().cpu().numpy()"
    if has(value, "detach"):
        return Refused(problem, f"give {name}{way}")
    if any(has(part, "detach") for part in parts):
        return Refused(problem, f"give [t{way} for t in {name}]")
    return Refused(problem, "give an array or a list of numbers")


def _no_numbers(value: object, array: Array, name: str) -> Refused | None:
    """Why an array is refused for the dtype that it has."""
    kind, dtype = array.dtype.kind, array.dtype
    if kind in _NUMBERS:
        return None
    if kind == "O":
        return _objects(value, array, name)
    if kind in "SUT":
        return _texts(array, name)
    if kind == "c":
        return Refused(f"{dtype}", f"give its parts as numbers of their own, {name}.real")
    if kind in "mM":
        unit = "np.timedelta64(1, 's')"
        since = name if kind == "m" else f"({name} - {name}.min())"
        return Refused(f"{dtype}", f"give numbers, {since} / {unit}")
    if dtype.names:
        fields = ", ".join(dtype.names)
        fix = f"np.stack([{name}[k] for k in {name}.dtype.names], axis=-1)"
        return Refused(f"an array of records ({fields})", f"give {fix}")
    if issubclass(dtype.type, np.void):
        return Refused(f"{dtype}, bytes of no dtype", "read them in the dtype of their numbers")
    return Refused(f"{dtype}", f"give {name}.astype('float32')")


def _objects(value: object, array: Array, name: str) -> Refused:
    if not array.ndim and array.item() is value:  # NumPy knows nothing of it
        if has(value, "toarray"):
            return Refused(f"a sparse {_kind(value)}", f"give {name}.toarray()")
        if isinstance(value, Real):
            size = f" of {value.bit_length()} bits" if isinstance(value, int) else ""
            return Refused(f"one {_kind(value)}{size}", f"give float({name})")
        return Refused("None" if value is None else f"a {_kind(value)}", "give an array or a list")
    if array.size and all(isinstance(element, str) for element in array.flat):
        return _texts(array.astype(str), name)
    for place, element in np.ndenumerate(array):
        if isinstance(element, (str, bytes)):
            return Refused(f"an array of objects: {element[:20]!r} at {list(place)}")
        if not isinstance(element, Real):
            return Refused(
                f"an array of objects: a {_kind(element)} at {list(place)}",
                "give a number in each place",
            )
    try:
        np.array(array, float)
    except Exception as e:
        return Refused(f"an array of objects that are no floats ({type(e).__name__}: {e})")
    return Refused("an array of objects", f"give np.array({name}, float)")


def _texts(array: Array, name: str) -> Refused:
    first = f" such as {str(array.flat[0])[:20]!r}" if array.size else ""
    try:
        array.astype(float)
    except ValueError:
        number = f"{name} = np.unique({name}, return_inverse=True)[1]"
        return Refused(f"texts{first}", f"number them, {number}" if array.ndim == 1 else "")
    return Refused(f"texts{first}", f"give np.asarray({name}).astype(float)")


def exactly(array: Array, dtype: str, what: str, error: type[VerigradError] = GraphError) -> Array:
    """The array with every value the same in one of our dtypes, but for the rounding of floats.

    Raises `error` for a fraction, NaN or a number of more than 64 bits as i64, for what is neither
    0 nor 1 as bool, and for a finite number that is infinite as f32.
    """
    to = NUMPY_DTYPES[dtype]
    with np.errstate(all="ignore"):
        cast = array.astype(to)
        same = np.isfinite(cast) | ~np.isfinite(array) if to.kind == "f" else cast == array
        if to.kind == "i":  # 2^63 as a float, and what is above it unsigned, come out negative
            same &= (cast < 0) == (array < 0)
    if same.all():
        return cast
    at = np.argwhere(~same)[0].tolist()
    raise error(
        f"{what} holds {array[tuple(at)]}{f' at {at}' if at else ''}, which no {dtype} can hold"
    )


def has(value: object, attribute: str) -> bool:
    """Whether it has the attribute; where the user's `__getattr__` fails, it has not."""
    try:
        return hasattr(value, attribute)
    except Exception:
        return False


def _kind(value: object) -> str:
    return type(value).__name__
