"""Wrong samplers, checkpoints, measurements and readers: what stands around the steps."""

from __future__ import annotations

from typing import Final

from catch.fault import Fault

_SAMPLING: Final = (
    "Which rows a step is fed is not the graph's: `verigrad selfcheck` draws an epoch of each "
    "sampler, and asks for every row."
)
_RUNS: Final = "No step is wrong by itself. `verigrad selfcheck` goes on with a run."
_FILES: Final = (
    "What a file says is known to the file alone: readers are held to files written by others, in "
    "the tests."
)
_PREPARED: Final = (
    "Steps are right for the rows that they are fed. `verigrad selfcheck` parts and scales some."
)
_MEASURED: Final = (
    "No step is wrong: a number is told that is not the program's. `verigrad selfcheck` asks the "
    "scores."
)


def _sampler(name: str, old: str, new: str) -> Fault:
    where, tests = "runtime/training/sampling.py", "training/test_sampling.py"
    return Fault(name, "samplers", where, old, new, tests, _SAMPLING)


def _run(name: str, file: str, old: str, new: str) -> Fault:
    tests = "training/test_checkpoint.py api/test_model_files.py"
    return Fault(name, "checkpoints", file, old, new, tests, _RUNS)


def _reader(name: str, file: str, old: str, new: str, tests: str, reason: str = _FILES) -> Fault:
    return Fault(name, "readers and measurements", file, old, new, tests, reason)


FAULTS: Final = (
    _sampler(
        "a-row-never-drawn",
        "[start : self._count if last else start",
        "[start : self._count - 1 if last else start",
    ),
    _sampler(
        "a-batch-twice",
        "start, last = k * self._batch_size, k",
        "start, last = max(k - 1, 0) * self._batch_size, k",
    ),
    _sampler(
        "the-same-order-each-epoch",
        'words(self._seed, "sampler.epoch", self._count, epoch)',
        'words(self._seed, "sampler.epoch", self._count, 0)',
    ),
    _sampler(
        "last-row-never-replaced",
        "return (drawn % np.uint64(self._count)).astype(np.int64)",
        "return (drawn % np.uint64(max(self._count - 1, 1))).astype(np.int64)",
    ),
    _sampler(
        "last-class-never-balanced",
        "np.arange(self.largest)) % len(self._sizes)",
        "np.arange(self.largest)) % max(len(self._sizes) - 1, 1)",
    ),
    _run(
        "a-state-left-out-of-the-file",
        "runtime/state.py",
        '            np.copyto(self.memory[name], value, casting="no")\n',
        '            if not name.endswith(("velocity", "moment")):\n'
        '                np.copyto(self.memory[name], value, casting="no")\n',
    ),
    _run(
        "resumed-with-the-first-values",
        "runtime/training/checkpoint.py",
        "        program._values.write(stored.program._values)\n",
        "",
    ),
    _run(
        "resumed-a-step-later",
        "runtime/training/checkpoint.py",
        "return stored.position, stored.arrays[_LOSSES].tolist()",
        "return stored.position._replace(step=stored.position.step + 1), "
        "stored.arrays[_LOSSES].tolist()",
    ),
    _run(
        "callbacks-forget",
        "runtime/training/checkpoint.py",
        "        _restore(self.path, _states(self.path, callbacks, stored))\n",
        "",
    ),
    _reader(
        "accuracy-over-one-row-more",
        "runtime/training/measure.py",
        "for block in blocks]) / data.count",
        "for block in blocks]) / (data.count + 1)",
        "training/test_measure.py",
        _MEASURED,
    ),
    _reader(
        "mean-of-means-of-blocks",
        "runtime/totals.py",
        "                total = total * count\n",
        "                total = total * self._count / (1 + self._count // count)\n",
        "training/test_measure.py",
        _MEASURED,
    ),
    _reader(
        "idx-sizes-turned-round",
        "runtime/data/idx.py",
        "return np.frombuffer(data, np.uint8).reshape(shape)",
        "return np.frombuffer(data, np.uint8).reshape(shape[::-1]).T",
        "data/test_idx.py",
    ),
    _reader(
        "csv-underscores-in-numbers",
        "runtime/data/cells.py",
        'return cell.replace("_", "no digit")',
        "return cell",
        "data/test_csv_forms.py data/test_csv_text.py data/test_tables.py",
    ),
    _reader(
        "test-rows-trained-on",
        "runtime/data/parts.py",
        "return np.flatnonzero(~second), np.flatnonzero(second)",
        "return np.arange(len(y)), np.flatnonzero(second)",
        "data",
        _PREPARED,
    ),
    _reader(
        "features-of-twice-their-deviation",
        "runtime/data/scaling.py",
        "inverse = 1.0 / np.where(varies, deviation,",
        "inverse = 0.5 / np.where(varies, deviation,",
        "data/test_scaling.py",
        _PREPARED,
    ),
)
