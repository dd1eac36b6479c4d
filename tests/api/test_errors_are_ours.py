"""Whatever is given in the place of what is due, the error is ours, and says where."""

from __future__ import annotations

import inspect
import random
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import pytest
from conftest import net

import verigrad as vg
from verigrad.graph import OPS

JUNK = [
    *("a", "none", "true", "5", "-5", "1.5", "nan", "1e400", "9" * 19, "9" * 400, "9" * 5000),
    *("[]", "[a]", "[-1]", "[1.5]", "[[0]]", "[N,4]", "[none]", "[" * 3000),
    *(
        '"\\q"',
        '"\\ud800"',
        '"x y"',
        "{}",
        "{a:1}",
        "{{}:2}",
        "{[1]:2}",
        "f32[N]",
    ),
    *(
        "he_normal",
        "normal(a)",
        "l2(" * 500,
        "f32[" + "9" * 30,
        "array([1,a])",
        "array([[1,2],[3]])",
    ),
    *("stored-00", "", "=", "{", "schedules.cosine(1,2)", "٣", "\x00"),
]
FIELDS = [(name, field) for name, kind in OPS.items() for field in (*kind.field_names, "zz")]


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_every_attribute_of_every_op_may_be_junk(name: str, field: str) -> None:
    kind = OPS[name]
    required = [n for n in kind.field_names if n not in kind.field_defaults and n != "type"]
    others = "".join(f",{n}=1" for n in required if n != field)
    for junk in JUNK:
        for inputs in ("", "(%a)", "(%a, %a, %c)"):
            text = (
                "graph g {\n  %a: f32[N,4] = input\n  %c: f32[4] = input\n"
                f"  %y: f32[N,4] = {name}{{{field}={junk}{others}}}{inputs}\n  return y=%y\n}}"
            )
            try:
                vg.parse(text)
            except vg.GraphError as e:
                assert str(e).startswith("line 4: ")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("sum{axes=[a]}(%x)", "sum: axes is ('a',), where a list of whole numbers or none is"),
        ("reshape{5}(%x)", "reshape: shape 5 is no sequence of dimensions"),
        ("reshape{[4,-1]}(%x)", "reshape: dimension -1 is neither"),
        ("leaky_relu{slope=[1]}(%x)", "leaky_relu: slope is (1,), where a number is expected"),
        ("matmul{transpose_a=1}(%x, %x)", "transpose_a is 1, where true or false is expected"),
        ('cast{"\\q"}(%x)', "cannot be read: Invalid \\escape"),
        ("leaky_relu{slope=" + "9" * 5000 + "}(%x)", "a number of 5000 digits"),
        ("sum{axes=" + "[" * 5000 + "}(%x)", "nested more than 100 deep"),
        ("nll(%s, %l)", "whose classes are counted by the symbol C, where a number is expected"),
    ],
)
def test_what_is_wrong_with_a_statement(statement: str, said: str) -> None:
    text = (
        "graph g {\n  %x: f32[N,4] = input\n  %s: f32[N,C] = input\n"
        f"  %l: i64[N] = input\n  %y: f32[N,4] = {statement}\n  return y=%y\n}}"
    )
    with pytest.raises(vg.GraphError) as e:
        vg.parse(text)
    assert str(e.value).startswith("line 5: ") and said in str(e.value)


def test_what_a_users_infer_raises_is_an_error_of_the_text() -> None:
    @vg.op
    class Broken(vg.Op):
        name: ClassVar[str] = "broken_for_errors"

        def infer(self, *types: vg.TensorType) -> vg.TensorType:
            return types[7]

    with pytest.raises(vg.GraphError, match=r"line 2: broken_for_errors: `infer` fails with Index"):
        vg.parse("graph g {\n  %y: f32[] = broken_for_errors()\n  return y=%y\n}")


TOKENS = [
    "%",
    "{",
    "}",
    "(",
    ")",
    "[",
    ",",
    "=",
    '"',
    "f32[]",
    "N",
    "-1",
    "9" * 5000,
    "nan",
    "none",
]
TOKENS += [
    "// group 0",
    "// group " + "9" * 5000,
    ", takes over %x",
    "return",
    "update",
    "\n",
    "\\",
]


