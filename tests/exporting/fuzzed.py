"""Random programs of the fuzzer, as files beside themselves: what steps and predictions differ."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from c_library import NOT_FINITE, OK, OVERFLOW, Library
from fuzz.case import Case, case

import verigrad as vg
from verigrad.graph import VerigradWarning
from verigrad.runtime.exporting.c.source import c_files
from verigrad.runtime.exporting.graphs import exported, planned
from verigrad.runtime.exporting.numpy_file.source import numpy_text

Feeds = Mapping[str, np.ndarray]
Found = dict[str, np.ndarray] | str
"""What a call gave, or in a word why it gave nothing."""
FAR = 1e-6
"""How far a value in f64 may be off, beside the largest of its tensor: of sums that all but cancel,
and of functions that are steep."""


class InC:
    """A program's C; `training` tells whether it has a step."""

    def __init__(self, program: vg.Program, training: bool, most: int, folder: Path) -> None:
        variants = program._variants
        e = exported(variants, training)
        sizes = dict.fromkeys([s for g in e.graphs for s in g.symbols], most)
        self._e = planned(e, variants, sizes)
        self._library = Library(c_files(self._e, "net", {}), folder, "net", "-O0", "-DNET_CHECK")
        assert self._library.check() in (0, None)
        if training:
            self._library.init()

    def step(self, feeds: Feeds) -> Found:
        status, found = self._call("step", self._e.step, feeds, {"loss": ()})
        if status != OK:
            return "not finite" if status in (NOT_FINITE, OVERFLOW) else "refused"
        return {**found, **{name: self._library[name] for name in self._library.fields}}

    def predict(self, feeds: Feeds, shapes: Mapping[str, tuple[int, ...]]) -> Found:
        status, found = self._call("predict", self._e.predict, feeds, shapes)
        return found if status == OK else "refused"

    def _call(self, name: str, g: vg.Graph | None, feeds: Feeds, shapes: Mapping[str, object]):
        assert g is not None
        fed = {g.names[n]: feeds[g.names[n]] for n in g.inputs}
        bound = {}
        for n in g.inputs:
            bound |= {s: k for s, k in zip(n.type.shape, fed[g.names[n]].shape, strict=True)
                      if isinstance(s, str)}  # fmt: skip
        sizes = {s: bound[s] for s in g.symbols}
        return self._library.call(name, fed, sizes, shapes)


class InNumpy:
    """A program's one file of NumPy."""

    def __init__(self, program: vg.Program, training: bool, most: int, folder: Path) -> None:
        self._e = exported(program._variants, training)
        self._made: dict[str, object] = {}
        exec(compile(numpy_text(self._e, {}), "net.py", "exec"), self._made)

    def step(self, feeds: Feeds) -> Found:
        return self._told(self._e.step, "step", feeds)

    def predict(self, feeds: Feeds, shapes: Mapping[str, tuple[int, ...]]) -> Found:
        return self._told(self._e.predict, "predict", feeds)

    def _told(self, g: vg.Graph | None, name: str, feeds: Feeds) -> Found:
        assert g is not None
        function: Callable[..., object] = self._made[name]
        try:
            with np.errstate(all="ignore"):
                given = function(*[feeds[g.names[n]] for n in g.inputs])
        except FloatingPointError:
            return "not finite"
        except ValueError:
            return "refused"
        if isinstance(given, dict):
            return given
        return {"loss": np.asarray(given), **self._made["state"]}


def due_step(program: vg.Program, feeds: Feeds) -> Found:
    """What the program's own step gives."""
    try:
        loss = program.step(feeds)
    except vg.NonFiniteError:
        return "not finite"
    except vg.RunError:
        return "refused"
    return {"loss": np.asarray(loss), **program.parameters, **program.state}


def without_gradient(program: vg.Program, feeds: Feeds) -> set[str]:
    """The parameters whose gradient is 0 but for rounding, as a bias before batch normalization: an
    optimizer that divides by its size makes of it what it likes."""
    try:
        gradients = program.gradients(feeds)[1]
    except vg.RunError:
        return set()
    sizes = {name: float(np.abs(g).max(initial=0)) for name, g in gradients.items()}
    most = max(sizes.values(), default=0.0)
    return {name for name, size in sizes.items() if 0 < size < 1e-9 * most}


def difference(found: Found, due: Found, passed_over: set[str]) -> str:
    """In words, what of a result is another than is due; nothing where it is the same."""
    if isinstance(found, str) or isinstance(due, str):
        told = [v if isinstance(v, str) else "done" for v in (found, due)]
        return "" if told[0] == told[1] else f"{told[0]}, where {told[1]} is due"
    for name in found.keys() - passed_over:
        y = np.asarray(due[name], float)
        x = np.asarray(found[name], float).reshape(y.shape)
        same = np.isfinite(y)
        if not np.array_equal(x[~same], y[~same], equal_nan=True):
            return f"{name} is infinite or NaN elsewhere"
        size = max(1.0, float(np.abs(y[same]).max(initial=0)))
        off = float(np.abs(x[same] - y[same]).max(initial=0))
        if off > FAR * size:
            return f"{name} is off by {off:.3g} of {size:.3g}"
    return ""


def differences(seed: int, kind: type[InC] | type[InNumpy], folder: Path) -> str:
    """What differs between the program of a seed and its file, for each of its batches."""
    c: Case = case(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VerigradWarning)
        try:
            program = c.compile(dtype="f64", certify=False)
        except vg.VerigradError:
            return ""
        updated = c.graph.updates or program.options.optimizer is not None
        training = bool(program._variants.training and updated)
        if not training and not {*program.declared.outputs} - {"loss"}:
            return ""
        most = max([1, *[k for sizes in c.sizes for k in sizes.values()]])
        try:
            made = kind(program, training, most, folder)
        except vg.RunError as e:  # what is computed of parameters alone is computed at once
            return "" if "not defined" in str(e) else str(e)
        wide = [
            {k: a.astype(float) if a.dtype.kind == "f" else a for k, a in c.feeds(s).items()}
            for s in c.sizes
        ]
        idle: set[str] = set()
        for feeds in wide if training else ():
            idle |= without_gradient(program, feeds)
            due = due_step(program, feeds)
            if due == "refused":  # perhaps of an output, which a file has in `predict` alone
                return ""
            if said := difference(made.step(feeds), due, idle):
                if idle and not said.startswith("loss"):
                    return ""  # what reads such a parameter, as a running mean does
                return f"step: {said}\n{c.told()}"
        if {*program.declared.outputs} - {"loss"}:
            for feeds in wide:
                try:
                    due = program.predict(feeds)
                except vg.RunError:
                    continue
                shapes = {k: v.shape for k, v in due.items()}
                if said := difference(made.predict(feeds, shapes), due, set()):
                    return f"predict: {said}\n{c.told()}"
    return ""
