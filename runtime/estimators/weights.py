"""`coefs_` and `intercepts_`: the parameters of a fitted program as scikit-learn has them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ...graph import Array
from ..program import Program
from .compiling import Settings
from .net import Form


class Held(NamedTuple):
    """Copies of the parameters, and at which version of the program they were read."""

    version: int
    coefs: list[Array]
    intercepts: list[Array]

    def by_name(self, form: Form) -> dict[str, Array]:
        """The arrays by the names of the parameters."""
        names = [*form.coefs, *form.intercepts]
        return dict(zip(names, [*self.coefs, *self.intercepts], strict=True))


class Weights:
    """An estimator's weights, which are copies of those of `program_`, read when asked for.

    What is written into the arrays, or set in their place, is given to the program before it next
    runs, unless the program itself has changed since they were read: then they are read anew.
    """

    program_: Program
    _settings: Settings
    _held: Held | None = None

    @property
    def coefs_(self) -> list[Array]:
        """The weight matrix of each layer: copies, which may be written to."""
        return self._read("coefs_").coefs

    @coefs_.setter
    def coefs_(self, value: Iterable[Any]) -> None:
        self._held = self._settable()._replace(coefs=[np.asarray(a) for a in value])

    @property
    def intercepts_(self) -> list[Array]:
        """The bias vector of each layer: copies, which may be written to."""
        return self._read("intercepts_").intercepts

    @intercepts_.setter
    def intercepts_(self, value: Iterable[Any]) -> None:
        self._held = self._settable()._replace(intercepts=[np.asarray(a) for a in value])

    def _settable(self) -> Held:
        """What there is of weights: none where nobody has fitted the estimator, or set any."""
        unfitted = "program_" not in vars(self) and self._held is None
        return Held(0, [], []) if unfitted else self._read("coefs_")

    @abstractmethod
    def _adopt(self) -> None:
        """Makes a program of the weights that were set, where there is none."""

    def _read(self, name: str) -> Held:
        if "program_" not in vars(self):
            if self._held is None:
                kind = type(self).__name__
                raise AttributeError(f"{kind!r} object has no attribute {name!r}: fit it first")
            return self._held
        version = self.program_._values.version
        held = self._held
        if held is None or held.version != version:
            values = self.program_.parameters
            coefs, intercepts = (
                [np.array(values[name]) for name in names]
                for names in (self._settings.form.coefs, self._settings.form.intercepts)
            )
            held = self._held = Held(version, coefs, intercepts)
        return held

    def _settle(self) -> Program:
        """The program, with what was written into the weights."""
        if "program_" not in vars(self):
            self._adopt()
        held, program = self._held, self.program_
        if held is None:
            return program
        if held.version == program._values.version:
            given = held.by_name(self._settings.form)
            values = program.parameters
            changed = {k: a for k, a in given.items() if not np.array_equal(a, values[k])}
            if not changed:
                return program
            values.update(changed)
            self._held = held._replace(version=program._values.version)
        else:
            self._held = None
        return program
