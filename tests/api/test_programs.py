"""A program's calls: what they take, what they give back, and what they leave as it was."""

from __future__ import annotations

import numpy as np
import pytest
from api_nets import rows, says, snapshot, two_layer

import verigrad as vg


def trained(**options: object) -> vg.Program:
    """A program with every kind of state, two steps old."""
    defaults = {
        "optimizer": vg.Adam(lr=1e-2),
        "regularizer": vg.L2(0.1),
        "dropout": vg.Dropout(keep=0.5),
    }
    program = vg.compile(two_layer(), **{**defaults, **options})
    for seed in range(2):
        program.step(rows(8, seed=seed))
    return program


def test_calls_take_one_dict_or_keywords() -> None:
    feeds, one, other = rows(8), trained(), trained()
    assert one.loss(feeds) == other.loss(**feeds)
    assert one.evaluate(feeds)["loss"] == other.evaluate(**feeds)["loss"]
    assert one.gradients(feeds)[0] == other.gradients(**feeds)[0]
    x = {"x": feeds["x"]}
    np.testing.assert_array_equal(one.predict(x)["scores"], other.predict(**x)["scores"])
    assert one.step(feeds) == other.step(**feeds)
    assert snapshot(one) == snapshot(other)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_loss_gradients_and_step_report_the_same_float(dtype: str) -> None:
    program = trained(dtype=dtype)
    for seed in range(5):
        feeds = rows(8, seed=seed)
        loss = program.loss(feeds)
        assert program.gradients(feeds)[0] == loss
        assert program.step(feeds) == loss


@pytest.mark.parametrize("call", ["loss", "gradients", "evaluate", "predict"])
def test_only_step_changes_state(call: str) -> None:
    program = trained()
    before = snapshot(program)
    getattr(program, call)(rows(8) if call != "predict" else {"x": rows(8)["x"]})
    assert snapshot(program) == before
    assert program.step_number == 2
    program.step(rows(8))
    assert snapshot(program) != before
    assert program.step_number == 3


def test_gradcheck_leaves_every_program_alone() -> None:
    net = two_layer()
    program = vg.compile(net, optimizer=vg.SGD(lr=0.1))
    before = snapshot(program)
    assert vg.gradcheck(net, rows(4)).ok
    assert snapshot(program) == before


def test_calls_between_steps_do_not_change_the_run() -> None:
    quiet, asked = trained(), trained()
    for seed in range(3):
        feeds = rows(8, seed=seed)
        asked.loss(rows(5))
        asked.gradients(rows(3))
        asked.predict(x=rows(7)["x"])
        asked.plan(N=11)
        assert quiet.step(feeds) == asked.step(feeds)
        asked.evaluate(rows(2))
    assert snapshot(quiet) == snapshot(asked)


def test_without_optimizer_there_is_no_step() -> None:
    program = vg.compile(two_layer())
    with says("optimizer"):
        program.step(rows(4))
    assert np.isfinite(program.loss(rows(4)))
    assert set(program.gradients(rows(4))[1]) == set(program.parameters)


def test_without_loss_a_program_only_predicts() -> None:
    x = vg.input("x", ("N", 6))
    program = vg.compile(vg.Graph("scores", {"scores": vg.dense(x, 3, name="fc")}))
    assert program.predict(x=rows(4)["x"])["scores"].shape == (4, 3)
    for call in (program.step, program.loss, program.gradients):
        with says("loss"):
            call(x=rows(4)["x"])


def test_optimizer_without_loss_is_an_error() -> None:
    x = vg.input("x", ("N", 6))
    g = vg.Graph("scores", {"scores": vg.dense(x, 3, name="fc")})
    with says("loss"):
        vg.compile(g, optimizer=vg.SGD(lr=0.1))


def test_returned_arrays_belong_to_the_user() -> None:
    program, feeds = trained(), rows(8)
    before = snapshot(program)
    loss, grads = program.gradients(feeds)
    kept = {name: g.copy() for name, g in grads.items()}
    scores = program.predict(x=feeds["x"])["scores"]
    values = scores.copy()
    program.gradients(rows(8, seed=9))
    program.predict(x=rows(8, seed=9)["x"])
    for name, g in grads.items():
        np.testing.assert_array_equal(g, kept[name])
        g[...] = np.nan
    np.testing.assert_array_equal(scores, values)
    scores[...] = np.nan
    evaluated = program.evaluate(feeds)
    evaluated["scores"][...] = np.nan
    assert snapshot(program) == before
    assert program.loss(feeds) == loss
    np.testing.assert_array_equal(program.predict(x=feeds["x"])["scores"], values)


