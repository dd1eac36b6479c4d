"""Running a program, beside the interpreter: the same numbers, or the same refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from golden.runner import same_bits

import verigrad as vg
from verigrad.runtime.execution.executable import Executable
from verigrad.runtime.interpreter import Interpretation

from .case import Case
from .outcome import Outcome

Arrays = Mapping[str, np.ndarray]
Same = Callable[[np.ndarray, np.ndarray], bool]


def held(program: vg.Program) -> dict[str, np.ndarray]:
    """The parameters and the state, by name."""
    return {**program.parameters, **program.state}


def close(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays are equal but for the rounding of another backend."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype.kind != "f":
        return np.array_equal(a, b)
    tolerance = 2e-3 if a.dtype == np.float32 else 1e-7
    scale = float(np.abs(b[np.isfinite(b)]).max(initial=1.0))
    return np.allclose(a, b, tolerance, tolerance * scale, equal_nan=True)


def different(found: Arrays, expected: Arrays, same: Same) -> list[str]:
    """The names under which two results are not the same, each with the first such numbers."""
    told = []
    for k in {**expected, **found}:
        if k not in found or k not in expected:
            told.append(f"{k} is {'not given' if k not in found else 'given by nobody'}")
        elif not same(np.asarray(found[k]), np.asarray(expected[k])):
            told.append(f"{k} is {_shown(found[k])}, and {_shown(expected[k])} as interpreted")
    return told


def _shown(a: np.ndarray) -> str:
    return np.array2string(np.asarray(a), threshold=12, precision=9).replace("\n", " ")


def finite(values: Arrays) -> bool:
    """Whether all numbers are."""
    return all(np.isfinite(a).all() for a in values.values() if a.dtype.kind == "f")


class Run:
    """A program of a case, run on batches beside the interpreter."""

    def __init__(self, case: Case, program: vg.Program, outcome: Outcome) -> None:
        self.case = case
        self.program = program
        self.outcome = outcome
        self.same: Same = same_bits if program.options.backend == "numpy" else close

    def batches(self) -> None:
        """All that a program does, on each batch in turn."""
        v, p = self.program._variants, self.program
        has_loss = p.declared.loss is not None
        for sizes in self.case.sizes:
            feeds = self.case.feeds(sizes)
            if set(p.declared.outputs) - {"loss"}:
                self.call("predict", v.prediction, feeds, p.predict)
            if has_loss:
                self.call("evaluate", v.evaluation, feeds, p.evaluate)
                self.call("gradients", v.gradients, feeds, lambda f: self._gradients(f))
            if has_loss and (p.options.optimizer is not None or p.declared.updates):
                self.step(feeds)

    def _gradients(self, feeds: Arrays) -> Arrays:
        loss, gradients = self.program.gradients(feeds)
        named = {f"{k}.grad": a for k, a in gradients.items()}
        return {"loss": np.asarray(loss, self._dtype), **named}

    @property
    def _dtype(self) -> np.dtype[np.float64] | np.dtype[np.float32]:
        loss = self.program.declared.loss
        assert loss is not None
        return loss.type.numpy

    def call(
        self, what: str, e: Executable, feeds: Arrays, run: Callable[[Arrays], Arrays]
    ) -> None:
        """One that writes no state."""
        expected = self._interpreted(what, e, feeds)
        with self.outcome.layer(what):
            try:
                found = run(feeds)
            except vg.RunError as error:
                self._refused(what, e, feeds, error, expected)
                return
            if expected is None:
                return
            due = {k: a for k, a in expected.outputs.items() if k in found}
            if "loss" in found:
                found = {**found, "loss": np.asarray(found["loss"], self._dtype)}
            self._compared(what, found, due)

    def step(self, feeds: Arrays) -> None:
        """A step, and what it leaves."""
        e, p = self.program.executable, self.program
        expected, before = self._interpreted("step", e, feeds), held(p)
        with self.outcome.layer("step"):
            try:
                p.step(feeds)
            except vg.NonFiniteError as error:
                self.outcome.count("step: not finite")
                if expected is not None and finite(expected.values):
                    self.outcome.fail("step", f"all is finite as interpreted, but: {error}")
                self._compared("step", held(p), before)
                return
            except vg.RunError as error:
                self._refused("step", e, feeds, error, expected)
                return
            if expected is None:
                return
            found = {k: e.last.output(k) for k in e.graph.outputs}
            self._compared("step", found, expected.outputs)
            if self.same is same_bits:
                # An optimizer divides by what may be rounding alone: the float layer looks at it.
                self._compared("step", held(p), {**before, **expected.updates})
            self.outcome.count("step: made")

    def _interpreted(self, what: str, e: Executable, feeds: Arrays) -> Interpretation | None:
        """What the compiled graph gives, node by node; None where it is not defined."""
        with self.outcome.layer("interpreter"):
            try:
                with np.errstate(all="ignore"):
                    return vg.interpret(e.graph, {**feeds, **held(self.program)})
            except vg.RunError as error:
                self._refused(what, e, feeds, error, None)
        return None

    def _refused(
        self, what: str, e: Executable, feeds: Arrays, error: Exception,
        expected: Interpretation | None,
    ) -> None:  # fmt: skip
        """A refusal is right where what was declared refuses too, such as a mean of no rows."""
        if expected is not None:
            self.outcome.fail(what, f"{type(error).__name__} where the graph runs: {error}")
            return
        assert e.certifier is not None
        try:
            with np.errstate(all="ignore"):
                vg.interpret(e.certifier._reference, {**feeds, **held(self.program)})
        except vg.RunError:
            self.outcome.count(f"{what}: not defined")
            return
        self.outcome.fail(what, f"{type(error).__name__} where what is declared runs: {error}")

    def _compared(self, what: str, found: Arrays, expected: Arrays) -> None:
        for told in different(found, expected, self.same):
            self.outcome.fail(what, told)
