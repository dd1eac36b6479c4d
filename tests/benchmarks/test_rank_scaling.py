"""Steps on two ranks are timed beside others, and a model says what more ranks take."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

click_testing = pytest.importorskip("click.testing")

from verigrad.benchmarks.nets import NETS, Net  # noqa: E402
from verigrad.benchmarks.scaling import driver, paper, report  # noqa: E402
from verigrad.benchmarks.scaling.__main__ import main, with_case  # noqa: E402
from verigrad.benchmarks.scaling.contenders import CONTENDERS, Contender  # noqa: E402
from verigrad.benchmarks.scaling.model import (  # noqa: E402
    Awaited,
    Cores,
    Kernel,
    Network,
    Sent,
    Step,
    fitted_cores,
    fitted_network,
    least,
    step,
    traffic,
)
from verigrad.runtime.ranks.reductions import quickest  # noqa: E402

TINY = NETS["tiny"]
CORES = Cores(flops=100.0, nbytes=10.0)
BESIDE = Network("a network", latency=1.0, nbytes=100.0)


def test_a_short_run_leaves_its_files(tmp_path: Path) -> None:
    options = "--nets tiny --optimizers sgd --parts steps --rounds 2 --seconds 0.01 --quick"
    asked = [*options.split(), "--contenders", "numpy-one,numpy-processes-of-2"]
    run = click_testing.CliRunner().invoke(main, [*asked, "--out", str(tmp_path)])
    assert run.exit_code == 0, run.output
    (case,) = json.loads((tmp_path / "scaling.json").read_text(encoding="utf-8"))["cases"]
    for figures in case["contenders"].values():
        assert figures["failed"] == ""
        assert figures["departure"] < 2e-4
        assert len(figures["rounds"]) == 2
    text = (tmp_path / "scaling.md").read_text(encoding="utf-8")
    assert "| tiny 64-32-10 (512) | sgd |" in text
    assert "two processes, 2 shards" in text


def test_a_case_that_is_measured_anew_takes_the_place_of_the_one_before() -> None:
    deep, tiny, wide = ({"net": n, "optimizer": "sgd"} for n in ("deep", "tiny", "wide"))
    anew = {**tiny, "contenders": {}}
    assert with_case([deep, tiny], wide) == [wide, tiny, deep]
    assert with_case([tiny, deep], anew) == [anew, deep]


def test_a_contender_that_cannot_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(driver.FailedError, match="3 ranks, which cannot share 8 shards evenly"),
        driver.ranks_of(
            Contender("three", "three", "processes", 3, backend="numpy", shards=8),
            TINY,
            "sgd",
            tmp_path,
            cores=2,
        ) as ranks,
    ):
        ranks.meet()


def test_a_bucket_travels_while_a_rank_computes() -> None:
    made = [Kernel(100, 10), Sent(0, 200), Kernel(300, 0), Awaited(0), Kernel(0, 20)]
    # 2 s of kernels, a message of 1 + 2 s beside 3 s of kernels, 2 s of kernels.
    assert step(made, 2, CORES, BESIDE) == Step(7.0, 0.0)
    slow = BESIDE._replace(nbytes=20.0)  # 1 + 10 s, of which 8 s are waited for
    assert step(made, 2, CORES, slow) == Step(15.0, 8.0)
    assert step(made, 2, CORES, BESIDE._replace(beside=False)) == Step(10.0, 3.0)
    assert step(made, 1, CORES, slow) == Step(7.0, 0.0)


def test_buckets_travel_one_after_another() -> None:
    made = [Sent(0, 100), Sent(1, 100), Awaited(1), Awaited(0)]
    assert step(made, 2, CORES, BESIDE) == Step(4.0, 4.0)


@pytest.mark.parametrize("ranks", [2, 4, 8, 16])
@pytest.mark.parametrize("count", [1, 1001, 4096, 100_003])
def test_the_model_sends_what_ranks_of_mpi_send(ranks: int, count: int) -> None:
    sent, messages = 0, 0
    for rank in range(ranks):
        counted = SimpleNamespace(rank=rank, size=ranks)
        counted.Send_init = counted.Recv_init = lambda *_: None
        rounds = quickest(counted, 0, np.zeros(count, np.float32)).rounds
        sent += sum(r.sent for r in rounds)
        messages += sum(len(r.sends) for r in rounds)
    by_model = traffic(4 * count, ranks)
    assert by_model.messages * ranks == messages
    assert by_model.nbytes * ranks == pytest.approx(sent, rel=1e-12)
    assert by_model.nbytes >= least(4 * count, ranks)


@pytest.mark.parametrize("units", [32, 600])  # below what is summed in slices, and above
def test_the_model_sends_what_processes_send(units: int, tmp_path: Path) -> None:
    net = Net("small", (64, units, 10), 32)
    four = Contender("four", "four", "processes", 4, backend="numpy", shards=8)
    by_model, fewest = paper.sent_by_model(net, four)
    assert driver.bytes_sent(four, net, "sgd", tmp_path, steps=2) == by_model
    numbers = 64 * units + units + units * 10 + 10 + 1
    assert fewest == 2 * 4 * numbers * 3 / 4 <= by_model


def test_a_rank_sends_a_gradient_for_each_parameter_and_the_loss() -> None:
    found = paper.rank_events(replace(TINY, batch=64), 64, 4, 8)
    sent = [e for e in found if isinstance(e, Sent)]
    numbers = 64 * 32 + 32 + 32 * 10 + 10
    assert sum(e.nbytes for e in sent) == 4 * (numbers + 1)
    assert {e.bucket for e in sent} == {e.bucket for e in found if isinstance(e, Awaited)}
    kernels = [e for e in found if isinstance(e, Kernel)]
    whole = [e for e in paper.rank_events(TINY, 64, 1, 8) if isinstance(e, Kernel)]
    share = sum(k.flops for k in kernels) / sum(k.flops for k in whole)
    assert 0.25 < share < 0.4  # of the rows a quarter, and all of the update


def test_rates_are_found_from_times() -> None:
    made = [[Kernel(100, 10)], [Kernel(50, 20)], [Kernel(10, 300), Kernel(7, 1)]]
    times = [(events, step(events, 1, CORES, BESIDE).seconds) for events in made]
    assert fitted_cores(times) == pytest.approx(CORES)
    assert fitted_cores([([Kernel(10, 0)], 0.1)]) == (pytest.approx(100.0), np.inf)
    sums = [(n, 2.0 + n / 50.0) for n in (1, 1000, 10**6)]
    network = fitted_network("sums", sums)
    assert (network.latency, network.nbytes) == pytest.approx((2.0, 50.0))
    assert not network.beside


def test_the_report_tells_of_two_ranks_beside_one_and_beside_ddp() -> None:
    times = {
        "numpy-one": 10.0, "numpy-half": 5.0, "numpy-one-of-8": 12.0, "numpy-processes-of-8": 8.0,
        "numpy-processes-of-2": 5.0, "ddp-one": 9.0, "ddp-two": 7.5, "ddp-half": 4.5,
    }  # fmt: skip
    case = {
        "net": "tiny",
        "title": TINY.title,
        "optimizer": "sgd",
        "contenders": {
            name: {"rounds": [t, 2 * t, 3 * t], "failed": ""} for name, t in times.items()
        },
    }
    case["contenders"]["numpy-mpi-of-2"] = {"rounds": [], "failed": "there is no mpiexec"}
    lines = report.cases_told([case])
    told = "\n".join(lines)
    assert "| tiny 64-32-10 (32) | sgd | 20,000.0 ms | 0.83 | 1.25 | 2.00 | - |" in told
    assert "15,000.0 ms | 1.20 | 10,000.0 ms | 1.50 (two processes, 2 shards)" in told
    assert "- numpy, two ranks of MPI, 2 shards has no figure: there is no mpiexec" in told
    assert "| tiny 64-32-10 (32) | sgd | 1.00 | 0.60 |" in told


def test_more_ranks_take_what_the_model_says() -> None:
    alone = {name: CONTENDERS[name] for name in ("numpy-one", "numpy-half", "numpy-one-of-8")}
    cores = Cores(1e11, 1e10)
    net = replace(TINY, batch=512)
    times = {
        name: step(
            paper.rank_events(net, round(512 * c.batch_share), 1, c.shards), 1, cores, BESIDE
        ).seconds
        for name, c in alone.items()
    }
    model = paper.model([net], {"tiny": times}, [(1000, 1e-5), (10**6, 1e-3)])
    assert model["cores"]["tiny"] == pytest.approx(cores)
    assert all(c["model"] == pytest.approx(c["measured"]) for c in model["checked"])
    weak = [p for p in model["extended"] if p["kind"] == "weak"]
    assert {p["ranks"] for p in weak} == {1, 2, 4, 8, 64, 1024}
    strong = [p for p in model["extended"] if p["kind"] == "strong"]
    assert {p["ranks"] for p in strong} == {1 << k for k in range(10)}
    fastest = min(strong, key=lambda p: p["seconds"])
    assert fastest["network"].startswith("100 Gbit/s")
    text = "\n".join(report.model_told(model))
    assert "| tiny 64-32-10 | 10 Gbit/s, 30 us a message |" in text
    assert f"| {fastest['ranks']} |\n" in text