def mutated(text: str, draw: random.Random) -> str:
    words = list(re.finditer(r"[\w.-]+|\S", text))
    for _ in range(draw.choice([1, 1, 2, 3])):
        at = draw.choice(words)
        new = draw.choice([draw.choice(TOKENS), draw.choice(words).group(), ""])
        text = text[: at.start()] + new + text[at.end() :]
    return text


@pytest.mark.parametrize("seed", range(5))
def test_texts_of_which_parts_are_changed(seed: int) -> None:
    program = vg.compile(net(6, 5, 3), optimizer=vg.Adam(0.1), dropout=vg.Dropout(keep=0.5))
    graphs = [program.declared, program.training, program.plan(N=4).graph, program.inference]
    draw = random.Random(seed)
    for text in map(str, graphs):
        for _ in range(12):
            try:
                g = vg.parse(mutated(text, draw))
            except vg.GraphError as e:
                assert re.match(r"line \d+: ", str(e))
                continue
            assert str(vg.parse(str(g))) == str(g)


SCHEDULED = """graph g {
  %w: f32[4] = parameter{init=ones}
  %one: f32[4] = input
  %a: f32[4] = add(%w, %one)  // group 0
  %b: f32[4] = add(%w, %w)  // group 1
  return b=%b
}"""


def test_what_is_scheduled_is_needed() -> None:
    with pytest.raises(vg.GraphError, match="%a is scheduled, but no output or update needs it"):
        vg.parse(SCHEDULED)


X = vg.input("x", ("N", 4))
OBJECTS: list[Any] = [
    *(None, True, -1, 1.5, float("nan"), 10**30, 10**400, "", "x y", "\ud800", b"x", [], [1], {}),
    *([[1]], {"a": 1}, set(), object(), object, len, np.float32(2), np.array(2.0), np.ones(3), 1j),
    *(np.array(["a"]), np.array([None]), X, X.type, X.op, vg.L2(0.1), vg.SGD, vg.TRAINING, [X, 1]),
    *(range(3), slice(1), ..., iter([1]), vg.Graph("g", {"x": X})),
]
FUNCTIONS = {n: getattr(vg, n) for n in vg.__all__ if inspect.isfunction(getattr(vg, n))}
FUNCTIONS |= {f"schedules.{n}": getattr(vg.schedules, n) for n in vg.schedules.__all__}
FUNCTIONS |= {f"init.{n}": getattr(vg.init, n) for n in vg.init.__all__}
FUNCTIONS |= {
    kind.__name__: kind
    for kind in (vg.SGD, vg.Momentum, vg.Nesterov, vg.AdaGrad, vg.RMSProp, vg.Adam, vg.AdamW)
}
FUNCTIONS |= {
    kind.__name__: kind
    for kind in (vg.L1, vg.L2, vg.ElasticNet, vg.ClipNorm, vg.ClipValue, vg.Dropout, vg.Group)
}
FUNCTIONS |= {"Graph": vg.Graph, "TensorType": vg.TensorType, "Pipeline": vg.Pipeline}
# These call what they are given, or are held by tests of their own.
_OWN = ("apply", "bisect", "op", "check_op", "digits", "fit", "gradcheck", "launch", "measure")
for _own in _OWN:
    del FUNCTIONS[_own]


def refuse(**options: Any) -> vg.Program:
    raise vg.RunError(f"nothing is built with {options}")


