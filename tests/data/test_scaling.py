"""Standardization from what the training part tells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from verigrad.runtime.data.moments import moments
from verigrad.runtime.data.scaling import Scaling, standardizing


def scaled(x: np.ndarray, scaling: Scaling) -> np.ndarray:
    """What the first layer would read, in the dtype that the scaling asks for."""
    dtype = {"f32": np.float32, "f64": np.float64}[scaling.dtype]
    mean, inverse = (dtype(v) for v in (scaling.mean, scaling.inverse))
    return ((x.astype(dtype) - mean) * inverse).astype(np.float32)


def test_features_get_mean_0_and_variance_1(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3000, 4)) * [1, 5, 0.1, 2] + [0, 100, 3, -7]
    scaling = standardizing(x, pixels=False)
    scaled = (x - scaling.mean) * scaling.inverse
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=0), 1, rtol=1e-12)


def test_pixels_share_one_deviation(rng: np.random.Generator) -> None:
    x = rng.integers(0, 256, (2000, 6)).astype(np.uint8)
    x[:, 0] = 7
    scaling = standardizing(x, pixels=True)
    assert scaling.inverse.shape == ()
    scaled = (x - scaling.mean) * scaling.inverse
    np.testing.assert_allclose(np.square(scaled).mean(), 1, rtol=1e-12)
    assert not scaled[:, 0].any()


def test_a_feature_that_never_changes_stays_0() -> None:
    x = np.column_stack([np.full(5, 3.0), np.arange(5.0)])
    scaling = standardizing(x, pixels=False)
    assert ((x - scaling.mean) * scaling.inverse)[:, 0].tolist() == [0] * 5
    assert standardizing(np.full((5, 2), 9), pixels=True).inverse == 1


SIZES = [0.1, -1 / 3, 0.0, 1e-9, 123456.7, 1e15, -1e300, 1.7e308, 1e-300, 5e-324]


@pytest.mark.parametrize("rows", [2, 1000, 70_001])
@pytest.mark.parametrize("dtype", ["f8", "f4", "f2"])
def test_the_rounding_of_a_constant_is_no_deviation(rows: int, dtype: str) -> None:
    with np.errstate(over="ignore"):
        values = np.array(SIZES).astype(dtype)
    values = values[np.isfinite(values)]
    scaling = standardizing(np.tile(values, (rows, 1)), pixels=False)
    assert scaling.mean.tolist() == values.tolist()
    assert (scaling.inverse <= 1).all()


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("size", [0.1, -7e6, 3e30])
def test_a_change_of_the_last_bit_is_no_deviation(dtype: str, size: float) -> None:
    x = np.full((999, 1), size, dtype)
    x[::3] = np.nextafter(x[0, 0], np.inf, dtype=dtype)
    scaling = standardizing(x, pixels=False)
    assert (abs(x.astype("f8") - scaling.mean) * scaling.inverse).max() < 1e-6
    assert (abs(1.01 * size - scaling.mean) * scaling.inverse).max() <= 0.0101


COMPUTED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "times and divided": lambda a: 0.7 * a / a,
    "added and taken away": lambda a: 0.1 + a - a,
    "shares that sum to one": lambda a: sum((a + k) / (300 * a + 44850) for k in range(300)),
    "some missing": lambda a: np.where(a < 0.3, np.nan, 0.7 * a / a),
}


@pytest.mark.parametrize("kind", COMPUTED)
def test_what_is_constant_but_for_the_rounding_of_its_computation_is_no_deviation(
    rng: np.random.Generator, kind: str
) -> None:
    x = COMPUTED[kind](rng.random((1000, 1)))
    size = np.nanmax(x)
    assert np.nanmin(x) != size
    scaling = standardizing(x, pixels=False)
    assert (abs(1.01 * size - scaling.mean) * scaling.inverse).max() <= 0.0101


def test_whole_numbers_vary_by_their_last_bit(rng: np.random.Generator) -> None:
    x = 2.0**50 + rng.integers(0, 2, (1000, 2))
    x[::7, 1] = np.nan
    scaling = standardizing(x, pixels=False)
    np.testing.assert_allclose(
        np.nanstd((x - scaling.mean) * scaling.inverse, axis=0), 1, rtol=0.01
    )


VARYING = [
    (0.0, 1.0, "f8"), (1e9, 1.0, "f8"), (-1e9, 1e-3, "f8"), (1e15, 3.0, "f8"), (1.7e9, 1e4, "f8"),
    (0.0, 1e-30, "f8"), (0.0, 1e-200, "f8"), (1e-200, 1e-203, "f8"), (0.0, 3e307, "f8"),
    (1e300, 1e290, "f8"), (0.0, 3e37, "f4"), (1e9, 1e4, "f4"), (0.0, 1e-38, "f4"), (1e3, 1.0, "f2"),
    (10**9, 2, "i8"), (2**52, 5, "i8"), (100, 20, "u1"), (-3, 30, "i1"),
]  # fmt: skip


@pytest.mark.parametrize(("offset", "deviation", "dtype"), VARYING, ids=str)
def test_what_varies_is_scaled_to_variance_1_whatever_its_size(
    rng: np.random.Generator, offset: float, deviation: float, dtype: str
) -> None:
    x = (offset + deviation * rng.standard_normal((4000, 1)).clip(-4, 4)).astype(dtype)
    read = scaled(x, standardizing(x, pixels=False))
    rounding = abs(offset) * 2.0**-53 / deviation  # of the mean, which is a float too
    assert abs(read.mean()) < 2e-3 + rounding and abs(read.std() - 1) < 2e-3


def test_only_what_f32_cannot_hold_is_read_in_f64(rng: np.random.Generator) -> None:
    noise = rng.standard_normal((500, 1))
    for narrow in (noise, 2020 + 9 * noise, 1e-30 * noise, np.full((9, 1), 1e9), noise > 0):
        assert standardizing(narrow, pixels=False).dtype == "f32"
    for wide in (1e9 + noise, 1e40 * noise, 1e-60 * noise, np.full((9, 1), -1e300)):
        assert standardizing(wide, pixels=False).dtype == "f64"


def test_moments_are_of_the_values_that_are_there(rng: np.random.Generator) -> None:
    x = 1e6 + rng.standard_normal((2500, 5))
    x[rng.random(x.shape) < 0.3] = np.nan
    x[:1500, 1] = np.nan
    x[:, 2] = np.where(np.isnan(x[:, 2]), np.nan, 0.1)
    x[0] = np.nan
    found = moments(x)
    np.testing.assert_allclose(found.mean, np.nanmean(x, axis=0), rtol=1e-12)
    deviation = found.relative * found.unit
    np.testing.assert_allclose(deviation, np.nanstd(x, axis=0), rtol=1e-9, atol=1e-12)
    assert found.mean[2] == 0.1 and found.relative[2] == 0
