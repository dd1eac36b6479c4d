"""Feeds: what is read as it lies, what is cast, and what is refused by the input's name."""

from __future__ import annotations

import numpy as np
import pytest
from api_nets import rows, says, snapshot, two_layer

import verigrad as vg


def program() -> vg.Program:
    """Two layers with momentum."""
    return vg.compile(two_layer(), optimizer=vg.Momentum(lr=0.1))


def test_a_missing_feed_is_named_with_what_is_expected() -> None:
    feeds = rows(4)
    with says("y", "i64[N]"):
        program().step(x=feeds["x"])
    with says("x", "f32[N,6]"):
        program().predict()


def test_an_unknown_feed_is_named_with_the_nearest_input() -> None:
    feeds = rows(4)
    with says("labels", "x", "y"):
        program().step(x=feeds["x"], labels=feeds["y"])
    with says("xx", "'x'"):
        program().step(xx=1, **feeds)


def test_a_feed_given_twice_is_refused() -> None:
    feeds = rows(4)
    with says("one dict or by name"):
        program().step(feeds, x=feeds["x"])


@pytest.mark.parametrize("feeds", [3, "x", [1, 2], np.zeros((4, 6))])
def test_feeds_must_be_a_dict(feeds: object) -> None:
    with says("dict"):
        program().step(feeds)


@pytest.mark.parametrize("shape", [(4, 5), (4,), (4, 6, 1), (), (6, 4)])
def test_a_wrong_shape_says_what_was_found_and_expected(shape: tuple[int, ...]) -> None:
    found = "[" + ",".join(map(str, shape)) + "]"
    with says("x", "[N,6]", found):
        program().step(x=np.zeros(shape, np.float32), y=rows(4)["y"])


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (4, 0)])
def test_labels_in_columns_of_which_nothing_is_left_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(vg.RunError, match=rf"'y' has the shape \[{shape[0]},{shape[1]}\]"):
        program().step(x=np.zeros((4, 6)), y=np.zeros(shape))


def test_two_sizes_for_one_symbol_name_both_inputs() -> None:
    with says("N", "x", "y", "4", "3"):
        program().step(x=rows(4)["x"], y=rows(3)["y"])


@pytest.mark.parametrize("dtype", [np.complex64, object, "U3", "datetime64[s]", "S2"])
def test_a_dtype_that_is_no_number_is_refused(dtype: object) -> None:
    with says("x", "f32"):
        program().step(x=np.zeros((4, 6)).astype(dtype), y=rows(4)["y"])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_where_integers_are_due_are_refused(dtype: type) -> None:
    with says("y", "i64", np.dtype(dtype).name):
        program().step(x=rows(4)["x"], y=rows(4)["y"].astype(dtype))


def test_truth_values_where_labels_are_due_are_refused() -> None:
    with says("y", "i64", "bool"):
        program().step(x=rows(4)["x"], y=rows(4)["y"] > 0)


@pytest.mark.parametrize("label", [3, -1, 2**40, -(2**40)])
def test_a_label_out_of_range_is_named_with_its_place_and_the_classes(label: int) -> None:
    trained, feeds = program(), rows(4)
    feeds["y"][2] = label
    before = snapshot(trained)
    for call in (trained.step, trained.loss, trained.gradients, trained.evaluate):
        with says("input 'y'", f"label {label}", "row 2", "3 classes", "0 to 2"):
            call(feeds)
    assert snapshot(trained) == before
    assert np.isfinite(trained.step(rows(4)))


def test_an_unsigned_label_that_does_not_fit_is_refused() -> None:
    y = np.array([0, 1, 2, 2**64 - 1], np.uint64)
    with says("y"):
        program().step(x=rows(4)["x"], y=y)


def test_ragged_lists_are_refused() -> None:
    with says("x"):
        program().step(x=[[1.0] * 6, [1.0] * 5], y=[0, 1])


def test_a_value_that_does_not_fit_f32_is_said_to_be_infinite() -> None:
    x = np.full((4, 6), 1e300)
    with pytest.raises(vg.NonFiniteError, match="'x'"):
        program().step(x=x, y=rows(4)["y"])


