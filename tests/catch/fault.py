"""What a planted fault is: a line or two of the package's source, and what stands there instead."""

from __future__ import annotations

from typing import Final, NamedTuple

PASSES: Final = "passes of a user"


class Fault(NamedTuple):
    """`old` in a file of the package becomes `new`; it stands there once.

    A fault without a file is a user's: the pass of that name in `user_passes` is inserted into the
    pipelines that programs are compiled with.
    """

    name: str
    group: str
    file: str
    old: str
    new: str
    tests: str
    """The folders and files of the unit tests of the area, below tests/."""
    reason: str = ""
    """Why what runs by default cannot catch it, where it cannot."""

    @property
    def is_of_backends(self) -> bool:
        """Whether it is in what numba's backend has, or shares with NumPy's."""
        return self.file.startswith(("runtime/backends/", "runtime/planning/"))

    @property
    def is_pass(self) -> bool:
        """Whether it is a user's pass, and no patch."""
        return self.group == PASSES

    def applied(self, text: str) -> str:
        """The source with the fault. Raises ValueError where the fault does not apply."""
        found = text.count(self.old)
        if found != 1:
            raise ValueError(
                f"fault {self.name}: {self.file} holds its old text {found} times, where once is "
                f"expected; mend the fault to what the file says now:\n{self.old}"
            )
        return text.replace(self.old, self.new)
