"""Losses and their gradients, against torch and against formulas by hand, in f64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import verigrad as vg

N, C = 6, 4
Build = Callable[..., vg.Node]


def run(build: Build, *arrays: np.ndarray) -> tuple[float, list[np.ndarray]]:
    """A loss of inputs, and its gradient for each float input that it depends on smoothly."""
    feeds = {f"x{k}": np.asarray(a) for k, a in enumerate(arrays)}
    inputs = [
        vg.input(k, ("N", *a.shape[1:]), dtype="f64" if a.dtype.kind == "f" else "i64")
        for k, a in feeds.items()
    ]
    loss = build(*inputs)
    g = vg.Graph("loss", {"slope": vg.grad(loss, inputs[:1])[0]}, loss=loss)
    outputs = vg.interpret(g, feeds).outputs
    return float(outputs["loss"]), outputs["slope"]


def torchs(
    torch: Any, f: Callable[..., Any], x: np.ndarray, *rest: np.ndarray
) -> tuple[float, np.ndarray]:
    given = torch.tensor(x, requires_grad=True)
    loss = f(torch.nn.functional, given, *(torch.tensor(r) for r in rest))
    loss.backward()
    return loss.item(), given.grad.numpy()


def same(ours: tuple[float, np.ndarray], theirs: tuple[float, np.ndarray]) -> None:
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-12)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-11, atol=1e-15)


def weighted(values: np.ndarray, weights: np.ndarray | None) -> float:
    """The mean over all elements, each row weighed by its own."""
    if weights is None:
        return float(np.sum(values) / values.size)
    full = np.broadcast_to(weights.reshape(-1, *[1] * (values.ndim - 1)), values.shape)
    return float(np.sum(values * full) / np.sum(full))


CLASS_WEIGHTS = [0.5, 2.0, 1.0, 0.25]


@pytest.mark.parametrize("class_weights", [None, CLASS_WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_softmax_cross_entropy_is_torchs(
    torch: Any, rng: np.random.Generator, class_weights: list[float] | None, smoothing: float
) -> None:
    x, y = rng.standard_normal((N, C)), rng.integers(0, C, N)
    weight = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float64)
    ours = run(
        lambda x, y: vg.softmax_cross_entropy(
            x, y, class_weights=class_weights, label_smoothing=smoothing
        ),
        x,
        y,
    )
    same(
        ours,
        torchs(
            torch, lambda f, x, y: f.cross_entropy(x, y, weight, label_smoothing=smoothing), x, y
        ),
    )


@pytest.mark.parametrize("class_weights", [None, CLASS_WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_sample_weights_are_repeated_rows(
    rng: np.random.Generator, class_weights: list[float] | None, smoothing: float
) -> None:
    """A row of weight 3 counts as three rows, and one of weight 0 as none."""
    x, y = rng.standard_normal((N, C)), rng.integers(0, C, N)
    times = np.array([3, 0, 1, 2, 1, 1])

    def build(x: vg.Node, y: vg.Node, w: vg.Node | None = None) -> vg.Node:
        return vg.softmax_cross_entropy(
            x, y, class_weights=class_weights, sample_weights=w, label_smoothing=smoothing
        )

    loss, slope = run(build, x, y, times.astype(float))
    rows = np.repeat(np.arange(N), times)
    expected, slopes = run(build, x[rows], y[rows])
    np.testing.assert_allclose(loss, expected, rtol=1e-12)
    summed = np.zeros((N, C))
    np.add.at(summed, rows, slopes)
    np.testing.assert_allclose(slope, summed, rtol=1e-11, atol=1e-15)


REGRESSION = {
    "mean_squared_error": (
        vg.mean_squared_error,
        lambda p, t: (p - t) ** 2,
        lambda f, p, t: f.mse_loss(p, t),
    ),
    "mean_absolute_error": (
        vg.mean_absolute_error,
        lambda p, t: np.maximum(p - t, t - p),
        lambda f, p, t: f.l1_loss(p, t),
    ),
    "huber": (
        vg.huber,
        lambda p, t: np.where(abs(p - t) < 1, (p - t) ** 2 / 2, abs(p - t) - 0.5),
        lambda f, p, t: f.huber_loss(p, t),
    ),
    "huber of 0.3": (
        lambda p, t, **rest: vg.huber(p, t, delta=0.3, **rest),
        lambda p, t: np.where(abs(p - t) < 0.3, (p - t) ** 2 / 2, 0.3 * abs(p - t) - 0.045),
        lambda f, p, t: f.huber_loss(p, t, delta=0.3),
    ),
    "binary_cross_entropy_with_logits": (
        vg.binary_cross_entropy_with_logits,
        lambda x, t: np.log(1 + np.exp(x)) - t * x,
        lambda f, x, t: f.binary_cross_entropy_with_logits(x, t),
    ),
    "poisson_nll": (
        vg.poisson_nll,
        lambda x, t: np.exp(x) - t * x,
        lambda f, x, t: f.poisson_nll_loss(x, t, log_input=True),
    ),
}


@pytest.mark.parametrize("shape", [(N,), (N, 3), (N, 2, 3)])
@pytest.mark.parametrize("name", REGRESSION)
def test_elementwise_losses_are_those_by_hand(
    rng: np.random.Generator, name: str, shape: tuple[int, ...]
) -> None:
    build, by_hand, _ = REGRESSION[name]
    x, t = rng.standard_normal(shape), rng.uniform(0, 1, shape)
    np.testing.assert_allclose(run(build, x, t)[0], weighted(by_hand(x, t), None), rtol=1e-12)


@pytest.mark.parametrize("shape", [(N,), (N, 3), (N, 2, 3)])
@pytest.mark.parametrize("name", REGRESSION)
def test_elementwise_losses_are_torchs(
    torch: Any, rng: np.random.Generator, name: str, shape: tuple[int, ...]
) -> None:
    build, _, theirs = REGRESSION[name]
    x, t = rng.standard_normal(shape), rng.uniform(0, 1, shape)
    same(run(build, x, t), torchs(torch, theirs, x, t))


@pytest.mark.parametrize("shape", [(N,), (N, 3)])
@pytest.mark.parametrize("name", REGRESSION)
def test_weighted_means_divide_by_the_weights(
    rng: np.random.Generator, name: str, shape: tuple[int, ...]
) -> None:
    build, by_hand, _ = REGRESSION[name]
    x, t, w = rng.standard_normal(shape), rng.uniform(0, 1, shape), rng.uniform(0, 2, N)
    ours, _ = run(lambda x, t, w: build(x, t, sample_weights=w), x, t, w)
    np.testing.assert_allclose(ours, weighted(by_hand(x, t), w), rtol=1e-12)


def test_hinge_is_the_courses(rng: np.random.Generator) -> None:
    """By the two loops of the course's exercise."""
    x, y, w = rng.standard_normal((N, C)), rng.integers(0, C, N), rng.uniform(0, 2, N)
    rows = [
        sum(max(0.0, x[i, j] - x[i, y[i]] + 1.0) for j in range(C) if j != y[i]) for i in range(N)
    ]
    ours = run(vg.hinge, x, y)
    np.testing.assert_allclose(ours[0], sum(rows) / N, rtol=1e-12)
    weighed, _ = run(lambda x, y, w: vg.hinge(x, y, sample_weights=w), x, y, w)
    np.testing.assert_allclose(weighed, weighted(np.array(rows), w), rtol=1e-12)


