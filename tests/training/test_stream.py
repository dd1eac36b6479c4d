"""Batches that come one by one: of any size and kind, that end, that fail, and that go on."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import verigrad as vg

Batch = tuple[np.ndarray, np.ndarray]


def batches(count: int, size: int = 8, seed: int = 0) -> list[Batch]:
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        x = rng.standard_normal((size, 12)).astype(np.float32)
        made.append((x, x[:, :4].argmax(axis=1)))
    return made


def shuffled(epoch: int) -> Iterator[Batch]:
    """Six batches in an order of the epoch's own."""
    made = batches(6)
    for k in np.random.default_rng(epoch).permutation(6):
        yield made[k]


def compiled(net: vg.Graph, **options: object) -> vg.Program:
    how = {"optimizer": vg.Adam(lr=0.02), "dropout": vg.Dropout(keep=0.9), **options}
    return vg.compile(net, **how)


@pytest.fixture
def program(three_layer: vg.Graph) -> vg.Program:
    return compiled(three_layer)


def state(program: vg.Program) -> dict[str, bytes]:
    return {k: v.tobytes() for k, v in (*program.parameters.items(), *program.state.items())}


# ---- what it may be -------------------------------------------------------------------------


class Again:
    """What can be iterated over time and again."""

    def __iter__(self) -> Iterator[Batch]:
        return iter(batches(6))


def test_all_forms_train_as_the_steps_by_hand(three_layer: vg.Graph) -> None:
    by_hand = compiled(three_layer)
    losses = [by_hand.step(x=x, y=y) for _ in range(2) for x, y in batches(6)]
    forms: list[object] = [
        batches(6),
        [{"y": y, "x": x} for x, y in batches(6)],
        Again(),
        lambda: iter(batches(6)),
        lambda epoch: batches(6),
        lambda *args: map(list, batches(6)),
    ]
    for form in forms:
        program = compiled(three_layer)
        history = vg.fit(program, form, epochs=2)
        assert history.losses == losses
        assert state(program) == state(by_hand)
        assert [(row.epoch, row.step) for row in history] == [(1, 6), (2, 12)]


def test_an_iterator_is_read_once_and_no_further_than_needed(program: vg.Program) -> None:
    left = iter(batches(6))
    history = vg.fit(program, left, steps=4)
    assert [(row.epoch, row.step) for row in history] == [(1, 4)]
    assert len(list(left)) == 2
    assert len(vg.fit(program, iter(batches(6)), epochs=1).losses) == 6
    with pytest.raises(vg.RunError, match=r"epochs is 2, but the data is an iterator.*steps="):
        vg.fit(program, iter(batches(6)), epochs=2)


def test_steps_go_on_over_epochs(program: vg.Program) -> None:
    seen: list[int] = []

    def each(epoch: int) -> list[Batch]:
        seen.append(epoch)
        return batches(3)

    history = vg.fit(program, each, steps=7)
    assert [(row.epoch, row.step) for row in history] == [(1, 3), (2, 6), (3, 7)]
    assert seen == [0, 1, 2]


def test_an_iterator_that_ends_early_is_warned_of(program: vg.Program) -> None:
    with pytest.warns(vg.VerigradWarning, match="ended after 6 steps, of 10 asked for"):
        history = vg.fit(program, iter(batches(6)), steps=10)
    assert [(row.epoch, row.step) for row in history] == [(1, 6)]
    assert program.step_number == 6


def test_batches_of_other_sizes_weigh_by_their_rows(program: vg.Program) -> None:
    sizes = [8, 1, 3, 20, 8]
    stream = [batches(1, size, seed=size)[0] for size in sizes]
    history = vg.fit(program, stream, epochs=1)
    due = np.average(history.losses, weights=sizes)
    assert history.rows[0].train_loss == pytest.approx(due, rel=1e-12)
    (share,) = history["train_accuracy"]
    assert share is not None
    assert share * 40 == pytest.approx(round(share * 40))


