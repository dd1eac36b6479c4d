"""Graphs that cannot be: what the error says was found, was expected, and is to be done."""

from __future__ import annotations

import numpy as np
import pytest
from api_nets import says, two_layer

import verigrad as vg

TEXT = """\
graph g {
  %x: f32[N,3] = input
  %w: f32[3,2] = parameter{init=he_normal}
  %h: f32[N,2] = matmul(%x, %w)
  %loss: f32[] = mean(%h)
  return loss=%loss
}
"""


def test_shapes_that_do_not_fit_name_layer_parameter_shapes_lines_and_fix() -> None:
    x = vg.input("pixels", ("N", 784))
    weight = vg.parameter("fc1.weight", (512, 100))
    with says("fc1", "fc1.weight", "f32[N,784]", "f32[512,100]", "pixels", "fix", "784"):
        vg.matmul(x, weight)


def test_the_error_holds_both_lines_of_the_user() -> None:
    x = vg.input("pixels", ("N", 784))
    weight = vg.parameter("fc1.weight", (512, 100))
    with pytest.raises(vg.VerigradError) as caught:
        vg.matmul(x, weight)
    message = str(caught.value)
    assert message.count("test_bad_graphs.py") >= 2
    assert 'vg.input("pixels", ("N", 784))' in message
    assert 'vg.parameter("fc1.weight", (512, 100))' in message


def test_a_layer_on_the_wrong_rank_says_how_to_reshape() -> None:
    x = vg.input("images", ("N", 3, 32, 32))
    with says("fc1", "images", "f32[N,3,32,32]", "[N,D]", "reshape"):
        vg.dense(x, 10, name="fc1")


def test_an_elementwise_mismatch_names_both() -> None:
    a, b = vg.input("a", ("N", 3)), vg.input("b", ("N", 4))
    with says("a", "b", "f32[N,3]", "f32[N,4]"):
        vg.add(a, b)


def test_mixed_dtypes_are_refused_with_a_cast() -> None:
    a, b = vg.input("a", ("N",)), vg.input("b", ("N",), dtype="i64")
    with says("f32[N]", "i64[N]", "cast"):
        vg.add(a, b)


def test_labels_that_are_floats_are_refused() -> None:
    scores, y = vg.input("scores", ("N", 3)), vg.input("y", ("N",))
    with says("y", "i64", "f32[N]"):
        vg.softmax_cross_entropy(scores, y)


def test_labels_of_another_batch_are_refused() -> None:
    scores, y = vg.input("scores", ("N", 3)), vg.input("y", ("M",), dtype="i64")
    with says("N", "M", "y"):
        vg.softmax_cross_entropy(scores, y)


def test_a_symbol_never_broadcasts() -> None:
    a, b = vg.input("a", ("N", 3)), vg.input("b", ("M", 3))
    with says("f32[N,3]", "f32[M,3]"):
        vg.add(a, b)


def test_a_dimension_that_is_neither_int_nor_symbol_is_refused() -> None:
    a, b = vg.input("a", ("N", 3)), vg.input("b", ("N", 3))
    with says("N"):
        vg.concat(a, b, axis=0)


@pytest.mark.parametrize("shape", [("N", -1), ("N", 2.5), ("N", None), ("", 3), ("N M", 3)])
def test_a_dimension_that_cannot_be_is_refused(shape: tuple) -> None:
    with says("x", repr(shape[1]) if shape[0] == "N" else shape[0]):
        vg.input("x", shape)


def test_a_shape_that_is_no_sequence_is_refused() -> None:
    for shape in (3, None, "N"):
        with says("x", "shape"):
            vg.input("x", shape)


@pytest.mark.parametrize("dtype", ["f16", "", "float16", None, np.float16, "text", 3])
def test_an_unknown_dtype_is_refused(dtype: object) -> None:
    with says("f32", "f64", "i64", "bool"):
        vg.input("x", ("N",), dtype=dtype)


@pytest.mark.parametrize("name", ["", "1x", "a b", "%x", "x/y", "é", "a\nb", "x=1", None, 3])
def test_a_name_that_cannot_be_written_is_refused(name: object) -> None:
    with says("name", repr(name)):
        vg.input(name, ("N",))


def test_an_illegal_layer_name_is_refused() -> None:
    x = vg.input("x", ("N", 3))
    with says("my layer"):
        vg.dense(x, 2, name="my layer")
    with says("my graph"):
        vg.Graph("my graph", {"x": x})
    with says("my output"):
        vg.Graph("g", {"my output": x})


