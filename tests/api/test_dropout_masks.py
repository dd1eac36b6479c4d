"""Dropout: its bits by hand from raw Philox words, its scaling, and where it is put."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from api_nets import rows, says, two_layer

import verigrad as vg


def kept(seed: int, key: str, step: int, shape: tuple[int, ...], keep: float) -> np.ndarray:
    """Which elements stay, as the design says it: 16-bit words of Philox below keep * 65536."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    name = int.from_bytes(digest, "little")
    key_words = np.array([seed, name], np.uint64)  # a list of them would become floats
    bits = np.random.Philox(key=key_words, counter=np.array([0, 0, step, 0], np.uint64))
    count = int(np.prod(shape))
    words = bits.random_raw(-(-count // 4)).astype("<u8").view("<u2")[:count]
    return (words < round(keep * 65536)).reshape(shape)


def masks(g: vg.Graph) -> dict[str, vg.Node]:
    """The mask nodes of a graph by their key."""
    return {n.op.key: n for n in g.order if n.op.name == "dropout_mask"}


def by_hand(program: vg.Program, feeds: dict, drop: dict[str, np.ndarray]) -> float:
    """The loss of `two_layer` in f64 with these multipliers on x and on the hidden layer."""
    p = {name: np.asarray(value, np.float64) for name, value in program.parameters.items()}
    x = feeds["x"].astype(np.float64) * drop.get("x", 1.0)
    h = np.maximum(x @ p["fc1.weight"] + p["fc1.bias"], 0) * drop.get("fc1", 1.0)
    scores = h @ p["fc2.weight"] + p["fc2.bias"]
    top = scores.max(axis=1, keepdims=True)
    logs = scores - top - np.log(np.exp(scores - top).sum(axis=1, keepdims=True))
    return float(-logs[np.arange(len(logs)), feeds["y"]].mean())


@pytest.mark.parametrize("keep", [0.5, 0.8, 1 / 3])
@pytest.mark.parametrize("mode", ["inverted", "vanilla"])
@pytest.mark.parametrize("seed", [0, 7, 2**40])
def test_masks_are_the_philox_words_of_seed_layer_and_step(
    keep: float, mode: str, seed: int
) -> None:
    program = vg.compile(
        two_layer(),
        optimizer=vg.SGD(lr=0.1),
        dropout=vg.Dropout(keep=keep, mode=mode),
        seed=seed,
        dtype="f64",
    )
    mask = masks(program.training)["fc1"]
    assert mask.op.keep == keep
    scale = 1 / keep if mode == "inverted" else 1.0
    for step, n in enumerate((8, 8, 3, 13)):
        feeds = rows(n, seed=step)
        multiplier = kept(seed, "fc1", step, (n, 5), keep) * scale
        expected = by_hand(program, feeds, {"fc1": multiplier})
        assert program.step_number == step
        assert program.step(feeds) == pytest.approx(expected, rel=1e-12)


def test_input_and_each_layer_have_their_own_keep() -> None:
    program = vg.compile(
        two_layer(),
        dropout=vg.Dropout(keep=0.8, layers={"fc1": 0.4}, input=0.9),
        seed=3,
        dtype="f64",
    )
    assert {key: n.op.keep for key, n in masks(program.training).items()} == {"x": 0.9, "fc1": 0.4}
    feeds = rows(9)
    multipliers = {
        "x": kept(3, "x", 0, (9, 6), 0.9) / 0.9,
        "fc1": kept(3, "fc1", 0, (9, 5), 0.4) / 0.4,
    }
    assert program.loss(feeds) == pytest.approx(by_hand(program, feeds, multipliers), rel=1e-12)


def test_masks_are_the_same_whatever_was_fused() -> None:
    def run(pipeline: vg.Pipeline) -> list[float]:
        program = vg.compile(
            two_layer(),
            optimizer=vg.SGD(lr=0.1),
            dropout=vg.Dropout(keep=0.5, input=0.9),
            pipeline=pipeline,
            dtype="f64",
        )
        return [program.step(rows(8, seed=seed)) for seed in range(4)]

    plain = vg.TRAINING.without(
        "fuse_linear_relu", "eliminate_common", "simplify", "fold_constants"
    )
    np.testing.assert_allclose(run(plain), run(vg.TRAINING), rtol=1e-12)


def test_masks_do_not_depend_on_other_layers() -> None:
    x = vg.input("x", ("N", 6))
    h = vg.relu(vg.dense(x, 5, name="before"))
    h = vg.relu(vg.dense(h, 5, name="fc1"))
    net = vg.Graph("deep", loss=vg.mean(vg.dense(h, 3, name="fc2")))
    deep = vg.compile(net, dropout=vg.Dropout(keep=0.5), dtype="f64")
    shallow = vg.compile(two_layer(), dropout=vg.Dropout(keep=0.5), dtype="f64")
    assert masks(deep.training)["fc1"].op == masks(shallow.training)["fc1"].op


def test_different_layers_steps_and_seeds_have_different_masks() -> None:
    shape = (16, 16)
    drawn = {
        kept(seed, key, step, shape, 0.5).tobytes()
        for seed in (0, 1)
        for key in ("fc1", "fc2")
        for step in (0, 1)
    }
    assert len(drawn) == 8
    losses = {
        vg.compile(two_layer(), dropout=vg.Dropout(keep=0.5), seed=seed).loss(rows(8))
        for seed in range(4)
    }
    assert len(losses) == 4


def test_inverted_inference_is_the_plain_net() -> None:
    plain = vg.compile(two_layer())
    dropping = vg.compile(two_layer(), dropout=vg.Dropout(keep=0.5, input=0.8))
    assert str(dropping.inference) == str(plain.inference)
    x = rows(8)["x"]
    np.testing.assert_array_equal(dropping.predict(x=x)["scores"], plain.predict(x=x)["scores"])


def test_vanilla_inference_multiplies_by_keep() -> None:
    program = vg.compile(
        two_layer(), dropout=vg.Dropout(keep=0.5, input=0.8, mode="vanilla"), dtype="f64"
    )
    feeds = rows(8)
    expected = by_hand(program, feeds, {"x": np.float64(0.8), "fc1": np.float64(0.5)})
    assert program.evaluate(feeds)["loss"] == pytest.approx(expected, rel=1e-12)


def test_dropout_is_not_put_behind_the_last_layer() -> None:
    program = vg.compile(two_layer(), dropout=vg.Dropout(keep=0.5))
    assert set(masks(program.training)) == {"fc1"}
    x = vg.input("x", ("N", 6))
    net = vg.Graph("g", loss=vg.mean(vg.relu(vg.dense(x, 3, name="fc1"))))
    assert masks(vg.compile(net, dropout=vg.Dropout(keep=0.5)).training) == {}


@pytest.mark.parametrize("mode", ["inverted", "vanilla"])
def test_declared_dropout_needs_no_option(mode: str) -> None:
    x = vg.input("x", ("N", 6))
    h = vg.dropout(vg.dense(x, 5, name="fc1"), keep=0.25, mode=mode)
    net = vg.Graph("declared", {"h": h}, loss=vg.mean(h))
    program = vg.compile(net, seed=5, dtype="f64")
    (mask,) = masks(program.training).values()
    fed = rows(8)["x"]
    hidden = fed.astype(np.float64) @ program.parameters["fc1.weight"]
    scale = 4.0 if mode == "inverted" else 1.0
    expected = hidden * kept(5, mask.op.key, 0, (8, 5), 0.25) * scale
    assert program.loss(x=fed) == pytest.approx(expected.mean(), rel=1e-12)
    inference = hidden if mode == "inverted" else hidden * 0.25
    np.testing.assert_allclose(program.predict(x=fed)["h"], inference, rtol=1e-12)


def test_two_dropouts_of_one_layer_do_not_share_a_mask() -> None:
    x = vg.input("x", ("N", 64))
    a, b = vg.dropout(x, keep=0.5), vg.dropout(x, keep=0.5)
    w = vg.parameter("w", (64,), "ones")
    net = vg.Graph("two", {"a": a, "b": b}, loss=vg.sum(w * a * b))
    program = vg.compile(net)
    keys = set(masks(program.training))
    assert len(keys) == 2
    both = np.logical_and(*(kept(0, key, 0, (4, 64), 0.5) for key in keys))
    assert program.loss(x=np.ones((4, 64))) == pytest.approx(4.0 * both.sum())


def test_keep_one_drops_nothing() -> None:
    plain, whole = (
        vg.compile(two_layer(), dropout=dropout) for dropout in (None, vg.Dropout(keep=1.0))
    )
    assert str(plain.training) == str(whole.training)
    assert plain.loss(rows(8)) == whole.loss(rows(8))


def test_a_resumed_run_continues_the_masks(tmp_path) -> None:
    program = vg.compile(two_layer(), optimizer=vg.SGD(lr=0.0), dropout=vg.Dropout(keep=0.5))
    losses = [program.step(rows(8)) for _ in range(6)]
    again = vg.compile(two_layer(), optimizer=vg.SGD(lr=0.0), dropout=vg.Dropout(keep=0.5))
    assert [again.step(rows(8)) for _ in range(3)] == losses[:3]
    again.save(tmp_path / "half")
    resumed = vg.load(tmp_path / "half")
    assert [resumed.step(rows(8)) for _ in range(3)] == losses[3:]
    assert len(set(losses)) > 1


@pytest.mark.parametrize("keep", [0.0, -0.5, 1.5, float("nan"), float("inf")])
def test_keep_outside_0_1_is_refused(keep: float) -> None:
    with says("keep", "(0, 1]"):
        vg.Dropout(keep=keep)
    with says("keep", "(0, 1]"):
        vg.Dropout(input=keep)
    with says("keep", "(0, 1]", "fc1"):
        vg.Dropout(layers={"fc1": keep})
    with says("keep", "(0, 1]"):
        vg.dropout(vg.input("x", ("N", 6)), keep=keep)


def test_keep_that_is_no_number_is_refused() -> None:
    for keep in ("0.5", None, True):
        with says("keep"):
            vg.Dropout(keep=keep)


def test_a_keep_for_a_layer_without_dropout_is_refused() -> None:
    with says("fc2"):
        vg.compile(two_layer(), dropout=vg.Dropout(layers={"fc2": 0.5}))


def test_keep_is_never_positional() -> None:
    with pytest.raises(TypeError):
        vg.Dropout(0.5)
    with pytest.raises(TypeError):
        vg.dropout(vg.input("x", ("N", 6)), 0.5)


def test_an_unknown_mode_or_layer_is_refused() -> None:
    with says("upside_down", "inverted", "vanilla"):
        vg.Dropout(keep=0.5, mode="upside_down")
    with says("there is no layer 'fc9'"):
        vg.compile(two_layer(), dropout=vg.Dropout(layers={"fc9": 0.5}))
