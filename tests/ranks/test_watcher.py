"""The program that watches over ranks: which died first is named, and none is left."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from verigrad.runtime.ranks import watcher

if not hasattr(socket, "AF_UNIX"):
    pytest.skip("there are no sockets of Unix here", allow_module_level=True)

RANK = """
import json, os, socket, sys, time
path, port = sys.argv[1:3]
if port == "0":
    line = socket.socket(socket.AF_UNIX)
    line.connect(path)
else:
    line = socket.create_connection(("127.0.0.1", int(port)))
me = {"rank": int(sys.argv[3]), "process": os.getpid(), "parent": int(sys.argv[4])}
me |= {"host": sys.argv[5], "files": sys.argv[6:7], "token": "word"}
line.send(json.dumps(me).encode() + b"\\n")
print("there", flush=True)
for words in sys.stdin:
    if words == "exit\\n":
        os._exit(5)
    line.send(words.encode())
"""


class Ranks:
    """Three processes that are ranks to a watcher, the last of them on another machine, and one
    that started them."""

    def __init__(self, path: str, kept: Path) -> None:
        near, far = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_INET)
        near.bind(path)
        far.bind(("127.0.0.1", 0))
        for listener in (near, far):
            listener.listen(3)
        self.kept, self.address = kept, far.getsockname()
        self.watch = watcher.Watch([near, far], 3, "word")
        self.launcher = started("input()")
        self.processes = []
        for k, there in enumerate([socket.gethostname(), socket.gethostname(), "far"]):
            port = self.address[1] if there == "far" else 0
            process = started(RANK, path, port, k, self.launcher.pid, there, kept)
            self.processes.append(process)
            assert process.stdout is not None
            process.stdout.readline()

    def tell(self, rank: int, **told: object) -> None:
        self.say(rank, json.dumps(told))

    def say(self, rank: int, words: str) -> None:
        stdin = self.processes[rank].stdin
        assert stdin is not None
        stdin.write(words + "\n")
        stdin.flush()

    def listen(self) -> None:
        """Until all is heard that was told."""
        for _ in range(10):
            self.watch.look()

    def are_killed(self) -> list[bool]:
        """Which of this machine have been killed; none is there any more."""
        return [p.wait(10) == -signal.SIGKILL for p in self.processes[:2]]


def started(code: str, *arguments: object) -> subprocess.Popen[str]:
    argv = [sys.executable, "-I", "-S", "-c", code, *map(str, arguments)]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def ranks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ranks]:
    monkeypatch.setattr(watcher, "PATIENCE", 0.1)
    monkeypatch.setattr(watcher, "_LOOK", 0.02)
    kept = tmp_path / "shared"
    kept.touch()
    made = Ranks(str(tmp_path / "watcher"), kept)
    yield made
    for process in (made.launcher, *made.processes):
        process.kill()
        process.communicate()


def test_who_died_first_is_named_and_the_others_are_ended(
    ranks: Ranks, capfd: pytest.CaptureFixture[str]
) -> None:
    ranks.tell(0, remedy="go on with: mine")
    ranks.listen()
    for rank in (1, 0):
        ranks.processes[rank].kill()
        ranks.processes[rank].wait()
    ranks.watch.run()
    told = capfd.readouterr().err
    assert told.startswith(f"Error: rank 1 of 3 (process {ranks.processes[1].pid} on ")
    assert told.endswith(") was killed, or crashed; go on with: mine\n")
    assert not ranks.kept.exists()
    assert ranks.are_killed() == [True, True]


def test_how_a_rank_ended_is_told_where_the_system_knows(
    ranks: Ranks, capfd: pytest.CaptureFixture[str]
) -> None:
    ranks.say(1, "exit")  # and it is not waited for
    ranks.watch.run()
    assert ") ended with exit code 5, and without a word\n" in capfd.readouterr().err
    assert ranks.are_killed() == [True, False]


def test_ranks_that_leave_are_not_missed(ranks: Ranks, capfd: pytest.CaptureFixture[str]) -> None:
    for rank in range(3):
        ranks.tell(rank, bye=True)
    ranks.watch.run()
    assert capfd.readouterr().err == ""
    assert ranks.kept.exists()
    assert all(p.poll() is None for p in ranks.processes)


def test_a_rank_that_others_wait_for_when_it_has_left_is_named_once(
    ranks: Ranks, capfd: pytest.CaptureFixture[str]
) -> None:
    ranks.tell(1, bye=True)
    for rank in (0, 2):
        ranks.tell(rank, misses=1)
        ranks.tell(rank, bye=True)
    ranks.watch.run()
    assert capfd.readouterr().err == "Error: rank 1 of 3 has left, and the others wait for it\n"


def test_ranks_that_do_not_hear_of_an_error_are_ended(
    ranks: Ranks, capfd: pytest.CaptureFixture[str]
) -> None:
    ranks.tell(1, failed="ValueError: the disk is full")
    ranks.tell(1, bye=True)
    ranks.tell(2, heard=True)
    ranks.watch.run()
    assert capfd.readouterr().err == (
        "Error: rank 1 of 3 ended: ValueError: the disk is full; killed for not hearing of it: "
        "rank 0\n"
    )
    assert ranks.processes[0].wait(10) == -signal.SIGKILL
    assert not ranks.kept.exists()


def test_nothing_is_left_of_ranks_that_end_with_an_error(ranks: Ranks) -> None:
    ranks.tell(0, failed="ValueError: the disk is full")
    for rank in (1, 2):
        ranks.tell(rank, heard=True)
    for rank in range(3):
        ranks.tell(rank, bye=True)
    ranks.watch.run()
    assert not ranks.kept.exists()


def test_a_rank_that_others_wait_for_since_long_is_told(
    ranks: Ranks, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(watcher, "_LISTENS", 0.1)
    for rank in (0, 2):
        ranks.tell(rank, waits=60)
    ranks.listen()
    assert capfd.readouterr().err == "Warning: ranks 0, 2 of 3 wait since 60 s for rank 1\n"
    for rank in range(3):
        ranks.tell(rank, waits=0)
        ranks.tell(rank, bye=True)
    ranks.watch.run()
    assert capfd.readouterr().err == ""


def test_ranks_are_ended_with_what_started_them(
    ranks: Ranks, capfd: pytest.CaptureFixture[str]
) -> None:
    ranks.launcher.kill()
    ranks.launcher.wait()
    ranks.watch.run()
    told = capfd.readouterr().err
    assert told == "Error: what started the ranks is gone\n"
    assert ranks.are_killed() == [True, True]


def test_the_death_of_a_rank_of_another_machine_is_told(
    ranks: Ranks, capfd: pytest.CaptureFixture[str]
) -> None:
    ranks.listen()
    ranks.processes[2].kill()
    ranks.watch.run()
    told = f"rank 2 of 3 (process {ranks.processes[2].pid} on far) was killed, or crashed"
    assert capfd.readouterr().err == f"Error: {told}\n"
    assert ranks.are_killed() == [True, True]


def test_who_does_not_know_the_word_is_not_heard(
    ranks: Ranks, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection(ranks.address) as line:
        line.send(b'{"rank": 1, "token": "guessed"}\n{"remedy": "do as I say"}\n')
        ranks.listen()
        assert line.recv(1) == b""
    ranks.launcher.kill()
    ranks.launcher.wait()
    ranks.watch.run()
    assert capfd.readouterr().err == "Error: what started the ranks is gone\n"
