"""`python -m catch.mutants`: small changes of the passes and the planner, and whether a test
notices each.

Cosmic Ray makes the changes; each is tried in a copy of the package, on the tests of its file, the
quickest first. What no test notices is told: it wants a test, or a word in `equivalents.py`.
"""

from __future__ import annotations

import ast
import difflib
import json
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import click
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

from catch.copies import ROOT, Copy, copied, sound
from catch.detectors import pytest_command
from catch.equivalents import EQUIVALENTS
from catch.forks import run_forked

RESULTS: Final = Path(__file__).with_name("mutants.json")
OPERATORS: Final = (
    *(
        f"core/ReplaceComparisonOperator_{change}"
        for change in ("Eq_NotEq", "NotEq_Eq", "Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt")
    ),
    *(f"core/ReplaceComparisonOperator_{change}" for change in ("Is_IsNot", "IsNot_Is")),
    *(f"core/ReplaceBinaryOperator_{change}" for change in ("Add_Sub", "Sub_Add", "Mul_Div")),
    "core/ReplaceAndWithOr",
    "core/ReplaceOrWithAnd",
    "core/ReplaceUnaryOperator_Delete_Not",
    "core/ReplaceUnaryOperator_Delete_USub",
    "core/AddNot",
    "core/NumberReplacer",
    "core/ReplaceTrueWithFalse",
    "core/ReplaceFalseWithTrue",
    "core/ReplaceContinueWithBreak",
    "core/ReplaceBreakWithContinue",
    "core/ZeroIterationForLoop",
)
FILES: Final = ("passes/*.py", "passes/scheduling/*.py", "runtime/planning/*.py")
_SECONDS: Final = 40
"""What takes longer never ends: no stage takes half as long on the package as it is."""
_PLANS: Final = ("plan/test_placement.py", "plan/test_plan_oracle.py")
_PROOF: Final = (
    "certificate/test_placements.py",
    "plan/test_plan_oracle.py",
    "plan/test_poison.py",
)
_LIMIT: Final = "plan/test_memory_limit.py"
TESTS: Final[dict[str, tuple[str, ...]]] = {
    "passes": ("passes", _LIMIT),
    "passes/scheduling": (
        "passes/test_all_passes.py",
        "passes/test_grouping.py",
        "plan/test_orders.py",
        *_PLANS,
        "plan/test_long_graphs.py",
        _LIMIT,
    ),
    "runtime/planning": _PLANS,
    "runtime/planning/buffers.py": (
        "plan/test_placement.py",
        "plan/test_step_text.py",
        "api/test_errors_are_ours.py",
        "api/test_memory_promises.py",
        "plan/test_differential.py",
    ),
    "runtime/planning/interference.py": ("plan/test_interference.py", *_PROOF),
    "runtime/planning/limit.py": ("plan/test_limit_errors.py", _LIMIT),
    "runtime/planning/liveness.py": ("plan/test_liveness.py", *_PROOF),
    "runtime/planning/phases.py": (
        "api/test_non_finite.py",
        "plan/test_step_text.py",
        "plan/test_headroom.py",
        "passes/test_add_in_place.py",
        "jit/test_temporaries.py",
    ),
    "runtime/planning/plan.py": (
        *_PLANS,
        "api/test_without_effect.py",
        "api/test_section_7.py",
        "command/test_commands.py",
        "plan/test_long_graphs.py",
        "api/test_memory_promises.py",
        _LIMIT,
    ),
    "runtime/planning/recomputation.py": (_LIMIT,),
    "runtime/planning/tiling.py": (
        "plan/test_tiling.py",
        "plan/test_step_text.py",
        "plan/test_plan_oracle.py",
        "jit/test_temporaries.py",
        "plan/test_differential.py",
    ),
}
"""The tests of a file, or else of its folder, the quickest first."""


class Mutant(NamedTuple):
    """A file of the package after one change, told as the lines that differ: of equal lines, the
    second and those behind it have a number."""

    file: str
    text: str
    told: str


def mutants(file: str) -> Iterator[Mutant]:
    """All changes of a file that are made by the operators, each once."""
    source = (ROOT / file).read_text(encoding="utf-8")
    before, seen, same = source.splitlines(), {source}, Counter[str]()
    for name in OPERATORS:
        operator, occurrence = get_operator(name)(), 0
        while (text := mutate_code(source.encode(), operator, occurrence)) is not None:
            occurrence += 1
            if text in seen or not _changes_code(source, text):
                continue
            seen.add(text)
            diff = difflib.unified_diff(before, text.splitlines(), lineterm="", n=0)
            lines = [line for line in diff if line[:2] not in ("--", "++", "@@")]
            told = "\n".join(f"{line[0]} {' '.join(line[1:].split())}" for line in lines)
            same[told] += 1
            yield Mutant(file, text, told + f" # {same[told]}" * (same[told] > 1))


