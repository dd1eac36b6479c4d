"""The code that the design promises to users, run as it stands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import verigrad as vg

PROGRAM = """
import verigrad as vg

x = vg.input("x", ("N", 3072))                      # f32 unless said otherwise
y = vg.input("y", ("N",), dtype="i64")
h = vg.relu(vg.dense(x, 100, name="fc1"))           # declares fc1.weight [3072,100], fc1.bias [100]
h = vg.relu(vg.dense(h, 100, name="fc2"))           # He-normal weights, zero biases by default
scores = vg.dense(h, 10, name="fc3")
net = vg.Graph("three_layer", outputs={"scores": scores},
               loss=vg.softmax_cross_entropy(scores, y))

program = vg.compile(net, optimizer=vg.Momentum(lr=1e-2, rho=0.9),
                     regularizer=vg.L2(1e-4), dropout=vg.Dropout(keep=0.5), seed=0)

loss = program.step(x=images, y=labels)             # forward, backward, update; a float
scores = program.predict(x=images)["scores"]        # the inference graph: no dropout
loss, grads = program.gradients(x=images, y=labels) # {"fc1.weight": array, ...}; no update
loss = program.loss(x=images, y=labels)             # the loss that `step` would now report
loss = program.evaluate(x=images, y=labels)["loss"] # the inference graph's data loss

program.parameters["fc1.weight"]                    # a read-only copy; assign to set
program.stages                                      # {"declared": Graph, "insert_dropout": ...}
print(program.training)                             # the compiled training graph, as text
program.training.to_svg("training.svg")             # also .to_dot(), ._repr_svg_() in a notebook
print(program.inference)
plan = program.plan(N=128)                          # plan.nbytes, plan.unplanned_nbytes
program.save("run.safetensors"); program = vg.load("run.safetensors")

history = vg.fit(program, (X, Y), validation=(Xv, Yv), epochs=10, batch_size=100)
report = vg.gradcheck(net, dict(x=images[:4], y=labels[:4]), regularizer=vg.L2(0.7))
print(report)                                       # a row a parameter; report.ok
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The names that the program leaves behind."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (250, 3072)).astype(np.float32) / 255 - 0.5
    labels = rng.integers(0, 10, 250)
    names: dict[str, object] = {
        "images": images[:100],
        "labels": labels[:100],
        "X": images[:200],
        "Y": labels[:200],
        "Xv": images[200:],
        "Yv": labels[200:],
    }
    folder = tmp_path_factory.mktemp("section_7")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(compile(PROGRAM, "section_7.py", "exec"), names)
    names["folder"] = folder
    return names


def test_layers_declare_parameters_by_name(ran: dict[str, object]) -> None:
    shapes = {name: value.shape for name, value in dict(ran["program"].parameters).items()}
    assert shapes == {
        "fc1.weight": (3072, 100),
        "fc1.bias": (100,),
        "fc2.weight": (100, 100),
        "fc2.bias": (100,),
        "fc3.weight": (100, 10),
        "fc3.bias": (10,),
    }


def test_losses_are_python_floats(ran: dict[str, object]) -> None:
    program, feeds = ran["program"], {"x": ran["images"], "y": ran["labels"]}
    losses = (program.step(feeds), program.loss(feeds), program.gradients(feeds)[0])
    assert [type(loss) for loss in (*losses, program.evaluate(feeds)["loss"])] == [float] * 4


def test_gradients_have_the_parameters_names_and_shapes(ran: dict[str, object]) -> None:
    grads, parameters = ran["grads"], ran["program"].parameters
    assert {name: g.shape for name, g in grads.items()} == {
        name: parameters[name].shape for name in parameters
    }
    assert all(g.dtype == np.float32 for g in grads.values())


def test_predict_gives_scores_alone(ran: dict[str, object]) -> None:
    assert ran["scores"].shape == (100, 10)
    assert set(ran["program"].predict(x=ran["images"])) == {"scores"}


def test_stages_show_the_pipeline_in_order(ran: dict[str, object]) -> None:
    stages = ran["program"].stages
    assert list(stages) == [
        "declared",
        "keep_logs",
        "insert_dropout",
        "insert_regularization",
        "expand_batch_norm",
        "expand_gradients",
        "differentiate",
        "clip_gradients",
        "attach_optimizer",
        "fold_constants",
        "simplify",
        "eliminate_common",
        "fuse_linear_relu",
        "fuse_softmax_nll",
        "add_in_place",
        "schedule",
    ]
    assert all(isinstance(g, vg.Graph) for g in stages.values())
    assert str(stages["schedule"]) == str(ran["program"].training)


def test_training_graph_is_fused_and_updates_every_parameter(ran: dict[str, object]) -> None:
    text = str(ran["program"].training)
    assert text.count("= linear_relu(") == 2
    for name in ran["program"].parameters:
        assert f"update %{name} = " in text


def test_inference_graph_has_no_dropout_and_no_update(ran: dict[str, object]) -> None:
    text = str(ran["program"].inference)
    assert "dropout" not in text
    assert "update" not in text


def test_pictures_are_drawn(ran: dict[str, object]) -> None:
    folder, training = ran["folder"], ran["program"].training
    assert isinstance(folder, Path)
    assert "<svg" in (folder / "training.svg").read_text()
    assert "<svg" in training._repr_svg_()
    assert training.to_dot().lstrip().startswith("digraph")


def test_plan_states_its_bytes(ran: dict[str, object]) -> None:
    plan = ran["plan"]
    assert 0 < plan.nbytes < plan.unplanned_nbytes
    assert f"{plan.nbytes:,}" in str(plan)
    assert f"{plan.unplanned_nbytes:,}" in str(plan)


def test_fit_trains_the_loaded_program(ran: dict[str, object]) -> None:
    assert isinstance(ran["history"], vg.History)
    assert ran["program"].step_number >= 1 + 10 * 2


def test_gradcheck_report_has_a_row_for_each_parameter(ran: dict[str, object]) -> None:
    report = ran["report"]
    assert report.ok
    assert isinstance(report.max_relative_error, float)
    assert report.max_relative_error < 1e-6
    for name in ran["program"].parameters:
        assert name in str(report)
