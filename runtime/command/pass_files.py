"""Passes in a user's own files: `mine.py:MyPass`, loaded when they are named."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Final

from ...graph import PassError, RunError, cut, raised_at, shown, suggest
from ...graph.writing import given_path, reaching
from ...passes import Pass

ENDING: Final = ".py"


class PassFiles:
    """The passes that a command may name: ours, those of files that were loaded, and by
    `FILE.py:CLASS` those of files that are loaded then. A file is loaded once."""

    def __init__(self) -> None:
        self.ours = Pass.kinds()
        self.modules: dict[Path, ModuleType] = {}

    def kind(self, name: str) -> type[Pass] | None:
        """The pass of that name; None where there is none."""
        path, colon, asked = name.rpartition(":")
        if name.endswith(ENDING):
            return self._chosen(Path(name), "")
        if path.endswith(ENDING):
            return self._chosen(Path(path), asked)
        if colon:
            raise PassError(f"{shown(name)}: a pass of a file is named mine.py:MyPass")
        return {**Pass.kinds(), **self.ours}.get(name)

    def load(self, path: Path) -> ModuleType:
        """Runs a file, as an import does; RunError where it cannot be."""
        with reaching(given_path(path)):
            place = path.resolve()
        if place not in self.modules:
            self.modules[place] = _loaded(path, place)
        return self.modules[place]

    def _chosen(self, path: Path, asked: str) -> type[Pass]:
        """The pass of a file by the name of its class; the only one where none is asked for."""
        module = self.load(path)
        own = {
            name: value
            for name, value in vars(module).items()
            if isinstance(value, type)
            and issubclass(value, Pass)
            and value.__module__ == module.__name__
        }
        if asked:
            found = getattr(module, asked, None)
            if isinstance(found, type) and issubclass(found, Pass):
                return found
            if found is not None:
                raise RunError(f"{path}:{asked} is no subclass of vg.Pass, but {shown(found)}")
            raise RunError(f"{path} has no pass {shown(asked)}{suggest(asked, own)}")
        if len(own) == 1:
            return next(iter(own.values()))
        named = ", ".join([f"{path}:{name}" for name in own])
        raise RunError(
            f"{path} has {len(own)} passes; name one: {named}" if own else f"{path} defines no pass"
        )


def _loaded(path: Path, place: Path) -> ModuleType:
    try:
        source = path.read_bytes()
    except OSError as e:
        raise RunError(f"{path} cannot be read: {e.strerror or e}") from None
    module = ModuleType(str(place))  # a name that no import can have
    module.__file__ = str(place)
    sys.modules[module.__name__] = module  # where dataclasses look annotations up
    try:
        with _beside(place):
            exec(compile(source, str(place), "exec"), vars(module))
    except SyntaxError as e:
        raise RunError(f"{path} is no Python, line {e.lineno or 1}: {e.msg}") from None
    except (Exception, SystemExit) as e:
        line = raised_at(e)
        at = f"\n  at {line.described}" if line is not None else ""
        told = cut(f"{type(e).__name__}: {e}", 1000)
        raise RunError(f"{path} cannot be loaded: {told}{at}") from None
    return module


@contextmanager
def _beside(place: Path) -> Iterator[None]:
    """While the block lasts, a file may import what lies beside it, as a script does."""
    folder = str(place.parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
