"""Arithmetic modulo a prime, against Python's integers, and derivatives, against a power series."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from verigrad.graph import NoRuleError, Residues
from verigrad.graph.modular import arithmetic
from verigrad.graph.modular.arithmetic import PRIMES
from verigrad.graph.modular.modulus import Modulus

P = Modulus(PRIMES[0])
SIZES = (0, 1, 2, 3, 511, 512, 1000, 20_000)


def drawn(*shape: int, key: int = 1) -> np.ndarray:
    return arithmetic.random_residues(key, np.arange(np.prod(shape, dtype=int)).reshape(shape), P)


def exactly(x: np.ndarray) -> np.ndarray:
    return x.astype(np.int64).astype(object)


@pytest.mark.parametrize("p", PRIMES)
def test_the_primes_are_prime(p: int) -> None:
    assert p < 2**26 and all(p % k for k in range(2, int(p**0.5) + 1))


@pytest.mark.parametrize("size", SIZES)
def test_products_sums_and_inverses_are_those_of_integers(size: int) -> None:
    a, b = drawn(size), drawn(size, key=2)
    assert (a >= 1).all() and (a < P).all()
    assert (exactly(arithmetic.product(a, b, P)) == exactly(a) * exactly(b) % P).all()
    assert (exactly(arithmetic.reduced(a - b, P)) == (exactly(a) - exactly(b)) % P).all()
    assert float(arithmetic.summed(a, (0,), False, P)) == float(sum(exactly(a).tolist()) % P)
    inverse = arithmetic.inverse(a, P)
    assert (exactly(inverse) * exactly(a) % P == 1).all()


def test_the_largest_numbers_are_reduced_exactly() -> None:
    for size in (2, 4096):
        for x in (2.0**52 - 1, 1.0 - 2.0**52, (P - 1.0) ** 2, P * 3.0, -P * 1.0, P - 1.0, 0.0, P):
            found = arithmetic.reduced(np.full(size, float(x)), P)
            assert (found == int(x) % P).all(), x


@pytest.mark.parametrize("inner", [0, 1, 3, 100, 4095, 4096, 4097, 10_000])
def test_matrix_products_are_those_of_integers(inner: int) -> None:
    a, b = drawn(2, inner), drawn(inner, 3, key=2)
    a[:, : inner // 2] = P - 1  # the largest
    expected = (exactly(a) @ exactly(b)) % P if inner else np.zeros((2, 3))
    assert (exactly(arithmetic.matrix_product(a, b, P)) == expected).all()


def test_the_inverse_of_0_is_0() -> None:
    assert arithmetic.inverse(np.array([0.0, 2.0, 0.0]), P).tolist() == [0.0, (P + 1) / 2, 0.0]


@pytest.mark.parametrize("x", [0.0, 1.0, -1.0, 0.1, 1e-300, 1e300, 5e-324, -0.3, 2.0**60, 3.0])
@pytest.mark.parametrize("size", [1, 3])
def test_a_float_is_the_fraction_that_it_is(x: float, size: int) -> None:
    f = Fraction(x)
    expected = f.numerator * pow(f.denominator, -1, P) % P
    assert (arithmetic.residues(np.full(size, x), P) == expected).all()


def test_what_is_not_finite_stands_for_itself() -> None:
    special = arithmetic.residues(np.array([np.inf, -np.inf, np.nan, 1.0]), P)
    assert len({*special.tolist()}) == 4 and special[0] == P - special[1]


def test_whole_numbers_and_truth_values() -> None:
    assert arithmetic.residues(np.array([-1, 5]), P).tolist() == [P - 1.0, 5.0]
    assert arithmetic.residues(np.array([True, False]), P).tolist() == [1.0, 0.0]


# ---- residues -----------------------------------------------------------------------------------


def along(value: np.ndarray, tangent: np.ndarray) -> Residues:
    return Residues(value, "f64", P, tangent)


FORMULAS = {
    "sum": lambda a, b: a + b,
    "difference": lambda a, b: a - b,
    "product": lambda a, b: a * b,
    "quotient": lambda a, b: a / b,
    "square": lambda a, b: (a * b) ** 2,
    "cube": lambda a, b: a**3 - b,
    "of_one": lambda a, b: 1 / (a + 2) - a * 0.5,
    "rows": lambda a, b: (a / b).sum((1,), keepdims=True) * b,
    "mean": lambda a, b: (a * a).mean((0,)) / b,
    "matrix": lambda a, b: a @ b.T,
    "moved": lambda a, b: a.transpose((1, 0)).reshape(3, 4)[1:] * b.reshape(3, 4)[1:],
    "put": lambda a, b: (a * b)[:2].put(slice(1, 3), (4, 3)) * a,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_derivatives_are_the_coefficients_of_the_first_power(name: str) -> None:
    """Of f(a + e u), a rational function of e, whose values at 0 to 39 tell what it is."""
    f = FORMULAS[name]
    a, b, u, v = (drawn(4, 3, key=k) for k in range(4))
    found = f(along(a, u), along(b, v))
    points = np.arange(1, 40)
    values = [
        f(
            Residues((a + e * u) % P, "f64", P),
            Residues((b + e * v) % P, "f64", P),
        ).value
        for e in points
    ]
    at_0 = f(Residues(a, "f64", P), Residues(b, "f64", P)).value
    assert found.tangent is not None and found.tangent.shape == at_0.shape
    for place in np.ndindex(at_0.shape):
        series = [int(at_0[place]), *(int(y[place]) for y in values)]
        assert slope_at_0(series) == int(found.tangent[place]), place


def slope_at_0(values: list[int]) -> int:
    """The derivative at 0 of a rational function of degree up to 19 / 19, from its values there
    and at 1, 2, ...: by solving n(e) = d(e) f(e) modulo P, d(0) = 1."""
    half = (len(values) - 1) // 2
    rows = []
    for e, y in enumerate(values):
        numerator = [pow(e, k, P) for k in range(half + 1)]
        denominator = [-y * pow(e, k, P) % P for k in range(1, half)]
        rows.append([*numerator, *denominator, y])
    solution = solved(rows)
    n, d1 = solution[: half + 1], solution[half + 1]
    return (n[1] - values[0] * d1) % P


def solved(rows: list[list[int]]) -> list[int]:
    """A solution of linear equations modulo P, free unknowns 0."""
    width = len(rows[0]) - 1
    pivots: list[int] = []
    for column in range(width):
        at = len(pivots)
        k = next((k for k in range(at, len(rows)) if rows[k][column]), None)
        if k is None:
            continue
        rows[at], rows[k] = rows[k], rows[at]
        inverse = pow(rows[at][column], -1, P)
        rows[at] = [x * inverse % P for x in rows[at]]
        for k, row in enumerate(rows):
            if k != at and row[column]:
                factor = row[column]
                rows[k] = [(x - factor * y) % P for x, y in zip(row, rows[at], strict=True)]
        pivots.append(column)
    solution = [0] * width
    for k, column in enumerate(pivots):
        solution[column] = rows[k][-1]
    return solution


def test_a_choice_has_the_derivative_of_what_is_chosen() -> None:
    a, b = along(drawn(9), drawn(9, key=2)), along(drawn(9, key=3), drawn(9, key=4))
    y = (a > b).choose(a, b)
    first = (a > b).value == 1
    assert (y.tangent == np.where(first, a.tangent, b.tangent)).all() and first.any()
    rows = along(drawn(4, 3), drawn(4, 3, key=2))
    largest = rows.max((1,))
    places = rows.value.argmax(1)
    assert (largest.value == rows.value.max(1)).all()
    assert (largest.tangent == rows.tangent[np.arange(4), places]).all()


def test_functions_are_the_same_for_equal_arguments_alone() -> None:
    x = Residues(drawn(1000), "f32", P)
    once, again = x.function("exp").value, x.function("exp").value
    assert (once == again).all()
    assert len({*once.tolist()}) > 990
    assert (x.function("log").value != once).mean() > 0.99
    moved = Residues(x.value[::-1], "f32", P).function("exp").value
    assert (moved[::-1] == once).all()


def test_a_function_of_rows_depends_on_each_element_and_its_place() -> None:
    x = drawn(5, 4)
    y = Residues(x, "f32", P).function_of_rows("log_softmax").value
    for row, column in np.ndindex(x.shape):
        other = x.copy()
        other[row, column] = (other[row, column] + 1) % P
        changed = Residues(other, "f32", P).function_of_rows("log_softmax").value != y
        assert changed[row].all() and changed.sum() == 4
    swapped = Residues(x[:, ::-1], "f32", P).function_of_rows("log_softmax").value
    assert (swapped[:, ::-1] != y).all()


def test_signs_are_those_of_numbers() -> None:
    x = Residues(drawn(2000), "f32", P)
    assert ((x > 0).value + (-x > 0).value == 1).all()
    assert 0.4 < (x > 0).value.mean() < 0.6
    small = Residues(np.arange(-5, 6) % P, "i64", P)
    assert (small > 2).value.tolist() == [0] * 8 + [1] * 3
    assert (small <= -1).value.tolist() == [1] * 5 + [0] * 6
    sigmoid = x.sigmoid()
    assert ((-x).sigmoid().value == (1 - sigmoid).value).all()


def test_a_derivative_that_nobody_gave_is_an_error() -> None:
    x = along(drawn(3), drawn(3, key=2))
    with pytest.raises(NoRuleError, match="the derivative of wave is unknown"):
        x.function("wave")
    assert x.fixed.function("wave").tangent is None
    assert not x.function("floor", slope=0).tangent.any()