GIVEN: dict[str, Any] = {
    **dict.fromkeys(("x", "a", "b", "predictions", "targets", "log_rates", "counts", "logits"), X),
    **dict.fromkeys(("scores", "log_probabilities"), X),
    **{"labels": vg.input("y", ("N",), dtype="i64"), "condition": vg.greater(X, 0.0)},
    **{"weight": vg.parameter("w", (4, 2)), "bias": vg.parameter("b", (2,)), "units": 2},
    **{"name": "n", "shape": ("N", 4), "dtype": "f32", "axis": 1, "start": 0, "stop": 2},
    **{"before": 1, "after": 1, "keep": 0.5, "value": 1.0, "symbol": "N", "y": vg.sum(X)},
    **{"xs": [X], "g": vg.Graph("g", {"x": X}), "values": {}, "net": vg.Graph("g", {"x": X})},
    **{"text": "graph g {\n}", "path": "none", "lr": 0.1, "every": 2, "steps": 10, "decay": 0.9},
    **{"then": 0.1, "low": 0.0, "high": 1.0, "strength": 0.1, "l1": 0.1, "l2": 0.1, "limit": 1.0},
    **{"pattern": "*", "passes": [], "build": refuse, "ranges": {"l2": "0..1"}},
    **{"data": {"x": np.zeros((2, 4))}, "validation": {"x": np.zeros((2, 4))}},
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_may_be_anything(name: str) -> None:
    function = FUNCTIONS[name]
    parameters = inspect.signature(function).parameters.values()
    wanted = [p for p in parameters if p.kind is not p.VAR_POSITIONAL]
    given = {p.name: GIVEN[p.name] for p in wanted if p.default is p.empty}
    for p in wanted:
        for found in OBJECTS if p.name != "activation" else ():
            try:
                function(**{**given, p.name: found})
            except vg.VerigradError:
                continue


def too_large() -> vg.Graph:
    x = vg.input("x", ("N", 4))
    h = vg.matmul(x, vg.parameter("w", (4, 10**14), init="zeros"))
    return vg.Graph("large", {"h": h}, loss=vg.mean(h))


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda: vg.compile(too_large(), optimizer=vg.SGD(0.1)), "w take 1,600,000,000,000,000 by"),
        (lambda: vg.input("x", (10**30,)), "more elements than any memory"),
        (lambda: vg.input("x", (2**40, 2**40)), "more elements than any memory"),
        (lambda: vg.input("x", (-1,)), "dimension -1 is neither a size"),
        (lambda: vg.dense(X, 10**30), "more elements than any memory"),
        (lambda: vg.pad(X, 1, 0, 10**30), "pad: after is 1000"),
        (lambda: vg.broadcast_to(X, (10**30, "N", 4)), "more elements than any memory"),
        (lambda: rows().plan(N=10**30), "more elements than any memory"),
        (lambda: rows().source(N=10**13), "in one piece, which this machine does not give"),
        (lambda: vg.softmax_cross_entropy(vg.input("s", ("N", "C")), GIVEN["labels"]), "symbol C"),
        (lambda: vg.hinge(vg.input("s", ("N", "C")), GIVEN["labels"]), "the symbol C"),
        (lambda: of_nothing(lambda e: vg.max(e)), "the maximum of nothing is not defined"),
        (lambda: of_nothing(lambda e: vg.max(e, axis=1)), "the maximum of nothing is not defined"),
        (lambda: of_nothing(lambda e: vg.mean(e, axis=-1)), "the mean of nothing is not defined"),
        (lambda: of_nothing(vg.softmax), "which has no classes"),
    ],
)
def test_sizes_that_no_machine_has(use: Callable[[], object], said: str) -> None:
    with pytest.raises(vg.VerigradError) as e:
        use()
    assert said in str(e.value)


def of_nothing(reduced: Callable[[vg.Node], vg.Node]) -> object:
    e = vg.input("e", ("N", 0))
    return vg.compile(vg.Graph("nothing", {"y": reduced(e)})).predict(e=np.ones((2, 0)))


def rows() -> vg.Program:
    return vg.compile(vg.Graph("rows", {"y": vg.exp(X) + 1.0}))


