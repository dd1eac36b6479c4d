"""Files that are none, broken or made to harm: errors of ours, soon, and never anything else."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from effort import tries
from onnx_models import dense, model, node

import verigrad as vg

pytestmark = [pytest.mark.oracle, pytest.mark.numpy_bits]


def refused(given: Any, match: str, **options: Any) -> None:
    start = time.process_time()
    with pytest.raises(vg.VerigradError, match=match):
        vg.from_onnx(given, **options)
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "holds no graph"),
        (b"\x00" * 50, "no ONNX file"),
        (b"not a model at all", "no ONNX file"),
        (b"\x80\x05\x95pickle", "no ONNX file"),
    ],
)
def test_garbage(onnx: Any, tmp_path: Path, data: bytes, match: str) -> None:
    refused(data, match)
    (tmp_path / "net.onnx").write_bytes(data)
    refused(tmp_path / "net.onnx", match)


@pytest.mark.parametrize("given", [None, 3, ["net.onnx"], object(), "nowhere.onnx", "a\0b", "."])
def test_what_is_no_file(onnx: Any, given: object) -> None:
    refused(given, "from_onnx takes|there is no file|no file can be called")


def test_every_cut_and_damaged_file(onnx: Any, rng: np.random.Generator) -> None:
    data = dense(rng, "Softmax").SerializeToString()
    chance = random.Random(0)
    broken = [data[:k] for k in range(0, len(data), 3)]
    for _ in range(tries(400)):
        damaged = bytearray(data)
        for _ in range(chance.choice([1, 1, 2, 8])):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        broken.append(bytes(damaged))
    read = 0
    for one in broken:
        try:
            vg.from_onnx(one)
            read += 1
        except vg.VerigradError:
            pass
    assert read < len(broken)


def test_missing_ops_are_one_error_that_names_all(onnx: Any) -> None:
    m = model(
        node("Conv", "x x", "a", name="first"),
        node("Relu", "a", "b"),
        node("LSTM", "b b b", "c", name="second"),
        node("Conv", "c c", "d", name="third"),
        node("Mine", "d", "y", domain="com.example"),
        domains={"com.example": 1},
    )
    with pytest.raises(vg.GraphError) as told:
        vg.from_onnx(m)
    text = str(told.value)
    assert "it needs 3 ops that verigrad has not" in text
    assert "Conv: 'first', 'third'" in text
    assert "LSTM: 'second'" in text and "com.example.Mine: 'y'" in text


def test_ops_in_a_branch_are_missing_as_well(onnx: Any) -> None:
    helper = onnx.helper
    out = helper.make_tensor_value_info("b", 1, None)
    branch = helper.make_graph([node("MaxPool", "x", "b", kernel_shape=[1])], "b", [], [out])
    m = model(node("If", "c", then_branch=branch, else_branch=branch), stored={"c": True})
    refused(m, "MaxPool: 'b'")


@pytest.mark.parametrize(
    ("nodes", "match"),
    [
        ([("Relu", "b", "a"), ("Relu", "a", "b"), ("Relu", "b", "y")], "reads 'b', which no node"),
        ([("Relu", "x", "y"), ("Tanh", "x", "y")], "'y', which another node gives"),
        ([("Relu", "x", "x")], "'x', which another node gives"),
        ([("Relu", "x", "z")], "the graph's outputs reads 'y'"),
        ([("Relu", "-", "y")], "input 0 is left out"),
        ([("Gemm", "x", "y")], "input 1 is left out"),
        ([("Add", "x", "y")], "input 1 is left out"),
        ([("Add", "x x x", "y")], "not what its op takes"),
    ],
)
def test_nodes_that_make_no_graph(onnx: Any, nodes: list[tuple[str, ...]], match: str) -> None:
    refused(model(*[node(*n) for n in nodes]), match)


def test_functions_that_call_themselves_or_explode(onnx: Any) -> None:
    helper = onnx.helper
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("f", 1)]

    def function(name: str, *calls: Any) -> Any:
        return helper.make_function("f", name, ["a"], ["c"], list(calls), imports)

    call = node("L0", "x", domain="f")
    itself = function("L0", node("L0", "a", "c", domain="f"))
    refused(model(call, functions=[itself], domains={"f": 1}), "calls itself")
    laughs = [function("L0", node("Relu", "a", "b"), node("Relu", "b", "c"))]
    for k in range(40):
        inner = {"domain": "f"}
        laughs.append(
            function(
                f"L{k + 1}", node(f"L{k}", "a", "b", **inner), node(f"L{k}", "b", "c", **inner)
            )
        )
    last = node("L40", "x", domain="f")
    refused(model(last, functions=laughs, domains={"f": 1}), "come to more than")
    g = vg.from_onnx(model(node("L2", "x", domain="f"), functions=laughs[:3], domains={"f": 1}))
    assert [n.op.name for n in g.order] == ["relu"] * 8


LARGE: dict[str, tuple[Any, ...]] = {
    "range": ("Range", "a b c", {"a": 0, "b": 10**15, "c": 1}),
    "tile": ("Tile", "x r", {"r": np.array([10**9, 10**9])}),
    "one-hot": ("OneHot", "r d v", {"r": 3, "d": 10**12, "v": np.array([0, 1], np.float32)}),
    "edge": ("Pad", "x p", {"p": np.array([0, 10**12, 0, 0])}),
    "top": ("TopK", "x k", {"k": np.array([10**9])}),
}


@pytest.mark.parametrize("name", LARGE)
def test_what_would_fill_the_memory(onnx: Any, name: str) -> None:
    op, inputs, stored = LARGE[name]
    attributes = {"mode": "edge"} if op == "Pad" else {}
    refused(model(node(op, inputs, **attributes), stored=stored), "are the most")


def test_a_large_constant_that_is_reduced_is_not_made(onnx: Any) -> None:
    m = model(node("ConstantOfShape", "s", "c"), node("ReduceSum", "c", "y"),
              stored={"s": np.array([10**8, 10**8])})  # fmt: skip
    assert vg.from_onnx(m).outputs["y"].type == vg.TensorType("f32", (1, 1))


def test_tensors_that_are_not_what_they_say(onnx: Any, rng: np.random.Generator) -> None:
    for change, match in (
        (lambda t: t.dims.__setitem__(0, 10**18), "which no tensor has"),
        (lambda t: t.dims.__setitem__(0, -1), "which no tensor has"),
        (lambda t: t.dims.__setitem__(0, 9), "holds other data"),
        (lambda t: setattr(t, "raw_data", t.raw_data[:-1]), "holds other data"),
        (lambda t: setattr(t, "data_type", 17), "float8"),
        (lambda t: setattr(t, "data_type", 10), "holds other data|float16"),
        (lambda t: setattr(t, "data_type", 99), "number 99"),
        (lambda t: setattr(t, "name", "x"), "reads 'fc1.weight'"),
    ):
        m = dense(rng)
        change(m.graph.initializer[0])
        refused(m, match)


def external(m: Any, location: str, **told: object) -> Any:
    """The model with its first tensor in another file."""
    tensor = m.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    for key, value in {"location": location, **told}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(value)
    return m


def test_data_outside_of_the_folder(onnx: Any, tmp_path: Path, rng: np.random.Generator) -> None:
    inside = tmp_path / "nets"
    inside.mkdir()
    weight = rng.standard_normal((8, 4)).astype(np.float32)
    for folder in (tmp_path, inside):
        (folder / "data.bin").write_bytes(b"head" + weight.tobytes())
    (inside / "link.bin").symlink_to(tmp_path / "data.bin")
    path = inside / "net.onnx"

    def written(location: str, **told: object) -> Path:
        path.write_bytes(external(dense(rng), location, **told).SerializeToString())
        return path

    outside = "no file in the folder of the net"
    for location in ("../data.bin", str(tmp_path / "data.bin"), "link.bin", "none.bin", ".", ""):
        refused(written(location), outside)
    refused(written("data.bin", offset=4, length=10**15), "ends .* bytes early")
    refused(written("data.bin", offset=-4), outside)
    refused(written("data.bin", offset="x"), "cannot be read")
    refused(written("data.bin"), "holds other data")  # the head is read as well
    refused(path.read_bytes(), "lies in another file")
    g = vg.from_onnx(written("data.bin", offset=4, length=128))
    np.testing.assert_array_equal(vg.compile(g).parameters["fc1.weight"], weight.T)


def test_names_that_no_text_holds(onnx: Any, rng: np.random.Generator) -> None:
    data = dense(rng).SerializeToString().replace(b"fc1.weight", b"fc1.wei\xffht")
    refused(data, "a name in it is no text")


def test_an_opset_of_long_ago_or_another_type(onnx: Any, rng: np.random.Generator) -> None:
    refused(dense(rng, opset=6), "opset is 6, and 7 or newer")
    refused(model(node("Relu", "x"), inputs={"x": (10, ["N"])}), "float16, where float")
    refused(model(node("Relu", "x"), inputs={"x": (1, None)}), "no shape")
    refused(model(node("Identity", "x"), inputs={"x": (8, ["N"])}), "fix: encode texts as numbers")
    sequence = model(node("Relu", "x"))
    sequence.graph.input[0].type.sequence_type.elem_type.tensor_type.elem_type = 1
    refused(sequence, "is no tensor, but sequence_type")


def test_sparse_tensors_and_texts_alone(onnx: Any) -> None:
    m = model(node("Relu", "x"))
    m.graph.sparse_initializer.add()
    refused(m, "sparse")
    refused(model(node("Constant", "", value_string="a")), "no output that is a tensor of numbers")