def test_two_parameters_of_one_name_are_refused_with_both_lines() -> None:
    x = vg.input("x", ("N", 3))
    h = vg.dense(x, 3, name="fc1")
    h = vg.dense(h, 3, name="fc1")
    with pytest.raises(vg.VerigradError, match=r"fc1\.weight") as caught:
        vg.Graph("g", {"h": h})
    assert "twice" in str(caught.value)
    assert str(caught.value).count("test_bad_graphs.py") >= 2


def test_an_input_and_a_parameter_of_one_name_are_refused() -> None:
    x, other = vg.input("x", ("N", 3)), vg.parameter("x", (3,))
    with says("'x'", "twice"):
        vg.Graph("g", {"y": x * other})


def test_outputs_must_be_nodes() -> None:
    for wrong in (3.0, "x", None, np.ones(3)):
        with says("scores"):
            vg.Graph("g", {"scores": wrong})


def test_operands_must_be_nodes_or_numbers() -> None:
    x = vg.input("x", ("N", 3))
    for wrong in ("three", None, object()):
        with says("add"):
            vg.add(x, wrong)


def test_the_wrong_number_of_operands_is_refused() -> None:
    x = vg.input("x", ("N", 3))
    for call in (lambda: vg.matmul(x), lambda: vg.relu(x, x), lambda: vg.relu()):
        with pytest.raises((vg.VerigradError, TypeError), match=r"matmul|relu"):
            call()


def test_a_node_has_no_truth_value() -> None:
    x = vg.input("x", ("N", 3))
    with says("x"):
        bool(x)


def test_a_loss_that_is_no_scalar_is_refused_with_the_fix() -> None:
    x = vg.input("x", ("N", 3))
    h = vg.dense(x, 2, name="fc1")
    with says("loss", "f32[N,2]", "scalar", "mean"):
        vg.compile(vg.Graph("g", loss=h), optimizer=vg.SGD(lr=0.1))


def test_a_loss_of_integers_is_refused() -> None:
    y = vg.input("y", (), dtype="i64")
    with says("loss", "i64[]"):
        vg.compile(vg.Graph("g", loss=y))


def test_a_parameter_that_the_loss_does_not_reach_is_named() -> None:
    x = vg.input("x", ("N", 3))
    lost = vg.dense(x, 2, name="lost")
    used = vg.dense(x, 2, name="used")
    net = vg.Graph("g", {"lost": lost}, loss=vg.mean(used))
    with says("parameters 'lost.weight', 'lost.bias'", "no gradient", "trainable=False"):
        vg.compile(net, optimizer=vg.SGD(lr=0.1))


def test_a_parameter_behind_stop_gradient_alone_is_named() -> None:
    x = vg.input("x", ("N", 3))
    fixed = vg.stop_gradient(vg.dense(x, 3, name="fixed"))
    net = vg.Graph("g", loss=vg.mean(vg.dense(fixed, 2, name="used")))
    with says("fixed.weight", "stop_gradient", "trainable=False"):
        vg.compile(net, optimizer=vg.SGD(lr=0.1))


def test_a_frozen_layer_is_made_of_state() -> None:
    x = vg.input("x", ("N", 3))
    frozen = vg.state("frozen", (3, 3), "he_normal")
    h = vg.matmul(x, frozen)
    program = vg.compile(
        vg.Graph("g", loss=vg.mean(vg.dense(h, 2, name="used"))), optimizer=vg.SGD(lr=0.1)
    )
    before = program.state["frozen"]
    program.step(x=np.ones((4, 3)))
    np.testing.assert_array_equal(program.state["frozen"], before)
    assert before.any()


def test_an_update_of_what_is_no_state_is_refused() -> None:
    x = vg.input("x", ("N", 3))
    with says("x", "update"):
        vg.Graph("g", {"x": x}, updates={x: x})
    h = vg.mean(x)
    with says("update"):
        vg.Graph("g", {"x": x}, updates={h: h})


def test_an_update_of_a_parameter_beside_an_optimizer_is_refused() -> None:
    x, w = vg.input("x", ("N", 3)), vg.parameter("w", (3,))
    net = vg.Graph("g", loss=vg.mean(x * w), updates={w: w * 0.5})
    with says("'w'", "update", "optimizer"):
        vg.compile(net, optimizer=vg.SGD(lr=0.1))


def test_layers_are_made_of_nodes_and_sizes() -> None:
    with says("dense", "ndarray", "vg.input"):
        vg.dense(np.ones((3, 6)), 3)
    for wrong in (3, "100", None):
        with says("mlp", "units", repr(wrong)):
            vg.mlp(vg.input("x", ("N", 3)), wrong)


def test_an_update_of_another_type_is_refused() -> None:
    x, count = vg.input("x", ("N", 3)), vg.state("count", ())
    with says("count", "f32[]", "f32[N,3]"):
        vg.Graph("g", {"x": x}, updates={count: x})


