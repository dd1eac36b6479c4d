"""Arrays: what is none is refused at every way in, with what was found and what to write."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from api_nets import rows, says, snapshot, two_layer

import verigrad as vg

Call = Callable[[Any], object]


class Tensor:
    """A tensor of another library whose conversion fails, as one does that requires grad."""

    def __init__(self, values: Any) -> None:
        self._values = values

    def __array__(self, *args: object, **kwargs: object) -> np.ndarray:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.\nMore of it.")

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def numpy(self) -> np.ndarray:
        return np.array(self._values)


class Sparse:
    """A matrix that NumPy sees as one object."""

    def __init__(self, values: Any) -> None:
        self._values = values

    def toarray(self) -> np.ndarray:
        return np.array(self._values)


class Failing:
    """What knows no attribute, and says so by another error than is due."""

    def __init__(self, values: Any) -> None:
        pass

    def __getattr__(self, name: str) -> object:
        raise KeyError(name)


class Masking:
    """What converts itself to a masked array."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def __array__(self, *args: object, **kwargs: object) -> np.ndarray:
        return masked(self._values)


def masked(a: np.ndarray) -> np.ndarray:
    return np.ma.masked_array(a, mask=np.arange(a.size).reshape(a.shape) == a.size - 1)


def records(a: np.ndarray) -> np.ndarray:
    return np.rec.fromarrays([a, a], names="a,b")


BAD: dict[str, tuple[Callable[[np.ndarray], Any], str]] = {
    "masked": (masked, "masked"),
    "list of masked": (lambda a: [masked(np.array([1.0, 2.0]))] * len(a), r"the first at \[0, 1\]"),
    "deque of masked": (lambda a: deque([masked(np.array([1.0, 2.0]))] * len(a)), "masked"),
    "masks itself": (Masking, "masked"),
    "dict": (lambda a: dict(enumerate(a.tolist())), "dict"),
    "set": (lambda a: set(a.ravel().tolist()), "set"),
    "keys": (lambda a: dict.fromkeys(a.ravel().tolist()).keys(), "dict_keys"),
    "generator": (lambda a: (v for v in a.tolist()), r"generator.*list\("),
    "text": (lambda a: "0.5", "a text, '0.5'"),
    "bytes": (lambda a: b"0.5", "a text"),
    "texts": (lambda a: a.astype(str), r"texts such as .*astype\(float\)"),
    "None": (lambda a: None, "is None"),
    "objects": (lambda a: a.astype(object), "array of objects"),
    "texts as objects": (lambda a: a.astype(str).astype("O"), r"texts such as .*astype\(float\)"),
    "classes as objects": (
        lambda a: np.array(["cat"] * len(a), object), r"texts such as 'cat'.*return_inverse=True",
    ),
    "no floats": (lambda a: [10**400] * len(a), "int too large to convert to float"),
    "bytes of no dtype": (lambda a: a.astype("V8"), r"\|V8, bytes of no dtype.*; read them"),
    "attributes that fail": (Failing, "Failing that cannot be made an array .KeyError"),
    "a None in it": (lambda a: [None, *a.tolist()][: len(a)], r"(NoneType|parts differ|None)"),
    "complex": (lambda a: a.astype(complex), "complex128"),
    "times": (lambda a: a.astype("datetime64[s]"), "datetime64"),
    "matrix": (lambda a: np.atleast_2d(a).view(np.matrix), r"np\.asarray\("),
    "records": (records, "records"),
    "tensor": (Tensor, r"RuntimeError: Can't call numpy.*\.detach\(\)\.cpu\(\)\.numpy\(\)"),
    "list of tensors": (lambda a: [Tensor(v) for v in a], r"\[t\.detach\(\)"),
    "sparse": (Sparse, r"\.toarray\(\)"),
    "an object": (lambda a: object(), "a object"),
}  # fmt: skip


def ways() -> dict[str, tuple[Call, np.ndarray]]:
    """Every way in for an array, and what would be right there."""
    program = vg.compile(two_layer(), optimizer=vg.SGD(lr=0.1))
    feeds = rows(4)
    x, y, weight = feeds["x"], feeds["y"], program.parameters["fc1.weight"]
    net, state = two_layer(), {**program.parameters, **program.state}
    scores = vg.input("scores", ("N", 3))
    labels = vg.input("labels", ("N",), dtype="i64")
    return {
        "step": (lambda v: program.step(x=v, y=y), x),
        "labels": (lambda v: program.step(x=x, y=v), y),
        "predict": (lambda v: program.predict({"x": v}), x),
        "loss": (lambda v: program.loss(x=v, y=y), x),
        "gradients": (lambda v: program.gradients(x=v, y=y), x),
        "evaluate": (lambda v: program.evaluate(x=v, y=y), x),
        "profile": (lambda v: program.profile(x=v, y=y), x),
        "fit": (lambda v: vg.fit(program, (v, y), epochs=1), x),
        "fit labels": (lambda v: vg.fit(program, {"x": x, "y": v}, epochs=1), y),
        "validation": (lambda v: vg.fit(program, (x, y), validation=(v, y), epochs=1), x),
        "measure": (lambda v: vg.measure(program, (v, y)), x),
        "parameters": (lambda v: program.parameters.update({"fc1.weight": v}), weight),
        "state": (lambda v: program.state.__setitem__("step", v), np.array([7])),
        "gradcheck": (lambda v: vg.gradcheck(net, {"x": v, "y": y}), x),
        "gradcheck's weights": (
            lambda v: vg.gradcheck(net, feeds, parameters={"fc1.weight": v}), weight,
        ),
        "interpret": (lambda v: vg.interpret(net, {**state, "x": v, "y": y}), x),
        "init": (lambda v: vg.parameter("w", (6, 5), init=v), weight),
        "constant": (lambda v: vg.constant(v), x),
        "class weights": (
            lambda v: vg.softmax_cross_entropy(scores, labels, class_weights=v), np.ones(3),
        ),
    }  # fmt: skip


