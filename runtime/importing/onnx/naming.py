"""Names of a file as ours: a letter or _, then letters, digits, _ . or -, each once."""

from __future__ import annotations

import re


class Names:
    """Our names for a file's; no two become one."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}
        self._taken: set[str] = set()

    def of(self, name: str) -> str:
        """Our name of a tensor, the same each time."""
        if name not in self._given:
            self._given[name] = self.new(cleaned(name))
        return self._given[name]

    def new(self, wanted: str) -> str:
        """That name, or with a number behind it where it is taken."""
        found, k = wanted, 2
        while found in self._taken:
            found, k = f"{wanted}_{k}", k + 1
        self._taken.add(found)
        return found


def cleaned(name: str) -> str:
    """The nearest text that may be a name: `/` parts it as `.` does, what else may not be is _."""
    parted = re.sub(r"[/.]+", ".", re.sub(r"(?::\d+)?$", "", name.strip()))
    text = re.sub(r"[^\w.-]+", "_", parted, flags=re.ASCII).strip(".")
    return text if re.match(r"[A-Za-z_]", text) else f"_{text}"