def test_an_output_that_is_a_source_is_a_copy() -> None:
    x = vg.input("x", ("N", 2))
    w = vg.parameter("w", (2,), "ones")
    c = vg.constant(np.array([1.0, 2.0]), "f32", name="c")
    net = vg.Graph("g", {"x": x, "w": w, "c": c}, loss=vg.mean(x * w * c))
    program = vg.compile(net, optimizer=vg.SGD(lr=0.0))
    fed = np.ones((3, 2), np.float32)
    for outputs in (program.predict(x=fed), program.evaluate(x=fed)):
        for name in ("x", "w", "c"):
            outputs[name][...] = 7
    assert (fed == 1).all()
    np.testing.assert_array_equal(program.parameters["w"], [1, 1])
    np.testing.assert_array_equal(program.predict(x=fed)["c"], [1, 2])
    assert program.step(x=fed) == 1.5


def test_feeds_are_never_written() -> None:
    program, feeds = trained(), rows(8)
    kept = {name: value.copy() for name, value in feeds.items()}
    program.step(feeds)
    program.gradients(feeds)
    program.evaluate(feeds)
    for name, value in feeds.items():
        np.testing.assert_array_equal(value, kept[name])
        value.flags.writeable = False
    assert np.isfinite(program.step(feeds))


def test_parameters_are_read_only_copies() -> None:
    program = trained()
    weight = program.parameters["fc1.weight"]
    kept = weight.copy()
    with pytest.raises(ValueError, match="read-only"):
        weight[0, 0] = 1
    program.step(rows(8))
    np.testing.assert_array_equal(weight, kept)
    assert (program.parameters["fc1.weight"] != kept).any()


def test_assigned_parameters_are_copied_in_and_used() -> None:
    program, feeds = vg.compile(two_layer()), rows(4)
    value = np.zeros((5, 3))
    program.parameters["fc2.weight"] = value
    value[...] = 9
    assert (program.parameters["fc2.weight"] == 0).all()
    np.testing.assert_array_equal(program.predict(x=feeds["x"])["scores"], np.zeros((4, 3)))
    assert program.loss(feeds) == pytest.approx(np.log(3), rel=1e-6)


def test_a_parameter_of_another_shape_is_refused() -> None:
    program = vg.compile(two_layer())
    before = snapshot(program)
    for wrong in (np.zeros((3, 5)), np.zeros(5), 0.0, np.zeros((1, 3))):
        with says("fc2.weight", "[5,3]"):
            program.parameters["fc2.weight"] = wrong
    assert snapshot(program) == before


def test_values_that_no_parameter_can_hold_are_refused() -> None:
    program = vg.compile(two_layer())
    before = snapshot(program)
    for wrong in ([1e300, 0.0, 0.0], [[1.0], [1.0, 2.0]], ["a", "b", "c"], None, [1j, 0, 0]):
        with says("fc2.bias"):
            program.parameters["fc2.bias"] = wrong
    assert snapshot(program) == before


def test_an_unknown_parameter_is_refused_with_the_nearest_name() -> None:
    program = vg.compile(two_layer())
    with says("fc1.weigth", "fc1.weight"):
        program.parameters["fc1.weigth"] = np.zeros((6, 5))
    with says("fc1.weigth", "fc1.weight"):
        program.parameters["fc1.weigth"]
    assert "fc1.weigth" not in program.parameters


def test_parameters_cannot_be_deleted() -> None:
    program = vg.compile(two_layer())
    with says("fc1.weight"):
        del program.parameters["fc1.weight"]
    assert "fc1.weight" in program.parameters


def test_one_compile_serves_every_batch_size() -> None:
    program, reference = trained(dropout=None), trained(dropout=None)
    whole = rows(40)
    scores = reference.predict(x=whole["x"])["scores"]
    for n in (1, 7, 40, 3, 7, 1):
        part = {name: value[:n] for name, value in whole.items()}
        np.testing.assert_allclose(
            program.predict(x=part["x"])["scores"], scores[:n], rtol=1e-5, atol=1e-6
        )
        assert np.isfinite(program.loss(part))