WAYS = ways()
MEANT = {("class weights", "dict"), ("class weights", "None"), ("gradcheck's weights", "None")}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_array_of_numbers_is_refused_at_every_way_in(way: str, kind: str) -> None:
    call, right = WAYS[way]
    make, message = BAD[kind]
    if (way, kind) in MEANT:
        return
    bad = make(right)
    if way == "init" and (kind == "attributes that fail" or not hasattr(bad, "__array__")):
        message = "give a name such as|initializer"
    with pytest.raises(vg.VerigradError, match=f"(?s){message}"):
        call(bad)


def test_what_was_refused_has_changed_nothing() -> None:
    program, feeds = vg.compile(two_layer(), optimizer=vg.SGD(lr=0.1)), rows(4)
    before = snapshot(program)
    for make, _ in BAD.values():
        with pytest.raises(vg.VerigradError):
            program.parameters["fc1.weight"] = make(program.parameters["fc1.weight"])
        with pytest.raises(vg.VerigradError):
            vg.fit(program, (make(feeds["x"]), feeds["y"]), epochs=1)
    assert snapshot(program) == before


def test_a_mask_that_masks_nothing_is_taken() -> None:
    program, feeds = vg.compile(two_layer()), rows(4)
    whole = np.ma.masked_array(feeds["x"], mask=np.zeros_like(feeds["x"], bool))
    assert program.loss(x=whole, y=feeds["y"]) == program.loss(feeds)
    assert vg.measure(program, (whole, feeds["y"])) == vg.measure(program, (feeds["x"], feeds["y"]))


def test_lists_and_what_converts_itself_are_arrays() -> None:
    class Converts:
        def __array__(self, *args: object, **kwargs: object) -> np.ndarray:
            return rows(4)["x"]

    program, feeds = vg.compile(two_layer()), rows(4)
    for x in (feeds["x"].tolist(), tuple(map(tuple, feeds["x"].tolist())), Converts()):
        assert program.loss(x=x, y=feeds["y"].tolist()) == program.loss(feeds)
        assert vg.measure(program, (x, feeds["y"])).loss == pytest.approx(program.loss(feeds))


ONE_HOT = np.eye(3)[[0, 2, 1, 2]]
REMEDIED: list[tuple[str, str, Any]] = [
    ("f32[N,1]", "x", np.ones(4)),
    ("f32[N,1]", "x", [1.0, 2.0, 3.0, 4.0]),
    ("f32[N]", "x", np.ones((4, 1))),
    ("f32[N]", "x", np.ones((4, 1), bool)),
    ("f32[N,6]", "x", np.ones((4, 2, 3))),
    ("f32[N,2,3]", "x", np.ones((4, 6))),
    ("f32[N,6]", "x", np.ones(6)),
    ("f32[N,6]", "x", np.ones((6, 4))),
    ("f32[N,6]", "x", np.ones((4, 6), bool)),
    ("i64[N]", "y", np.array([0.0, 2.0, 1.0, 2.0])),
    ("i64[N]", "y", np.array([0, 2, 1, 2], np.float16)),
    ("i64[N]", "y", np.array([True, False, True, True])),
    ("i64[N]", "y", ONE_HOT),
    ("i64[N]", "y", ONE_HOT.tolist()),
    ("i64[N]", "y", ONE_HOT.astype(bool)),
    ("i64[N]", "y", np.array([[0], [2], [1], [2]])),
    ("i64[N]", "y", np.array([[0.0], [2.0], [1.0], [2.0]])),
    ("i64[N]", "y", [[0.0], [2.0]]),
    ("i64[N]", "y", np.array(["1", "0", "2"])),
    ("i64[N]", "y", np.array(["cat", "dog", "cat"])),
    ("i64[N]", "y", ["cat", "dog", "cat"]),
    ("bool[N]", "m", np.array([0.0, 1.0])),
    ("bool[N]", "m", [1, 0]),
]


@pytest.mark.parametrize(("type", "name", "value"), REMEDIED)
def test_the_remedy_works_as_it_is_written(type: str, name: str, value: Any) -> None:
    """Until it is taken: a text that holds floats needs two."""
    program = vg.compile(vg.parse(f"graph g {{\n %{name}: {type} = input\n return o=%{name}\n}}"))
    for _ in range(3):
        try:
            program.predict({name: value})
            return
        except vg.RunError as e:
            told = re.search(rf"(?:give|number them,) (?:{name} = )?(.*)", str(e))
            assert told, str(e)
            value = eval(told[1], {"np": np, name: value})
    pytest.fail(f"{value!r} is not taken in the end")


