"""Standardization from what the training part tells."""

from __future__ import annotations

import numpy as np

from verigrad.runtime.data.scaling import standardizing


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
