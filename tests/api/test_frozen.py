"""Frozen parameters: read, and neither differentiated by, nor changed, nor kept anything beside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from api_nets import rows, says

import verigrad as vg

OPTIMIZERS = [
    vg.SGD(lr=0.1, weight_decay=0.1),
    vg.Nesterov(lr=0.1, rho=0.9),
    vg.AdamW(lr=0.1, weight_decay=0.5, groups=[vg.Group("a.*", lr=1.0)]),
]


def net(frozen: bool = True) -> vg.Graph:
    """Every kind of layer, of which the first two are frozen or are not."""
    x, y = vg.input("x", ("N", 6)), vg.input("y", ("N",), dtype="i64")
    h = vg.dense(x, 4, name="a", trainable=not frozen)
    h = vg.relu(vg.batch_norm(h, name="bn", trainable=not frozen))
    scores = vg.dense(vg.layer_norm(h, name="ln"), 3, name="b")
    return vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def compiled(g: vg.Graph, optimizer: vg.Optimizer = OPTIMIZERS[2]) -> vg.Program:
    return vg.compile(
        g,
        certify=True,
        optimizer=optimizer,
        regularizer=vg.ElasticNet(l1=0.1, l2=0.1),
        dropout=vg.Dropout(keep=0.8),
        clip=vg.ClipNorm(0.5),
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.name)
def test_training_leaves_them_as_they_are(optimizer: vg.Optimizer) -> None:
    program = compiled(net(), optimizer)
    before = {**program.parameters, **program.state}
    for seed in range(4):
        program.step(rows(8, seed=seed))
    changed = {
        k for k, v in {**program.parameters, **program.state}.items() if (v != before[k]).any()
    }
    assert not any(k.startswith(("a.", "bn.")) for k in changed)
    assert {"ln.weight", "ln.bias", "b.weight", "b.bias", "step"} <= changed
    assert not any(k.startswith("a.") for k in program.state)  # no moments
    assert set(program.gradients(rows(8))[1]) == {"ln.weight", "ln.bias", "b.weight", "b.bias"}
    assert program.certificate.verdict == "proved"


def test_the_rest_is_trained_as_if_they_were_constants() -> None:
    """Penalties, norms of the gradients and updates are those of a net without these parameters."""
    how = {"optimizer": vg.SGD(lr=0.1), "regularizer": vg.L2(0.3), "clip": vg.ClipNorm(0.1)}
    frozen = vg.compile(net(), **how)
    held = {k: v for k, v in frozen.parameters.items() if k.startswith("a.")}
    x, y = vg.input("x", ("N", 6)), vg.input("y", ("N",), dtype="i64")
    h = vg.matmul(x, vg.constant(held["a.weight"])) + vg.constant(held["a.bias"])
    h = vg.relu(h / vg.constant(np.float32(np.sqrt(1 + 1e-5))))
    scores = vg.dense(vg.layer_norm(h, name="ln"), 3, name="b")
    other = vg.compile(vg.Graph("net", loss=vg.softmax_cross_entropy(scores, y)), **how)
    for seed in range(3):
        a, b = frozen.step(rows(8, seed=seed)), other.step(rows(8, seed=seed))
        assert a == pytest.approx(b, rel=1e-5)
    for name, value in other.parameters.items():
        np.testing.assert_allclose(frozen.parameters[name], value, rtol=1e-4, atol=1e-6)


def test_frozen_normalization_gives_in_training_what_it_gives_in_inference() -> None:
    program = vg.compile(net().freeze("ln.*", "b.*"), optimizer=vg.SGD(lr=0.1))
    program.state["bn.running_mean"] = np.arange(4)
    feeds = rows(6)
    assert program.loss(feeds) == pytest.approx(program.evaluate(feeds)["loss"], rel=1e-5)


def test_text_and_files_keep_it(tmp_path: Path) -> None:
    g = net()
    assert str(g).count("trainable=false") == 4
    assert str(vg.parse(str(g))) == str(g)
    program = compiled(g)
    program.step(rows(8))
    program.save(tmp_path / "p.safetensors")
    again = vg.load(tmp_path / "p.safetensors")
    assert str(again.declared) == str(g)
    assert again.step(rows(8, seed=1)) == program.step(rows(8, seed=1))


def test_it_is_drawn_and_said_why_nothing_is_penalized() -> None:
    program = compiled(net())
    dot = program.training.to_dot(detail="nodes")
    assert dot.count("\\nfrozen") == 4
    assert "\\nfrozen" in net().to_dot(detail="layers")
    assert "\\nfrozen" not in net(frozen=False).to_dot(detail="layers")
    assert "\\nfrozen: 24" in net(frozen=False).freeze("a.weight").to_dot(detail="layers")
    reasons = [str(r) for r in program.records]
    assert any("%a.weight is not regularized: it is frozen" in r for r in reasons)
    assert any("its weight and bias are frozen" in r for r in reasons)


def test_a_frozen_layer_is_not_drawn_as_one_with_a_trained_one_like_it() -> None:
    x = vg.input("x", ("N", 3))
    for one in x, vg.relu(vg.dense(x, 3, name="in")):
        h = vg.relu(vg.dense(one, 3, name="a"))
        g = vg.Graph("g", {"y": vg.relu(vg.dense(h, 3, name="b"))})
        assert "x 2" in g.to_dot(detail="layers") or "x 3" in g.to_dot(detail="layers")
        half = g.freeze("a.*").to_dot(detail="layers")
        assert "x 2" not in half and "x 3" not in half


def test_a_page_of_it_is_written(tmp_path: Path) -> None:
    program = compiled(net())
    program.report(tmp_path / "report.html", rows(8))
    assert "trainable=false" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_gradients_are_checked_of_what_is_trained() -> None:
    report = vg.gradcheck(net(), rows(8), regularizer=vg.L2(0.1))
    assert report and [row.name for row in report.rows] == [
        "ln.weight",
        "ln.bias",
        "b.weight",
        "b.bias",
    ]
    with says("no parameter whose gradient could be checked; all are frozen"):
        vg.gradcheck(net().freeze("*"), rows(8))


def test_freezing_by_names_and_back() -> None:
    g = net(frozen=False)
    assert str(g.freeze("a.*", "bn.*")) == str(net())
    assert str(net().unfreeze("*")) == str(g)
    assert str(g.freeze("*").freeze("a.*")) == str(g.freeze("*"))
    unnamed = vg.mlp(vg.input("x", ("N", 2)), [3, 1])
    assert len(vg.Graph("g", loss=vg.sum(unnamed)).freeze("fc1.*").trained) == 2


def test_what_cannot_be_frozen_is_said() -> None:
    g = net(frozen=False)
    with says("no parameter matches 'c.*'; there are a.weight, a.bias"):
        g.freeze("a.*", "c.*")
    with says("freeze takes names of parameters, such as 'fc1.*'"):
        g.freeze()
    with says("freeze takes names such as 'fc1.*', not 3"):
        g.freeze(3)  # type: ignore[arg-type]
    for made in (compiled(g).training, compiled(g).stages["differentiate"]):
        with says("freeze what was declared, and compile that"):
            made.freeze("a.*")
    with says("trainable is 1, where True or False is expected"):
        vg.dense(vg.input("x", ("N", 2)), 1, trainable=1)  # type: ignore[arg-type]
    w = vg.parameter("w", (2,), trainable=False)
    with says("update of %w: it is frozen, trainable=False"):
        vg.Graph("g", loss=vg.sum(w), updates={w: w * 2.0})


def test_a_net_that_is_frozen_as_a_whole_steps_and_changes_nothing() -> None:
    program = vg.compile(net().freeze("*"), optimizer=vg.Adam(lr=0.1), regularizer=vg.L2(1.0))
    before = dict(program.parameters)
    first = program.step(rows(8))
    assert program.step(rows(8)) == first
    assert program.step_number == 2
    assert all((before[k] == v).all() for k, v in program.parameters.items())


def test_fit_warns_where_nothing_is_trained() -> None:
    feeds = rows(8)
    with pytest.warns(vg.VerigradWarning, match="all parameters are frozen, and nothing is"):
        vg.fit(vg.compile(net().freeze("*"), optimizer=vg.SGD(lr=0.1)), feeds, steps=1)


def test_a_parameter_of_two_readers_is_frozen_for_both() -> None:
    w = vg.parameter("w", (3, 3), trainable=False)
    x = vg.input("x", ("N", 3))
    loss = vg.mean(vg.square(vg.matmul(vg.matmul(x, w), w) * vg.parameter("s", (3,), "ones")))
    program = vg.compile(vg.Graph("g", loss=loss), optimizer=vg.SGD(lr=0.1))
    before = program.parameters["w"]
    program.step(x=np.ones((2, 3)))
    assert (program.parameters["w"] == before).all()
    program.parameters["w"] = np.eye(3)  # by hand, it is changed as any
    assert program.loss(x=np.ones((2, 3))) > 0
