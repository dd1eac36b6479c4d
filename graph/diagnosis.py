"""What is told of a step that is not finite: where that began, what was read there, what may help.

Plain values by names, so that files and JSON hold them: they are found out where steps run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

UNCHANGED: Final = "the state is as it was before the step"
"""How the text of each such error ends."""
_MOST: Final = 8
"""How many rows are listed."""


class Reading(NamedTuple):
    """The numbers of a tensor that a node reads.

    `least` and `most` are of the finite ones, None where there are none; `row` is where the
    largest magnitude of a tensor with rows lies, and `not_finite` counts the others.
    """

    name: str
    least: float | None
    most: float | None
    not_finite: int
    row: int | None

    def __str__(self) -> str:
        if self.least is None or self.most is None:
            return f"%{self.name}, none finite" if self.not_finite else f"%{self.name}, empty"
        numbers = f"from {self.least:g} to {self.most:g}"
        if self.least == self.most:
            numbers = f"= {self.most:g}"
        elif self.row is not None:
            numbers += f" (row {self.row})"
        others = f", {self.not_finite:,} not finite" if self.not_finite else ""
        return f"%{self.name} {numbers}{others}"


class Diagnosis(NamedTuple):
    """The first node of a step, in order, that has a number which is not finite and spoils it.

    `place` counts the nodes that run before it; `phase` is forward, backward or update; `where` the
    line of the user's program; `value` the first such number, which lies `at`. `rows` are those of
    the `batch` (so many) that hold one: none, and a batch of 0, where the node has no rows.
    `causes` and `remedies` are sentences. `data_rows` are what the `told_rows` are in the data set
    of `fit`.
    """

    step: int | None
    node: str
    place: int
    op: str
    layer: str | None
    phase: str
    where: str | None
    value: str
    at: tuple[int, ...]
    rows: tuple[int, ...]
    batch: int
    reads: tuple[Reading, ...]
    causes: tuple[str, ...]
    remedies: tuple[str, ...]
    data_rows: tuple[int, ...] = ()

    @property
    def told_rows(self) -> tuple[int, ...]:
        """The rows of the batch that hold it, or else where the largest numbers are read."""
        read = dict.fromkeys([r.row for r in self.reads if r.row is not None])
        return self.rows or tuple(read)

    def of_data(self, rows: Sequence[int], step: int) -> Diagnosis:
        """The same of a batch whose rows are these of a data set, in a run's step."""
        return self._replace(step=step, data_rows=tuple([rows[row] for row in self.told_rows]))

    def as_dict(self) -> dict[str, object]:
        """All of it in the types that JSON has."""
        return {**self._asdict(), "reads": [r._asdict() for r in self.reads]}

    def same_place(self, other: Diagnosis) -> bool:
        """Whether another step fails at the same node, with the same value in the same places.

        Nodes are compared by their places: what no user has named may have another name in a
        program that is read from its file.
        """
        mine, its = [(d.place, d.op, d.value, d.at, d.rows) for d in (self, other)]
        return mine == its

    def named_as(self, other: Diagnosis) -> Diagnosis:
        """The same with the names and the line of another, which is of the same node."""
        names = {mine.name: its.name for mine, its in zip(self.reads, other.reads, strict=True)}
        reads = tuple([r._replace(name=names[r.name]) for r in self.reads])
        return self._replace(node=other.node, where=other.where, reads=reads)

    def __str__(self) -> str:
        row = f" in row {self.at[0]}," if self.rows else ""
        place = f"{row} at [{','.join(map(str, self.at))}]" if self.at else ""
        which = "the step" if self.step is None else f"step {self.step}"
        lines = [f"{which} is not finite: %{self.node} is {self.value}{place}", *self._lines()]
        return "\n  ".join(lines)

    def _lines(self) -> Iterator[str]:
        part = "the update" if self.phase == "update" else f"the {self.phase} pass"
        layer = f" in layer {self.layer}" if self.layer else ""
        where = f" at {self.where}" if self.where else ""
        yield f"made in {part} by {self.op}{layer}{where}"
        everywhere = len(self.rows) == self.batch > 1
        if everywhere:
            yield f"it is so in all of {self.batch:,} rows"
        elif len(self.rows) > 1:
            yield f"it is so in {len(self.rows):,} of {self.batch:,} rows: {_listed(self.rows)}"
        if self.reads:
            yield f"it reads {'; '.join(map(str, self.reads))}"
        if self.data_rows and not everywhere:
            yield f"{_rows(self.told_rows)} of the batch: {_rows(self.data_rows)} of the data"
        yield from self.causes
        yield from self.remedies
        yield UNCHANGED


def _rows(rows: Sequence[int]) -> str:
    return f"{'row' if len(rows) == 1 else 'rows'} {_listed(rows)}"


def _listed(rows: Sequence[int]) -> str:
    return ", ".join([*map(str, rows[:_MOST]), *(["..."] if len(rows) > _MOST else [])])
