"""Gradients that a user declares are those of what training computes, and of what inference does.

The references are written in NumPy, forward alone, and differentiated by differences in f64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

import verigrad as vg

Arrays = Mapping[str, np.ndarray]


def bn(x: np.ndarray, name: str, v: Arrays, train: bool) -> np.ndarray:
    m, s = v[f"{name}.running_mean"], v[f"{name}.running_var"]
    if train:
        m, s = x.mean(axis=0), x.var(axis=0)
    return (x - m) / np.sqrt(s + 1e-5) * v[f"{name}.weight"] + v[f"{name}.bias"]


def affine(x: np.ndarray, name: str, v: Arrays) -> np.ndarray:
    return x @ v[f"{name}.weight"] + v.get(f"{name}.bias", 0.0)


def masked(h: np.ndarray, name: str, v: Arrays, train: bool, otherwise: float = 1.0) -> np.ndarray:
    return h * (v[name] if train else otherwise)


# ---- each net as declared, and by hand: a scalar of x -----------------------------------------


def plain(x: vg.Node) -> vg.Node:
    return vg.sum(vg.tanh(vg.batch_norm(x, name="bn")) * vg.input("t", ("N", 3), "f64"))


def plain_by_hand(x: np.ndarray, v: Arrays, train: bool) -> np.ndarray:
    return np.sum(np.tanh(bn(x, "bn", v, train)) * v["t"])


def deep(x: vg.Node) -> vg.Node:
    """Several layers, the input shared by two branches, one without a bias."""
    h = vg.tanh(vg.batch_norm(vg.dense(x, 4, name="fc1", bias=False), name="bn1"))
    h = vg.tanh(vg.batch_norm(vg.dense(h, 2, name="fc2"), name="bn2"))
    return vg.sum(vg.square(h)) + vg.sum(vg.tanh(vg.batch_norm(x, name="bn3")))


def deep_by_hand(x: np.ndarray, v: Arrays, train: bool) -> np.ndarray:
    h = np.tanh(bn(affine(x, "fc1", v), "bn1", v, train))
    h = np.tanh(bn(affine(h, "fc2", v), "bn2", v, train))
    return np.sum(h**2) + np.sum(np.tanh(bn(x, "bn3", v, train)))


def dropped(x: vg.Node) -> vg.Node:
    h = vg.dropout(vg.tanh(vg.dense(x, 4, name="fc1")), keep=0.5, name="d")
    h = vg.dropout(vg.tanh(vg.dense(h, 3, name="fc2")), keep=0.5, mode="vanilla", name="e")
    return vg.sum(vg.square(h))


def dropped_by_hand(x: np.ndarray, v: Arrays, train: bool) -> np.ndarray:
    h = masked(np.tanh(affine(x, "fc1", v)), "d.mask", v, train)
    h = masked(np.tanh(affine(h, "fc2", v)), "e.mask", v, train, 0.5)
    return np.sum(h**2)


def both(x: vg.Node) -> vg.Node:
    h = vg.tanh(vg.batch_norm(vg.dense(vg.dropout(x, keep=0.8, name="d"), 4, name="fc1")))
    return vg.sum(vg.square(vg.dropout(h, keep=0.5)))


def both_by_hand(x: np.ndarray, v: Arrays, train: bool) -> np.ndarray:
    h = affine(masked(x, "d.mask", v, train), "fc1", v)
    return np.sum(masked(np.tanh(bn(h, "bn1", v, train)), "bn1.mask", v, train) ** 2)


def asked(x: vg.Node) -> vg.Node:
    """Dropout that `compile` is asked for, on the input too."""
    h = vg.tanh(vg.dense(x, 4, name="fc1"))
    return vg.sum(vg.square(vg.dense(h, 2, name="fc2")))


def asked_by_hand(x: np.ndarray, v: Arrays, train: bool) -> np.ndarray:
    h = np.tanh(affine(masked(x, "x.mask", v, train, 0.8), "fc1", v))
    return np.sum(affine(masked(h, "fc1.mask", v, train, 0.5), "fc2", v) ** 2)


NETS: dict[str, tuple[Callable, Callable]] = {
    "plain": (plain, plain_by_hand),
    "deep": (deep, deep_by_hand),
    "dropped": (dropped, dropped_by_hand),
    "both": (both, both_by_hand),
    "asked": (asked, asked_by_hand),
}


def differences(f: Callable[[np.ndarray], float], x: np.ndarray, h: float = 1e-4) -> np.ndarray:
    """The gradient of f by differences of fourth order."""
    slopes = np.empty(x.shape)
    for at in np.ndindex(x.shape):

        def moved(by: float, at: tuple[int, ...] = at) -> float:
            other = x.copy()
            other[at] += by
            return f(other)

        slopes[at] = (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h)
    return slopes


class Case:
    """A net whose loss is a gradient penalty, compiled; its values, and the same by hand."""

    def __init__(self, name: str, rng: np.random.Generator) -> None:
        declare, self.by_hand = NETS[name]
        x = vg.input("x", ("N", 3), "f64")
        y = declare(x)
        (slope,) = vg.grad(y, [x])
        self.net = vg.Graph("net", {"y": y, "slope": slope}, loss=vg.squared_norm(slope))
        options = {"dropout": vg.Dropout(keep=0.5, input=0.8, mode="vanilla")}
        self.options = options if name == "asked" else {}
        self.program = vg.compile(self.net, dtype="f64", seed=2, **self.options)
        for values in (self.program.parameters, self.program.state):
            for k, a in values.items():
                if a.dtype.kind == "f":
                    values[k] = rng.uniform(0.5, 1.5, a.shape)
        self.feeds = {self.net.names[n]: rng.standard_normal((5, 3)) for n in self.net.inputs}
        sources = {**self.feeds, **self.program.parameters, **self.program.state}
        self.values = vg.interpret(self.program.stages["expand_gradients"], sources).values

    def slope(self, train: bool, **changed: np.ndarray) -> np.ndarray:
        v = {**self.values, **changed}
        return differences(lambda x: self.by_hand(x, v, train), v["x"])

    def penalty(self, **changed: np.ndarray) -> float:
        return float(np.sum(self.slope(True, **changed) ** 2))


@pytest.fixture(params=NETS)
def case(request: pytest.FixtureRequest, rng: np.random.Generator) -> Case:
    return Case(request.param, rng)


def test_training_penalizes_the_gradient_of_what_it_computes(case: Case) -> None:
    loss, gradients = case.program.gradients(case.feeds)
    assert np.isclose(loss, case.penalty(), rtol=1e-8)
    assert case.program.loss(case.feeds) == loss
    for name, found in gradients.items():
        expected = differences(
            lambda a, name=name: case.penalty(**{name: a}), case.values[name], 1e-2
        )
        assert np.allclose(found, expected, rtol=1e-4, atol=1e-8 + 1e-4 * np.abs(expected).max()), (
            name
        )


def test_inference_gives_the_gradient_of_what_it_computes(case: Case) -> None:
    expected = case.slope(False)
    assert np.allclose(case.program.predict(case.feeds)["slope"], expected, rtol=1e-8, atol=1e-8)
    if not case.options:
        sources = {**case.feeds, **case.program.parameters, **case.program.state}
        found = vg.interpret(case.program.declared, sources).outputs["slope"]
        assert np.allclose(found, expected, rtol=1e-8, atol=1e-8)


def test_the_gradient_is_checked_and_read_back(case: Case) -> None:
    report = vg.gradcheck(case.net, case.feeds, **case.options)
    assert report.ok, str(report)
    again = vg.parse(str(case.net))
    assert str(again) == str(case.net)
    vg.verify(again)
    other = vg.compile(again, dtype="f64", seed=2, **case.options)
    assert str(other.training) == str(case.program.training)
    assert "gradient" in case.net.to_dot()


def test_a_gradient_for_what_lies_between_is_of_what_training_computes(
    rng: np.random.Generator,
) -> None:
    """For the result of batch_norm, and for dropout that does nothing in inference."""
    x = vg.input("x", ("N", 3), "f64")
    h = vg.batch_norm(x, name="bn")
    d = vg.dropout(h, keep=0.5, name="d")
    y = vg.sum(vg.square(d) * h)
    dh, dd = vg.grad(y, [h, d])
    g = vg.Graph("g", {"h": h, "d": d, "dh": dh, "dd": dd}, loss=vg.sum(dh + dd))
    program = vg.compile(g, dtype="f64")
    values = {"x": rng.standard_normal((4, 3)), **program.parameters, **program.state}
    for stage in (program.training, program.inference):
        found = vg.interpret(stage, values).outputs
        mask = np.divide(found["d"], found["h"])
        slope = 2 * found["d"] * found["h"]
        assert np.allclose(found["dd"], slope)
        assert np.allclose(found["dh"], slope * mask + found["d"] ** 2)


def test_a_pass_that_computes_in_another_way_comes_behind() -> None:
    simplify = next(p for p in vg.TRAINING if p.name == "simplify")
    with pytest.raises(vg.PassError, match="expand_gradients needs 'as declared', which simplify"):
        vg.Pipeline([simplify, *vg.TRAINING.without("simplify")])


@pytest.mark.parametrize("name", ["training", "inference"])
def test_a_pipeline_that_does_not_expand_says_so(name: str) -> None:
    x = vg.input("x", ("N", 3))
    w = vg.parameter("w", (3,), "ones")
    (slope,) = vg.grad(vg.sum(vg.square(x * w)), [x])
    net = vg.Graph("g", {"slope": slope}, loss=vg.squared_norm(slope))
    with pytest.raises(vg.GraphError, match="only declared yet; the pass expand_gradients"):
        if name == "training":
            vg.compile(net, pipeline=vg.TRAINING.without("expand_gradients"))
        else:
            kept = vg.INFERENCE.without("expand_gradients")
            vg.compile(net, inference_pipeline=kept).predict(x=np.ones((2, 3)))


@pytest.mark.parametrize("declared", [False, True], ids=["trained", "declared"])
def test_the_logarithm_of_a_softmax_keeps_small_shares(declared: bool) -> None:
    """exp(-200) is 0 in f32: its logarithm, and the gradient of that, are numbers all the same."""
    x = vg.input("x", ("N", 3))
    z = x * vg.parameter("w", (3,), "ones")
    loss = -vg.sum(vg.slice(vg.log(vg.softmax(z)), 1, 0, 1))
    outputs = {"slope": vg.grad(loss, [x])[0]} if declared else {}
    program = vg.compile(vg.Graph("g", outputs, loss=loss), optimizer=vg.SGD(1.0))
    feeds = {"x": np.array([[-200.0, 0.0, -1.0]], np.float32)}
    found, gradients = program.gradients(feeds)
    shares = np.exp([-200.0, 0.0, -1.0]) / (1 + np.exp(-1.0))
    assert np.isclose(found, 200 + np.log(1 + np.exp(-1.0)))
    assert np.allclose(gradients["w"], (shares - [1.0, 0.0, 0.0]) * feeds["x"][0], rtol=1e-5)
    if declared:
        assert np.allclose(program.predict(feeds)["slope"], [shares - [1, 0, 0]], atol=1e-6)
    assert np.isfinite(program.step(feeds))


@pytest.mark.parametrize("norm", [1, 2])
def test_the_gradient_of_a_gradient_that_is_constant_in_inference_is_zero(norm: int) -> None:
    x = vg.input("x", ("N", 2), "f64")
    h = x
    for _ in range(norm):
        h = vg.batch_norm(h * 3.0)
    (first,) = vg.grad(vg.sum(vg.relu(h) if norm > 1 else h), [x])
    (second,) = vg.grad(vg.sum(vg.square(first)), [x])
    program = vg.compile(vg.Graph("g", {"first": first, "second": second}), dtype="f64")
    found = program.predict(x=np.array([[1.0, 2.0], [3.0, 4.0], [0.5, 2.0]]))
    np.testing.assert_allclose(found["first"], (3 / np.sqrt(1 + 1e-5)) ** norm, rtol=1e-12)
    assert found["second"].tolist() == [[0.0, 0.0]] * 3


def test_so_is_one_of_an_affine_function_in_training_too() -> None:
    x, w = vg.input("x", ("N", 2), "f64"), vg.parameter("w", (2, 1), "ones", dtype="f64")
    (first,) = vg.grad(vg.sum(vg.matmul(x, w)), [x])
    (second,) = vg.grad(vg.sum(vg.square(first)), [x])
    loss = vg.sum(second) + vg.sum(vg.square(first))
    program = vg.compile(vg.Graph("g", loss=loss), optimizer=vg.SGD(0.1), dtype="f64")
    assert program.gradients(x=np.ones((3, 2)))[1]["w"].tolist() == [[6.0], [6.0]]
