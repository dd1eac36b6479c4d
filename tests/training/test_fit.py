"""The training loop: what it does to the program, and what it tells."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import verigrad as vg
from verigrad.runtime.training.history import Row

Data = tuple[np.ndarray, np.ndarray]


@pytest.fixture
def data(rng: np.random.Generator) -> Data:
    """61 rows of 12, whose class is which of the first four numbers is the largest."""
    x = rng.standard_normal((61, 12)).astype(np.float32)
    return x, x[:, :4].argmax(axis=1)


@pytest.fixture
def program(three_layer: vg.Graph) -> vg.Program:
    return compiled(three_layer)


def compiled(net: vg.Graph, seed: int = 0) -> vg.Program:
    return vg.compile(net, optimizer=vg.Momentum(lr=0.1), dropout=vg.Dropout(keep=0.9), seed=seed)


def state(program: vg.Program) -> dict[str, list[float]]:
    return {k: v.tolist() for k, v in (*program.parameters.items(), *program.state.items())}


def test_fit_learns_and_reports_each_epoch(program: vg.Program, data: Data) -> None:
    history = vg.fit(program, data, validation=data, epochs=60, batch_size=12)
    assert history["epoch"] == list(range(1, 61))
    assert history["step"] == list(range(5, 301, 5))  # 61 rows: four batches of 12, one of 13
    assert history.rows[-1].train_loss < history.rows[0].train_loss / 2
    accuracy = history.rows[-1].validation_accuracy
    assert accuracy is not None and accuracy > 0.9
    assert history["seconds"] == sorted(history["seconds"])
    assert "validation_accuracy" in str(history).splitlines()[0]


def test_the_train_loss_is_the_mean_of_the_steps_weighted_by_rows(
    program: vg.Program, data: Data
) -> None:
    losses: list[float] = []

    class Listen(vg.Callback):
        def on_step(self, step: int, loss: float) -> None:
            losses.append(loss)

    x, y = data[0][:25], data[1][:25]
    history = vg.fit(program, (x, y), epochs=1, batch_size=10, callbacks=[Listen()])
    a, b, c = losses
    assert history.rows[0].train_loss == pytest.approx((10 * a + 10 * b + 5 * c) / 25, rel=1e-12)


def test_a_run_in_parts_ends_with_the_bits_of_one_that_was_not(
    three_layer: vg.Graph, data: Data
) -> None:
    whole, parts = compiled(three_layer), compiled(three_layer)
    vg.fit(whole, data, epochs=5, batch_size=10)
    for steps in (7, 1, 12, 10):
        vg.fit(parts, data, steps=steps, batch_size=10)
    assert parts.step_number == whole.step_number == 30
    assert state(parts) == state(whole)
    other = compiled(three_layer, seed=1)
    vg.fit(other, data, epochs=5, batch_size=10)
    assert state(other) != state(whole)


def test_steps_end_with_a_row_for_the_part_of_an_epoch(program: vg.Program, data: Data) -> None:
    history = vg.fit(program, data, steps=8, batch_size=10)
    assert [(row.epoch, row.step) for row in history] == [(1, 6), (2, 8)]


def test_a_dict_by_name_and_a_tuple_train_the_same(three_layer: vg.Graph, data: Data) -> None:
    one, other = compiled(three_layer), compiled(three_layer)
    vg.fit(one, data, epochs=1, batch_size=10)
    vg.fit(other, {"y": data[1], "x": data[0]}, epochs=1, batch_size=10)
    assert state(one) == state(other)


def test_data_of_other_widths_trains_as_if_it_was_cast(
    three_layer: vg.Graph, rng: np.random.Generator
) -> None:
    pixels = rng.integers(0, 3, (30, 12)).astype(np.uint8)
    labels = rng.integers(0, 4, 30).astype(np.uint8)
    one, other = compiled(three_layer), compiled(three_layer)
    vg.fit(one, (pixels, labels), epochs=2, batch_size=10)
    vg.fit(other, (pixels.astype("f4"), labels.astype("i8")), epochs=2, batch_size=10)
    assert state(one) == state(other)


def test_a_callback_that_returns_true_ends_the_run(program: vg.Program, data: Data) -> None:
    class Stop(vg.Callback):
        def on_epoch(self, row: Row) -> bool:
            return row.epoch == 3

    history = vg.fit(program, data, epochs=50, batch_size=10, callbacks=[Stop()])
    assert len(history) == 3
    assert program.step_number == 18


def test_ctrl_c_is_acted_on_once_the_step_is_done(program: vg.Program, data: Data) -> None:
    class Press(vg.Callback):
        def on_step(self, step: int, loss: float) -> None:
            if step == 4:
                os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        vg.fit(program, data, epochs=3, batch_size=10, callbacks=[Press()])
    assert signal.getsignal(signal.SIGINT) is before
    assert program.step_number == 4
    vg.fit(program, data, steps=1, batch_size=10)
    assert program.step_number == 5


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_handler_of_ones_own_is_called_between_steps_and_the_run_goes_on(
    program: vg.Program, data: Data, name: str, tmp_path: Path
) -> None:
    number = getattr(signal, name, None)
    if number is None:
        pytest.skip("this system has no such signal")
    told: list[tuple[int, int]] = []
    file = tmp_path / "run.safetensors"

    def handle(number: int, _: object) -> None:
        told.append((program.step_number, vg.load(file).step_number))

    class Press(vg.Callback):
        def on_step(self, step: int, loss: float) -> None:
            if step in (4, 5):
                signal.raise_signal(number)

    before = signal.signal(number, handle)
    try:
        vg.fit(program, data, epochs=2, batch_size=10, callbacks=Press(), checkpoint=file)
        assert signal.getsignal(number) is handle
    finally:
        signal.signal(number, before)
    assert told == [(4, 4), (5, 5)]
    assert program.step_number == 12


def test_signals_that_are_ignored_or_the_systems_stay_so(program: vg.Program, data: Data) -> None:
    seen: list[object] = []

    class Look(vg.Callback):
        def on_step(self, step: int, loss: float) -> None:
            seen.extend(signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM))

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        vg.fit(program, data, steps=1, batch_size=10, callbacks=Look())
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIG_IGN, signal.getsignal(signal.SIGTERM)]


def test_a_handler_that_a_callback_sets_stays(program: vg.Program, data: Data) -> None:
    def handle(*_: object) -> None: ...

    class Set(vg.Callback):
        def on_step(self, step: int, loss: float) -> None:
            signal.signal(signal.SIGINT, handle)

    before = signal.getsignal(signal.SIGINT)
    try:
        vg.fit(program, data, steps=1, batch_size=10, callbacks=Set())
        assert signal.getsignal(signal.SIGINT) is handle
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_previous_handler_comes_back_after_an_error(program: vg.Program, data: Data) -> None:
    class Fail(vg.Callback):
        def on_step(self, step: int, loss: float) -> None:
            raise ZeroDivisionError

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError):
        vg.fit(program, data, epochs=1, callbacks=[Fail()], batch_size=10)
    assert signal.getsignal(signal.SIGINT) is before


def test_fit_runs_off_the_main_thread(program: vg.Program, data: Data) -> None:
    done: list[int] = []
    thread = threading.Thread(
        target=lambda: done.append(len(vg.fit(program, data, epochs=2, batch_size=10)))
    )
    thread.start()
    thread.join()
    assert done == [2]


def test_a_loss_that_is_not_finite_ends_the_run_with_the_state_before_it(
    three_layer: vg.Graph, data: Data
) -> None:
    program = vg.compile(three_layer, optimizer=vg.SGD(lr=1e30))
    with pytest.raises(vg.NonFiniteError, match="a smaller lr may help"):
        vg.fit(program, data, epochs=5, batch_size=10)
    assert all(np.isfinite(v).all() for v in program.parameters.values())


@pytest.mark.parametrize(
    ("count", "message"),
    [
        ({}, "fit takes epochs= or steps=, one of the two"),
        ({"epochs": 1, "steps": 1}, "fit takes epochs= or steps=, one of the two"),
        ({"epochs": 0}, "epochs is 0, where a whole number from 1 is expected"),
        ({"steps": 1.5}, "steps is 1.5, where a whole number from 1 is expected"),
    ],
)
def test_how_long_to_train_is_said_once(
    program: vg.Program, data: Data, count: dict[str, int], message: str
) -> None:
    with pytest.raises(vg.RunError, match=message):
        vg.fit(program, data, batch_size=10, **count)


def test_a_program_without_an_optimizer_does_not_train(three_layer: vg.Graph, data: Data) -> None:
    with pytest.raises(vg.RunError, match="no optimizer"):
        vg.fit(vg.compile(three_layer), data, epochs=1, batch_size=10)


def test_measure_agrees_with_one_evaluation_of_all_rows(
    program: vg.Program, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((2500, 12)).astype(np.float32)
    y = rng.integers(0, 4, 2500)
    found = vg.measure(program, (x, y))
    whole = program.evaluate(x=x, y=y)
    assert found.loss == pytest.approx(whole["loss"], rel=1e-5)
    assert found.accuracy == np.mean(whole["scores"].argmax(axis=1) == y)


def test_a_regression_has_no_accuracy(rng: np.random.Generator) -> None:
    x, t = vg.input("x", ("N", 3)), vg.input("t", ("N", 2))
    out = vg.dense(x, 2)
    net = vg.Graph("line", {"out": out}, loss=vg.mean_squared_error(out, t))
    program = vg.compile(net, optimizer=vg.SGD(lr=0.1))
    feeds = {"x": rng.standard_normal((20, 3)), "t": rng.standard_normal((20, 2))}
    history = vg.fit(program, feeds, validation=feeds, epochs=2, batch_size=5)
    assert history["validation_accuracy"] == [None, None]
    assert history.rows[1].validation_loss is not None
    assert "validation_accuracy" not in str(history)


def test_an_unknown_column_is_named_with_those_there_are(program: vg.Program, data: Data) -> None:
    history = vg.fit(program, data, steps=1, batch_size=10)
    with pytest.raises(KeyError, match="'loss'; the columns are epoch, step, train_loss"):
        history["loss"]


Change = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]


def _with(**changed: object) -> Change:
    return lambda feeds: {**feeds, **{k: np.asarray(v) for k, v in changed.items()}}


def _put(name: str, place: tuple[int, ...], value: float) -> Change:
    def change(feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        array = feeds[name].copy()
        array[place] = value
        return {**feeds, name: array}

    return change


BAD: list[tuple[Change, str]] = [
    (_with(x=np.zeros((0, 12)), y=np.zeros(0, int)), "the data set is empty: input 'x' has 0 rows"),
    (_with(y=np.zeros(60, int)), "input 'x' has 61 rows, but 'y' has 60; one row of each"),
    (_put("x", (37, 5), np.nan), "input 'x' holds nan in row 37, column 5, where a finite f32"),
    (_put("x", (60, 0), -np.inf), "input 'x' holds -inf in row 60, column 0"),
    (_with(x=np.full((61, 12), 1e300)), r"input 'x' holds 1e\+300 in row 0, column 0"),
    (_put("y", (3,), 4), "'y' holds the label 4 in row 3, .* 4 classes, labels are 0 to 3"),
    (_put("y", (9,), -1), "'y' holds the label -1 in row 9"),
    (_with(y=np.zeros(61)), "'y' is float64, where integers are expected .*astype"),
    (_with(x=np.full((61, 12), "a")), "'x' is texts such as 'a', where f32.N,12. is expected"),
    (_with(x=np.zeros((61, 11))), r"'x' has the shape \[61,11\], where f32\[N,12\] is expected"),
    (_with(x=np.zeros((61, 3, 4))), r"\[61,3,4\], .* give x.reshape\(len\(x\), -1\)"),
    (_with(z=np.zeros(61)), "there is no input 'z'"),
    (lambda feeds: {"x": feeds["x"]}, r"input 'y' is missing; i64\[N\] is expected"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=[m for _, m in BAD])
def test_bad_data_is_named_before_the_first_step(
    program: vg.Program, data: Data, change: Change, message: str
) -> None:
    before = state(program)
    bad = change({"x": data[0], "y": data[1]})
    with pytest.raises(vg.RunError, match=message):
        vg.fit(program, bad, epochs=1, batch_size=10)
    with pytest.raises(vg.RunError, match=message) as raised:
        vg.fit(program, data, validation=bad, epochs=1, batch_size=10)
    assert state(program) == before
    assert str(raised.value).startswith("validation data: ")


def test_a_tuple_of_another_length_is_told_the_order(program: vg.Program, data: Data) -> None:
    with pytest.raises(vg.RunError, match=r"the data is 1 arrays, where a tuple of 2 .* \(x, y\)"):
        vg.fit(program, data[:1], epochs=1)


def test_an_input_without_a_batch_is_refused() -> None:
    x, scale = vg.input("x", ("N", 3)), vg.input("scale", ())
    out = vg.dense(x, 1) * scale
    program = vg.compile(vg.Graph("scaled", loss=vg.mean(out)), optimizer=vg.SGD(lr=0.1))
    with pytest.raises(vg.RunError, match=r"'scale' is f32\[\]: rows can be drawn only for"):
        vg.fit(program, {"x": np.zeros((4, 3)), "scale": np.zeros(4)}, epochs=1, batch_size=2)


def test_one_callback_is_as_good_as_a_list_of_one(program: vg.Program, data: Data) -> None:
    class Count(vg.Callback):
        steps = 0

        def on_step(self, step: int, loss: float) -> None:
            self.steps += 1

    count = Count()
    vg.fit(program, data, steps=3, batch_size=10, callbacks=count)
    assert count.steps == 3
    for wrong in (Count, [Count], print, 3):
        with pytest.raises(vg.RunError, match=r"callbacks has .*vg\.EarlyStopping\(2\)"):
            vg.fit(program, data, steps=1, batch_size=10, callbacks=wrong)


def test_history_has_the_loss_of_each_step_and_the_accuracy_of_training(
    three_layer: vg.Graph, data: Data
) -> None:
    """The accuracy is of the scores that a step computes, as the inference of its start does."""
    x, y = data[0][:25], data[1][:25]
    one, other = (vg.compile(three_layer, optimizer=vg.SGD(lr=0.1)) for _ in range(2))
    history = vg.fit(one, (x, y), epochs=2, batch_size=10, sampler="sequential")
    losses, right = [], []
    for start in (0, 10, 20) * 2:
        batch = {"x": x[start : start + 10], "y": y[start : start + 10]}
        scores = other.predict(batch)["scores"]
        right.append(np.count_nonzero(scores.argmax(axis=1) == batch["y"]))
        losses.append(other.step(batch))
    assert history.losses == losses
    assert history["train_accuracy"] == [sum(right[:3]) / 25, sum(right[3:]) / 25]
    assert "train_accuracy" in str(history)


def test_without_labels_no_accuracy_is_told(rng: np.random.Generator) -> None:
    x, t = vg.input("x", ("N", 3)), vg.input("t", ("N", 1))
    program = vg.compile(
        vg.Graph("g", loss=vg.mean_squared_error(vg.dense(x, 1), t)), optimizer=vg.SGD(lr=0.1)
    )
    history = vg.fit(program, (rng.random((8, 3)), rng.random((8, 1))), epochs=1)
    assert history["train_accuracy"] == [None]
    assert len(history.losses) == 1


def test_the_default_batch_has_no_more_rows_than_there_are(three_layer: vg.Graph) -> None:
    for rows, steps in ((1, 1), (7, 1), (100, 1), (250, 3)):
        x, y = np.ones((rows, 12), np.float32), np.zeros(rows, int)
        for sampler in ("shuffled", "sequential", "replacement", "balanced"):
            program = vg.compile(three_layer, optimizer=vg.SGD(lr=0.1))
            assert vg.fit(program, (x, y), epochs=1, sampler=sampler)["step"] == [steps]
    with pytest.raises(vg.RunError, match="batch_size is 251, but the data has 250 rows"):
        vg.fit(program, (x, y), epochs=1, batch_size=251)


def test_progress_is_a_line_an_epoch_where_no_terminal_is(
    program: vg.Program, data: Data, capsys: pytest.CaptureFixture[str]
) -> None:
    vg.fit(program, data, validation=data, epochs=2)
    assert capsys.readouterr() == ("", "")
    vg.fit(program, data, validation=data, epochs=2, progress=True)
    out, err = capsys.readouterr()
    first, second = err.splitlines()
    assert out == ""
    assert first.startswith("epoch 3/4  train loss ")
    assert second.startswith("epoch 4/4  train loss ")
    assert "validation accuracy" in second


class Terminal(io.StringIO):
    """What stands for a terminal that stderr is written to."""

    def isatty(self) -> bool:
        return True


def test_progress_is_a_bar_on_a_terminal(
    program: vg.Program, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", shown := Terminal())
    vg.fit(program, data, epochs=2, progress=True)
    assert "epoch 2/2" in shown.getvalue()
    assert "2/2" in shown.getvalue()
    monkeypatch.setattr("sys.stderr", shown := Terminal())
    vg.fit(program, data, epochs=2, progress=False)
    assert shown.getvalue() == ""
    monkeypatch.setattr("sys.stderr", None)
    vg.fit(program, data, epochs=1, progress=True)


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("closed")])
def test_a_stderr_that_takes_nothing_ends_no_run(
    program: vg.Program,
    data: Data,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[io.StringIO],
    error: Exception,
) -> None:
    def refuse(*args: object) -> int:
        raise error

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", stream := kind())
    monkeypatch.setattr(stream, "write", refuse)
    history = vg.fit(program, data, epochs=2, progress=True)
    assert history["epoch"] == [1, 2]


def test_a_run_that_lasts_shows_a_bar_on_a_terminal_until_it_ends(
    program: vg.Program, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", shown := Terminal())
    vg.fit(program, data, epochs=2)
    assert shown.getvalue() == ""
    monkeypatch.setattr("verigrad.runtime.training.progress.SECONDS", 1e-6)
    vg.fit(program, data, epochs=2)
    told = shown.getvalue()
    assert "epoch 4/4" in told
    assert told.endswith("\x1b[1A\x1b[2K")  # the line of the bar is cleared
    monkeypatch.setattr("sys.stderr", shown := io.StringIO())
    vg.fit(program, data, epochs=2)
    assert shown.getvalue() == ""


def test_progress_in_a_notebook_is_a_bar_in_the_cell(
    program: vg.Program, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []

    def show(bundle: dict[str, str], raw: bool) -> None:
        assert raw
        shown.append(bundle.get("text/html", ""))

    shell = SimpleNamespace(display_formatter=SimpleNamespace(active_types=["text/html"]))
    handle = SimpleNamespace(display=show, update=show)
    display = SimpleNamespace(DisplayHandle=lambda: handle)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    vg.fit(program, data, epochs=2)
    assert shown == []
    vg.fit(program, data, validation=data, epochs=2, progress=True)
    assert "epoch 3/4" in shown[1] and "epoch 4/4" in shown[-1]
    assert "2/2" in shown[-1] and "accuracy" in shown[-1]
    assert shown[-1].count("<pre") == 1 and shown[-1].count("epoch") == 1
