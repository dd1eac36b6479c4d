"""Penalties, optimizers, first values and second gradients, against NumPy written by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from api_nets import rows, says, snapshot, two_layer

import verigrad as vg

Update = Callable[[np.ndarray, np.ndarray], np.ndarray]

PENALTIES = [
    (vg.L1(0.3), lambda w: 0.3 * np.abs(w).sum(), lambda w: 0.3 * np.sign(w)),
    (vg.L2(0.7), lambda w: 0.35 * (w * w).sum(), lambda w: 0.7 * w),
    (
        vg.ElasticNet(l1=0.3, l2=0.7),
        lambda w: 0.3 * np.abs(w).sum() + 0.35 * (w * w).sum(),
        lambda w: 0.3 * np.sign(w) + 0.7 * w,
    ),
]


@pytest.mark.parametrize(("regularizer", "value", "gradient"), PENALTIES, ids=["l1", "l2", "both"])
def test_penalties_and_their_gradients(
    regularizer: vg.Regularizer, value: Update, gradient: Update
) -> None:
    plain = vg.compile(two_layer(), dtype="f64")
    penal = vg.compile(two_layer(), regularizer=regularizer, dtype="f64")
    weight = plain.parameters["fc1.weight"].copy()
    weight[0, 0] = 0.0
    for program in (plain, penal):
        program.parameters["fc1.weight"] = weight
        program.parameters["fc1.bias"] = np.ones(5)
    data_loss, data = plain.gradients(rows(8))
    loss, total = penal.gradients(rows(8))
    weights = {k: plain.parameters[k] for k in ("fc1.weight", "fc2.weight")}
    assert loss == pytest.approx(data_loss + sum(value(w) for w in weights.values()), rel=1e-13)
    for name, g in data.items():
        extra = gradient(weights[name]) if name in weights else 0.0
        np.testing.assert_allclose(total[name], g + extra, rtol=1e-12, atol=1e-14)


def test_a_strength_of_zero_changes_no_bit() -> None:
    feeds = rows(8)
    expected = vg.compile(two_layer()).loss(feeds)
    for nothing in (vg.L1(0.0), vg.L2(0.0), vg.ElasticNet(0.0, 0.0)):
        assert vg.compile(two_layer(), regularizer=nothing).loss(feeds) == expected


def test_a_parameter_says_whether_it_is_regularized() -> None:
    x = vg.input("x", ("N", 2))
    nodes = [
        vg.parameter("matrix", (2, 2), "ones"),
        vg.parameter("vector", (2,), "ones"),
        vg.parameter("free", (2, 2), "ones", regularized=False),
        vg.parameter("bound", (2,), "ones", regularized=True),
    ]
    h = vg.matmul(vg.matmul(x, nodes[0]), nodes[2]) * nodes[1] * nodes[3]
    net = vg.Graph("g", loss=vg.mean(h))
    penalty = vg.compile(net, regularizer=vg.L1(1.0)).loss(x=np.zeros((3, 2)))
    assert penalty == 4 + 2


@pytest.mark.parametrize("strength", [-1.0, float("nan"), float("inf")])
def test_a_strength_that_is_no_penalty_is_refused(strength: float) -> None:
    for make in (vg.L1, vg.L2, lambda s: vg.ElasticNet(s, 0.1), lambda s: vg.ElasticNet(0.1, s)):
        with says(str(strength)):
            make(strength)


class Sgd:
    def __call__(self, w: np.ndarray, g: np.ndarray) -> np.ndarray:
        return w - 0.05 * g


class Momentum:
    v = 0.0

    def __call__(self, w: np.ndarray, g: np.ndarray) -> np.ndarray:
        self.v = 0.8 * self.v + g
        return w - 0.05 * self.v


class Adam:
    """The course's two forms; with the correction, t counts from 1."""

    m = s = 0.0
    t = 0

    def __init__(self, correct: bool) -> None:
        self.correct = correct

    def __call__(self, w: np.ndarray, g: np.ndarray) -> np.ndarray:
        self.t += 1
        self.m = 0.9 * self.m + (1 - 0.9) * g
        self.s = 0.999 * self.s + (1 - 0.999) * g * g
        m, s = self.m, self.s
        if self.correct:
            m, s = m / (1 - 0.9**self.t), s / (1 - 0.999**self.t)
        return w - 0.01 * m / (np.sqrt(s) + 1e-7)


