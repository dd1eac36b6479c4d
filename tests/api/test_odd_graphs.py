"""Graphs that nobody draws on a blackboard: compiled, run, differentiated, saved and loaded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from api_nets import rows, says, snapshot, two_layer

import verigrad as vg

Graphs = dict[str, Callable[[], vg.Graph]]
GRAPHS: Graphs = {}


def odd(build: Callable[[], vg.Graph]) -> Callable[[], vg.Graph]:
    """Puts a graph among those that every check below runs on."""
    GRAPHS[build.__name__] = build
    return build


def batch() -> vg.Node:
    """The input of all of them."""
    return vg.input("x", ("N", 6))


@odd
def shared_weight() -> vg.Graph:
    w = vg.parameter("w", (6, 6))
    h = vg.tanh(vg.matmul(vg.tanh(vg.matmul(batch(), w)), w))
    return vg.Graph("g", {"h": h}, loss=vg.mean(vg.square(h)))


@odd
def parameter_used_twice_in_one_op() -> vg.Graph:
    w = vg.parameter("w", (6, 6))
    h = vg.matmul(batch(), vg.matmul(w, w))
    return vg.Graph("g", {"h": h}, loss=vg.mean(h) + vg.mean(w * w))


@odd
def transposed_weight() -> vg.Graph:
    w = vg.parameter("w", (6, 4))
    h = vg.matmul(vg.relu(vg.matmul(batch(), w)), vg.transpose(w))
    return vg.Graph("g", {"h": h}, loss=vg.mean(vg.square(h)))


@odd
def outputs_that_are_sources() -> vg.Graph:
    x, w = batch(), vg.parameter("w", (6,))
    c = vg.constant(np.arange(6.0), name="c")
    return vg.Graph("g", {"x": x, "w": w, "c": c}, loss=vg.mean(x * w * c))


@odd
def one_node_as_two_outputs() -> vg.Graph:
    h = vg.relu(vg.dense(batch(), 3, name="fc1"))
    return vg.Graph("g", {"a": h, "b": h, "c": vg.relu(h)}, loss=vg.mean(h))


@odd
def loss_that_is_an_output_too() -> vg.Graph:
    loss = vg.mean(vg.dense(batch(), 3, name="fc1"))
    return vg.Graph("g", {"objective": loss}, loss=loss)


@odd
def loss_that_is_read() -> vg.Graph:
    loss = vg.mean(vg.square(vg.dense(batch(), 3, name="fc1")))
    return vg.Graph("g", {"double": loss * 2.0, "root": vg.sqrt(loss + 1.0)}, loss=loss)


@odd
def loss_that_is_a_parameter() -> vg.Graph:
    return vg.Graph("g", {"x": batch()}, loss=vg.parameter("w", (), "ones"))


@odd
def residual() -> vg.Graph:
    h = vg.dense(batch(), 6, name="fc0")
    for k in range(4):
        h = h + vg.relu(vg.dense(h, 6, name=f"block{k}"))
    return vg.Graph("g", {"h": h}, loss=vg.mean(vg.square(h)))


@odd
def relu_of_relu() -> vg.Graph:
    h = vg.relu(vg.relu(vg.dense(batch(), 5, name="fc1")))
    return vg.Graph("g", {"h": h}, loss=vg.mean(vg.square(h)))


@odd
def preactivation_is_an_output() -> vg.Graph:
    z = vg.dense(batch(), 5, name="fc1")
    return vg.Graph("g", {"z": z, "h": vg.relu(z)}, loss=vg.mean(vg.relu(z) + z))


@odd
def names_like_ours() -> vg.Graph:
    x = batch()
    h = vg.relu(vg.dense(x, 5, name="loss.grad"))
    h = vg.relu(vg.dense(h, 5, name="fc1.weight.grad"))
    h = vg.relu(vg.dense(h, 5, name="fc1"))
    h = h * vg.parameter("fc1.weight.1", (5,)) * vg.parameter("data_loss", (5,), "ones")
    h = h + vg.parameter("fc1.weight.velocity", (5,)) + vg.parameter("penalty", (5,), "ones")
    return vg.Graph("step", {"relu": h, "scores.grad": h}, loss=vg.mean(vg.square(h)))


def parameter_named_step() -> vg.Graph:
    h = batch() * vg.parameter("step", (6,))
    return vg.Graph("g", {"h": h}, loss=vg.mean(vg.square(h)))


@odd
def huge_names() -> vg.Graph:
    name = "layer_" * 500 + "x"
    return vg.Graph("g" * 3000, {"o" * 2000: (h := vg.dense(batch(), 3, name=name))}, vg.mean(h))


@odd
def names_that_are_python_words() -> vg.Graph:
    x = batch()
    h = vg.relu(vg.dense(x, 4, name="class"))
    h = vg.dense(h, 4, name="__import__")
    return vg.Graph("lambda", {"return": h, "self": h, "None": h}, loss=vg.mean(vg.square(h)))


@odd
def two_unnamed_mlps() -> vg.Graph:
    x = batch()
    h = vg.mlp(x, [5, 3]) + vg.mlp(x, [4, 3])
    return vg.Graph("g", {"h": h}, loss=vg.mean(vg.square(h)))


@odd
def unnamed_beside_a_named_fc1() -> vg.Graph:
    h = vg.dense(vg.relu(vg.dense(batch(), 4)), 3, name="fc1")
    return vg.Graph("g", {"h": h}, loss=vg.mean(vg.square(h)))


@odd
def no_parameters() -> vg.Graph:
    x = batch()
    return vg.Graph("g", {"h": vg.relu(x)}, loss=vg.mean(x))


@odd
def updates_of_the_user() -> vg.Graph:
    x = batch()
    a, b = vg.state("a", (), "ones"), vg.state("b", ())
    w = vg.parameter("w", (6,))
    loss = vg.mean(vg.square(x * w + a - b))
    return vg.Graph("g", {"sum": a + b}, loss=loss, updates={a: b, b: a})


@odd
def wide_fan_out() -> vg.Graph:
    h = vg.relu(vg.dense(batch(), 5, name="fc1"))
    parts = [h * float(k) for k in range(30)]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return vg.Graph("g", {f"p{k}": p for k, p in enumerate(parts)}, loss=vg.mean(total))


@odd
def deep_chain() -> vg.Graph:
    h = vg.dense(batch(), 3, name="fc1")
    for _ in range(600):
        h = h + 0.001
    return vg.Graph("g", {"h": h}, loss=vg.mean(h))


@odd
def mixed_dtypes() -> vg.Graph:
    w = vg.parameter("w", (6, 2), dtype="f64")
    h = vg.matmul(vg.cast(batch(), "f64"), w)
    return vg.Graph("g", {"h": h, "big": vg.greater(h, 0.0)}, loss=vg.mean(vg.square(h)))


def two_symbols() -> vg.Graph:
    a, b = vg.input("a", ("N", 6)), vg.input("b", ("M", 6))
    w = vg.parameter("w", (6, 6))
    h = vg.matmul(vg.matmul(a, w), vg.transpose(b))
    return vg.Graph("g", {"h": h}, loss=vg.mean(vg.square(h)))


def trainable(name: str) -> vg.Program:
    """An odd graph with all that can be asked for at once."""
    return vg.compile(
        GRAPHS[name](),
        optimizer=vg.Adam(lr=1e-2),
        regularizer=vg.ElasticNet(1e-3, 1e-2),
        dropout=vg.Dropout(keep=0.7),
        seed=1,
    )


@pytest.mark.parametrize("name", GRAPHS)
def test_text_is_read_back(name: str) -> None:
    g = GRAPHS[name]()
    assert str(vg.parse(str(g))) == str(g)
    vg.verify(g)


@pytest.mark.parametrize("name", GRAPHS)
def test_every_stage_is_read_back(name: str) -> None:
    for stages in (trainable(name).stages, trainable(name).inference_stages):
        for stage in stages.values():
            assert str(vg.parse(str(stage))) == str(stage)


@pytest.mark.parametrize("name", GRAPHS)
def test_the_planned_run_equals_the_interpreter(name: str) -> None:
    program = trainable(name)
    x = rows(5)["x"]
    for _ in range(3):
        values = {**dict(program.parameters), **dict(program.state), "x": x}
        g = program.stages["attach_optimizer"]
        known = {n: v for n, v in values.items() if n in {g.names[s] for s in g.sources}}
        expected = vg.interpret(g, known)
        loss = program.step(x=x)
        assert loss == pytest.approx(float(expected.outputs["loss"]), rel=1e-5, abs=1e-6)
        for target, new in expected.updates.items():
            held = dict(program.parameters) | dict(program.state)
            np.testing.assert_allclose(held[target], new, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", GRAPHS)
def test_gradients_are_right(name: str) -> None:
    g = GRAPHS[name]()
    if not g.parameters:
        with says("no parameter"):
            vg.gradcheck(g, {"x": rows(5)["x"]})
        return
    assert vg.gradcheck(g, {"x": rows(5)["x"]}, entries=20).ok


@pytest.mark.parametrize("name", GRAPHS)
def test_a_saved_run_continues_bit_for_bit(name: str, tmp_path: Path) -> None:
    program, x = trainable(name), rows(5)["x"]
    program.step(x=x)
    program.save(tmp_path / "odd")
    loaded = vg.load(tmp_path / "odd")
    for n in (5, 1, 3):
        assert loaded.step(x=x[:n]) == program.step(x=x[:n])
    assert snapshot(loaded) == snapshot(program)
    for key, value in program.predict(x=x).items():
        np.testing.assert_array_equal(loaded.predict(x=x)[key], value)


@pytest.mark.parametrize("name", GRAPHS)
def test_batches_of_one_and_none(name: str) -> None:
    program = trainable(name)
    assert np.isfinite(program.loss(x=rows(1)["x"]))
    g = program.stages["declared"]
    empty = np.empty((0, 6), np.float32)
    if name in ("loss_that_is_an_output_too", "loss_that_is_read"):
        with says("mean of nothing", "one row"):
            program.predict(x=empty)
        return
    outputs = program.predict(x=empty)
    for key, value in outputs.items():
        assert value.shape == tuple(0 if d == "N" else d for d in g.outputs[key].type.shape)


def test_shared_weights_get_the_sum_of_both_gradients() -> None:
    x, w = vg.input("x", ("N",)), vg.parameter("w", (), "ones")
    program = vg.compile(vg.Graph("g", loss=vg.mean(x) * w * w * w), dtype="f64")
    program.parameters["w"] = 2.0
    assert float(program.gradients(x=[5.0])[1]["w"]) == 5 * 3 * 4


def test_one_node_under_two_names_gives_two_arrays() -> None:
    outputs = vg.compile(one_node_as_two_outputs()).predict(x=rows(3)["x"])
    assert set(outputs) == {"a", "b", "c"}
    outputs["a"][...] = -1
    assert (outputs["b"] >= 0).all()
    np.testing.assert_array_equal(outputs["b"], outputs["c"])


def test_updates_that_swap_swap() -> None:
    program = vg.compile(updates_of_the_user(), optimizer=vg.SGD(lr=0.1))
    seen = []
    for _ in range(3):
        seen.append((float(program.state["a"]), float(program.state["b"])))
        program.step(x=rows(3)["x"])
    assert seen == [(1, 0), (0, 1), (1, 0)]


def test_a_failed_step_does_not_make_the_users_updates() -> None:
    program = vg.compile(updates_of_the_user(), optimizer=vg.SGD(lr=0.1))
    before = snapshot(program)
    with pytest.raises(vg.NonFiniteError):
        program.step(x=np.full((3, 6), np.nan))
    assert snapshot(program) == before


def test_two_symbols_are_two_sizes() -> None:
    program = vg.compile(two_symbols(), optimizer=vg.SGD(lr=1e-3))
    a, b = rows(4)["x"], rows(7, seed=1)["x"]
    expected = a @ program.parameters["w"] @ b.T
    np.testing.assert_allclose(program.predict(a=a, b=b)["h"], expected, rtol=1e-4, atol=1e-5)
    assert np.isfinite(program.step(a=a, b=b))
    assert np.isfinite(program.step(a=b, b=a))
    assert program.plan(N=4, M=7).nbytes > 0
    assert vg.gradcheck(two_symbols(), {"a": a, "b": b}).ok


def test_a_layer_handle_serves_two_graphs() -> None:
    x, y = batch(), vg.input("y", ("N",), dtype="i64")
    h = vg.relu(vg.dense(x, 5))
    scores = vg.dense(h, 3)
    whole = vg.Graph("whole", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    hidden = vg.Graph("hidden", {"h": h})
    program, part = vg.compile(whole), vg.compile(hidden)
    assert list(program.parameters) == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    assert list(part.parameters) == ["fc1.weight", "fc1.bias"]
    np.testing.assert_array_equal(program.parameters["fc1.weight"], part.parameters["fc1.weight"])


def test_unnamed_layers_are_numbered_in_every_graph_anew() -> None:
    names = [list(vg.compile(two_unnamed_mlps()).parameters) for _ in range(2)]
    assert names[0] == names[1]
    assert len(set(names[0])) == 8
    assert set(vg.compile(unnamed_beside_a_named_fc1()).parameters) >= {"fc1.weight", "fc2.weight"}


def test_a_users_names_are_kept_beside_ours() -> None:
    program = trainable("names_like_ours")
    assert {"fc1.weight.1", "data_loss", "penalty", "loss.grad.weight"} <= set(program.parameters)
    before = program.parameters["fc1.weight.1"]
    program.step(x=rows(4)["x"])
    assert (program.parameters["fc1.weight.1"] != before).any()


def test_a_parameter_named_like_the_step_counter_is_refused_where_steps_are_counted() -> None:
    program = vg.compile(parameter_named_step())
    assert program.step_number == 0
    assert set(program.gradients(x=rows(3)["x"])[1]) == {"step"}
    for options in ({"optimizer": vg.SGD(lr=0.1)}, {"dropout": vg.Dropout(input=0.5)}):
        with says("parameter %step", "step counter", "rename"):
            vg.compile(wide_step(), **options)


def wide_step() -> vg.Graph:
    x = batch()
    w = vg.parameter("step", (6, 2))
    return vg.Graph("g", loss=vg.mean(vg.matmul(x, w)))


def test_a_users_own_step_counter_is_counted() -> None:
    x, step = batch(), vg.state("step", (), dtype="i64")
    w = vg.parameter("w", (6,))
    loss = vg.mean(x * w) * vg.cast(step, "f32")
    program = vg.compile(vg.Graph("g", {"x": x}, loss=loss), optimizer=vg.SGD(lr=0.1))
    losses = [program.step(x=np.ones((2, 6))) for _ in range(3)]
    assert program.step_number == 3
    assert losses[0] == 0 != losses[2]


def test_constants_alone_compile() -> None:
    three = vg.constant(3.0) * vg.constant(2.0)
    program = vg.compile(vg.Graph("g", {"six": three, "row": vg.constant([1.0, 2.0])}))
    assert program.predict()["six"] == 6
    np.testing.assert_array_equal(program.predict()["row"], [1, 2])


def test_a_loss_of_constants_with_an_optimizer_counts_steps() -> None:
    program = vg.compile(no_parameters(), optimizer=vg.SGD(lr=0.1))
    x = rows(4)["x"]
    assert program.step(x=x) == pytest.approx(float(x.mean()), abs=1e-6)
    assert program.step_number == 1
    assert program.gradients(x=x)[1] == {}


def test_a_fixed_batch_size_takes_that_size_alone() -> None:
    x = vg.input("x", (4, 6))
    program = vg.compile(vg.Graph("g", loss=vg.mean(vg.dense(x, 2, name="fc1"))))
    assert np.isfinite(program.loss(x=rows(4)["x"]))
    assert program.plan().nbytes > 0
    with says("x", "[4,6]", "[5,6]"):
        program.loss(x=rows(5)["x"])


def test_a_square_batch_keeps_symbol_and_size_apart() -> None:
    program = vg.compile(two_layer(), optimizer=vg.SGD(lr=0.1))
    for n in (6, 5, 3):
        assert np.isfinite(program.step(rows(n)))


def test_a_program_used_by_threads_never_mixes_its_answers() -> None:
    program = vg.compile(two_layer(64, 64, 10))
    feeds = [rows(32, 64, 10, seed=seed) for seed in range(4)]
    expected = [program.predict(x=f["x"])["scores"] for f in feeds]
    wrong: list[object] = []

    def ask(k: int) -> None:
        try:
            for _ in range(100):
                scores = program.predict(x=feeds[k]["x"])["scores"]
                if not np.array_equal(scores, expected[k]):
                    wrong.append(k)
        except vg.VerigradError as error:
            wrong.append(error)

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_programs_in_threads_of_their_own_are_independent() -> None:
    def run(losses: list[float]) -> None:
        program = vg.compile(two_layer(), optimizer=vg.SGD(lr=0.1), dropout=vg.Dropout(keep=0.5))
        losses.extend(program.step(rows(8, seed=seed)) for seed in range(30))

    results: list[list[float]] = [[] for _ in range(4)]
    threads = [threading.Thread(target=run, args=(losses,)) for losses in results]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results[0]) == 30
    assert all(losses == results[0] for losses in results)