def test_a_buffer_that_is_used_again_is_read_before_it_changes(three_layer: vg.Graph) -> None:
    def reused() -> Iterator[Batch]:
        x, y = np.empty((8, 12), np.float32), np.empty(8, np.int64)
        for a, b in batches(6):
            x[:], y[:] = a, b
            yield x, y

    one, other = compiled(three_layer), compiled(three_layer)
    vg.fit(one, reused, epochs=2)
    vg.fit(other, batches(6), epochs=2)
    assert state(one) == state(other)


def test_validation_and_callbacks_hear_of_each_pass(program: vg.Program) -> None:
    valid = batches(1, 30, seed=9)[0]
    history = vg.fit(
        program,
        batches(2),
        validation=valid,
        epochs=3,
        callbacks=vg.EarlyStopping(3),
        keep_best=True,
    )
    assert len(history) == 3
    assert all(row.validation_accuracy is not None for row in history)


def test_a_list_of_rows_is_still_an_array() -> None:
    x, t = vg.input("x", ("N",)), vg.input("t", ("N",))
    w = vg.parameter("w", (1,), "ones")
    loss = vg.mean(vg.square(x * w - t))
    program = vg.compile(vg.Graph("g", loss=loss), optimizer=vg.SGD(lr=0.1))
    vg.fit(program, [(1.0, 2.0), (1.0, 2.0)], epochs=1)
    vg.fit(program, [[1.0, 2.0], [1.0, 2.0]], epochs=1)
    assert program.step_number == 2


def test_frames_keep_their_columns(three_layer: vg.Graph) -> None:
    pandas = pytest.importorskip("pandas")
    names = [f"c{k}" for k in range(12)]
    program = compiled(three_layer)
    vg.fit(program, [(pandas.DataFrame(x, columns=names), y) for x, y in batches(3)], epochs=1)
    assert '"c11"' in program.metadata["columns"]


# ---- what goes wrong ------------------------------------------------------------------------

BAD: list[tuple[Callable[[Batch], object], str]] = [
    (lambda b: (b[0][:, :3], b[1]), r"input 'x' has the shape \[8,3\]"),
    (lambda b: b[0], "the data is ndarray, where a tuple of 2"),
    (lambda b: None, "the data is NoneType"),
    (lambda b: (b[0], b[1][:3]), "input 'x' has 8 rows, but 'y' has 3"),
    (lambda b: (b[0][:0], b[1][:0]), "the data set is empty"),
    (lambda b: (b[0], b[1] + 9), "which is out of range"),
    (lambda b: (b[0] * np.nan, b[1]), "input 'x' holds nan in row 0, column 0"),
    (lambda b: {"x": b[0]}, "input 'y' is missing"),
    (lambda b: {"x": b[0], "y": b[1], "z": 0}, "there is no input 'z'"),
    (lambda b: "text", "the data is str"),
]


@pytest.mark.parametrize(("spoil", "said"), BAD)
@pytest.mark.parametrize("at", [0, 4])
def test_a_batch_that_does_not_fit_is_named(
    program: vg.Program, spoil: Callable[[Batch], object], said: str, at: int
) -> None:
    def stream(epoch: int) -> Iterator[object]:
        for k, batch in enumerate(batches(6)):
            yield spoil(batch) if k == at else batch

    with pytest.raises(vg.RunError, match=f"batch {at + 1} of epoch 1: .*{said}"):
        vg.fit(program, stream, epochs=1)
    assert program.step_number == at  # what was made is kept


def test_a_batch_of_one_row_that_a_step_cannot_take_is_named() -> None:
    x, y = vg.input("x", ("N", 12)), vg.input("y", ("N",), dtype="i64")
    scores = vg.dense(vg.batch_norm(x), 4)
    net = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    program = compiled(net)
    stream = [*batches(2), *batches(1, 1)]
    with pytest.raises(
        vg.RunError, match="batch 3 of epoch 1: batch normalization of a batch of 1"
    ):
        vg.fit(program, stream, epochs=1)
    assert program.step_number == 2


