"""The trajectory check: contenders that compute the same agree, and others are void."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from verigrad.benchmarks import driver, reference
from verigrad.benchmarks.contenders import CONTENDERS, UnavailableError
from verigrad.benchmarks.contenders import ours as verigrad_contender
from verigrad.benchmarks.nets import NETS, OPTIMIZERS, Net, batches, rows, weights

TINY = NETS["tiny"]
SMALL = Net("small", (12, 9, 8, 5), 16, keep=0.8, l2=1e-2, batch_norm=True)
PEERS = [pytest.param(name, marks=pytest.mark.oracle) for name in ("torch", "sklearn", "jax")]


class Answering:
    """A worker that has its answers ready."""

    def __init__(self, *answers: dict) -> None:
        self.answers = list(answers)

    def ask(self, *command: object) -> dict:
        return self.answers.pop(0)


def admitted(losses: list[float], optimizer: str = "sgd") -> driver.Row:
    row = driver.Row()
    started = {"import_seconds": 0.0, "first_step_seconds": 0.0}
    shown = {"gives": "loss", "losses": losses, "eps_hat": False}
    driver.admit(Answering(started, shown), driver.Case(TINY, optimizer=optimizer), row)
    return row


def losses_of(name: str, net: Net, optimizer: str) -> tuple[list[float], list[float]]:
    """What a contender reports, and what the reference expects of it."""
    trainer = CONTENDERS[name].load().train(net.without_dropout(), optimizer)
    trainer.restart()
    made = [trainer.step(i) for i in range(reference.STEPS)]
    found = [float(m.item() if hasattr(m, "item") else m) for m in made]
    expected = reference.trajectory(net, optimizer, eps_hat=trainer.eps_hat)
    return found, expected[trainer.reports]


def test_the_reference_itself_is_admitted() -> None:
    row = admitted(reference.trajectory(TINY, "sgd")["loss"])
    assert (row.status, row.reason) == ("ok", "")


@pytest.mark.parametrize("off", [1.001, float("nan"), float("inf")])
def test_one_loss_that_differs_voids_the_row(off: float) -> None:
    losses = reference.trajectory(TINY, "sgd")["loss"]
    losses[-1] *= off
    row = admitted(losses)
    assert row.status == "void"
    assert "losses differ from the reference by" in row.reason


def test_losses_that_are_missing_void_the_row() -> None:
    assert admitted(reference.trajectory(TINY, "sgd")["loss"][:-1]).status == "void"


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_another_optimizer_is_void(optimizer: str) -> None:
    others = [o for o in OPTIMIZERS if o != optimizer]
    for other in others:
        assert admitted(reference.trajectory(TINY, other)["loss"], optimizer).status == "void"


def test_a_step_on_the_same_batch_again_is_void() -> None:
    trainer = verigrad_contender.train(TINY, "sgd")
    losses = [float(trainer.step(0)) for _ in range(reference.STEPS)]
    assert admitted(losses).status == "void"


def test_weights_that_do_not_move_are_void() -> None:
    w = weights(TINY)
    program = verigrad_contender.compiled(TINY, "sgd")
    data = batches(TINY)
    still = [
        program.loss(x=data[i % len(data)][0], y=data[i % len(data)][1])
        for i in range(reference.STEPS)
    ]
    assert np.array_equal(program.parameters["fc1.weight"], w[0])
    assert admitted(still).status == "void"


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("net", [TINY, SMALL], ids=lambda n: n.name)
def test_verigrad_follows_the_reference(net: Net, optimizer: str) -> None:
    found, expected = losses_of("verigrad", net, optimizer)
    assert reference.departure(found, expected) < reference.TOLERANCE / 10


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("net", [TINY, SMALL], ids=lambda n: n.name)
def test_a_peer_follows_the_reference(net: Net, name: str, optimizer: str) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    try:
        found, expected = losses_of(name, net, optimizer)
    except UnavailableError as e:
        pytest.skip(str(e))
    assert reference.departure(found, expected) <= reference.TOLERANCE


def test_a_restart_gives_the_same_losses_again() -> None:
    trainer = verigrad_contender.train(replace(SMALL, keep=0.5), "adam")
    first = [trainer.step(i) for i in range(5)]
    trainer.restart()
    assert [trainer.step(i) for i in range(5)] == first


def test_predictions_are_held_against_the_reference_too() -> None:
    case = driver.Case(TINY, rows=4)
    x = rows(TINY, 4)
    scores = np.asarray(verigrad_contender.predict(TINY, x).run(), np.float64)
    started = {"import_seconds": 0.0, "first_step_seconds": 0.0}
    for off, status in ((0.0, "ok"), (0.01, "void")):
        row = driver.Row()
        shown = {"gives": "scores", "values": (scores + off).tolist()}
        driver.admit(Answering(started, shown), case, row)
        assert row.status == status


def test_a_contender_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = replace(CONTENDERS["torch"], module="no_such_module")
    with pytest.raises(UnavailableError, match="not installed"):
        missing.load()