def test_hinge_is_torchs(torch: Any, rng: np.random.Generator) -> None:
    """Which divides by the number of classes."""
    x, y = rng.standard_normal((N, C)), rng.integers(0, C, N)
    same(run(vg.hinge, x, y), torchs(torch, lambda f, x, y: f.multi_margin_loss(x, y) * C, x, y))


def test_logits_of_any_size_give_finite_losses() -> None:
    x, t = np.array([-800.0, 800.0, 0.0, -800.0]), np.array([0.0, 1.0, 1.0, 1.0])
    loss, slope = run(vg.binary_cross_entropy_with_logits, x, t)
    np.testing.assert_allclose(loss, (np.log(2) + 800) / 4, rtol=1e-12)
    np.testing.assert_allclose(slope, np.array([0.0, 0.0, -0.5, -1.0]) / 4, atol=1e-300)


def test_the_slope_of_the_absolute_error_at_zero_is_zero() -> None:
    _, slope = run(vg.mean_absolute_error, np.array([1.0, 2.0]), np.array([1.0, 0.0]))
    assert slope.tolist() == [0.0, 0.5]


def test_a_net_is_trained_with_weights(rng: np.random.Generator) -> None:
    """Through the whole compiler, the weights fed with each batch."""
    x, w = vg.input("x", ("N", 3)), vg.input("w", ("N",))
    y = vg.input("y", ("N",), dtype="i64")
    scores = vg.mlp(x, [5, C])
    loss = vg.softmax_cross_entropy(
        scores, y, class_weights=CLASS_WEIGHTS, sample_weights=w, label_smoothing=0.1
    )
    net = vg.Graph("net", {"scores": scores}, loss=loss)
    program = vg.compile(net, optimizer=vg.SGD(0.1))
    batch = {
        "x": rng.standard_normal((N, 3)),
        "y": rng.integers(0, C, N),
        "w": rng.uniform(0, 1, N),
    }
    losses = [program.step(batch) for _ in range(20)]
    assert losses[-1] < losses[0]
    assert vg.gradcheck(net, batch)


