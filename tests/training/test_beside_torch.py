"""What PyTorch trains beside us: a net of which a part is frozen, and batches of its DataLoader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import verigrad as vg


def net(frozen: bool = False) -> vg.Graph:
    """5-6-3 with batch normalization, of which the first layer and the normalization are frozen."""
    x, y = vg.input("x", ("N", 5)), vg.input("y", ("N",), dtype="i64")
    h = vg.dense(x, 6, name="a", trainable=not frozen)
    h = vg.batch_norm(h, name="bn", unbiased=True, trainable=not frozen)
    scores = vg.dense(vg.tanh(h), 3, name="b")
    return vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 5)).astype(np.float32), rng.integers(0, 3, n)


def test_the_rest_of_a_frozen_net_is_trained_alike(torch: Any) -> None:
    """Frozen in torch is no gradient, and for the normalization `eval` as well."""
    program = vg.compile(
        net(frozen=True),
        optimizer=vg.AdamW(lr=0.05, weight_decay=0.1, dialect="torch"),
        clip=vg.ClipNorm(0.3),
    )
    program.state["bn.running_mean"] = np.linspace(-1, 1, 6)
    program.state["bn.running_var"] = np.linspace(0.5, 2, 6)
    a, bn, b = torch.nn.Linear(5, 6), torch.nn.BatchNorm1d(6), torch.nn.Linear(6, 3)
    held = {k: torch.tensor(v.copy()) for k, v in {**program.parameters, **program.state}.items()}
    with torch.no_grad():
        for layer, name in ((a, "a"), (b, "b")):
            layer.weight.copy_(held[f"{name}.weight"].T)
            layer.bias.copy_(held[f"{name}.bias"])
        bn.running_mean.copy_(held["bn.running_mean"])
        bn.running_var.copy_(held["bn.running_var"])
    for p in (*a.parameters(), *bn.parameters()):
        p.requires_grad_(False)
    bn.eval()
    optimizer = torch.optim.AdamW(b.parameters(), lr=0.05, weight_decay=0.1)
    for seed in range(30):
        x, y = rows(16, seed)
        optimizer.zero_grad()
        scores = b(torch.tanh(bn(a(torch.tensor(x)))))
        loss = torch.nn.functional.cross_entropy(scores, torch.tensor(y))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(b.parameters(), 0.3)
        optimizer.step()
        assert program.step(x=x, y=y) == pytest.approx(loss.item(), rel=2e-5)
    due = b.weight.detach().numpy().T
    np.testing.assert_allclose(program.parameters["b.weight"], due, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(program.parameters["a.weight"], a.weight.numpy().T)


def loader(torch: Any, workers: int = 0) -> Any:
    """Forty rows, shuffled by a generator of its own, the last batch short."""
    x, y = rows(40, 0)
    data = torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y))
    generator = torch.Generator().manual_seed(7)
    return torch.utils.data.DataLoader(
        data, batch_size=9, shuffle=True, generator=generator, num_workers=workers
    )


def test_a_data_loader_is_a_stream(torch: Any) -> None:
    one, other = (vg.compile(net(), optimizer=vg.Adam(lr=0.01)) for _ in range(2))
    history = vg.fit(one, loader(torch), epochs=3, validation=rows(20, 1), metrics="f1")
    made = loader(torch)
    losses = [other.step(x=x.numpy(), y=y.numpy()) for _ in range(3) for x, y in made]
    assert history.losses == losses
    assert [row.step for row in history] == [5, 10, 15]


def test_a_run_on_a_data_loader_goes_on_to_the_same_bits(torch: Any, tmp_path: Path) -> None:
    whole = vg.compile(net(), optimizer=vg.Adam(lr=0.01))
    due = vg.fit(whole, loader(torch), steps=13)
    for steps in (4, 5, 8, 13):
        program = vg.compile(net(), optimizer=vg.Adam(lr=0.01))
        history = vg.fit(
            program, loader(torch), steps=steps, checkpoint=tmp_path / "run", resume=True
        )
    assert history.losses == due.losses
    for name, value in whole.parameters.items():
        np.testing.assert_array_equal(program.parameters[name], value)