def test_what_a_generator_raises_is_its_own(program: vg.Program) -> None:
    def broken(epoch: int) -> Iterator[Batch]:
        yield from batches(3)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone") as caught:
        vg.fit(program, broken, epochs=1)
    assert caught.value.__notes__ == ["raised by the data, for batch 4 of epoch 1"]
    assert program.step_number == 3
    vg.fit(program, batches(1), epochs=1)


class Nothing:
    """What can be iterated over, and gives nothing."""

    def __iter__(self) -> Iterator[Batch]:
        return iter(())


@pytest.mark.parametrize("empty", [iter(()), lambda: [], Nothing()])
def test_no_batch_is_an_error(program: vg.Program, empty: object) -> None:
    with pytest.raises(vg.RunError, match="the data gives no batch in epoch 1"):
        vg.fit(program, empty, steps=1)


def test_a_function_of_one_iterator_has_no_second_epoch(program: vg.Program) -> None:
    one = iter(batches(3))
    with pytest.raises(vg.RunError, match="no batch in epoch 2"):
        vg.fit(program, lambda: one, epochs=2)
    assert program.step_number == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_size": 8}, "batch_size is 8, but the data comes in batches"),
        ({"sampler": "balanced"}, "sampler is 'balanced', but the data comes in batches"),
        ({"epochs": None}, "fit takes epochs= or steps="),
        ({"epochs": 0}, "epochs is 0"),
    ],
)
def test_options_that_are_for_arrays_are_refused(
    program: vg.Program, options: dict[str, object], said: str
) -> None:
    with pytest.raises(vg.RunError, match=said):
        vg.fit(program, batches(2), **{"epochs": 1, **options})


def test_a_function_that_cannot_be_called_so_says_for_what(program: vg.Program) -> None:
    with pytest.raises(TypeError, match="missing 1 required") as caught:
        vg.fit(program, lambda epoch, rows: [], epochs=1)
    assert caught.value.__notes__ == ["raised by the data, for batch 1 of epoch 1"]


def test_a_function_that_gives_no_batches_is_named(program: vg.Program) -> None:
    with pytest.raises(vg.RunError, match="a function that gives 3 for an epoch"):
        vg.fit(program, lambda: 3, epochs=1)


def test_a_step_that_is_not_finite_names_the_row_of_its_batch(
    program: vg.Program, tmp_path: Path
) -> None:
    huge = [(x * np.float32(1e30 if k == 2 else 1), y) for k, (x, y) in enumerate(batches(4))]
    with pytest.raises(vg.NonFiniteError, match="step 2 is not finite") as caught:
        vg.fit(program, huge, epochs=1, bundle=tmp_path / "failed")
    assert "of the data" not in str(caught.value)
    assert vg.replay(tmp_path / "failed").diagnosis is not None


# ---- going on -------------------------------------------------------------------------------


class Until(vg.Callback):
    """Ends a run, as a failure would, after so many steps."""

    def __init__(self, step: int) -> None:
        self.last = step

    def on_step(self, step: int, loss: float) -> None:
        if step == self.last:
            raise KeyboardInterrupt