X, Y = vg.input("x", ("N", C)), vg.input("y", ("N",), dtype="i64")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: vg.softmax_cross_entropy(X, Y, class_weights=[1.0, 2.0]), "each of the 4 classes"),
        (lambda: vg.softmax_cross_entropy(X, Y, sample_weights=X), r"f32\[N\] is expected"),
        (lambda: vg.softmax_cross_entropy(X, Y, label_smoothing=1.0), "label_smoothing"),
        (lambda: vg.mean_squared_error(X, vg.input("t", ("N",))), "one type"),
        (lambda: vg.mean_absolute_error(X, Y), "mean_absolute_error"),
        (lambda: vg.huber(X, X, delta=0.0), "delta"),
        (lambda: vg.hinge(X, X), "labels"),
        (lambda: vg.poisson_nll(X, X, sample_weights=vg.input("w", (3,))), "sample_weights"),
        (lambda: vg.binary_cross_entropy_with_logits(Y, Y), "logits"),
    ],
)
def test_what_does_not_fit_is_an_error(build: Callable[[], vg.Node], message: str) -> None:
    with pytest.raises(vg.GraphError, match=message):
        build()


@pytest.mark.parametrize(
    ("given", "same"),
    [
        ({0: 1, 1: 1, 2: 5, 3: 1}, [1, 1, 5, 1]),
        ({2: 5.0}, [1, 1, 5, 1]),
        ({np.int64(3): np.float32(2), 0: 0}, [0, 1, 1, 2]),
        ({}, [1, 1, 1, 1]),
        (np.array([2, 1, 1, 1], np.uint8), [2, 1, 1, 1]),
        ((3, 0, 0, 0), [3, 0, 0, 0]),
    ],
)
def test_class_weights_are_a_number_a_class_or_a_dict_by_class(given: Any, same: list[int]) -> None:
    net = vg.softmax_cross_entropy(X, Y, class_weights=given)
    held = [n.op.array.tolist() for n in vg.Graph("g", loss=net).sources if n.op.name == "constant"]
    assert held == [same]


