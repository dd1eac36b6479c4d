"""Odd values in the place of each argument of what users call: taken, or an error of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

import verigrad as vg


class Unprintable:
    """What has no repr, no hash and no attribute."""

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(f"no {name}")


def nested(depth: int = 2000) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


X = vg.input("x", ("N", 4))
Y = vg.input("y", ("N",), dtype="i64")
SCORES = vg.mlp(X, [5, 3])
NET = vg.Graph("net", {"scores": SCORES}, loss=vg.softmax_cross_entropy(SCORES, Y))
FEEDS = {"x": np.ones((6, 4), np.float32), "y": np.array([0, 1, 2, 0, 1, 2])}
PROGRAM = vg.compile(NET, optimizer=vg.SGD(0.1))
PLAN = PROGRAM.plan(N=6)
HISTORY = vg.fit(PROGRAM, FEEDS, validation=FEEDS, steps=1)
EARLY = vg.EarlyStopping(2)
FOLDER = TemporaryDirectory()
REPORT = {"path": f"{FOLDER.name}/report.txt", "feeds": FEEDS, "history": HISTORY}

NEVER: dict[str, Callable[[], Any]] = {
    "object": object,
    "nested": nested,
    "numbers of 5,000 digits": lambda: [10**5000],
    "dict of such": lambda: {10**5000: 10**5000},
    "objects": lambda: np.array([None, [1]], dtype=object),
    "unprintable": Unprintable,
    "unprintables": lambda: [Unprintable()],
}
"""What no argument takes."""
SOMETIMES: dict[str, Callable[[], Any]] = {
    **{repr(v): lambda v=v: v for v in (None, 5, -1, 0, 1.5, np.nan, np.inf, True, "a", "", b"x")},
    **{"10**5000": lambda: 10**5000, "-10**5000": lambda: -(10**5000)},
    **{"list": list, "dict": dict, "set": set, "[None]": lambda: [None], "1j": lambda: 1j},
    **{"array": lambda: np.array(3), "arrays": lambda: np.array([1, 2]), "node": lambda: X},
    **{
        "function": lambda: lambda *_, **__: True,
        "class": lambda: vg.SGD,
        "iterator": lambda: iter([1]),
    },
    **{"text of 5,000": lambda: "9" * 5000, "nodes": lambda: [X], "graph": lambda: NET},
}

CALLS: dict[str, tuple[Callable[..., object], dict[str, Any]]] = {
    "Program.report": (PROGRAM.report, REPORT),
    "Program.report with": (
        lambda **given: PROGRAM.report(REPORT["path"], **given),
        {"gradcheck": None, "profile": None, "sizes": None},
    ),
    "Graph.layer": (NET.layer, {"n": SCORES}),
    "Graph.replace": (NET.replace, {"mapping": {}}),
    "Graph.replace by": (lambda n: NET.replace({SCORES: n}), {"n": SCORES}),
    "Graph.to_dot": (NET.to_dot, {"sizes": None}),
    "Graph.to_dot of": (lambda n: NET.to_dot({"N": n}), {"n": 3}),
    "Graph[]": (NET.__getitem__, {"name": "x"}),
    "Node +": (lambda n: X + n, {"n": 2.0}),
    "* Node": (lambda n: n * X, {"n": 2.0}),
    "Node >": (lambda n: n < X, {"n": 2.0}),
    "Node[]": (lambda n: X[:, n], {"n": 0}),
    "Node[:]": (lambda n: X[:, n:], {"n": 0}),
    "Node.but": (X.but, {"inputs": (), "name": "n", "where": None}),
    "TensorType": (vg.TensorType, {"dtype": "f32", "shape": ("N", 4)}),
    "TensorType.bind": (X.type.bind, {"sizes": {"N": 3}}),
    "TensorType.with_shape": (X.type.with_shape, {"shape": (3,)}),
    "input": (vg.input, {"name": "x", "shape": (2,), "dtype": "f32"}),
    "parameter": (vg.parameter, {"name": "w", "shape": (2,), "init": "zeros", "layer": None}),
    "dense": (lambda **k: vg.dense(X, **k), {"units": 2, "name": "f"}),
    "layer_norm": (lambda name: vg.layer_norm(X, name=name), {"name": "n"}),
    "class weights": (
        lambda w: vg.softmax_cross_entropy(X, Y, class_weights={0: w}),
        {"w": 1.0},
    ),
    "SGD": (vg.SGD, {"lr": 0.1, "weight_decay": 0.1, "groups": [], "dialect": "course"}),
    "Adam": (vg.Adam, {"lr": 0.1, "beta1": 0.9, "eps": 0.1, "first": 1, "eps_hat": True}),
    "Group": (vg.Group, {"pattern": "*", "lr": 0.1}),
    "L2": (vg.L2, {"strength": 0.1}),
    "ClipNorm": (vg.ClipNorm, {"limit": 0.1}),
    "Dropout": (vg.Dropout, {"keep": 0.5, "layers": {}, "mode": "inverted"}),
    "init.normal": (vg.init.normal, {"std": 0.1}),
    "init.array": (vg.init.array, {"value": [1.0]}),
    "constant": (vg.constant, {"value": [1.0], "dtype": "f32"}),
    "schedules.cosine": (vg.schedules.cosine, {"lr": 0.1, "steps": 5}),
    "schedules.plateau": (vg.schedules.plateau, {"lr": 0.1, "factor": 0.5, "patience": 2}),
    "Schedule.rates": (vg.schedules.cosine(0.1, steps=9).rates, {"steps": 3, "start": 0}),
    "Pipeline": (vg.Pipeline, {"passes": []}),
    "Pipeline.run": (vg.Pipeline([]).run, {"g": NET, "callback": None}),
    "Pipeline.with_options": (vg.TRAINING.with_options, {"options": {}}),
    "Pipeline.without": (lambda name: vg.TRAINING.without(name), {"name": "simplify"}),
    "Pipeline.insert": (vg.INFERENCE.insert, {"new": vg.Recompute(), "before": "schedule"}),
    "Pass.apply": (vg.Recompute().apply, {"g": NET}),
    "Recompute": (vg.Recompute, {"nodes": ()}),
    "bisect": (vg.bisect, {"one": vg.Recompute(), "g": NET, "good": bool}),
    "verify": (vg.verify, {"g": NET}),
    "compile": (
        lambda **k: vg.compile(NET, **k),
        {"optimizer": vg.SGD(0.1), "clip": vg.ClipNorm(1.0), "memory_limit": 10**9},
    ),
    "Program.plan": (PROGRAM.plan, {"N": 3}),
    "Program.step": (lambda x: PROGRAM.step(x=x, y=FEEDS["y"]), {"x": FEEDS["x"]}),
    "Program.predict": (PROGRAM.predict, {"x": FEEDS["x"]}),
    "Program.step_with": (PROGRAM.step_with, {"feeds": FEEDS, "key": "scores"}),
    "load": (vg.load, {"path": "/no/folder/p"}),
    "parameters[]": (PROGRAM.parameters.__getitem__, {"name": "fc1.bias"}),
    "parameters.update": (lambda values: PROGRAM.parameters.update(values), {"values": {}}),
    "state": (lambda v: vg.compile(NET, optimizer=vg.SGD(0.1)).state.update(step=v), {"v": 1}),
    "Plan": (vg.Plan, {"g": PLAN.graph, "sizes": {"N": 3}, "unoptimised": NET}),
    "Cost": (vg.Cost, {"g": NET, "sizes": {"N": 3}}),
    "Cost.phase": (PROGRAM.cost(N=6).phase, {"name": "forward"}),
    "Profile": (lambda **k: vg.Profile("p", step=1.0, **k), {"sizes": {}, "kernels": ()}),
    "History": (vg.History, {"rows": HISTORY.rows, "losses": [0.5]}),
    "History[]": (HISTORY.__getitem__, {"column": "step"}),
    "EarlyStopping": (vg.EarlyStopping, {"patience": 2, "by": "loss"}),
    "EarlyStopping.on_epoch": (EARLY.on_epoch, {"row": HISTORY.rows[0]}),
    "EarlyStopping.restore": (EARLY.restore, {"state": EARLY.state()}),
    "fit": (
        lambda **k: vg.fit(PROGRAM, FEEDS, **k),
        {"steps": 1, "callbacks": [], "sampler": "shuffled", "keep_best": False},
    ),
    "gradcheck": (
        lambda **k: vg.gradcheck(NET, FEEDS, **k),
        {"entries": 1, "tolerance": 1e-6, "parameters": None},
    ),
    "check_op": (
        lambda **k: vg.check_op(**{"op": vg.exp(X).op, "types": ["i64[2]"], **k}),
        {"op": vg.exp(X).op, "types": ["i64[2]"], "reference": len, "values": {}, "errors": []},
    ),
}


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda: vg.SGD(lr=10**5000), "lr is a whole number of about 5,001 digits, where a finite"),
        (lambda: vg.L2(-(10**5000)), "strength is a negative whole number of about 5,001 digits"),
        (lambda: vg.input("x", (10**5000,)), "has more elements than any memory"),
        (lambda: PROGRAM.plan(N=10**5000), "more bytes than 64 bits can count"),
        (lambda: vg.EarlyStopping(10**5000), "where a whole number from 1 to 9,223,372,036,854,"),
        (lambda: vg.schedules.cosine(0.1, 5).rates("a"), "steps is 'a', where a whole number from"),
        (lambda: NET.to_dot(sizes=5), 'sizes is 5, where sizes such as {"N": 128} are expected'),
        (lambda: vg.TRAINING.with_options(None), "options is None, where a dict of options"),
        (
            lambda: NET.layer(None),
            r"None is no node of graph net; take one by its name, net\['fc1'\]",
        ),
        (lambda: vg.TRAINING.run(NET, 5), "callback is 5, where a function of a name and a graph"),
        (
            lambda: vg.fit(PROGRAM, FEEDS, epochs=1, callbacks=np.array(3)),
            r"callbacks has array\(3\), where e.g. vg.EarlyStopping\(2\) is expected",
        ),
        (lambda: vg.parameter("w", (1,), nested()), r"init is \[\[.*\.\.\..*\]\]; give a name"),
        (lambda: NET.replace({SCORES: 5}), "the replacement is 5, where a node is expected"),
        (lambda: X + None, "add: an input is NoneType, where a node is expected"),
        (lambda: PROGRAM.cost(N=1).phase("front"), "phase is 'front', where one of forward, back"),
        (lambda: vg.Recompute("fc1"), "nodes is 'fc1', where a list of texts is expected"),
        (lambda: PROGRAM.step_with(FEEDS, "score"), "no output 'score'; did you mean 'scores'"),
    ],
)
def test_what_was_found_and_what_was_expected(use: Callable[[], object], said: str) -> None:
    with pytest.raises(vg.VerigradError, match=said):
        use()


def test_a_name_that_is_not_there_is_pythons_own_error_too() -> None:
    assert PROGRAM.parameters.get("nope") is None and [] not in PROGRAM.parameters
    for found in (PROGRAM.parameters, HISTORY):
        with pytest.raises(vg.RunError) as e:
            _ = found["nope"]
        assert isinstance(e.value, KeyError) and not str(e.value).startswith('"')


def test_a_class_with_operators_of_its_own_may_take_a_node() -> None:
    class Other:
        def __radd__(self, n: object) -> object:
            return n

    assert X + Other() is X


def refused(call: Callable[..., object], given: dict[str, Any]) -> bool:
    """Whether a call raises, which has to be one of our errors, of a length that can be read."""
    try:
        call(**given)
    except vg.VerigradError as e:
        assert 10 < len(str(e)) < 8000
        return True
    return False


def wrong(odd: dict[str, Callable[[], Any]], name: str) -> Iterator[tuple[str, bool]]:
    call, given = CALLS[name]
    for argument in given:
        for kind, make in odd.items():
            yield f"{argument}: {kind}", refused(call, {**given, argument: make()})


@pytest.mark.parametrize("name", CALLS)
def test_what_no_argument_takes_is_refused(name: str) -> None:
    assert [case for case, ended in wrong(NEVER, name) if not ended] == []


@pytest.mark.parametrize("name", CALLS)
def test_what_is_not_taken_is_an_error_of_ours(name: str) -> None:
    call, given = CALLS[name]
    assert refused(call, given) == (name == "load")
    assert [case for case, ended in wrong(SOMETIMES, name) if ended]
