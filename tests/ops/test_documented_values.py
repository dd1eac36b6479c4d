"""What ops promise at kinks, ties and limits, and of nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import verigrad as vg
from verigrad.ops import DropoutMask, words

INF, NAN = np.inf, np.nan


def value(build: Callable[..., vg.Node], *arrays: object) -> np.ndarray:
    """What an expression of inputs gives for these arrays, in their own dtypes."""
    feeds = {f"x{k}": np.asarray(a) for k, a in enumerate(arrays)}
    inputs = [vg.input(k, a.shape, dtype=a.dtype) for k, a in feeds.items()]
    g = vg.Graph("expression", {"y": build(*inputs)})
    return vg.interpret(g, feeds).outputs["y"]


def slope(build: Callable[..., vg.Node], *arrays: object) -> list[list[float]]:
    """The gradient of the sum of an expression for each input."""
    gradients = [
        value(lambda *xs, k=k: vg.grad(vg.sum(build(*xs)), [xs[k]])[0], *arrays)
        for k in range(len(arrays))
    ]
    return [g.tolist() for g in gradients]


def test_the_slope_of_relu_at_zero_is_zero() -> None:
    assert slope(vg.relu, [-1.0, -0.0, 0.0, 1.0]) == [[0.0, 0.0, 0.0, 1.0]]


def test_the_slope_of_absolute_at_zero_is_zero() -> None:
    assert slope(vg.absolute, [-2.0, -0.0, 0.0, 2.0]) == [[-1.0, 0.0, 0.0, 1.0]]


def test_ties_of_max_go_to_the_first() -> None:
    assert slope(vg.max, [[1.0, 3.0], [3.0, 2.0]]) == [[[0.0, 1.0], [0.0, 0.0]]]
    rows = slope(lambda x: vg.max(x, axes=[1]), [[3.0, 3.0, 1.0], [0.0, 2.0, 2.0]])
    assert rows == [[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]


@pytest.mark.parametrize("chosen", [vg.maximum, vg.minimum])
def test_ties_of_two_go_to_the_first(chosen: Callable[..., vg.Node]) -> None:
    assert slope(chosen, [1.0], [1.0]) == [[1.0], [0.0]]


def test_the_sum_of_nothing_is_zero() -> None:
    nothing = np.zeros((0, 2))
    assert value(vg.sum, nothing) == 0.0
    assert value(lambda x: vg.sum(x, axes=[0]), nothing).tolist() == [0.0, 0.0]
    assert value(vg.squared_norm, nothing) == 0.0


@pytest.mark.parametrize(("reduced", "named"), [(vg.mean, "mean"), (vg.max, "maximum")])
@pytest.mark.parametrize("axes", [None, [0]])
def test_the_mean_and_the_maximum_of_nothing_are_errors(
    reduced: Callable[..., vg.Node], named: str, axes: list[int] | None
) -> None:
    with pytest.raises(vg.RunError, match=f"the {named} of nothing is not defined; feed one row"):
        value(lambda x: reduced(x, axes), np.zeros((0, 2)))


@pytest.mark.parametrize("reduced", [vg.mean, vg.max])
def test_no_rows_have_no_means_and_no_maxima(reduced: Callable[..., vg.Node]) -> None:
    assert value(lambda x: reduced(x, axes=[1]), np.zeros((0, 2))).tolist() == []


def test_maxima_show_nan() -> None:
    assert np.isnan(value(vg.max, [1.0, NAN, 2.0]))
    assert np.isnan(value(vg.maximum, [NAN, 1.0], [1.0, NAN])).all()
    assert np.isnan(value(vg.minimum, [NAN, 1.0], [1.0, NAN])).all()


def test_comparisons_with_nan_are_false_but_not_equal() -> None:
    names = ["greater", "greater_equal", "less", "less_equal", "equal", "not_equal"]
    found = {name: bool(value(getattr(vg, name), [NAN], [NAN])[0]) for name in names}
    assert found == {**dict.fromkeys(names, False), "not_equal": True}


def test_negative_turns_the_sign_of_zero() -> None:
    assert np.signbit(value(vg.negative, [0.0, -0.0])).tolist() == [True, False]


def test_logarithms_of_zero_and_below() -> None:
    assert str(value(vg.log, [0.0, -1.0]).tolist()) == "[-inf, nan]"
    assert str(value(vg.sqrt, [0.0, -1.0]).tolist()) == "[0.0, nan]"


def test_sigmoid_and_log_softmax_do_not_overflow() -> None:
    assert value(vg.sigmoid, [-1e4, -INF, INF, 1e4]).tolist() == [0.0, 0.0, 1.0, 1.0]
    assert value(vg.log_softmax, [[1e4, 0.0], [-1e4, -1e4]]).tolist() == [
        [0.0, -1e4],
        [-np.log(2), -np.log(2)],
    ]


def test_no_gradient_passes_stop_gradient() -> None:
    assert slope(lambda x: x * vg.stop_gradient(x), [3.0]) == [[3.0]]


def test_the_gradient_of_a_cast_has_the_type_of_its_input() -> None:
    x = vg.input("x", (2,), dtype="f32")
    (dx,) = vg.grad(vg.sum(vg.cast(x, "f64")), [x])
    assert str(dx.type) == "f32[2]"


def test_no_gradient_passes_a_cast_to_integers() -> None:
    assert slope(lambda x: x * vg.cast(vg.cast(x, "i64"), "f64"), [2.5]) == [[2.0]]


@pytest.mark.parametrize("label", [-1, 3, 2**62])
def test_a_label_out_of_range_is_named(label: int) -> None:
    with pytest.raises(
        vg.RunError,
        match=f"label {label} in row 1, which is out of range: with 3 classes, labels are 0 to 2",
    ):
        value(vg.nll, np.zeros((2, 3)), np.array([0, label]))


def test_dim_is_the_size_of_a_symbol_also_of_none() -> None:
    x = vg.input("x", ("N",), dtype="f64")
    g = vg.Graph("g", {"y": vg.sum(x) + vg.dim("N")})
    sizes = [vg.interpret(g, {"x": np.zeros(n)}).outputs["y"] for n in (0, 1, 5)]
    assert sizes == [0.0, 1.0, 5.0]


def test_dim_of_a_symbol_that_no_input_binds_is_an_error() -> None:
    g = vg.Graph("g", {"y": vg.dim("M")})
    with pytest.raises(vg.GraphError, match="%y: f64\\[\\] = dim: no input binds the symbol M"):
        vg.verify(g)


def test_a_mask_is_a_function_of_seed_key_and_step_alone() -> None:
    def masks(step: int, **fields: object) -> np.ndarray:
        op = DropoutMask(**{"key": "fc1", "keep": 0.5, "shape": (64,), **fields})
        return value(lambda s: vg.apply(op, s), np.array(step))

    first = masks(3)
    assert np.array_equal(first, masks(3))
    others = [masks(4), masks(3, key="fc2"), masks(3, seed=1)]
    assert not any(np.array_equal(first, other) for other in others)
    assert np.array_equal(first[:10], masks(3, shape=(10,)))
    assert set(first) == {0.0, 1.0}


@pytest.mark.parametrize("keep", [0, -0.1, 1.1, NAN, "half", True, 1e-6])
def test_a_probability_that_keeps_nothing_or_too_much_is_an_error(keep: object) -> None:
    x = vg.input("x", (2,))
    with pytest.raises(vg.GraphError, match=r"^keep is "):
        vg.dropout(x, keep=keep)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda x: vg.slice(x, 1, 2, 9), "2:9 is no part of axis 1 of f32[N,4]"),
        (lambda x: vg.pad(x, 1, -1, 0), "axis 1 of f32[N,4] cannot be padded by -1, 0"),
        (lambda x: vg.transpose(x, [0, 0]), "axes [0, 0] are no order of the 2 axes"),
        (lambda x: vg.sum(x, [2]), "axes [2] are not axes of f32[N,4]"),
        (lambda x: vg.mean(x, [0, 0]), "axes [0, 0] are not axes of f32[N,4]"),
        (lambda x: vg.concat(x, x, axis=0), "axis 0 would have the size N + N"),
        (lambda x: vg.concat(x, axis=2), "f32[N,4] has no axis 2"),
        (lambda x: vg.reshape(x, ("M", 4)), "f32[N,4] has other elements than the shape [M,4]"),
        (lambda x: vg.cast(x, "f16"), "dtype 'f16' is unknown"),
        (lambda x: vg.dropout(x, keep=0.5, mode="odd"), "dropout mode is 'odd'"),
        (lambda x: vg.where(vg.greater(x, 0.0), 1.0, 0.0), "a and b are both numbers"),
    ],
)
def test_an_attribute_that_does_not_fit_is_an_error(
    build: Callable[[vg.Node], vg.Node], message: str
) -> None:
    with pytest.raises(vg.GraphError) as e:
        build(vg.input("x", ("N", 4)))
    assert message in str(e.value)


def test_a_unit_is_kept_below_round_of_keep_times_65536() -> None:
    word = int(words(0, "fc1", 1, step=3)[0]) & 0xFFFF  # that of element 0

    def first(below: int) -> float:
        op = DropoutMask("fc1", below / 65536, (1,))
        return float(value(lambda s: vg.apply(op, s), np.array(3))[0])

    assert (first(word), first(word + 1)) == (0.0, 1.0)
