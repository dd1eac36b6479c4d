"""Which part of a net a node belongs to: the latest of its operands' layers, or the loss."""

from __future__ import annotations

import verigrad as vg
from verigrad.graph.pictures.folding import is_bookkeeping


def residual() -> vg.Graph:
    """Two layers, of which the second adds what it reads; an activation that its user named."""
    x, y = vg.input("x", ("N", 4)), vg.input("y", ("N",), dtype="i64")
    h = vg.relu(vg.dense(x, 4, name="fc1"))
    h = vg.relu(h + vg.dense(h, 4, name="fc2"), name="act")
    scores = vg.dense(h, 3, name="fc3")
    return vg.Graph("residual", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def stage(g: vg.Graph, name: str, **options: object) -> vg.Graph:
    return vg.compile(g, certify=False, **options).stages[name]  # type: ignore[arg-type]


def of(g: vg.Graph, part: str | None) -> set[str]:
    return {name for name, n in g.named.items() if g.membership.get(n) == part}


def test_a_sum_of_two_layers_is_of_the_latest() -> None:
    g = residual()
    assert "fc2.add" in g.named and g.layer(g["fc2.add"]) == "fc2"


def test_a_node_that_its_user_named_is_of_its_operands_layer() -> None:
    g = residual()
    assert g.layer(g["act"]) == "fc2" and g.layer(g["x"]) is None


def test_what_is_behind_all_layers_is_of_the_loss() -> None:
    g = residual()
    assert of(g, "loss") == {"y", "fc3.log_softmax", "fc3.nll", "loss"}
    assert g.layer(g["loss"]) is None


def test_a_layer_called_loss_is_not_the_loss() -> None:
    x, y = vg.input("x", ("N", 4)), vg.input("y", ("N",), dtype="i64")
    scores = vg.dense(vg.relu(vg.dense(x, 4, name="loss")), 3, name="fc2")
    g = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    assert of(g, "loss") == {"loss", "loss.weight", "loss.bias", "loss.relu"}
    assert of(g, "the loss") == {"y", "fc2.log_softmax", "fc2.nll", "loss.1"}
    assert g.layer(g["fc2.nll"]) is None and g.loss is g["loss.1"]
    training = stage(g, "differentiate")
    assert training.membership[training["loss.1.grad"]] == "the loss"
    assert training.membership[training["loss.relu.grad"]] == "loss"
    assert '"title the loss forward"' in training.to_dot(detail="nodes")


def test_the_loss_may_be_the_only_output() -> None:
    x, y = vg.input("x", ("N", 4)), vg.input("y", ("N", 2))
    g = vg.Graph("net", loss=vg.mean(vg.square(vg.dense(vg.tanh(vg.dense(x, 3)), 2) - y)))
    assert of(g, "loss") == {"y", "fc2.subtract", "fc2.square", "loss"}
    assert g.layer(g["fc1.tanh"]) == "fc1"


def test_a_graph_without_a_loss_has_no_such_part() -> None:
    g = residual().but(outputs={"scores": residual()["fc3"]})
    assert of(g, "loss") == set()


def test_gradients_and_masks_are_where_the_node_is_that_they_are_of() -> None:
    g = stage(residual(), "differentiate", dropout=vg.Dropout(keep=0.5), optimizer=vg.SGD(lr=0.1))
    assert g.layer(g["act.grad"]) == g.layer(g["act.mask"]) == "fc2"
    assert g.layer(g["fc3.grad"]) == "fc3"
    assert {"fc3.log_softmax.grad", "fc3.nll.grad", "loss.grad"} <= of(g, "loss")


def test_penalties_are_of_the_loss_and_what_they_add_to_a_gradient_of_its_layer() -> None:
    g = stage(residual(), "differentiate", regularizer=vg.L2(0.1), optimizer=vg.SGD(lr=0.1))
    assert {"fc1.squared_norm", "penalty", "data_loss", "loss"} <= of(g, "loss")
    assert g.layer(g["fc1.weight.grad"]) == "fc1"


def test_a_norm_of_all_gradients_is_of_no_layer() -> None:
    g = stage(residual(), "clip_gradients", clip=vg.ClipNorm(1.0), optimizer=vg.SGD(lr=0.1))
    assert g.layer(g["clip_factor"]) is None


def test_bookkeeping_is_sizes_casts_and_arithmetic_of_scalars() -> None:
    g = vg.compile(residual(), optimizer=vg.Adam(lr=0.1), certify=False).training
    folded = {n.op.name for n in g.order if is_bookkeeping(g, n)}
    assert {"dim", "cast", "divide", "power"} <= folded
    assert not folded & {"linear_relu", "linear", "matmul", "relu_grad"}
    assert not any(is_bookkeeping(g, n) for n in g.roots)
