"""Changes that no test can notice, since what is computed is the same, or promised by nothing: each
with the reason."""

from __future__ import annotations

from typing import Final

_ONLY: Final = "there is one element, which is the last as well"

_TABLE: Final[tuple[tuple[str, str, str, tuple[str, ...]], ...]] = (
    (
        "passes/fold_batch_norm.py",
        _ONLY,
        "moved = (b[0] - running_mean) * scale if b else -(running_mean * scale)",
        ("moved = (b[ -1] - running_mean) * scale if b else -(running_mean * scale)",),
    ),
    (
        "passes/fold_constants.py",
        "of several unknown sizes a note names any",
        'yield Refused(n, f"not folded: the size of {unknown[0]} is known when it runs")',
        ('yield Refused(n, f"not folded: the size of {unknown[ -1]} is known when it runs")',),
    ),
    (
        "passes/fuse_linear_relu.py",
        _ONLY,
        "linear = n.inputs[0]",
        ("linear = n.inputs[ -1]",),
    ),
    (
        "passes/scheduling/grouping.py",
        _ONLY,
        "moved = len(group) == 1 and latest and self._reduces(group[0])",
        ("moved = len(group) == 1 and latest and self._reduces(group[ -1])",),
    ),
    (
        "passes/scheduling/grouping.py",
        "what is read there shares a tensor with it, and is no lane beside it",
        "free = all(self.where[u] > later for u in outside.difference(group))",
        ("free = all(self.where[u] >= later for u in outside.difference(group))",),
    ),
    (
        "passes/scheduling/order.py",
        "the first number only says which case comes before the other",
        "return (0, added) if added <= 0 else (1, -alive_since, -level, added)",
        (
            "return ( -1, added) if added <= 0 else (1, -alive_since, -level, added)",
            "return (0, added) if added <= 0 else ( 2, -alive_since, -level, added)",
        ),
    ),
    (
        "passes/scheduling/order.py",
        "the first number only says which case comes before the other",
        "return (0, added) if added <= 0 else (1, -level, -alive_since, added)",
        (
            "return ( -1, added) if added <= 0 else (1, -level, -alive_since, added)",
            "return (0, added) if added <= 0 else ( 2, -level, -alive_since, added)",
        ),
    ),
    (
        "passes/scheduling/order.py",
        "levels are only compared, and all are shifted or doubled together, but for the level of "
        "what reads nothing, which is computed once and stands in no order",
        "level[n] = 1 + max([level.get(i, 0) for i in n.inputs], default=0)",
        (
            "level[n] = 2 + max([level.get(i, 0) for i in n.inputs], default=0)",
            "level[n] = 1 + max([level.get(i, 1) for i in n.inputs], default=0)",
            "level[n] = 1 + max([level.get(i, -1) for i in n.inputs], default=0)",
            "level[n] = 1 + max([level.get(i, 0) for i in n.inputs], default= 1)",
            "level[n] = 1 + max([level.get(i, 0) for i in n.inputs], default= -1)",
        ),
    ),
    (
        "passes/scheduling/order.py",
        "anything below 0 says that it is not alive yet",
        "since = [0 if kept else -1 for kept in self.kept] # below 0 until it comes alive",
        ("since = [0 if kept else - 2 for kept in self.kept] # below 0 until it comes alive",),
    ),
    (
        "passes/scheduling/order.py",
        "what is returned came alive at the end, or with its last reader: as good an order",
        "if since[i] < 0:",
        ("if since[i] <= 0:", "if since[i] < 1:"),
    ),
    (
        "passes/scheduling/order.py",
        "where there is no choice, other rules give the same order, and take their time",
        "self.choice = self.choice or len(keys) > 1",
        (
            "self.choice = self.choice or len(keys) >= 1",
            "self.choice = self.choice or len(keys) > 0",
        ),
    ),
    (
        "passes/scheduling/order.py",
        "where there is no choice, other rules give the same order, and take their time",
        "self.choice = False",
        ("self.choice = True",),
    ),
    (
        "passes/scheduling/order.py",
        "where there is no choice, other rules give the same order, and take their time",
        "break",
        ("continue",),
    ),
    (
        "runtime/planning/interference.py",
        "these are no bytes either",
        'return Value(self._label(n), Place("nowhere", 0, 0))',
        (
            'return Value(self._label(n), Place("nowhere", 1, 0))',
            'return Value(self._label(n), Place("nowhere", -1, 0))',
            'return Value(self._label(n), Place("nowhere", 0, -1))',
        ),
    ),
    (
        "runtime/planning/interference.py",
        "what is fed has a memory of its own, in which nothing else lies",
        "nbytes = source.type.nbytes(self.sizes) if known else 0",
        (
            "nbytes = source.type.nbytes(self.sizes) if known else 1",
            "nbytes = source.type.nbytes(self.sizes) if known else -1",
        ),
    ),
    (
        "runtime/planning/interference.py",
        "all that lies in the memory of a source begins where it does",
        "return Place(self._label(source), 0, nbytes)",
        (
            "return Place(self._label(source), 1, nbytes)",
            "return Place(self._label(source), -1, nbytes)",
        ),
    ),
    (
        "runtime/planning/liveness.py",
        "NumPy takes any negative number for the size to be found",
        "self._memory, self._start, self._stop = np.array(places, np.int64).reshape(-1, 3).T",
        ("self._memory, self._start, self._stop = np.array(places, np.int64).reshape(- 2, 3).T",),
    ),
    (
        "runtime/planning/plan.py",
        "of no pieces a list of one 0 says what a list of two does",
        "changes = [0] * (max((p.last for p in pieces), default=0) + 2)",
        (
            "changes = [0] * (max((p.last for p in pieces), default= 1) + 2)",
            "changes = [0] * (max((p.last for p in pieces), default= -1) + 2)",
            "changes = [0] * (max((p.last for p in pieces), default=0) + 3)",
        ),
    ),
    (
        "runtime/planning/limit.py",
        "the first set of results to compute again is empty, and gives the same plan",
        "if recompute and plans[1].nbytes > self.limit:",
        ("if recompute and plans[1].nbytes >= self.limit:",),
    ),
    (
        "runtime/planning/plan.py",
        "a line of the text may have 100 columns",
        '", ".join(self.recomputed), 96, initial_indent=first, subsequent_indent=indent',
        (
            '", ".join(self.recomputed), 97, initial_indent=first, subsequent_indent=indent',
            '", ".join(self.recomputed), 95, initial_indent=first, subsequent_indent=indent',
        ),
    ),
    (
        "passes/scheduling/schedule.py",
        "another node has another place",
        "if all(u is first or u not in late or place[u] < place[first] for u in g.users[w]):",
        ("if all(u is first or u not in late or place[u] <= place[first] for u in g.users[w]):",),
    ),
    (
        "runtime/planning/phases.py",
        "no kernel call reaches across phases",
        "once = [group for group in groups if group[0] in s.once]",
        ("once = [group for group in groups if group[ -1] in s.once]",),
    ),
    (
        "runtime/planning/tiling.py",
        "a measured size of a cache, not to the element",
        "TILE: Final = 32_768",
        ("TILE: Final = 32767", "TILE: Final = 32769"),
    ),
    (
        "runtime/planning/tiling.py",
        "all nodes of a lane have one shape",
        "count = sum(math.prod(part[0].type.bind(sizes)) for part in (lane, *others))",
        ("count = sum(math.prod(part[ -1].type.bind(sizes)) for part in (lane, *others))",),
    ),
    (
        "runtime/planning/tiling.py",
        "all nodes of a lane have one shape",
        "shape, bound = lane[0].type.shape, lane[0].type.bind(sizes)",
        (
            "shape, bound = lane[ -1].type.shape, lane[0].type.bind(sizes)",
            "shape, bound = lane[0].type.shape, lane[ -1].type.bind(sizes)",
        ),
    ),
    (
        "passes/scheduling/grouping.py",
        "what reads nothing makes something",
        "read = max([_size(i) for i in n.inputs], default=0)",
        ("read = max([_size(i) for i in n.inputs], default= -1)",),
    ),
    (
        "passes/scheduling/grouping.py",
        "what lanes read of their own is no scalar, and does not grow with the batch",
        "return free and bool(n.type.rank) and not n.type.symbols",
        (
            "return free or bool(n.type.rank) and not n.type.symbols",
            "return free and bool(n.type.rank) or not n.type.symbols",
        ),
    ),
    (
        "passes/add_in_place.py",
        "a measured size of a cache, not to the element",
        "smallest: int = 32_768",
        ("smallest: int = 32767", "smallest: int = 32769"),
    ),
    (
        "passes/simplify.py",
        _ONLY,
        'return subtract(a, b.inputs[0]), "a + -b = a - b"',
        ('return subtract(a, b.inputs[ -1]), "a + -b = a - b"',),
    ),
    (
        "passes/simplify.py",
        _ONLY,
        "new = apply(op, a.inputs[0] if swap_a else a, b.inputs[0] if swap_b else b)",
        ("new = apply(op, a.inputs[ -1] if swap_a else a, b.inputs[0] if swap_b else b)",),
    ),
)
"""Files, reasons, the line as it is, and what it may be instead."""

EQUIVALENTS: Final = {
    f"{file}\n- {line}\n+ {other}": reason
    for file, reason, line, others in _TABLE
    for other in others
}
"""By the file and the lines that differ, as `python -m catch.mutants` tells them."""