def hand_gradients(p: dict[str, np.ndarray], feeds: dict) -> dict[str, np.ndarray]:
    """The gradients of `two_layer` in f64."""
    x = feeds["x"].astype(np.float64)
    h = np.maximum(x @ p["fc1.weight"] + p["fc1.bias"], 0)
    scores = h @ p["fc2.weight"] + p["fc2.bias"]
    d = np.exp(scores - scores.max(axis=1, keepdims=True))
    d /= d.sum(axis=1, keepdims=True)
    d[np.arange(len(d)), feeds["y"]] -= 1
    d /= len(d)
    dh = (d @ p["fc2.weight"].T) * (h > 0)
    return {
        "fc1.weight": x.T @ dh,
        "fc1.bias": dh.sum(axis=0),
        "fc2.weight": h.T @ d,
        "fc2.bias": d.sum(axis=0),
    }


OPTIMIZERS = [
    (vg.SGD(lr=0.05), Sgd),
    (vg.Momentum(lr=0.05, rho=0.8), Momentum),
    (vg.Adam(lr=0.01), lambda: Adam(correct=True)),
    (vg.Adam(lr=0.01, bias_correction=False), lambda: Adam(correct=False)),
]


@pytest.mark.parametrize(
    ("optimizer", "make"), OPTIMIZERS, ids=["sgd", "momentum", "adam", "adam_uncorrected"]
)
def test_a_hundred_steps_follow_the_formula(
    optimizer: vg.Optimizer, make: Callable[[], Update]
) -> None:
    program = vg.compile(two_layer(), optimizer=optimizer, dtype="f64")
    p = dict(program.parameters)
    updates = {name: make() for name in p}
    for step in range(100):
        feeds = rows(8, seed=step % 7)
        program.step(feeds)
        g = hand_gradients(p, feeds)
        p = {name: updates[name](p[name], g[name]) for name in p}
    for name, value in p.items():
        np.testing.assert_allclose(program.parameters[name], value, rtol=1e-11, atol=1e-13)


def test_f32_optimizers_stay_close_to_f64() -> None:
    for optimizer, _ in OPTIMIZERS:
        single, double = (
            vg.compile(two_layer(), optimizer=optimizer, dtype=dtype) for dtype in ("f32", "f64")
        )
        for step in range(20):
            single.step(rows(8, seed=step))
            double.step(rows(8, seed=step))
        for name in single.parameters:
            np.testing.assert_allclose(
                single.parameters[name], double.parameters[name], rtol=1e-3, atol=1e-4
            )


def test_all_parameters_are_updated_from_old_values() -> None:
    x = vg.input("x", ("N",))
    a, b = vg.parameter("a", (), "ones"), vg.parameter("b", (), "ones")
    net = vg.Graph("product", loss=a * b * vg.mean(x))
    program = vg.compile(net, optimizer=vg.SGD(lr=1.0), dtype="f64")
    program.parameters["a"], program.parameters["b"] = 2.0, 5.0
    program.step(x=[1.0])
    assert (program.parameters["a"], program.parameters["b"]) == (2.0 - 5.0, 5.0 - 2.0)


@pytest.mark.parametrize("lr", [-0.1, float("nan"), float("inf"), "fast"])
def test_a_learning_rate_that_is_none_is_refused(lr: object) -> None:
    for make in (vg.SGD, vg.Momentum, vg.Adam):
        with says("lr", str(lr)):
            make(lr=lr)


