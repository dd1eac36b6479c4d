"""The before and after of every pass's docstring is what the pass does."""

from __future__ import annotations

import inspect
import re
import textwrap

import pytest
import runner

import verigrad as vg
from verigrad.passes import PackReductions, ShardBatch

ALONE = (vg.Recompute(), ShardBatch(), PackReductions())
PASSES = {p.name: type(p) for p in (*vg.TRAINING, *vg.INFERENCE, *ALONE)}
BLOCK = re.compile(
    r"Before:\n\n(?P<before>.*?\n\s*\})\n\n"
    r"After(?: \(with (?P<option>.*)\))?:\n\n(?P<after>.*?\n\s*\})\n",
    re.DOTALL,
)


def case_of(kind: type[vg.Pass]) -> runner.Case:
    """The docstring's example; its option, such as `SGD(0.1)`, goes to the field of that kind."""
    text = inspect.cleandoc(kind.__doc__ or "")
    m = BLOCK.search(f"{text}\n")
    assert m is not None, f"the docstring of {kind.__name__} has no `Before:` and `After:`"
    options = {}
    if m["option"]:
        value = eval(m["option"], vars(vg) | {n: getattr(vg, n) for n in vg.__all__})
        fields = {"optimizer": vg.Optimizer, "regularizer": vg.Regularizer, "clip": vg.Clip}
        fields["shards"] = vg.Shards
        fields["nodes"] = tuple
        (name,) = [name for name, kind_of in fields.items() if isinstance(value, kind_of)]
        options[name] = value
    before, after = (textwrap.dedent(m[part]).strip() for part in ("before", "after"))
    return runner.Case(kind(**options), before, after)


@pytest.mark.parametrize("name", sorted(PASSES))
def test_the_docstring_shows_what_the_pass_does(name: str) -> None:
    kind = PASSES[name]
    case = case_of(kind)
    case = case._replace(
        changes_meaning=kind.numbers == "meaning" and name != "scale_dropout",
        not_idempotent=name
        in ("insert_regularization", "differentiate", "clip_gradients", "attach_optimizer"),
    )
    found = list(runner.problems(case, reasons=False))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", sorted(PASSES))
def test_the_docstring_says_where_not_and_when(name: str) -> None:
    text = inspect.getdoc(PASSES[name]) or ""
    end = text.rpartition("}\n")[2]
    assert re.search(r"\b(Not|Without|Only|error|returned)\b", end), "where it must not act"
    assert re.search(r"\b(First|Last|Before|After|With)\b", end), "when it runs"
