"""Names that nobody would choose, sizes 0 and 1, other compilers, and files that cannot be."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from c_library import LABEL, OK, SIZE, STRICT, Library, needs_gcc
from training_cases import classifier

import verigrad as vg
from verigrad.graph import RefutedError, kernel_groups
from verigrad.passes.scheduling.schedule import ScheduleBuffers
from verigrad.runtime.exporting.c.names import comment, reserved
from verigrad.runtime.exporting.c.source import c_files
from verigrad.runtime.exporting.graphs import Exported, exported, planned
from verigrad.runtime.exporting.identifiers import Names
from verigrad.runtime.planning import typed_arrays as typed
from verigrad.runtime.planning.typed_arrays import typed_arrays

pytestmark = pytest.mark.numpy_bits  # no export depends on what runs a step

NAMES = [
    "int", "exp", "y0", "class", "größe", "a.b", "a-b", "a_b", "net_state", "net_predict", "n", "i",
    "memset", "NAN", "INT64_MAX", "__x", "_Bool", "uint8_t", "expf", "vg_max_f32", "x2", "Größe",
]  # fmt: skip


def files_of(program: vg.Program, name: str = "net", training: bool = False, most: int = 4):
    e = exported(program._variants, training)
    sizes = dict.fromkeys([s for g in e.graphs for s in g.symbols], most)
    return c_files(planned(e, program._variants, sizes), name, program.metadata)


@needs_gcc
@pytest.mark.parametrize("stem", ["net", "int", "1st", "größte.net", "__", "exp"])
def test_names_become_identifiers_each_once(stem: str, tmp_path: Path) -> None:
    inputs = [vg.input(name, ("größe", 3)) for name in NAMES]
    h = inputs[0]
    for x, name in zip(inputs[1:], NAMES[1:], strict=True):
        h = vg.add(h, vg.multiply(x, vg.parameter(f"{name}.exp", (3,), "ones")))
    outputs = {name: vg.tanh(h, name=f"{name}.out") for name in NAMES[:5]}
    program = vg.compile(vg.Graph("net", outputs))
    program.metadata["classes"] = '["a\\"b", "??/", "*/\\n", "\\u00fc"]'
    (tmp_path / "built").mkdir()
    memory = program.to_c(tmp_path / f"{stem}.c", sizes={"größe": 2})
    assert memory.state == 0
    source = tmp_path / f"{stem}.c"
    subprocess.run(["gcc", *STRICT, "-c", "-o", tmp_path / "a.o", source], check=True)


@needs_gcc
def test_comments_and_keys_cannot_break_out(tmp_path: Path) -> None:
    mask = vg.ops.DropoutMask("*/ int x = 1; /* ??/\n\\", 0.5, ("N", 3), 2.0)
    step = vg.input("step", (), dtype="i64")
    y = vg.multiply(vg.input("x", ("N", 3)), vg.apply(mask, step))
    program = vg.compile(vg.Graph("net", {"y": y}))
    library = Library(files_of(program), tmp_path)
    feeds = {"x": np.ones((4, 3), np.float32), "step": np.array(5)}
    for n in (4, 1, 0):
        fed = {**feeds, "x": feeds["x"][:n]}
        status, out = library.call("predict", fed, {"N": n}, {"y": (n, 3)})
        assert status == OK
        np.testing.assert_array_equal(out["y"], program.predict(fed)["y"])


def test_a_comment_ends_where_it_ends() -> None:
    for text in ("*/", "/*", "**//", "/*/", "a*/b/*", "??/", "x\n*/ y", "\\", "/" * 5, "*" * 5):
        inner = comment(text).removeprefix("/*").removesuffix("*/")
        assert "*/" not in inner and "/*" not in inner and "??" not in inner


def test_names_of_a_scope_differ() -> None:
    names = Names(reserved)
    made = [names.new(name) for name in [*NAMES, *NAMES, "", ".", "9", "ⅷ"]]
    assert len(set(made)) == len(made)
    assert all(name.isascii() and name.isidentifier() for name in made)
    inner = names.inner()
    assert inner.new("größe") not in made


@needs_gcc
def test_truths_whole_numbers_scalars_and_two_symbols(tmp_path: Path) -> None:
    a, b = vg.input("a", ("N", 3)), vg.input("b", ("M", 3))
    on = vg.input("on", ("N",), dtype="bool")
    k, rate = vg.input("k", ("N",), dtype="i64"), vg.input("rate", ())
    product = vg.matmul(a, b, transpose_b=True)
    outputs = {
        "product": product * rate,
        "chosen": vg.where(on, k * k - k, -k),
        "most": vg.max(product),
        "told": vg.greater(k, k * 0),
        "fed": b,
        "half": vg.constant(0.5) * rate,
        "one": vg.constant(np.ones((1, 1), np.float32)),
        "none": vg.constant(np.zeros((0, 3), np.float32)),
    }
    program = vg.compile(vg.Graph("net", outputs))
    library = Library(files_of(program), tmp_path, "net", "-DNET_CHECK")
    rng = np.random.default_rng(0)
    order = [program.inference.names[n] for n in program.inference.inputs]
    assert library.check() == 0
    for n, m in ((4, 3), (1, 4), (0, 0)):
        feeds = {
            "a": rng.standard_normal((n, 3)).astype(np.float32),
            "b": rng.standard_normal((m, 3)).astype(np.float32),
            "on": rng.random(n) < 0.5,
            "k": rng.integers(-(2**63), 2**63 - 1, n),
            "rate": np.array(0.25, np.float32),
        }
        fed = {name: feeds[name] for name in order}
        sizes = {s: {"N": n, "M": m}[s] for s in program.inference.symbols}
        if not n * m:
            shapes = dict.fromkeys(outputs, ())
            assert library.call("predict", fed, sizes, shapes)[0] == SIZE
            continue
        due = program.predict(feeds)
        status, out = library.call("predict", fed, sizes, {k: v.shape for k, v in due.items()})
        assert status == OK
        for key, y in due.items():
            np.testing.assert_allclose(out[key], y, rtol=1e-6, err_msg=key)
            assert out[key].dtype == (np.uint8 if y.dtype == bool else y.dtype)


@needs_gcc
def test_no_symbol_and_no_input(tmp_path: Path) -> None:
    w = vg.parameter("w", (3,), vg.init.normal(1.0))
    program = vg.compile(vg.Graph("net", {"y": vg.square(w), "w": w}), seed=4)
    library = Library(files_of(program), tmp_path, "net", "-DNET_CHECK")
    assert library.check() == 0
    status, out = library.call("predict", {}, {}, {"y": (3,), "w": (3,)})
    assert status == OK
    np.testing.assert_array_equal(out["y"], program.predict()["y"])
    np.testing.assert_array_equal(out["w"], program.parameters["w"])


@needs_gcc
@pytest.mark.parametrize(
    "options",
    [
        ["gcc", "-std=c99", "-O2", "-fsanitize=address,undefined", "-fno-sanitize-recover"],
        ["g++", "-std=c++11", "-x", "c++"],
        ["clang", "-std=c99", "-fsanitize=address,undefined", "-fno-sanitize-recover"],
    ],
    ids=lambda o: o[0],
)
def test_other_compilers_and_sanitizers_are_silent(options: list[str], tmp_path: Path) -> None:
    if shutil.which(options[0]) is None:
        pytest.skip(f"there is no {options[0]} here")
    program = vg.compile(
        classifier(vg.gelu, "batch"), optimizer=vg.Adam(0.01), dropout=vg.Dropout(keep=0.8),
        clip=vg.ClipNorm(1.0), regularizer=vg.ElasticNet(1e-4, 1e-4),
    )  # fmt: skip
    program.to_c(tmp_path / "net.c", training=True, sizes={"N": 7})
    (tmp_path / "main.c").write_text(MAIN)
    built = [*options, *STRICT[1:], "-DNET_CHECK", "net.c", "main.c", "-lm", "-o", "main"]
    made = subprocess.run(built, cwd=tmp_path, capture_output=True, text=True)
    assert not made.returncode, made.stderr[:3000]
    ran = subprocess.run([tmp_path / "main"], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


MAIN = """
#include "net.h"
static float x[7 * 64], scores[7 * 10];
static int64_t y[7];
struct net_arena mine;

