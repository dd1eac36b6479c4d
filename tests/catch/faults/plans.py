"""Wrong schedules, plans, packs, tiles and cuts: where results lie, and what runs as one."""

from __future__ import annotations

from typing import Final

from catch.fault import Fault

_PLAN: Final = "plan/test_plan_oracle.py plan/test_placement.py"


def _plan(name: str, file: str, old: str, new: str, tests: str = _PLAN, reason: str = "") -> Fault:
    return Fault(name, "plan, packing, tiles, threads", file, old, new, tests, reason)


FAULTS: Final = (
    _plan(
        "freed-a-call-early",
        "runtime/planning/plan.py",
        "last = end if kept else max([s.groups[chain[-1]], *[s.groups[u] for u in users]])",
        "last = end if kept else max([s.groups[first], *[s.groups[u] - 1 for u in users]])",
    ),
    _plan(
        "gap-of-half-the-size",
        "runtime/planning/plan.py",
        "fits = np.flatnonzero(gaps >= self._end(life.nbytes))",
        "fits = np.flatnonzero(gaps >= self._end(life.nbytes) // 2)",
    ),
    _plan(
        "meets-but-at-its-last-call",
        "runtime/planning/plan.py",
        "meets = (first <= life.last) & (last >= life.first)",
        "meets = (first <= life.last) & (last > life.first)",
    ),
    _plan(
        "computed-once-and-not-kept",
        "runtime/planning/plan.py",
        "first in s.once and any(u not in s.once for u in users)",
        "first in s.once and all(u in s.once for u in users)",
    ),
    _plan(
        "arena-not-aligned",
        "runtime/planning/plan.py",
        "return -(-nbytes // alignment) * alignment",
        "return -(-nbytes // 4) * 4",
    ),
    _plan(
        "temporaries-of-no-bytes",
        "runtime/planning/plan.py",
        "lives += [_Life((), n, t.nbytes(sizes), at, at) for t in wanted]",
        "lives += [_Life((), n, 0, at, at) for t in wanted]",
    ),
    _plan(
        "take-over-of-what-is-still-read",
        "passes/scheduling/schedule.py",
        "if last[x] is n:",
        "if x in last:",
        "golden plan/test_plan_oracle.py",
    ),
    _plan(
        "take-over-of-what-is-computed-once",
        "passes/scheduling/schedule.py",
        "if group[x] == group[n] or (x in once and n not in once):",
        "if group[x] == group[n]:",
        "golden plan/test_plan_oracle.py",
    ),
    _plan(
        "state-written-before-it-is-read",
        "passes/scheduling/schedule.py",
        "if all(u is first or u not in late or place[u] < place[first] for u in g.users[w]):",
        "if g.users[w]:",
        "golden plan/test_plan_oracle.py",
    ),
    _plan(
        "call-moved-behind-a-write",
        "passes/scheduling/grouping.py",
        "if writer in self.where and k != self.where[writer] < later:",
        "if writer in self.where and k > later:",
        "golden plan/test_plan_oracle.py",
        "In none of the nets is a call moved so. Where one is, as in the golden file "
        "`schedule/not_past_a_write`, the verifier refuses the schedule.",
    ),
    _plan(
        "lanes-whose-tensors-lie-apart-run-as-one",
        "runtime/backends/tiles.py",
        "if a.ctypes.data != at or not a.flags.c_contiguous:",
        "if not a.flags.c_contiguous:",
        "plan/test_differential.py",
    ),
    _plan(
        "packed-states-overlap",
        "runtime/state.py",
        "            start += piece.nbytes\n",
        "            start += piece.nbytes - 64 * (piece.nbytes > 64)\n",
        "plan/test_differential.py",
    ),
    _plan(
        "temporary-free-too-early",
        "runtime/planning/tiling.py",
        "results[n] = taken(n.type, last[n])",
        "results[n] = taken(n.type, k)",
        "plan/test_differential.py",
    ),
    _plan(
        "last-whole-tile-skipped",
        "runtime/backends/tiles.py",
        "whole = range(0, self.part.rows - step + 1, step)",
        "whole = range(0, self.part.rows - step, step)",
        "plan/test_differential.py",
    ),
    _plan(
        "rest-of-the-tiles-skipped",
        "runtime/backends/numpy/writer.py",
        "rest = part.rows % part.step",
        "rest = 0 * part.step",
        "plan/test_differential.py",
    ),
    _plan(
        "new-value-not-copied",
        "runtime/execution/executor.py",
        "if n in g.inputs or arrays[w] is not arrays[n]:",
        "if n in g.inputs:",
        "plan/test_differential.py graph/test_updates.py",
    ),
    _plan(
        "prepared-once-and-for-all",
        "runtime/execution/executor.py",
        "if self._prepared != version:",
        "if self._prepared is None:",
        "plan/test_differential.py",
        "A certificate is of the first batch: what is computed once is right then, and is stale "
        "after the next step. `verigrad selfcheck` evaluates behind steps.",
    ),
    _plan(
        "threads-skip-a-row",
        "runtime/backends/numba/tape/tape.py",
        "return list(pairwise(bounds))",
        "return [(a, b - (b < count)) for a, b in pairwise(bounds)]",
        "jit/test_products.py jit/test_kernels.py",
    ),
    _plan(
        "partial-sums-of-threads-lost",
        "runtime/backends/numba/lowering/kernel_text.py",
        "if len(parts) > 1 and partial:",
        "if len(parts) > 2 and partial:",
        "jit/test_kernels.py",
    ),
    _plan(
        "partial-products-of-threads-lost",
        "runtime/backends/numba/lowering/products.py",
        "    if partial:\n        tape.add(*added(partial, p.out, tape.threads))\n",
        "",
        "jit/test_products.py",
    ),
)
