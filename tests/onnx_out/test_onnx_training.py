"""A training step in ONNX: a hundred of them in onnxruntime beside a hundred of the program's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_runs import Session, checked, new_state
from test_dialects import DEFAULTS, OPTIONS
from test_schedules import FORMULAS

import verigrad as vg

pytestmark = [pytest.mark.oracle, pytest.mark.numpy_bits]

STEPS = 100
CLASSES = 3


def batch(step: int, dtype: str = "f4") -> dict[str, np.ndarray]:
    """Rows of one noisy problem; a shorter batch now and then."""
    rng = np.random.default_rng(step)
    x = rng.standard_normal((8 if step % 7 else 5, 6)).astype(dtype)
    y = (x[:, 0] > 0).astype(np.int64) + (x[:, 1] > 0.5)
    return {"x": x, "y": y}


def smooth_net(declared: str = "plain") -> vg.Graph:
    """6-7-3 with tanh, which magnifies no rounding, and a layer more where that is declared."""
    x, y = vg.input("x", ("N", 6)), vg.input("y", ("N",), dtype="i64")
    h = vg.dense(x, 7, name="fc1", bias=declared != "batch_norm")
    layer = {"batch_norm": vg.batch_norm, "layer_norm": vg.layer_norm}.get(declared)
    h = layer(h, name="norm") if layer is not None else h
    h = vg.tanh(h)
    h = vg.dropout(h, keep=0.7, mode=declared) if declared in ("inverted", "vanilla") else h
    scores = vg.dense(h, CLASSES, name="fc2")
    return vg.Graph("smooth", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def trained_alike(
    folder: Path, net: vg.Graph, bound: float = 5e-6, **options: Any
) -> tuple[vg.Program, Session]:
    """Trains in both, from a few steps on; all losses and the last state must agree."""
    program = vg.compile(net, seed=5, **options)
    start = 3
    for step in range(start):
        program.step(batch(step))
    path = folder / "step.onnx"
    program.to_onnx(path, training=True)
    checked(path)
    session, state = Session(path), {}
    for step in range(start, start + STEPS):
        feeds = batch(step, "f8" if options.get("dtype") == "f64" else "f4")
        outputs = session.run({**feeds, **state})
        loss = program.step(feeds)
        state = new_state(outputs)
        assert abs(outputs["loss"] - loss) <= bound * max(1.0, abs(loss)), step
    held = {**program.parameters, **program.state}
    trained = {program.declared.names[p] for p in program.declared.trained}
    frozen = set(program.parameters) - trained  # is part of the model, and no state of it
    assert set(state) <= set(held) and trained <= set(state) and not frozen & set(state)
    for name, found in state.items():
        assert found.dtype == held[name].dtype and found.shape == held[name].shape, name
        size = max(1.0, float(np.abs(held[name]).max()))
        np.testing.assert_allclose(found, held[name], rtol=0, atol=bound * size, err_msg=name)
    return program, session


LOOKAHEAD = {f"nesterov {d}": vg.Nesterov(0.05, 0.9, dialect=d) for d in ("course", "cs231n")}
OPTIMIZERS = {k: o for k, (o, _) in (DEFAULTS | OPTIONS).items()} | LOOKAHEAD


@pytest.mark.parametrize("case", OPTIMIZERS)
def test_every_optimizer_in_every_dialect_makes_the_same_steps(
    onnx: Any, case: str, tmp_path: Path
) -> None:
    trained_alike(tmp_path, smooth_net(), optimizer=OPTIMIZERS[case])


@pytest.mark.parametrize("case", FORMULAS)
def test_every_schedule_gives_the_same_rates(onnx: Any, case: str, tmp_path: Path) -> None:
    """On loss = -w, each step adds the rate."""
    schedule, _ = FORMULAS[case]
    w = vg.parameter("w", (1,), init="zeros")
    program = vg.compile(vg.Graph("g", loss=-vg.sum(w)), optimizer=vg.SGD(schedule), dtype="f64")
    program.to_onnx(tmp_path / "g.onnx", training=True)
    checked(tmp_path / "g.onnx")
    session, state, taken = Session(tmp_path / "g.onnx"), {"w": np.zeros(1)}, []
    for _ in range(STEPS):
        outputs = session.run(state)
        taken.append(outputs["w.new"][0])
        state = {"w": np.zeros(1), "step": outputs["step.new"]}
    np.testing.assert_allclose(taken, schedule.rates(STEPS), rtol=1e-11)


def test_what_is_frozen_is_fed_and_stays(onnx: Any, tmp_path: Path) -> None:
    x = vg.input("x", ("N", 2))
    scale = vg.parameter("scale", (2,), init="ones", trainable=False)
    loss = vg.mean(vg.square(vg.dense(x * scale, 1, name="fc1")))
    program = vg.compile(vg.Graph("g", loss=loss), optimizer=vg.Adam(0.1))
    program.to_onnx(tmp_path / "g.onnx", training=True)
    checked(tmp_path / "g.onnx")
    session, feeds = Session(tmp_path / "g.onnx"), {"x": np.ones((3, 2), np.float32)}
    assert {"fc1.weight.new", "fc1.bias.new", "step.new"} < {*session.outputs}
    assert not [k for k in session.outputs if k.startswith("scale")]
    other = session.run({**feeds, "scale": np.array([2, -1], np.float32)})["loss"]
    assert session.run(feeds)["loss"] == pytest.approx(program.step(feeds), rel=1e-6) != other


def test_a_plateau_is_a_state_that_is_fed(onnx: Any, tmp_path: Path) -> None:
    w = vg.parameter("w", (1,), init="zeros")
    rate = vg.SGD(vg.schedules.plateau(0.5))
    program = vg.compile(vg.Graph("g", loss=-vg.sum(w)), optimizer=rate)
    program.to_onnx(tmp_path / "g.onnx", training=True)
    session = Session(tmp_path / "g.onnx")
    assert session.run({})["w.new"] == 0.5
    assert session.run({"lr_scale": np.array(0.1)})["w.new"] == np.float32(0.05)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("declared", ["batch_norm", "layer_norm", "inverted", "vanilla"])
def test_layers_that_training_changes(onnx: Any, declared: str, dtype: str, tmp_path: Path) -> None:
    bound = 5e-6 if dtype == "f32" else 1e-12
    net = smooth_net(declared)
    trained_alike(tmp_path, net, bound, optimizer=vg.Momentum(0.05), dtype=dtype)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("clip", [vg.ClipNorm(0.2), vg.ClipValue(0.02)], ids=repr)
def test_clips(onnx: Any, clip: vg.Clip, dtype: str, tmp_path: Path) -> None:
    bound = 5e-6 if dtype == "f32" else 1e-12
    options = {"optimizer": vg.SGD(0.2), "clip": clip, "dtype": dtype}
    trained_alike(tmp_path, smooth_net(), bound, **options)


@pytest.mark.parametrize(
    "regularizer", [vg.L1(1e-2), vg.L2(1e-2), vg.ElasticNet(1e-3, 1e-2)], ids=repr
)
def test_penalties(onnx: Any, regularizer: vg.Regularizer, tmp_path: Path) -> None:
    trained_alike(tmp_path, smooth_net(), optimizer=vg.SGD(0.1), regularizer=regularizer)


@pytest.mark.parametrize("declared", ["batch_norm", "layer_norm"])
def test_what_is_frozen_stays(onnx: Any, declared: str, tmp_path: Path) -> None:
    trained_alike(
        tmp_path,
        smooth_net(declared).freeze("fc1.*", "norm.*"),
        optimizer=vg.AdamW(0.02),
        regularizer=vg.L2(1e-3),
        clip=vg.ClipNorm(0.2),
    )


def test_all_at_once(onnx: Any, tmp_path: Path) -> None:
    rate = vg.schedules.warmup(vg.schedules.cosine(0.02, steps=80), steps=10)
    trained_alike(
        tmp_path,
        smooth_net("layer_norm"),
        optimizer=vg.AdamW(rate, groups=[vg.Group("*.bias", weight_decay=0.0)]),
        regularizer=vg.L2(1e-3),
        dropout=vg.Dropout(keep=0.6, layers={"fc1": 0.8}, input=0.9),
        clip=vg.ClipNorm(1.0),
    )


def test_the_evaluator_that_defines_the_format_makes_the_same_step(
    onnx: Any, tmp_path: Path
) -> None:
    program = vg.compile(smooth_net("inverted"), optimizer=vg.Adam(0.01), clip=vg.ClipNorm(0.2))
    program.to_onnx(tmp_path / "step.onnx", training=True)
    feeds = batch(1)
    evaluator = onnx.reference.ReferenceEvaluator(str(tmp_path / "step.onnx"))
    held = {**program.parameters, **program.state}
    outputs = dict(zip(evaluator.output_names, evaluator.run(None, {**feeds, **held}), strict=True))
    assert outputs["loss"] == pytest.approx(program.step(feeds), rel=1e-6)
    for name, value in {**program.parameters, **program.state}.items():
        np.testing.assert_allclose(outputs[f"{name}.new"], value, rtol=1e-5, atol=1e-6)


def test_the_state_in_the_file_is_that_of_the_program(onnx: Any, tmp_path: Path) -> None:
    """And stays as it is: a run without a state begins there each time."""
    program, session = trained_alike(
        tmp_path, smooth_net("inverted"), optimizer=vg.Adam(0.01, dialect="torch")
    )
    program.to_onnx(tmp_path / "later.onnx", training=True)
    later = Session(tmp_path / "later.onnx")
    feeds = batch(1)
    once, again, before = later.run(feeds), later.run(feeds), session.run(feeds)
    assert once["step.new"] == again["step.new"] == program.step_number + 1
    assert np.array_equal(once["fc1.weight.new"], again["fc1.weight.new"])
    assert once["loss"] == pytest.approx(program.step(feeds), rel=1e-6)
    assert before["step.new"] == 4


def test_masks_are_drawn_bit_for_bit(onnx: Any, tmp_path: Path) -> None:
    """Of any size, keep, seed, key and step, however large they are."""
    seeds, keeps = (0, 1, 2**63, 2**64 - 1), (0.5, 1e-4, 0.99999, 1.0)
    key = iter("abcdefghijklmnop")
    masks = {
        f"{next(key)}{keep}".replace(".", "_").replace("-", "_"): (keep, seed)
        for keep in keeps
        for seed in seeds
    }
    step = vg.input("step", (), dtype="i64")
    batch = vg.input("batch", ("N",))
    kind = vg.graph.OPS["dropout_mask"]
    outputs = {
        k: vg.apply(kind(key=f"{k} é", keep=keep, shape=("N", 7), scale=1 / keep, seed=seed), step)
        for k, (keep, seed) in masks.items()
    }
    g = vg.Graph("masks", {**outputs, "batch": batch})
    vg.compile(g).to_onnx(tmp_path / "masks.onnx")
    checked(tmp_path / "masks.onnx")
    session = Session(tmp_path / "masks.onnx")
    for at in (0, 1, 2**31, 2**63 - 1):
        for n in (0, 1, 5, 300):
            feeds = {"step": np.array(at), "batch": np.zeros(n, np.float32)}
            expected, found = vg.interpret(g, feeds).outputs, session.run(feeds)
            for name in outputs:
                assert np.array_equal(found[name], expected[name]), (name, at, n)


def test_another_seed_can_be_fed(onnx: Any, tmp_path: Path) -> None:
    """The steps are those of a program that is compiled with that seed and has the same state."""
    net, options = smooth_net("inverted"), {"optimizer": vg.Momentum(0.05)}
    net = net.but(outputs={**net.outputs, "seed": net.inputs[0]})  # the name is taken
    program, other = (vg.compile(net, seed=seed, **options) for seed in (5, 2**64 - 1))
    held = {**program.parameters, **program.state}
    for name in program.parameters:
        other.parameters[name] = program.parameters[name]
    program.to_onnx(tmp_path / "step.onnx", training=True)
    model = checked(tmp_path / "step.onnx")
    fed = [v.name for v in model.graph.input]
    (seed,) = set(fed) - {"x", "y", *held}
    session, feeds = Session(tmp_path / "step.onnx"), batch(1)
    outputs = session.run({**feeds, seed: np.array(2**64 - 1, np.uint64)})
    losses = [p.step(feeds) for p in (program, other)]
    assert session.run(feeds)["loss"] == pytest.approx(losses[0], rel=1e-6)
    assert outputs["loss"] == pytest.approx(losses[1], rel=1e-6) != losses[0]
    for name, found in new_state(outputs).items():
        value = {**other.parameters, **other.state}[name]
        np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-6)


def test_the_training_info_says_what_becomes_the_state(onnx: Any, tmp_path: Path) -> None:
    """As the format has it: bindings of initializers to what two more graphs give."""
    program = vg.compile(smooth_net("batch_norm"), optimizer=vg.Momentum(0.05), seed=7)
    first = {**program.parameters, **program.state}
    program.step(batch(0))
    program.to_onnx(tmp_path / "step.onnx", training=True)
    model = checked(tmp_path / "step.onnx")
    (info,) = model.training_info
    held = {t.name for t in model.graph.initializer}
    for bindings, graph in (
        (info.update_binding, info.algorithm),
        (info.initialization_binding, info.initialization),
    ):
        assert {b.key for b in bindings} == set(first) <= held
        assert [b.value for b in bindings] == [v.name for v in graph.output]
    begun = {b.key: b.value for b in info.initialization_binding}
    alone = onnx.helper.make_model(info.initialization, opset_imports=model.opset_import)
    given = dict(zip(begun, onnx.reference.ReferenceEvaluator(alone).run(None, {}), strict=True))
    for name, value in first.items():
        assert np.array_equal(given[name], value), name
    # The graph and the algorithm together, which is what a step of the format is.
    joined = onnx.ModelProto()
    joined.CopyFrom(model)
    joined.graph.node.extend(info.algorithm.node)
    del joined.graph.output[:], joined.training_info[:]
    joined.graph.output.extend(info.algorithm.output)
    onnx.checker.check_model(joined, full_check=True)


def test_a_step_of_small_sizes_and_of_other_names(onnx: Any, tmp_path: Path) -> None:
    """Names that the file would give itself are taken; a loss has no layer; N is 1."""
    x = vg.input("x.new", ("rows", 1))
    w = vg.parameter("w", (1, 1), init="ones")
    other = vg.parameter("w.new", (1,), init="zeros")
    loss = vg.mean(vg.square(x @ w + other), name="w.new.new")
    program = vg.compile(vg.Graph("g", {"step.new": x}, loss=loss), optimizer=vg.SGD(0.25))
    program.to_onnx(tmp_path / "g.onnx", training=True)
    model = checked(tmp_path / "g.onnx")
    inputs, outputs = ([v.name for v in vs] for vs in (model.graph.input, model.graph.output))
    assert inputs == ["x.new", "w", "w.new", "step"]
    assert len({*inputs, *outputs}) == len(inputs) + len(outputs)
    found = Session(tmp_path / "g.onnx").run({"x.new": np.ones((1, 1), np.float32)})
    (update,) = [b.value for b in model.training_info[0].update_binding if b.key == "w"]
    (copy,) = [n for n in model.training_info[0].algorithm.node if n.output[0] == update]
    assert found["loss"] == 1.0 and found[copy.input[0]] == 0.5
