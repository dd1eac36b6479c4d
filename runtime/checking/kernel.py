"""What an op's `run` is held to: values, and how it treats inputs, result and scratch."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from ...graph import SETTINGS, Array, RunError, kernel_call, shown
from .sample import Sample, different


def kernel_checks(sample: Sample, sizes: Mapping[str, int]) -> Iterator[str | None]:
    """A violation in words, or None, for each thing that was looked at, at these sizes."""
    arrays = sample.draw(sizes)
    with np.errstate(all="ignore"):
        result = yield from _value(sample, sizes, arrays)
        if result is None:
            return
        yield from _buffers(sample, sizes, arrays, result)
        yield from _takeovers(sample, sizes, arrays, result)
        yield from _pieces(sample, arrays, result)
        yield from _rows(sample, sizes, arrays, result)
        if sample.op.elementwise and not sample.values:
            for _ in range(4):
                yield from _value(sample, sizes, sample.draw_special(sizes))


def _pieces(sample: Sample, arrays: Sequence[Array], result: Array) -> Iterator[str | None]:
    """That `kinks` tells the piece of each element of the result."""
    kinks = sample.op.kinks(*arrays)
    if kinks is not None:
        shape = np.shape(kinks)
        wrong = f"kinks gives the shape {list(shape)}, where the result's is {list(result.shape)}"
        yield None if shape == result.shape else wrong


def _rows(
    sample: Sample, sizes: Mapping[str, int], arrays: Sequence[Array], result: Array
) -> Iterator[str | None]:
    """That the result is made of those for blocks of rows as `over_rows` says."""
    types, inferred = sample.types, sample.inferred()
    joins = sample.op.over_rows(*types)
    symbols = {t.shape[0] for t in types if t.symbols}
    if joins is None or any(t.symbols not in ((), t.shape[:1]) for t in (*types, inferred)):
        return
    if len(symbols) != 1 or sizes[symbol := str(*symbols)] < 2:
        return
    counts = 1, sizes[symbol] - 1
    blocks = []
    for start, count in zip((0, 1), counts, strict=True):
        rows = slice(start, start + count)
        cut = [a[rows] if t.symbols else a for a, t in zip(arrays, types, strict=True)]
        blocks.append(run(sample, {**sizes, symbol: count}, cut))
    first, rest = blocks
    if joins == "each":
        joined = np.concatenate(blocks)
    elif joins == "max":
        joined = np.maximum(first, rest)
    else:
        weighed = first * counts[0] + rest * counts[1]
        joined = first + rest if joins == "sum" else weighed / sizes[symbol]
    size = sample.size(arrays, result) if inferred.is_float else 0.0
    wrong = different(np.asarray(joined, result.dtype), result, inferred, size)
    yield f"over_rows says {shown(joins)}, but of two blocks of rows {wrong}" if wrong else None


def _value(
    sample: Sample, sizes: Mapping[str, int], arrays: Sequence[Array]
) -> Generator[str | None, None, Array | None]:
    """The value against the reference; returns it, or None where there is none."""
    expected = sample.expected(arrays)
    try:
        result = run(sample, sizes, arrays)
    except RunError as e:
        yield None if expected is None else f"run refuses what the reference computes: {e}"
        return None
    except Exception as e:
        yield f"run fails with {type(e).__name__}: {e} (an input is read-only, `out` is not)"
        return None
    if expected is None:
        yield "run gives a result where the reference has none: raise RunError"
        return None
    inferred = sample.inferred()
    size = sample.size(arrays, expected) if inferred.is_float else 0.0
    yield different(result, expected, inferred, size)
    return result


def _buffers(
    sample: Sample, sizes: Mapping[str, int], arrays: Sequence[Array], result: Array
) -> Iterator[str | None]:
    """That all of `out` is written, nothing is read from it or from scratch, and inputs stay."""
    kept = [a.tobytes() for a in arrays]
    again = run(sample, sizes, arrays, poison=255)
    yield (
        None
        if again.tobytes() == result.tobytes()
        else "the result depends on what was in `out` or in scratch: write every element"
    )
    yield None if [a.tobytes() for a in arrays] == kept else "run changes an input"


def _takeovers(
    sample: Sample, sizes: Mapping[str, int], arrays: Sequence[Array], result: Array
) -> Iterator[str | None]:
    """That the result has the same bits where it lies in the place of an `inplace` input.

    Also where the op reads that input twice: a graph may do so, and the planner lets it.
    """
    types, inferred = sample.types, sample.inferred()
    for k in sample.op.inplace:
        if k >= len(types):
            yield f"`inplace` names input {k}, but there are {len(types)}"
            continue
        if types[k] != inferred:
            continue
        yield _same_bits(sample, sizes, arrays, {k}, result, f"taking over input {k}")
        for j, t in enumerate(types):
            if j != k and t == inferred:
                twice = [arrays[k] if i == j else a for i, a in enumerate(arrays)]
                try:
                    apart = run(sample, sizes, twice)
                except RunError:
                    continue
                label = f"taking over input {k}, which is also input {j},"
                yield _same_bits(sample, sizes, twice, {k, j}, apart, label)


def _same_bits(
    sample: Sample,
    sizes: Mapping[str, int],
    arrays: Sequence[Array],
    places: set[int],
    apart: Array,
    label: str,
) -> str | None:
    taken = run(sample, sizes, arrays, takes=frozenset(places))
    if taken.tobytes() == apart.tobytes():
        return None
    return f"{label} gives other bits; it must not be `inplace`"


def run(
    sample: Sample,
    sizes: Mapping[str, int],
    arrays: Sequence[Array],
    *,
    poison: int = 0,
    takes: frozenset[int] = frozenset(),
) -> Array:
    """The result, in a buffer of `poison` bytes or in a copy of the inputs that it takes over."""
    t = sample.inferred()
    out = _poisoned(t.bind(sizes), t.numpy, poison)
    inputs = []
    for k, a in enumerate(arrays):
        if k in takes:
            out[...] = a
        else:
            a.setflags(write=False)
        inputs.append(out if k in takes else a)
    empty = partial(_poisoned, byte=255 - poison)
    with SETTINGS:
        kernel_call(sample.op, sample.types, inputs, out, sizes, empty)()
    return out


def _poisoned(shape: tuple[int, ...], dtype: np.dtype[np.generic], byte: int) -> Array:
    """An array whose every byte is the given one: 255 is NaN, or -1, or true."""
    out: Array = np.empty(shape, dtype)
    if dtype.kind == "b":
        out.fill(byte != 0)
    else:
        out.reshape(-1).view(np.uint8).fill(byte)
    return out