def test_two_heads_may_have_class_weights_each() -> None:
    heads = [vg.softmax_cross_entropy(X, Y, class_weights=[1, 2, 1, k]) for k in (3, 4, 4)]
    g = vg.Graph("heads", {f"h{k}": head for k, head in enumerate(heads)})
    weights = {g.names[n]: n.op.array.tolist() for n in g.constants if n.type.rank}
    assert weights == {
        "class_weights": [1, 2, 1, 3],
        "class_weights.1": [1, 2, 1, 4],
        "class_weights.2": [1, 2, 1, 4],
    }
    assert str(vg.parse(str(g))) == str(g)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"a": 1.0}, "the key 'a', where classes are numbers from 0 to 3"),
        ({4: 1.0}, "the key 4"),
        ({-1: 1.0}, "the key -1"),
        ({True: 1.0}, "the key True"),
        ({1.0: 1.0}, "the key 1.0"),
        ({1: "a"}, "'a' for class 1"),
        ({1: None}, "None for class 1"),
        ({1: -2.0}, "-2.0 for class 1"),
        ([1, 1, np.nan, 1], "nan for class 2"),
        ([1, 1, 1, np.inf], "inf for class 3"),
        ([1, 1, 1, 1e40], "no f32 can hold"),
        ([1, -1, 1, 1], "-1 for class 1"),
        ([0, 0, 0, 0], "all 0"),
        (dict.fromkeys(range(4), 0), "all 0"),
        ([1, 1, 1], r"int64\[3\]"),
        ([[1, 1, 1, 1]], r"int64\[1, 4\]"),
        ([True, False, True, True], "bool"),
        ({1, 2, 3, 4}, "a set"),
        (2.0, r"float64\[\]"),
        ("balanced", "np.bincount"),
        ("abcd", "a text"),
        (X, "Node"),
    ],
)
def test_class_weights_that_are_none_are_refused(weights: Any, message: str) -> None:
    with pytest.raises(vg.GraphError, match=f"class_weights .*{message}"):
        vg.softmax_cross_entropy(X, Y, class_weights=weights)


@pytest.mark.parametrize("weights", [np.ones(4), [1.0], 2.0, "w", {0: 1.0}])
def test_sample_weights_are_a_node(weights: Any) -> None:
    t = vg.input("t", ("N", 4))
    for declare in (
        lambda: vg.softmax_cross_entropy(X, Y, sample_weights=weights),
        lambda: vg.hinge(X, Y, sample_weights=weights),
        lambda: vg.mean_squared_error(X, t, sample_weights=weights),
        lambda: vg.poisson_nll(X, t, sample_weights=weights),
    ):
        with pytest.raises(vg.GraphError, match=r"(?s)sample_weights are .*vg.input"):
            declare()


@pytest.mark.parametrize("other", [np.ones((6, 4)), [1.0], 3.0, None, "t"])
def test_what_a_loss_compares_is_nodes(other: Any) -> None:
    for declare in (
        lambda: vg.mean_squared_error(X, other),
        lambda: vg.mean_absolute_error(other, X),
        lambda: vg.huber(X, other),
        lambda: vg.binary_cross_entropy_with_logits(X, other),
        lambda: vg.poisson_nll(other, X),
        lambda: vg.batch_norm(other),
        lambda: vg.layer_norm(other),
        lambda: vg.transpose(other),
    ):
        with pytest.raises(vg.GraphError, match="where a node is expected"):
            declare()


def test_numbers_of_a_loss_are_numbers() -> None:
    for wrong in ("a", None, np.ones(2), True, np.nan):
        with pytest.raises(vg.GraphError, match="label_smoothing is"):
            vg.softmax_cross_entropy(X, Y, label_smoothing=wrong)  # type: ignore[arg-type]
        with pytest.raises(vg.GraphError, match="delta is"):
            vg.huber(X, X, delta=wrong)  # type: ignore[arg-type]
        with pytest.raises(vg.GraphError, match="margin is"):
            vg.hinge(X, Y, margin=wrong)  # type: ignore[arg-type]