def test_interleaved_batch_sizes_share_one_state() -> None:
    feeds = [rows(n, seed=n) for n in (8, 3, 8, 1, 5, 3, 8)]
    together = trained()
    apart = trained()
    for feed in feeds:
        fresh = vg.compile(
            two_layer(),
            optimizer=vg.Adam(lr=1e-2),
            regularizer=vg.L2(0.1),
            dropout=vg.Dropout(keep=0.5),
        )
        for name in apart.parameters:
            fresh.parameters[name] = apart.parameters[name]
        for name in apart.state:
            fresh.state[name] = apart.state[name]
        assert together.step(feed) == fresh.step(feed)
        apart = fresh
    assert snapshot(together) == snapshot(apart)


def test_two_compiles_of_one_graph_are_independent_and_equal() -> None:
    net = two_layer()
    one, other = (vg.compile(net, optimizer=vg.SGD(lr=0.1)) for _ in range(2))
    untouched = snapshot(other)
    assert snapshot(one) == untouched
    one.step(rows(4))
    assert snapshot(other) == untouched
    other.step(rows(4))
    assert snapshot(one) == snapshot(other)
    assert str(one.training) == str(other.training)


def test_f64_compiles_the_whole_graph() -> None:
    program = trained(dtype="f64")
    assert "f32" not in str(program.training)
    assert "f32" not in str(program.inference)
    assert all(program.parameters[name].dtype == np.float64 for name in program.parameters)
    assert program.predict(x=rows(3)["x"])["scores"].dtype == np.float64
    loss, grads = program.gradients(rows(3))
    assert float(np.float32(loss)) != loss
    assert {g.dtype for g in grads.values()} == {np.dtype(np.float64)}


def test_an_unknown_dtype_is_refused() -> None:
    with says("f16", "f32", "f64"):
        vg.compile(two_layer(), dtype="f16")


def test_f64_and_f32_start_from_the_same_values() -> None:
    single, double = vg.compile(two_layer()), vg.compile(two_layer(), dtype="f64")
    for name in single.parameters:
        expected = double.parameters[name].astype(np.float32)
        np.testing.assert_array_equal(single.parameters[name], expected)


def test_saved_and_loaded_run_continues_bit_for_bit(tmp_path) -> None:
    program = trained()
    program.save(tmp_path / "run.safetensors")
    loaded = vg.load(tmp_path / "run.safetensors")
    assert snapshot(loaded) == snapshot(program)
    assert loaded.step_number == 2
    assert str(loaded.training) == str(program.training)
    assert str(loaded.inference) == str(program.inference)
    for seed in range(5):
        assert loaded.step(rows(8, seed=seed)) == program.step(rows(8, seed=seed))
    assert snapshot(loaded) == snapshot(program)


def test_equal_programs_save_equal_bytes(tmp_path) -> None:
    for name in ("a", "b"):
        trained().save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    vg.load(tmp_path / "a").save(tmp_path / "c")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "c").read_bytes()


def test_data_loss_is_an_output_beside_the_penalty() -> None:
    program = vg.compile(two_layer(), optimizer=vg.SGD(lr=0.1), regularizer=vg.L2(2.0))
    feeds = rows(8)
    penalty = sum(float((program.parameters[k] ** 2).sum()) for k in ("fc1.weight", "fc2.weight"))
    assert "data_loss" in program.training.outputs
    data_loss = program.evaluate(feeds)["loss"]
    assert program.loss(feeds) == pytest.approx(data_loss + penalty, rel=1e-5)
    assert vg.compile(two_layer()).loss(feeds) == pytest.approx(data_loss, rel=1e-6)


def test_evaluate_gives_outputs_and_data_loss_without_dropout() -> None:
    plain, dropping = vg.compile(two_layer()), trained()
    for name in plain.parameters:
        plain.parameters[name] = dropping.parameters[name]
    feeds = rows(8)
    result = dropping.evaluate(feeds)
    assert set(result) == {"loss", "scores"}
    assert result["loss"] == plain.loss(feeds)
    np.testing.assert_array_equal(result["scores"], plain.predict(x=feeds["x"])["scores"])


def test_predict_takes_labels_too_and_ignores_them() -> None:
    program, feeds = vg.compile(two_layer()), rows(4)
    expected = program.predict(x=feeds["x"])["scores"]
    np.testing.assert_array_equal(program.predict(feeds)["scores"], expected)