def test_a_replacement_of_another_type_is_refused() -> None:
    x = vg.input("x", ("N", 3))
    h = vg.relu(x)
    g = vg.Graph("g", {"h": h})
    with says("f32[N,3]", "f32[N]"):
        g.replace({h: vg.sum(x, axes=[1])})


def test_the_text_is_read_as_it_stands() -> None:
    assert str(vg.parse(TEXT)) == TEXT or str(vg.parse(TEXT)) == TEXT.rstrip("\n")


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("matmul(%x, %w)", "matmul(%h, %w)", ["h", "line 4", "cycle"]),
        ("%h: f32[N,2]", "%h: f32[N,5]", ["h", "f32[N,5]", "f32[N,2]", "line 4"]),
        ("%h: f32[N,2]", "%h: f64[N,2]", ["h", "f64[N,2]", "f32[N,2]", "line 4"]),
        ("mean(%h)", "mean(%q)", ["q", "line 5"]),
        ("mean(%h)", "maen(%h)", ["maen", "mean", "line 5"]),
        ("mean(%h)", "mean{axis=[0]}(%h)", ["axis", "axes", "line 5"]),
        ("mean(%h)", "mean(%h, %h)", ["mean", "line 5"]),
        ("%loss: f32[] = mean", "%h: f32[] = mean", ["h", "line 5"]),
        ("return loss=%loss", "return loss=%h", ["loss", "f32[N,2]"]),
        ("return loss=%loss", "return loss=%loss, loss=%h", ["loss", "line 6"]),
        ("= input", "= inputt", ["inputt", "line 2"]),
        ("init=he_normal", "init=he_norml", ["he_norml", "he_normal", "line 3"]),
        ("f32[3,2]", "f32[3,K]", ["K"]),
        ("f32[3,2]", "f33[3,2]", ["f33", "line 3"]),
        ("  return loss=%loss\n}\n", "", ["line"]),
        ("graph g {", "grap g {", ["grap", "line 1"]),
        ("matmul(%x, %w)", "matmul(%x, %w", ["line 4"]),
        ("matmul(", "__import__(", ["__import__", "line 4"]),
    ],
)
def test_text_that_lies_is_refused_with_its_line(old: str, new: str, parts: list[str]) -> None:
    assert old in TEXT
    with says(*parts):
        vg.verify(vg.parse(TEXT.replace(old, new, 1)))


def test_a_long_cycle_in_text_is_named() -> None:
    text = """\
graph g {
  %x: f32[3] = input
  %a: f32[3] = add(%x, %c)
  %b: f32[3] = relu(%a)
  %c: f32[3] = relu(%b)
  return c=%c
}
"""
    with says("cycle", "%a", "%b", "%c"):
        vg.parse(text)


@pytest.mark.parametrize("text", ["", "\0", "{" * 5000, "graph", "é" * 100, "graph g {}\n" * 2])
def test_text_that_is_no_graph_is_refused(text: str) -> None:
    with says("line"):
        vg.parse(text)


def test_text_must_be_text() -> None:
    for wrong in (None, b"graph g {}", 3):
        with says("text"):
            vg.parse(wrong)


def test_options_of_another_kind_are_refused() -> None:
    net = two_layer()
    for options in (
        {"optimizer": "sgd"},
        {"optimizer": vg.SGD},
        {"regularizer": 1e-4},
        {"dropout": 0.5},
        {"seed": "zero"},
        {"seed": -1},
        {"seed": 0.5},
        {"pipeline": "fast"},
    ):
        (name,) = options
        with says(name):
            vg.compile(net, **options)


def test_compile_takes_a_graph() -> None:
    with says("Graph"):
        vg.compile(vg.mean(vg.input("x", ("N",))))


def test_every_error_is_ours_with_a_class_for_its_kind() -> None:
    kinds = (vg.GraphError, vg.PassError, vg.RunError, vg.NonFiniteError)
    assert all(issubclass(kind, vg.VerigradError) for kind in kinds)
    assert issubclass(vg.NonFiniteError, vg.RunError)


def test_nodes_graphs_and_ops_cannot_be_changed() -> None:
    g = two_layer()
    n = g.loss
    for thing, field in ((g, "name"), (n, "op"), (n, "type"), (n.type, "dtype"), (vg.L2(1.0), "x")):
        with pytest.raises((AttributeError, vg.VerigradError)):
            setattr(thing, field, "changed")
    with pytest.raises((TypeError, AttributeError)):
        g.outputs["loss"] = g.order[0]
    assert g.loss is n