def test_options_out_of_range_are_refused() -> None:
    with says("rho", "1.5"):
        vg.Momentum(lr=0.1, rho=1.5)
    with says("beta1", "1.0"):
        vg.Adam(lr=0.1, beta1=1.0)
    with says("beta2", "-1"):
        vg.Adam(lr=0.1, beta2=-1.0)
    with says("eps"):
        vg.Adam(lr=0.1, eps=-1e-8)


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises((TypeError, vg.VerigradError), match="momentum"):
        vg.SGD(lr=0.1, momentum=0.9)


def test_first_values_are_a_function_of_seed_and_name() -> None:
    x = vg.input("x", ("N", 6))
    alone = vg.Graph("alone", {"h": vg.dense(x, 5, name="fc1")})
    first = vg.compile(alone, seed=4).parameters["fc1.weight"]
    np.testing.assert_array_equal(vg.compile(two_layer(), seed=4).parameters["fc1.weight"], first)
    assert (vg.compile(alone, seed=5).parameters["fc1.weight"] != first).all()
    renamed = vg.Graph("renamed", {"h": vg.dense(x, 5, name="fc2")})
    assert (vg.compile(renamed, seed=4).parameters["fc2.weight"] != first).all()


def test_weights_start_he_normal_and_biases_at_zero() -> None:
    x = vg.input("x", ("N", 800))
    program = vg.compile(vg.Graph("g", {"h": vg.dense(x, 200, name="fc")}))
    weight = program.parameters["fc.weight"]
    assert abs(weight.mean()) < 5 * np.sqrt(2 / 800 / weight.size)
    assert weight.std() == pytest.approx(np.sqrt(2 / 800), rel=0.01)
    assert (program.parameters["fc.bias"] == 0).all()
    assert np.unique(weight).size > 0.99 * weight.size


def test_a_first_value_may_be_said() -> None:
    ones, zeros = vg.parameter("a", (3,), "ones"), vg.parameter("b", (3,), vg.init.zeros())
    normal = vg.parameter("c", (4000,), vg.init.normal(0.01))
    program = vg.compile(vg.Graph("g", {"a": ones, "b": zeros, "c": normal}))
    assert (program.parameters["a"] == 1).all()
    assert (program.parameters["b"] == 0).all()
    assert program.parameters["c"].std() == pytest.approx(0.01, rel=0.05)
    with says("he_norml", "he_normal"):
        vg.parameter("d", (3, 3), "he_norml")


def numeric(function: Callable[[np.ndarray], float], at: np.ndarray) -> np.ndarray:
    """Central differences with one Richardson step."""
    g = np.empty_like(at)
    for place in np.ndindex(at.shape):

        def slope(h: float, place: tuple[int, ...] = place) -> float:
            up, down = at.copy(), at.copy()
            up[place] += h
            down[place] -= h
            return (function(up) - function(down)) / (2 * h)

        g[place] = (4 * slope(5e-4) - slope(1e-3)) / 3
    return g


def test_gradient_of_a_gradient() -> None:
    x = vg.input("x", ("N", 3), dtype="f64")
    w = vg.parameter("w", (3, 2), dtype="f64")
    y = vg.mean(vg.square(vg.tanh(vg.matmul(x, w))) * vg.exp(vg.matmul(x, w)))
    (first,) = vg.grad(y, [w])
    penalty = vg.sum(vg.square(first))
    (second,) = vg.grad(penalty, [w])
    program = vg.compile(
        vg.Graph("twice", {"first": first, "penalty": penalty, "second": second}), dtype="f64"
    )
    feeds = {"x": rows(4, 3)["x"].astype(np.float64)}
    start = program.parameters["w"].copy()

    def value(at: np.ndarray) -> float:
        program.parameters["w"] = at
        return float(program.predict(feeds)["penalty"])

    expected = numeric(value, start)
    program.parameters["w"] = start
    np.testing.assert_allclose(program.predict(feeds)["second"], expected, rtol=1e-8, atol=1e-10)


