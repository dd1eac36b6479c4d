"""Products on one thread: in pieces, to the bits that several threads give them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verigrad.graph import SETTINGS, Product
from verigrad.ops import blas
from verigrad.ops.pieces import add_in, agreeing, dot_in, pieces

SIZES = [(128, 784, 64), (64, 784, 100), (100, 3072, 100), (784, 500, 128), (40, 1000, 300)]


@given(inner=st.integers(1, 5_000), block=st.integers(1, 500))
def test_pieces_are_whole_blocks_and_the_halves_of_the_rest(inner: int, block: int) -> None:
    cut = pieces(inner, block)
    assert [k for piece in cut for k in piece] == [0, *[k for _, k in cut for k in (k, k)][:-1]]
    assert cut[-1][1] == inner and all(start < stop for start, stop in cut)
    *_, second, last = [0, 0, *[stop - start for start, stop in cut]]
    assert last <= block and (len(cut) == 1 or 0 <= second - last <= 1 or last == block)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True)])
def test_a_product_in_pieces_is_the_product(
    rng: np.random.Generator, dtype: str, turned: tuple[bool, bool]
) -> None:
    if blas.callable_blas(np.dtype(dtype).str) is None:
        pytest.skip("this BLAS cannot be called")
    a, b = rng.standard_normal((7, 100)).astype(dtype), rng.standard_normal((100, 5)).astype(dtype)
    left = np.ascontiguousarray(a.T).T if turned[0] else a
    right = np.ascontiguousarray(b.T).T if turned[1] else b
    made, cut = np.full((7, 5), np.nan, dtype), [(0, 32), (32, 67), (67, 100)]
    dot_in(cut, left, right, made)
    np.testing.assert_allclose(made, a @ b, rtol=1e-5, atol=1e-5)
    before = made.copy()
    add_in(cut, left, right, made, -2.0, 0.5)
    np.testing.assert_allclose(made, 0.5 * before - 2.0 * (a @ b), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("sizes", SIZES)
def test_where_pieces_are_found_one_thread_has_the_bits_of_several(
    rng: np.random.Generator, sizes: tuple[int, int, int], dtype: str
) -> None:
    """On other numbers than those that they were found with."""
    rows, inner, columns = sizes
    cut = agreeing(Product(*sizes), np.dtype(dtype).str, 2)
    if cut is None:
        return
    a = rng.standard_normal((rows, inner)).astype(dtype)
    b = rng.standard_normal((inner, columns)).astype(dtype)
    several, one = np.empty((rows, columns), dtype), np.empty((rows, columns), dtype)
    with SETTINGS, blas.at_most(2):
        np.dot(a, b, out=several)
    with SETTINGS, blas.at_most(1):
        if cut:
            dot_in(cut, a, b, one)
        else:
            np.dot(a, b, out=one)
    assert one.tobytes() == several.tobytes()


def test_for_f32_pieces_are_found_on_this_openblas() -> None:
    known = blas.numpy_blas()
    if known is None or not known.set_threads:
        pytest.skip("this BLAS has no threads to set")
    assert all(agreeing(Product(*sizes), "<f4", 2) is not None for sizes in SIZES)