class Counted:
    """An iterable whose order depends on all that was drawn from it."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(5)

    def __iter__(self) -> Iterator[Batch]:
        made = batches(6)
        for _ in range(6):
            yield made[self.rng.integers(6)]


FORMS: list[Callable[[], object]] = [
    lambda: shuffled, lambda: batches(6), Counted, lambda: iter(batches(18))
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("parts", [(1, 18), (6, 18), (7, 9, 18), (12, 17, 18), (18, 18)])
def test_a_run_that_goes_on_ends_with_the_bits_of_one_that_was_not_stopped(
    three_layer: vg.Graph, tmp_path: Path, form: Callable[[], object], parts: tuple[int, ...]
) -> None:
    whole, path = compiled(three_layer), tmp_path / "run"
    due = vg.fit(whole, form(), steps=18, validation=batches(1)[0])
    for steps in parts:
        program = compiled(three_layer)
        history = vg.fit(
            program, form(), steps=steps, validation=batches(1)[0], checkpoint=path, resume=True
        )
    assert state(program) == state(whole)
    assert history.losses == due.losses


def test_a_run_that_was_cut_goes_on_from_its_last_epoch(
    three_layer: vg.Graph, tmp_path: Path
) -> None:
    whole, path = compiled(three_layer), tmp_path / "run"
    due = vg.fit(whole, shuffled, epochs=3)
    cut, program = compiled(three_layer), compiled(three_layer)
    with pytest.raises(KeyboardInterrupt):
        vg.fit(cut, shuffled, epochs=3, checkpoint=path, callbacks=Until(15))
    drawn: list[int] = []

    def each(epoch: int) -> Iterator[Batch]:
        drawn.append(epoch)
        return shuffled(epoch)

    history = vg.fit(program, each, epochs=3, checkpoint=path, resume=True)
    assert state(program) == state(whole)
    assert history.losses == due.losses
    assert [row.epoch for row in history] == [1, 2, 3]
    assert drawn == [2]  # whole epochs of a function are not made again


def test_another_stream_is_seen(three_layer: vg.Graph, tmp_path: Path) -> None:
    path = tmp_path / "run"
    vg.fit(compiled(three_layer), batches(6), steps=8, checkpoint=path)
    for other in (batches(6, seed=1), lambda epoch: batches(6, seed=epoch)):
        with pytest.raises(vg.RunError, match="batch 2 of epoch 2 is another than"):
            vg.fit(compiled(three_layer), other, steps=9, checkpoint=path, resume=True)
    with pytest.raises(vg.RunError, match="ends after 1 batches of epoch 2, of which the run"):
        vg.fit(compiled(three_layer), lambda: batches(1), steps=9, checkpoint=path, resume=True)
    x, y = batches(1, 48)[0]
    with pytest.raises(vg.RunError, match="a run whose sampler was 'stream'"):
        vg.fit(compiled(three_layer), (x, y), steps=9, checkpoint=path, resume=True)


def test_a_checkpoint_from_before_streams_is_read(three_layer: vg.Graph, tmp_path: Path) -> None:
    from verigrad.runtime.files.told import fitting
    from verigrad.runtime.training.checkpoint import Position

    row = [1, 6, 0.5, 0.5, None, None, 0.1]
    told = {"step": 6, "start": 0, "total": 0.0, "seen": 0, "stopped": False, "rows": [row]}
    assert fitting(told, Position).place == (0, 0, "")
    assert fitting(told, Position).rows[0].step == 6


@pytest.mark.parametrize("at", [0, 3])
def test_ctrl_c_ends_what_waits_for_a_batch(three_layer: vg.Graph, tmp_path: Path, at: int) -> None:
    """A signal is acted on at once where the data lets wait, and the run is kept."""
    path, whole = tmp_path / "run", compiled(three_layer)
    due = vg.fit(whole, batches(6), epochs=1)

    def stuck(epoch: int) -> Iterator[Batch]:
        for k, batch in enumerate(batches(6)):
            if k == at + 1:
                threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
                threading.Event().wait(30)
                raise AssertionError("nobody has ended the wait")
            yield batch

    before, began = signal.getsignal(signal.SIGINT), time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        vg.fit(compiled(three_layer), stuck, epochs=1, checkpoint=path)
    assert time.monotonic() - began < 20
    assert signal.getsignal(signal.SIGINT) is before
    program = compiled(three_layer)
    history = vg.fit(program, lambda: batches(6), epochs=1, checkpoint=path, resume=True)
    assert history.losses == due.losses
    assert state(program) == state(whole)


def test_a_handler_of_ones_own_may_let_the_run_go_on(three_layer: vg.Graph) -> None:
    heard: list[int] = []

    def signalling() -> Iterator[Batch]:
        for batch in batches(4):
            os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        history = vg.fit(compiled(three_layer), signalling, epochs=1)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(history.losses) == 4
    assert len(heard) == 4