def _changes_code(source: str, text: str) -> bool:
    """Whether more differs than annotations, strict zips and how arguments are passed, and Python
    can read it."""
    try:
        return _code(source) != _code(text)
    except SyntaxError:
        return False


def _code(text: str) -> str:
    tree = ast.parse(text)
    for n in ast.walk(tree):
        if isinstance(n, ast.FunctionDef):
            n.returns = None
        if isinstance(n, (ast.arg, ast.AnnAssign)):
            n.annotation = ast.Constant(None)
        if isinstance(n, ast.keyword) and n.arg == "strict":
            n.value = ast.Constant(None)
        if isinstance(n, ast.arguments):
            n.args = [*n.posonlyargs, *n.args, *n.kwonlyargs]
            n.defaults = [*n.defaults, *[d for d in n.kw_defaults if d]]
            n.posonlyargs, n.kwonlyargs, n.kw_defaults = [], [], []
    return ast.dump(tree)


def stages(file: str) -> list[list[str]]:
    """What tries a change of a file, the quickest first."""
    path = Path(file)
    folder = path.parent.as_posix()
    passes = [path.stem, "schedule"] if folder == "passes/scheduling" else [path.stem]
    named = [p for p in passes if (ROOT / "tests" / "golden" / p).is_dir()]
    layers = ("exact", "plans") if folder == "passes" else ("plans", "floats")
    return [
        *[pytest_command("golden", "-k", p) for p in named],
        *[["-m", "catch.probes", layer] for layer in layers],
        *[pytest_command(where) for where in TESTS.get(file, TESTS[folder])],
        *([] if folder == "runtime/planning" else [pytest_command("golden")]),
    ]


class Outcomes:
    """What became of mutants, kept in a file from run to run."""

    def __init__(self) -> None:
        self.held: dict[str, int | None] = (
            json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        )

    def put(self, mutant: Mutant, stage: int | None) -> None:
        """Keeps the number of the stage that noticed a mutant; None for none. What another run
        has found meanwhile stays."""
        self.held = Outcomes().held | {key(mutant): stage}
        with tempfile.NamedTemporaryFile("w", dir=RESULTS.parent, delete=False) as file:
            json.dump(self.held, file, indent=1)
        Path(file.name).replace(RESULTS)


def key(mutant: Mutant) -> str:
    """A mutant's name: its file and what it changes."""
    return f"{mutant.file}\n{mutant.told}"


def noticed(mutant: Mutant, copy: Copy) -> int | None:
    """The first stage that fails on a mutant; None where none does."""
    copy.write(mutant.file, mutant.text)
    for number, (_, module, *arguments) in enumerate(stages(mutant.file)):
        if not run_forked(copy, module, arguments, _SECONDS):
            return number
    return None


@click.command()
@click.argument("files", nargs=-1)
@click.option("--most", default=None, type=int, help="So many changes of a file, at random.")
def main(files: tuple[str, ...], most: int | None) -> None:
    """Tries all changes of the passes and the planner, or of some FILES of the package."""
    paths = dict.fromkeys(p for pattern in files or FILES for p in sorted(ROOT.glob(pattern)))
    outcomes, survivors = Outcomes(), 0
    with sound() as original:
        for path in paths:
            file = path.relative_to(ROOT).as_posix()
            every = list(mutants(file))
            random.Random(0).shuffle(every)
            chosen = every[:most]
            for mutant in chosen:
                if key(mutant) not in outcomes.held and key(mutant) not in EQUIVALENTS:
                    with copied(original) as copy:
                        outcomes.put(mutant, noticed(mutant, copy))
            left = [m for m in chosen if _survives(m, outcomes)]
            survivors += len(left)
            for mutant in left:
                click.echo(f"SURVIVED {key(mutant)}")
            click.echo(f"{file}: {len(chosen)} of {len(every)} tried, {len(left)} survive")
    raise SystemExit(bool(survivors))


def _survives(mutant: Mutant, outcomes: Outcomes) -> bool:
    name = key(mutant)
    return name in outcomes.held and outcomes.held[name] is None and name not in EQUIVALENTS


if __name__ == "__main__":
    main()