def test_a_first_value_that_does_not_fit_is_an_error_of_its_parameter() -> None:
    class Huge(vg.Initializer):
        name: ClassVar[str] = "huge_for_errors"
        random: ClassVar[bool] = False

        def sample(self, shape: tuple[int, ...], words: np.ndarray) -> np.ndarray:
            return np.ones((*shape, 10**14))

    w = vg.parameter("w", (4, 2), init=Huge())
    program = vg.compile(vg.Graph("g", {"y": w * 2.0}))
    with pytest.raises(vg.GraphError, match=r"'w', f32\[4,2\], takes more memory"):
        program.predict()


def test_reductions_over_no_axis_of_a_scalar_run() -> None:
    w = vg.parameter("w", (), init="ones")
    program = vg.compile(vg.Graph("g", loss=vg.mean(vg.sum(w, axis=()), axis=())))
    assert program.gradients()[0] == 1.0


DATA = (np.ones((6, 4), np.float32), np.zeros(6, np.int64))


@pytest.mark.parametrize("what", ["fit", "measure"])
@pytest.mark.parametrize("found", [None, "net", vg.SGD, vg.Graph("g", {"x": X}), {"x": DATA[0]}])
def test_what_trains_and_measures_takes_a_program(what: str, found: Any) -> None:
    told = {"steps": 1} if what == "fit" else {}
    with pytest.raises(vg.RunError, match=rf"{what} takes a program, and not a .*vg\.compile"):
        getattr(vg, what)(found, DATA, **told)


@pytest.mark.parametrize(
    "junk", [None, "a", "1", [], [1, 2], {}, {1: 2}, np.ones(2), X, 0, -1, 0.5]
)
def test_options_of_calls_that_run_may_be_anything(junk: Any) -> None:
    program = vg.compile(net(4, 5, 3), optimizer=vg.SGD(0.1))
    feeds = {"x": DATA[0], "y": DATA[1]}
    calls: list[Callable[[], object]] = [
        lambda: vg.fit(program, DATA, steps=1, resume=junk),
        lambda: vg.fit(program, DATA, steps=1, progress="" if junk is None else junk),
        lambda: vg.fit(program, DATA, steps=1, validation=DATA, keep_best=junk),
        lambda: vg.fit(program, {1: 2}, steps=1, batch_size=junk),
        lambda: vg.fit(program, DATA, steps=1, validation={1: junk}),
        lambda: vg.measure(program, {1: junk}),
        lambda: program.step({1: junk}),
        lambda: program.profile(feeds, steps=junk),
        lambda: vg.EarlyStopping(junk),
        lambda: vg.gradcheck(program, {**feeds, 1: junk}),
        lambda: vg.gradcheck(program, feeds, entries=junk),
        lambda: vg.gradcheck(program, feeds, tolerance=0 if isinstance(junk, float) else junk),
    ]
    for call in calls:
        with pytest.raises(vg.RunError):
            call()


@pytest.mark.parametrize("path", [None, 5, b"model", "a\x00", "\ud800", ["a"], X, "n" * 5000])
def test_paths_may_be_anything(path: Any) -> None:
    program = vg.compile(net(4, 5, 3), optimizer=vg.SGD(0.1))
    calls: list[Callable[[], object]] = [
        lambda: vg.load(path),
        lambda: program.save(path),
        lambda: program.declared.to_svg(path),
        lambda: vg.fit(program, DATA, steps=1, checkpoint=path),
    ]
    for call in calls if path is not None else calls[:2]:
        with pytest.raises(vg.RunError, match=r"path|reached|written"):
            call()


@pytest.mark.parametrize("value", [10**30, 10**400, Fraction(1, 3)])
def test_numbers_that_numpy_has_none_of_say_what_to_write(value: Any) -> None:
    with pytest.raises(
        vg.GraphError, match=r"constant is one \w+( of \d+ bits)?, .*float\(value\)"
    ):
        vg.constant(value)


@pytest.mark.parametrize("axes", [{0: 1}, {0, 1}, b"\x00", {0: 1}.keys()])
def test_axes_are_in_an_order(axes: Any) -> None:
    for reduced in (vg.sum, vg.mean, vg.max, vg.transpose):
        with pytest.raises(vg.GraphError, match="where a whole number or several are expected"):
            reduced(X, axes=axes)
