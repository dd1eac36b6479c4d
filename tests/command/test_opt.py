"""`verigrad opt`: passes run on a graph that is given as text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from invoking import run

import verigrad as vg
from verigrad.runtime.command.cli import cli

OWN = Path(__file__).parent / "own_passes.py"
TEXT = """\
graph net {
  %x: f32[N,4] = input
  %y: i64[N] = input
  %fc1.weight: f32[4,5] = parameter{init=he_normal}
  %fc1.bias: f32[5] = parameter{init=zeros}
  %fc2.weight: f32[5,3] = parameter{init=he_normal}
  %fc2.bias: f32[3] = parameter{init=zeros}
  %c1: f32[] = constant{1.0}
  %scaled: f32[N,4] = multiply(%x, %c1)
  %fc1: f32[N,5] = linear(%scaled, %fc1.weight, %fc1.bias)
  %fc1.relu: f32[N,5] = relu(%fc1)
  %fc2: f32[N,3] = linear(%fc1.relu, %fc2.weight, %fc2.bias)
  %fc2.log_softmax: f32[N,3] = log_softmax(%fc2)
  %fc2.nll: f32[N] = nll(%fc2.log_softmax, %y)
  %loss: f32[] = mean(%fc2.nll)
  return loss=%loss
}
"""
SMALLEST = """\
graph net {
  %fc1: f32[N,3] = input
  %fc1.relu: f32[N,3] = relu(%fc1)
  return y=%fc1.relu
}
"""


@pytest.fixture
def ir(tmp_path: Path) -> Path:
    path = tmp_path / "net.ir"
    path.write_text(TEXT)
    return path


def own(name: str) -> str:
    return f"{OWN}:{name}"


def piped(text: str | bytes, *arguments: object) -> Result:
    """What the command makes of a text on stdin."""
    return CliRunner().invoke(cli, ["opt", *map(str, arguments)], input=text)


def kind(told: str) -> str:
    """What stderr says went wrong, without whom and where."""
    line = next(line for line in told.splitlines() if line.startswith("Error: "))
    return re.sub(r"(\w+, )?%?\w+(\.\w+)?: |output \w+|\[[^\]]*\]|\d+", "", line)


# ---- what goes in and what comes out --------------------------------------------------------


def test_without_a_pass_the_text_comes_back(ir: Path) -> None:
    assert run("opt", ir).stdout == TEXT
    assert piped(TEXT).stdout == piped(TEXT, "-").stdout == TEXT
    assert piped(TEXT.replace("\n", "\r\n")).stdout == TEXT


def test_passes_run_in_order_and_the_graph_is_printed(ir: Path, tmp_path: Path) -> None:
    done = run("opt", ir, "--pass", "simplify", "--pipeline", "fuse_linear_relu")
    assert done.exit_code == 0 and done.stderr == ""
    assert "%scaled" not in done.stdout and "%fc1: f32[N,5] = linear_relu(%x," in done.stdout
    assert run("opt", ir, "--pass", "simplify,fuse_linear_relu").stdout == done.stdout
    out = tmp_path / "out.ir"
    written = run("opt", ir, "--pass", "simplify,fuse_linear_relu", "-o", out)
    assert (written.stdout, out.read_text()) == ("", done.stdout)
    again = piped(done.stdout, "--pass", "simplify,fuse_linear_relu")
    assert again.stdout == done.stdout


def test_a_pipeline_gives_what_compiling_gives(ir: Path) -> None:
    done = run("opt", ir, "--pipeline", "training{optimizer=momentum(0.1)}")
    program = vg.compile(vg.parse(TEXT), optimizer=vg.Momentum(0.1))
    assert done.stdout == f"{program.training}\n"
    assert run("opt", ir, "--pass", "inference").stdout == f"{program.inference}\n"


def test_a_pass_may_run_twice_and_needs_what_the_text_may_have(ir: Path) -> None:
    assert run("opt", ir, "--pass", "simplify,fuse_linear_relu,simplify").exit_code == 0
    trained = run("opt", ir, "--pass", "differentiate").stdout
    done = piped(trained, "--pass", "clip_norm{limit=1},sgd{0.1}")
    assert done.exit_code == 0 and "update %fc1.weight" in done.stdout
    wrong = run("opt", ir, "--pass", "fuse_linear_relu,differentiate")
    assert wrong.exit_code == 2
    assert "differentiate needs 'differentiable', which fuse_linear_relu" in wrong.stderr


def test_every_number_of_a_net_on_data_can_be_written_out() -> None:
    named = run("graph").stdout
    whole = run("graph", "--written-out").stdout
    assert "constant{stored-" in named and "stored-" not in whole
    refused = piped(named)
    assert refused.exit_code == 2 and "fix: print it with verigrad graph --written-out" in (
        refused.stderr
    )
    assert piped(whole).stdout == whole
    for other in (["--json"], ["--stage", "list"], ["--format", "dot"]):
        assert run("graph", "--written-out", *other).exit_code == 2
    diff = piped(whole, "--pass", "training", "--diff").stdout
    assert max(map(len, diff.splitlines())) < 500


def test_the_passes_are_listed() -> None:
    listed = run("opt", "--list", "--load", OWN).stdout.splitlines()
    names = {line.split()[0] for line in listed}
    assert {*vg.TRAINING.names, *vg.INFERENCE.names, "recompute", "capped"} <= names
    assert next(line for line in listed if line.startswith("capped ")).endswith(
        "  relu(x) becomes minimum(relu(x), cap)."
    )


# ---- looking ----------------------------------------------------------------------------------


def test_the_graph_after_each_pass(ir: Path) -> None:
    done = run("opt", ir, "--pass", "fuse_linear_relu,fold_constants", "--print-after-all").stdout
    first, second = done.split("// ----- after ")[1:]
    name, _, text = first.partition("\n")
    assert name == "fuse_linear_relu" and "linear_relu(%scaled" in text
    assert str(vg.parse(text)) == text.strip()
    assert second.strip() == "fold_constants: nothing changed"


def test_what_each_pass_changed_and_nothing_else(ir: Path) -> None:
    done = run("opt", ir, "--pass", "keep_logs,simplify,fuse_linear_relu", "--diff")
    assert done.stdout.splitlines() == [
        "--- before simplify",
        "+++ after simplify",
        "@@ -8,3 +8 @@",
        "-  %c1: f32[] = constant{1.0}",
        "-  %scaled: f32[N,4] = multiply(%x, %c1)",
        "-  %fc1: f32[N,5] = linear(%scaled, %fc1.weight, %fc1.bias)",
        "+  %fc1: f32[N,5] = linear(%x, %fc1.weight, %fc1.bias)",
        "--- before fuse_linear_relu",
        "+++ after fuse_linear_relu",
        "@@ -8,3 +8,2 @@",
        "-  %fc1: f32[N,5] = linear(%x, %fc1.weight, %fc1.bias)",
        "-  %fc1.relu: f32[N,5] = relu(%fc1)",
        "-  %fc2: f32[N,3] = linear(%fc1.relu, %fc2.weight, %fc2.bias)",
        "+  %fc1: f32[N,5] = linear_relu(%x, %fc1.weight, %fc1.bias)",
        "+  %fc2: f32[N,3] = linear(%fc1, %fc2.weight, %fc2.bias)",
    ]
    idle = run("opt", ir, "--pass", "keep_logs", "--diff")
    assert (idle.stdout, idle.stderr) == ("", "no pass changed anything\n")


def test_reasons_and_seconds(ir: Path) -> None:
    asked = f"simplify,{own('Capped')}{{cap=2}},fuse_linear_relu"
    done = run("opt", ir, "--pass", asked, "--reasons", "--time")
    assert "capped: %fc1.relu: capped at 2" in done.stderr
    assert "fuse_linear_relu: %fc1.relu: %fc1 is read by %fc1.relu alone" in done.stderr
    refused = run(
        "opt",
        ir,
        "--pass",
        f"{asked.replace('fuse_linear_relu', own('Capped{cap=3}'))}",
        "--reasons",
    )
    assert "capped: %fc1.relu: - it is capped already" in refused.stderr
    table = done.stderr[done.stderr.index("pass  ") :].splitlines()
    assert [line.split()[0] for line in table[1:]] == [
        "simplify", "capped", "fuse_linear_relu", "total",
    ]  # fmt: skip
    assert re.fullmatch(r"simplify +0\.\d{4} +2  7 -> 6", table[1])


# ---- checks -----------------------------------------------------------------------------------


def test_each_pass_is_compared_and_what_is_not_is_said(ir: Path) -> None:
    pipeline = f"simplify,{own('Meant')},differentiate,sgd{{0.1}},schedule"
    done = run("opt", ir, "--pass", pipeline, "--check")
    assert done.exit_code == 0
    assert [line for line in done.stderr.splitlines() if line.startswith("check: ")] == [
        "check: simplify: keeps what is computed",
        "check: meant: defines what is computed: not compared",
        "check: differentiate: defines what is computed: its gradients alone were compared, "
        "with derivatives",
        "check: attach_optimizer: defines what is computed: not compared",
        "check: schedule: keeps what is computed",
    ]


FAILS = [
    ("Wrong", "output loss differs, first at %fc1.relu", True),
    ("Raises", "the pass raises failed with KeyError: 'fc1.relu'\n  at own_passes.py:", False),
    ("Exits", "the pass exits called sys.exit(0)", False),
    ("GivesNone", "apply gave None, where a Graph is expected\n  in the pass gives_none", False),
    ("RewritesNone", "rewrites gave None, where it is to yield each rewrite", False),
    ("NeverEnds", "never_ends: no fixed point after 10 sweeps", False),
    ("UsesFragile", "ValueError: too fragile\n  in the pass uses_fragile", True),
    ("Retypes", "%fc1.relu: f32[N,5] cannot be replaced by sum: f32[]", False),
    ("Unsound", "%fc1.relu: f32[N,5]", False),
]


@pytest.mark.parametrize(("name", "said", "check"), FAILS, ids=lambda v: v if v is not None else "")
def test_a_pass_that_fails_ends_with_exit_code_1(
    ir: Path, name: str, said: str, check: bool
) -> None:
    done = run("opt", ir, "--pass", own(name), *(["--check"] if check else []))
    assert (done.exit_code, done.stdout) == (1, "")
    assert said in done.stderr
    assert done.stderr.count("\nError: ") == 1 and "Traceback" not in done.stderr


def test_a_pass_that_is_interrupted_is_named_with_its_line(ir: Path) -> None:
    done = run("opt", ir, "--pass", own("Spins"), "--time")
    assert done.exit_code == 130
    assert "in the pass spins, at own_passes.py:" in done.stderr


def test_what_is_wrong_goes_through_where_nothing_is_asked(ir: Path) -> None:
    done = run("opt", ir, "--pass", own("Wrong"))
    assert done.exit_code == 0 and "tanh(%fc1)" in done.stdout


@pytest.mark.parametrize("before", ["", "simplify,"], ids=["alone", "behind another"])
@pytest.mark.parametrize("name", ["Wrong", "Raises", "NeverEnds", "Retypes"])
def test_a_failing_graph_is_made_small(ir: Path, tmp_path: Path, name: str, before: str) -> None:
    done = run("opt", ir, "--pass", before + own(name), "--check", "--reduce")
    assert (done.exit_code, done.stdout) == (1, SMALLEST)
    assert "the smallest graph on which" in done.stderr
    small = tmp_path / "small.ir"
    assert run("opt", ir, "--pass", own(name), "--check", "--reduce", "-o", small).stdout == ""
    again = run("opt", small, "--pass", own(name), "--check")
    assert again.exit_code == 1 and kind(done.stderr) == kind(again.stderr)


def test_where_nothing_fails_nothing_is_reduced(ir: Path) -> None:
    done = run("opt", ir, "--pass", "simplify", "--check", "--reduce")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "nothing fails, so there is nothing to reduce" in done.stderr


def test_what_a_users_file_prints_is_no_result(ir: Path) -> None:
    done = run("opt", ir, "--pass", own("Prints"))
    assert done.stdout == TEXT
    assert done.stderr == "a user's file prints\na user's pass prints\n"


def test_an_own_op_is_loaded(tmp_path: Path) -> None:
    ops = tmp_path / "ops.py"
    ops.write_text(
        "import verigrad as vg\n"
        "@vg.op\n"
        "class Twice(vg.Op):\n"
        "    name = 'opt_twice'\n"
        "    def infer(self, *types): return types[0]\n"
        "class Named(vg.Pass):\n"
        "    def apply(self, g): return g\n"
    )
    text = "graph g {\n  %x: f32[N] = input\n  %y: f32[N] = opt_twice(%x)\n  return y=%y\n}\n"
    unknown = piped(text)
    assert unknown.exit_code == 2 and "op 'opt_twice' is unknown" in unknown.stderr
    assert "--load FILE.py" in unknown.stderr
    done = piped(text, "--load", ops, "--pass", "named")
    assert (done.exit_code, done.stdout) == (0, text)


# ---- wrong usage ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "stdin, line 1: a text begins with `graph NAME {`"),
        (b"\xff\xfe\x00", "stdin is no text in UTF-8: byte 0 is 255"),
        (b"\x00" * 50, "stdin, line 1: a text begins with"),
        (
            "hello\n",
            "stdin, line 1: a text begins with `graph NAME {`\n  in: hello\n      ^ column 1",
        ),
        (TEXT * 2, "line 18: nothing may stand after the closing brace"),
        (TEXT.replace("relu(%fc1)", "reluu(%fc1)"), "^ column 25"),
        (TEXT.replace("relu(%fc1)", "relu(%fc9)"), "^ column 30"),
        (TEXT.replace("relu(%fc1)", "relu(%fc2)"), "cycle: %fc1.relu reads %fc2 reads %fc1.relu"),
        (TEXT.replace("return loss=%loss", "return loss=%fc2"), "the loss is f32[N,3]"),
        (TEXT.replace("%x: f32[N,4] = input", "%x: f32[N,4] = input" + "{" * 10_000), "line 2: "),
        ("graph g {" + "x" * 1_000_000, "stdin, line 1: a text begins with"),
    ],
    ids=range(11),
)
def test_what_is_no_graph_is_refused_with_line_and_column(text: Any, said: str) -> None:
    done = piped(text)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr and len(done.stderr) < 2000


FILES = [
    ("nowhere.py", None, "nowhere.py cannot be read: No such file"),
    ("syntax.py", "x = 1\ndef f(:\n", "syntax.py is no Python, line 2: "),
    ("nulls.py", "\0", "nulls.py is no Python"),
    (
        "raises.py",
        "x = 1\n1 / 0\n",
        "cannot be loaded: ZeroDivisionError: division by zero\n  at rai",
    ),
    ("exits.py", "raise SystemExit(0)\n", "exits.py cannot be loaded: SystemExit: 0"),
    ("empty.py", "", "empty.py defines no pass"),
    (
        "misspelled.py",
        "import verigrad as vg\nclass Mine(vg.Pass):\n    def rewrite(self, g): return ()\n",
        "Mine.rewrite: nothing reads it; did you mean 'rewrites', of Pass?",
    ),
]


@pytest.mark.parametrize(("name", "content", "said"), FILES, ids=[name for name, *_ in FILES])
def test_a_file_that_gives_no_pass_is_refused(
    ir: Path, tmp_path: Path, name: str, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    done = run("opt", ir, "--pass", tmp_path / name)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (str(OWN), "own_passes.py has 14 passes; name one: "),
        (own("Wrng"), "own_passes.py has no pass 'Wrng'; did you mean 'Wrong'?"),
        (own("thing"), "own_passes.py:thing is no subclass of vg.Pass, but 3"),
        (own("Capped"), "needs the option cap"),
        (own("Capped{cap=high}"), "cap is 'high', where a number is expected"),
        (own("Idle"), "Idle does nothing: it gives neither `rewrites(g)` nor `apply(g)`"),
        ("own_passes:Wrong", "a pass of a file is named mine.py:MyPass"),
        ("simplfy", "there is no pass 'simplfy'; did you mean 'simplify'?\n  in: simplfy\n"),
        ("simplify,,", "column 10"),
    ],
    ids=range(9),
)
def test_what_names_no_pass_is_refused(ir: Path, asked: str, said: str) -> None:
    done = run("opt", ir, "--pass", asked)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_files_that_cannot_be_are_refused(ir: Path, tmp_path: Path) -> None:
    assert "Is a directory" in run("opt", tmp_path).stderr
    assert "No such file" in run("opt", tmp_path / "none.ir").stderr
    assert run("opt", ir, "-o", tmp_path / "out.svg").exit_code == 2
    assert run("opt", ir, "-o", tmp_path / "none" / "out.ir").exit_code == 2
    both = run("opt", ir, "--diff", "--print-after-all")
    assert both.exit_code == 2 and "are one of them" in both.stderr