def test_a_gradient_penalty_trains() -> None:
    x = vg.input("x", ("N", 3))
    scores = vg.sum(vg.tanh(vg.dense(x, 4, name="fc1")))
    (slope,) = vg.grad(scores, [x])
    net = vg.Graph("flat", loss=vg.mean(vg.square(slope)))
    feeds = {"x": rows(5, 3)["x"]}
    assert vg.gradcheck(net, feeds).ok
    program = vg.compile(net, optimizer=vg.SGD(lr=0.1))
    losses = [program.step(feeds) for _ in range(30)]
    assert losses[-1] < 0.5 * losses[0]


def test_grad_numbers_no_layer() -> None:
    x = vg.input("x", ("N", 3))
    parts = [vg.sum(vg.tanh(vg.mlp(x, [4, 2]))) for _ in range(2)]
    slopes = [vg.grad(part, [x])[0] for part in parts]
    h = vg.dense(slopes[0] * slopes[1], 2, name="fc1")
    net = vg.Graph("three", loss=vg.mean(h))
    assert len({net.names[p] for p in net.parameters}) == 2 + 8
    assert {"fc1.weight", "fc2.weight", "fc5.weight"} <= set(net.named)


def test_grad_of_what_is_no_scalar_or_not_used_is_refused() -> None:
    x, w = vg.input("x", ("N", 3)), vg.parameter("w", (3,))
    with says("scalar", "f32[N,3]"):
        vg.grad(x * w, [w])
    with says("other"):
        vg.grad(vg.mean(x * w), [vg.parameter("other", (3,))])


def test_stop_gradient_cuts() -> None:
    x, w = vg.input("x", ("N",)), vg.parameter("w", (), "ones")
    net = vg.Graph("cut", loss=vg.mean(x) * w * vg.stop_gradient(w))
    program = vg.compile(net, dtype="f64")
    program.parameters["w"] = 3.0
    loss, grads = program.gradients(x=[2.0])
    assert (loss, float(grads["w"])) == (18.0, 6.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("optimizer", [o for o, _ in OPTIMIZERS], ids=lambda o: type(o).__name__)
def test_a_failed_step_leaves_every_bit_and_names_the_place(
    bad: float, optimizer: vg.Optimizer
) -> None:
    program = vg.compile(two_layer(), optimizer=optimizer, dropout=vg.Dropout(keep=0.9))
    program.step(rows(8))
    before, feeds = snapshot(program), rows(8, seed=1)
    feeds["x"][6, 4] = bad
    with pytest.raises(vg.NonFiniteError, match=r"input 'x' holds .* at \[6,4\]") as caught:
        program.step(feeds)
    assert str(bad).lstrip("-") in str(caught.value)
    assert snapshot(program) == before
    assert program.step_number == 1
    assert np.isfinite(program.step(rows(8, seed=1)))


def test_a_diverging_rate_stops_with_the_last_finite_state() -> None:
    program = vg.compile(two_layer(), optimizer=vg.SGD(lr=1e30))
    feeds = rows(8)
    with pytest.raises(vg.NonFiniteError, match="finite") as caught:
        for _ in range(20):
            before = snapshot(program)
            program.step(feeds)
    assert "lr" in str(caught.value) or "learning rate" in str(caught.value)
    assert snapshot(program) == before
    assert all(np.isfinite(value).all() for value in dict(program.parameters).values())


def test_a_non_finite_parameter_is_named() -> None:
    program = vg.compile(two_layer(), optimizer=vg.SGD(lr=0.1))
    weight = program.parameters["fc2.weight"].copy()
    weight[1, 2] = np.nan
    program.parameters["fc2.weight"] = weight
    before = snapshot(program)
    with pytest.raises(vg.NonFiniteError, match=r"fc2\.weight"):
        program.step(rows(8))
    assert snapshot(program) == before
