"""What help, an editor and a notebook show of every public name: all of its arguments, typed."""

from __future__ import annotations

import inspect
from inspect import Parameter
from types import ModuleType
from typing import Any, Final

import pytest

import verigrad as vg

MODULES = {"vg": vg, "vg.schedules": vg.schedules, "vg.init": vg.init, "vg.data": vg.data}
NAMED = [(f"{at}.{name}", getattr(m, name)) for at, m in MODULES.items() for name in m.__all__]
CALLED = {
    name: found
    for name, found in NAMED
    # A protocol is what others have to have, and is not called.
    if callable(found) and not getattr(found, "_is_protocol", False)
}
SEVERAL: Final = {"vg.apply": "inputs", "vg.concat": "xs"}
"""The arguments that may be any number of values."""


def parameters(found: Any) -> list[Parameter]:
    return [*inspect.signature(found).parameters.values()]


@pytest.mark.parametrize("name", CALLED)
def test_a_signature_names_and_types_every_argument(name: str) -> None:
    for p in parameters(CALLED[name]):
        assert p.annotation is not Parameter.empty, p
        assert p.kind is not Parameter.VAR_KEYWORD, p
        assert p.kind is not Parameter.VAR_POSITIONAL or SEVERAL.get(name) == p.name, p


def test_what_is_not_called_is_a_module_a_pipeline_or_a_protocol() -> None:
    rest = {name: found for name, found in NAMED if name not in CALLED}
    assert rest.pop("vg.Sampler") is vg.Sampler
    assert all(isinstance(found, (ModuleType, vg.Pipeline)) for found in rest.values())


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (vg.SGD, "lr, weight_decay, groups, dialect"),
        (vg.Adam, "lr, beta1, beta2, eps, bias_correction, eps_hat, eps_root, first, eps_inside"),
        (vg.Group, "pattern, lr, weight_decay"),
        (vg.L1, "strength"),
        (vg.ClipNorm, "limit"),
        (vg.Dropout, "keep, layers, input, mode"),
        (vg.schedules.warmup, "then, steps"),
        (vg.init.uniform, "low, high"),
    ],
)
def test_the_arguments_are_the_fields(kind: type[vg.Record], fields: str) -> None:
    shown = [p.name for p in parameters(kind)]
    assert {*fields.split(", ")} <= {*shown} and {*shown} == {*kind.field_names}
    assert [p.default for p in parameters(kind)] == [
        kind.field_defaults.get(name, Parameter.empty) for name in shown
    ]


def test_an_error_takes_its_message() -> None:
    for kind in (vg.VerigradError, vg.GraphError, vg.RefutedError, vg.VerigradWarning):
        assert [p.name for p in parameters(kind)] == ["message"]
        assert str(kind("what was found")) == "what was found"