int main(void) {
    float loss = 0, first = 0;
    net_init();
    for (size_t i = 0; i < 7 * 64; i++)
        x[i] = (float)(i * 7919 % 17) / 17;
    for (size_t i = 0; i < 7; i++)
        y[i] = (int64_t)i;
    for (size_t k = 0; k < 40; k++) {
        if (net_step(x, y, k % 6 + 2, &loss) != NET_OK)
            return 1;
        first = k == 0 ? loss : first;
    }
    y[6] = 10;
    if (net_step(x, y, 7, NULL) != NET_LABEL || net_step(x, y, 1, NULL) != NET_SIZE)
        return 2;
    if (net_predict(x, 0, scores) != NET_OK || net_predict(x, 7, scores) != NET_OK)
        return 3;
#ifdef NET_CHECK
    if (net_check())
        return 5;
#endif
    return net_predict(x, 8, scores) == NET_SIZE ? 0 : 4;
}
"""


@needs_gcc
def test_the_arena_may_be_the_callers(tmp_path: Path) -> None:
    program = vg.compile(classifier(), optimizer=vg.SGD(0.1))
    program.to_c(tmp_path / "net.c", training=True, sizes={"N": 7})
    (tmp_path / "main.c").write_text(MAIN)
    built = ["gcc", *STRICT, "-DNET_ARENA=mine", "net.c", "main.c", "-lm", "-o", "main"]
    subprocess.run(built, cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "main"]).returncode in (0, 2)  # one row is enough here


@vg.op
class OwnOp(vg.Op):
    """y = x, by an op that is the user's."""

    name = "own_op_for_c"

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0]

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.copyto(out, x)