def test_a_label_that_is_no_whole_number_is_named_with_its_row() -> None:
    program = vg.compile(two_layer())
    with says("'y' is float64, with 0.5 in row 2, where integers are expected (i64[N])"):
        program.loss(x=rows(4)["x"], y=[0.0, 1.0, 0.5, 1.0])
    with says("with nan in row 1"):
        vg.measure(program, (rows(4)["x"], [0.0, np.nan, 0.5, 1.0]))


@pytest.mark.parametrize(
    ("labels", "hint"),
    [([1, 2, 3, 1], "give np.asarray(y) - 1"), ([0, 1, 2, 3], "0 to 2"), ([5, 0, 0, 0], "5")],
)
def test_labels_out_of_range_name_their_input_at_every_way_in(labels: list[int], hint: str) -> None:
    program, x = vg.compile(two_layer(), optimizer=vg.SGD(lr=0.1)), rows(4)["x"]
    held = {**program.parameters, **program.state}
    for call in (
        lambda: program.step(x=x, y=labels),
        lambda: program.evaluate(x=x, y=labels),
        lambda: vg.fit(program, (x, labels), epochs=1),
        lambda: vg.measure(program, (x, labels)),
        lambda: vg.gradcheck(two_layer(), {"x": x, "y": labels}),
        lambda: vg.interpret(two_layer(), {**held, "x": x, "y": np.array(labels)}),
    ):
        with says("input 'y' holds the label", hint, "with 3 classes, labels are 0 to 2"):
            call()


def test_values_that_a_dtype_cannot_hold_are_refused() -> None:
    for value, dtype in (
        (1.5, "i64"),
        (np.nan, "i64"),
        (2**63, "i64"),
        (2.0**63, "i64"),
        (2, "bool"),
    ):
        with says(f"no {dtype} can hold"):
            vg.constant(value, dtype)
        with says("no"):
            vg.state("s", (1,), init=np.array([value]), dtype=dtype)
    assert vg.constant(2.0, "i64").op.array == 2
    program = vg.compile(two_layer(), optimizer=vg.SGD(lr=0.1))
    with says("state 'step'", str(2**63), "no i64 can hold"):
        program.state["step"] = np.full(program.state["step"].shape, 2**63, np.uint64)


def test_the_remedy_for_labels_works_as_it_is_written() -> None:
    one = vg.compile(two_layer(classes=2), optimizer=vg.SGD(lr=0.1))
    for y in ([1, 2, 1, 2], [-1, 1, 1, -1]):
        with pytest.raises(vg.RunError) as raised:
            one.step(x=rows(4)["x"], y=y)
        written = str(raised.value).splitlines()[0].rpartition("give ")[2]
        assert eval(written, {"np": np, "y": y}).tolist() == [int(v == max(y)) for v in y]
        one.step(x=rows(4)["x"], y=eval(written, {"np": np, "y": y}))


def test_sets_and_dicts_have_no_order() -> None:
    x = vg.input("x", ("N", 4))
    for call in (
        lambda: vg.input("q", {4, 5}),  # type: ignore[arg-type]
        lambda: vg.input("q", {"N": 4}),  # type: ignore[arg-type]
        lambda: vg.reshape(x, {"N", 4}),
        lambda: vg.broadcast_to(x, {"N", 4}),
        lambda: vg.grad(vg.sum(x), {x}),  # type: ignore[arg-type]
        lambda: vg.gradcheck(two_layer(), rows(4), parameters={"fc1.weight"}),  # type: ignore[arg-type]
        lambda: vg.interpret(two_layer(), [rows(4)["x"]]),  # type: ignore[arg-type]
        lambda: vg.compile(two_layer()).parameters[["fc1.weight"]],  # type: ignore[index]
    ):
        with pytest.raises(vg.VerigradError):
            call()


class Rows:
    """A sampler whose rows are what it is told."""

    steps_per_epoch, largest = 1, 2

    def __init__(self, rows: Any) -> None:
        self._rows = rows

    def rows(self, step: int) -> Any:
        return self._rows


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([0, 4], "holds 4, where rows are 0 to 3"),
        ([-1, 0], "holds -1"),
        ([0, 1, 2], r"int64\[3\], where from 1 to 2"),
        ([], r"\[0\]"),
        ([True, False], "bool"),
        ([0.0, 1.0], "float64"),
        ({0, 1}, "set"),
    ],
)
def test_a_samplers_rows_are_rows_of_the_data(given: Any, message: str) -> None:
    program = vg.compile(two_layer(), optimizer=vg.SGD(lr=0.1))
    data = (rows(4)["x"], rows(4)["y"])
    with pytest.raises(vg.RunError, match=message):
        vg.fit(program, data, steps=1, sampler=Rows(given))
    vg.fit(program, data, steps=1, sampler=Rows([0, 3]))
