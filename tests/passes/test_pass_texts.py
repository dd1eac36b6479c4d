"""Passes and pipelines as text: what is written is read back, and errors say where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

import verigrad as vg
from verigrad.passes.text import parse_pass, print_pass

PARTS = [
    "simplify", "schedule", "training", "adam", "clip_norm", "in_place", "sizes", "lr", "limit",
    "{", "}", ",", "=", "[", "]", "(", ")", ":", " ", '"', "true", "none", "0.1", "-1", "N", "é",
]  # fmt: skip


@pytest.mark.parametrize("ours", [vg.TRAINING, vg.INFERENCE], ids=["training", "inference"])
def test_the_text_of_a_pipeline_is_read_back(ours: vg.Pipeline) -> None:
    assert vg.pipeline(str(ours)) == ours


def test_options_are_read_back() -> None:
    chosen = vg.TRAINING.with_options(
        {
            "seed": 7,
            "dropout": vg.Dropout(keep=0.5, layers={"fc2": 0.25}),
            "clip": vg.ClipNorm(1.0),
            "optimizer": vg.Adam(
                vg.schedules.cosine(0.1, steps=9), groups=(vg.Group("*.bias", 0.5),)
            ),
            "regularizer": vg.L2(0.1),
        }
    )
    assert vg.pipeline(str(chosen)) == chosen
    assert vg.pipeline("") == vg.Pipeline(())


def test_a_pipeline_is_named_with_options() -> None:
    assert vg.pipeline("training") == vg.pipeline("TRAINING") == vg.TRAINING
    seeded = vg.pipeline(" training{ seed = 1 , clip=clip_norm(limit=2) } ")
    assert seeded == vg.TRAINING.with_options({"seed": 1, "clip": vg.ClipNorm(2.0)})
    assert vg.pipeline("inference").names == vg.INFERENCE.names
    alone = vg.pipeline("simplify,fuse_linear_relu")
    assert alone.names == ("simplify", "fuse_linear_relu")
    assert str(alone) == "simplify,fuse_linear_relu"


def test_a_method_stands_for_the_pass_that_takes_it() -> None:
    text = "dropout{keep=0.5},l2{0.1},differentiate,clip_norm{limit=1},adam{lr=0.1}"
    assert str(vg.pipeline(text)) == (
        "insert_dropout{dropout=dropout(keep=0.5)},insert_regularization{regularizer=l2(0.1)},"
        "differentiate,clip_gradients{clip=clip_norm(1)},attach_optimizer{optimizer=adam(0.1)}"
    )


@dataclass(frozen=True)
class Repeats(vg.Pass):
    """A pass with an option that has to be given."""

    times: int
    word: str = "once"

    def rewrites(self, g: vg.Graph) -> tuple[()]:
        return ()


class Plain(vg.Pass):
    """A pass without options, and no dataclass."""

    def rewrites(self, g: vg.Graph) -> tuple[()]:
        return ()


def test_own_passes_are_named_as_ours() -> None:
    own = Repeats(3, "a, b} {c=1")
    assert parse_pass(print_pass(own)) == own
    assert str(vg.pipeline("plain,repeats{times=2}")) == "plain,repeats{times=2}"


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("simplify,fuse_lnear_relu", 10, "'fuse_lnear_relu'; did you mean 'fuse_linear_relu'?"),
        ("simplify,", 10, "the name of a pass is expected where 'the end' stands"),
        (",", 1, "the name of a pass is expected where ',' stands"),
        ("simplify}", 9, "',' is expected where '}' stands"),
        ("schedule{in_plac=false}", 10, "no option of schedule 'in_plac'; did you mean 'in_place'"),
        ("schedule{in_place=2}", 19, "schedule: in_place is 2, where true or false is expected"),
        ("schedule{in_place=false", 24, "',' is expected where 'the end' stands"),
        ("schedule{in_place}", 18, "'=' is expected where '}' stands"),
        ("schedule{in_place=}", 19, "a value is expected where '}' stands"),
        ("schedule{in_place=true,in_place=true}", 24, "'in_place' is given twice"),
        ("simplify{deep=true}", 10, "there is no option of simplify 'deep'"),
        ("training{sed=1}", 10, "no option of training 'sed'; did you mean 'seed'?"),
        ("differentiate,adam", 15, "Adam needs the field 'lr'"),
        ("clip_norm{limit=-1}", 1, "limit is -1, where a positive number is expected"),
        ("simplify,repeats", 10, "repeats needs the option times: repeats{times=...}"),
        ("training{optimizer=sgd}", 20, "optimizer is 'sgd', where e.g. vg.SGD(lr=0.1) is"),
        ("attach_optimizer{optimizer=l2(1)}", 28, "optimizer is L2(strength=1), where e.g. vg.SGD"),
        ("insert_regularization{regularizer=sgd(1)}", 35, "regularizer is SGD(lr=1), where e.g."),
        ("insert_dropout{dropout=0.5}", 24, "dropout is 0.5, where e.g. vg.Dropout(keep=0.5) is"),
        ("scale_dropout{dropout=0.5}", 23, "dropout is 0.5, where e.g. vg.Dropout(keep=0.5) is"),
        ("clip_gradients{clip=3}", 21, "clip is 3, where e.g. vg.ClipNorm(1.0) is expected"),
        ("repeats{times=2.5}", 15, "times is 2.5, where a whole number is expected"),
        ("simplify\n,\nnone_such", 12, "there is no pass 'none_such'"),
    ],
)
def test_an_error_points_to_what_is_wrong(text: str, column: int, said: str) -> None:
    with pytest.raises(vg.PassError) as e:
        vg.pipeline(text)
    assert said in str(e.value)
    assert f"column {column}" in str(e.value).splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("simplify,simplify", "the pass simplify stands twice"),
        ("fuse_linear_relu,differentiate", "differentiate needs 'differentiable', which fuse_lin"),
        (3, "a pipeline is told by a text, not by 3"),
        ("x" * 10_000, "there is no pass 'xxx"),
        ("simplify{" * 10_000, "there is no option|'=' is expected|a value is expected"),
        ("schedule{sizes=" + "[" * 10_000, "nested more than"),
        ("," * 10_000, "the name of a pass is expected"),
        ("\0", "there is no pass"),
    ],
    ids=range(8),
)
def test_any_text_is_a_pipeline_or_an_error_of_ours(text: Any, said: str) -> None:
    with pytest.raises(vg.PassError, match=said) as e:
        vg.pipeline(text)
    assert len(str(e.value)) < 2000


@given(st.lists(st.sampled_from(PARTS), max_size=14).map("".join))
def test_what_is_made_of_parts_is_a_pipeline_or_an_error_of_ours(text: str) -> None:
    try:
        read = vg.pipeline(text)
    except vg.PassError:
        return
    assert vg.pipeline(str(read)) == read


def test_one_pass_is_one() -> None:
    with pytest.raises(vg.PassError, match="are 2 passes, where one is expected"):
        parse_pass("simplify,schedule")