@vg.op
class Softsign(vg.Op):
    """y = x / (1 + |x|), by an op of the user's that says what it is in C and in NumPy."""

    name = "softsign_for_c"
    elementwise = True

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0]

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.divide(x, 1 + np.abs(x), out=out)

    def c(self, e, x: str) -> str:
        return f"{x} / ({e.number(1.0)} + {e.math('fabs', x)})"

    def numpy(self, x: str) -> str:
        return f"{x} / (1.0 + np.abs({x}))"


@needs_gcc
@vg.op
class Failing(OwnOp):
    """y = x, by an op whose forms in C and in NumPy fail."""

    name = "failing_in_files"
    elementwise = True

    def c(self, e, x: str) -> str:
        return e.nothing(x)

    def numpy(self, x: str) -> str:
        return x + 1


@pytest.mark.parametrize(("method", "error"), [("c", "AttributeError"), ("numpy", "TypeError")])
def test_an_own_op_whose_form_fails_is_named(method: str, error: str, tmp_path: Path) -> None:
    y = vg.tanh(vg.apply(Failing(), vg.input("x", ("N", 3))))
    program = vg.compile(vg.Graph("net", {"y": y}))
    path = tmp_path / ("net.c" if method == "c" else "net.py")
    lines = rf"(?s)the `{method}` of op failing_in_files failed with {error}.*\n  at test_c_files"
    with pytest.raises(vg.RunError, match=lines):
        getattr(program, f"to_{method}")(path)
    assert not path.exists()