@pytest.mark.parametrize(
    "change",
    [
        np.asfortranarray,
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x[::-1][::-1],
        lambda x: np.ascontiguousarray(x.T).T,
        lambda x: x.astype(">f4"),
        lambda x: x.astype(np.float64),
        lambda x: x.astype(">f8"),
        lambda x: x.tolist(),
        lambda x: np.lib.stride_tricks.as_strided(x.copy(), x.shape, x.strides),
        lambda x: memoryview(np.ascontiguousarray(x)),
    ],
    ids=[
        "fortran",
        "strided",
        "reversed",
        "transposed",
        "big",
        "f64",
        "big64",
        "list",
        "tricks",
        "memory",
    ],
)
def test_every_layout_of_the_same_numbers_gives_the_same_step(change) -> None:
    feeds, one, other = rows(8), program(), program()
    expected = one.step(feeds)
    assert other.step(x=change(feeds["x"]), y=feeds["y"]) == expected
    assert snapshot(one) == snapshot(other)


@pytest.mark.parametrize("dtype", ["i1", "u1", ">i2", "i4", ">i8", "u8", list])
def test_every_integer_is_a_label(dtype: object) -> None:
    feeds = rows(8)
    y = feeds["y"].tolist() if dtype is list else feeds["y"].astype(dtype)
    assert program().step(x=feeds["x"], y=y) == program().step(feeds)


def test_half_floats_and_integers_are_cast() -> None:
    feeds = rows(8)
    half = feeds["x"].astype(np.float16)
    expected = program().step(x=half.astype(np.float32), y=feeds["y"])
    assert program().step(x=half, y=feeds["y"]) == expected
    bytes_ = np.arange(48, dtype=np.uint8).reshape(8, 6)
    expected = program().step(x=bytes_.astype(np.float32), y=feeds["y"])
    assert program().step(x=bytes_, y=feeds["y"]) == expected


def test_a_cast_feed_does_not_reach_into_the_next_call() -> None:
    one, other = program(), program()
    one.loss(x=np.full((8, 6), 9.0), y=rows(8)["y"])
    assert one.step(rows(8)) == other.step(rows(8))


def test_unaligned_feeds_are_read() -> None:
    feeds = rows(8)
    raw = np.empty(feeds["x"].nbytes + 1, np.uint8)
    unaligned = raw[1:].view(np.float32).reshape(8, 6)
    unaligned[...] = feeds["x"]
    assert program().step(x=unaligned, y=feeds["y"]) == program().step(feeds)


def test_subclasses_of_arrays_are_plain_numbers() -> None:
    class Loud(np.ndarray):
        """An array that forbids arithmetic."""

        def __array_ufunc__(self, *args: object, **kwargs: object) -> None:
            raise AssertionError("arithmetic on the user's class")

    feeds = rows(8)
    assert program().step(x=feeds["x"].view(Loud), y=feeds["y"]) == program().step(feeds)


def test_a_masked_array_is_refused_or_read_whole() -> None:
    feeds = rows(8)
    masked = np.ma.masked_array(feeds["x"], mask=feeds["x"] > 0)
    assert program().step(x=np.ma.getdata(masked), y=feeds["y"]) == program().step(feeds)
    with says("x", "masked"):
        program().step(x=masked, y=feeds["y"])


def test_a_batch_of_none_is_an_error_that_names_the_mean() -> None:
    trained = program()
    before = snapshot(trained)
    empty = {"x": np.empty((0, 6), np.float32), "y": np.empty(0, np.int64)}
    for call in (trained.step, trained.loss, trained.gradients):
        with says("mean of nothing", "one row"):
            call(empty)
    assert snapshot(trained) == before
    assert trained.predict(x=empty["x"])["scores"].shape == (0, 3)


def test_a_batch_of_one_trains() -> None:
    trained = program()
    assert np.isfinite(trained.step(rows(1)))
    assert trained.step_number == 1


def test_plan_names_a_missing_an_unknown_and_an_impossible_size() -> None:
    with says("N"):
        program().plan()
    with says("M", "N"):
        program().plan(N=4, M=3)
    for wrong in (-1, 2.5, "4"):
        with says("N", repr(wrong)):
            program().plan(N=wrong)


def test_a_huge_plan_is_computed_and_takes_no_memory() -> None:
    assert program().plan(N=10**9).nbytes > 10**9


def test_interpret_names_what_is_missing() -> None:
    net = two_layer()
    with says("fc1.weight"):
        vg.interpret(net, dict(rows(4)))