def test_an_own_op_says_what_it_is(tmp_path: Path) -> None:
    x = vg.input("x", ("N", 3))
    y = vg.tanh(vg.apply(Softsign(), vg.square(x)))
    program = vg.compile(vg.Graph("net", {"y": y}))
    rows = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    due = program.predict(x=rows)["y"]
    library = Library(files_of(program), tmp_path)
    status, out = library.call("predict", {"x": rows}, {"N": 4}, {"y": (4, 3)})
    assert status == OK
    np.testing.assert_allclose(out["y"], due, rtol=1e-6)
    program.to_numpy(tmp_path / "net.py")
    made: dict[str, object] = {}
    exec((tmp_path / "net.py").read_text(), made)
    np.testing.assert_allclose(made["predict"](rows)["y"], due, rtol=1e-6)


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    x = vg.input("x", ("N", 3))
    own = vg.compile(vg.Graph("net", {"y": vg.apply(OwnOp(), x, name="mine")}))
    for write, ending in ((own.to_c, "c"), (own.to_numpy, "py")):
        with pytest.raises(vg.RunError, match="%mine: the op own_op_for_c has no form"):
            write(tmp_path / f"net.{ending}")
        with pytest.raises(vg.RunError, match=rf"ends in \.{ending}; write e\.g\. net\.{ending}"):
            write(tmp_path / "net.txt")
        with pytest.raises(vg.RunError, match="cannot be written"):
            write(tmp_path / "no" / f"net.{ending}")
    assert not [*tmp_path.iterdir()]
    program = vg.compile(classifier())
    with pytest.raises(vg.RunError, match="no optimizer, so there is no step to export"):
        program.to_c(tmp_path / "net.c", training=True)
    for name in ('a"b.c', "a\nb.c", "a\\b.c"):
        with pytest.raises(vg.RunError, match="includes no header of that name"):
            program.to_c(tmp_path / name)
    with pytest.raises(vg.RunError, match=r'\{"N": 128\} or other numbers are expected'):
        program.to_c(tmp_path / "net.c", sizes={"M": 3})
    with pytest.raises(vg.RunError, match="N is -1"):
        program.to_c(tmp_path / "net.c", sizes={"N": -1})
    for text in ("{", "[1]", '"a"'):
        program.metadata["classes"] = text
        for write, ending in ((program.to_c, "c"), (program.to_numpy, "py")):
            with pytest.raises(vg.RunError, match=r"'classes' is .* a list of texts"):
                write(tmp_path / f"net.{ending}")
    loss_alone = vg.Graph("net", loss=classifier().loss)
    with pytest.raises(vg.RunError, match="no output but its loss"):
        vg.compile(loss_alone).to_c(tmp_path / "net.c")
    assert not [*tmp_path.iterdir()]


@needs_gcc
def test_a_header_that_cannot_be_written_leaves_no_source(tmp_path: Path) -> None:
    (tmp_path / "net.h").mkdir()
    program = vg.compile(classifier())
    with pytest.raises(vg.RunError, match=r"net\.h cannot be written"):
        program.to_c(tmp_path / "net.c")
    assert not (tmp_path / "net.c").exists()


def test_the_same_program_is_the_same_text(tmp_path: Path) -> None:
    texts = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        program = vg.compile(classifier(), optimizer=vg.Adam(0.01), seed=3)
        memory = program.to_c(tmp_path / name / "net.c", training=True)
        program.to_numpy(tmp_path / name / "net.py", training=True)
        texts.append([(tmp_path / name / f"net.{e}").read_bytes() for e in ("c", "h", "py")])
    assert texts[0] == texts[1]
    header = texts[0][1].decode()
    assert f"{memory.arena:,} bytes" in header and f"{memory.state:,} bytes" in header


def planned_step(most: int) -> vg.Graph:
    program = vg.compile(
        classifier(vg.relu, "batch"), optimizer=vg.Adam(0.01), dropout=vg.Dropout(keep=0.9)
    )
    step = planned(exported(program._variants, True), program._variants, {"N": most}).step
    assert step is not None
    return step


def test_places_at_the_largest_batch_are_proved_and_serve_every_smaller() -> None:
    step = planned_step(40)
    at_most = typed_arrays(step, {"N": 40})
    assert at_most.placement.pairs > 100
    for rows in (1, 2, 7, 39, 40):
        for dtype, count in typed_arrays(step, {"N": rows}).counts.items():
            assert count <= at_most.counts[dtype]
        typed._proved(step, {"N": rows}, at_most.first, at_most.counts)


def test_a_place_that_is_wrong_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    step = planned_step(8)
    right = typed._offsets
    monkeypatch.setattr(
        typed, "_offsets", lambda lives, packed, alignment: [
            max(0, at - 1) for at in right(lives, packed, alignment)
        ],
    )  # fmt: skip
    with pytest.raises(RefutedError, match="share bytes"):
        typed_arrays(step, {"N": 8})


def test_labels_out_of_range_read_nothing(tmp_path: Path) -> None:
    p, y = vg.input("p", ("N", 3)), vg.input("y", ("N",), dtype="i64")
    g = ScheduleBuffers().apply(vg.Graph("net", {"nll": vg.nll(p, y)}))
    assert g.schedule is not None and kernel_groups(g.schedule)
    library = Library(c_files(Exported("net", g, None, {}, {"N": 4}), "net", {}), tmp_path)
    for label in (3, -1, 2**63 - 1, -(2**63)):
        feeds = {"p": np.zeros((2, 3), np.float32), "y": np.array([0, label])}
        assert library.call("predict", feeds, {"N": 2}, {"nll": (2,)})[0] == LABEL
