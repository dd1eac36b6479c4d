"""What the command line does with streams that are closed, full, or of few characters."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from invoking import run

FULL = Path("/dev/full")
MAIN = "import sys; from verigrad.runtime.command import main; sys.argv[1:] = {}; main()"
needs_full = pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full")


def shell(redirected: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    """Runs verigrad under a shell that redirects its streams."""
    code = MAIN.format(list(arguments))
    return subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {redirected}', sys.executable, code],
        capture_output=True, env={**os.environ, **env}, timeout=60,
    )  # fmt: skip


TRAIN = ("train", "--hidden", "", "--steps", "1")


@pytest.mark.parametrize(
    ("redirected", "arguments", "unbuffered", "because"),
    [
        pytest.param(">/dev/full", ("--help",), "", "No space left on device", marks=needs_full),
        pytest.param(">/dev/full", ("info",), "1", "No space left on device", marks=needs_full),
        (">&-", ("graph", "--hidden", ""), "", "Bad file descriptor"),
    ],
)
def test_a_result_that_cannot_be_written_is_one_line_and_exit_code_1(
    redirected: str, arguments: tuple[str, ...], unbuffered: str, because: str
) -> None:
    done = shell(redirected, *arguments, PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 1
    assert done.stderr == f"Error: the result cannot be written: {because}\n".encode()


@pytest.mark.parametrize("redirected", ["2>&-", pytest.param("2>/dev/full", marks=needs_full)])
def test_a_stderr_that_cannot_be_written_ends_no_run(redirected: str) -> None:
    done = shell(redirected, *TRAIN)
    assert done.returncode == 0 and done.stdout.startswith(b"test accuracy")


def test_without_any_stream_there_are_still_exit_codes() -> None:
    assert shell(">&- 2>&- <&-", "--version").returncode == 1
    assert shell(">&- 2>&- <&-", "nonsense").returncode == 2


def test_a_reader_that_has_gone_is_no_error_to_tell() -> None:
    done = shell("| true", "graph", "--stage", "training", "--hidden", "8,8,8,8,8,8")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_graph_on_a_stdin_that_is_closed_is_one_line() -> None:
    done = shell("<&-", "opt", "--pass", "simplify")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"Error: stdin is closed; name the file of a graph\n"


def test_stages_that_nobody_reads_to_the_end_are_no_error_to_tell(tmp_path: Path) -> None:
    net = tmp_path / "net.ir"
    assert run("graph", "--written-out", "--hidden", "8,8,8,8,8,8", "-o", net).exit_code == 0
    done = shell("| head -1", "opt", str(net), "--pass", "training", "--print-after-all")
    assert done.stdout == b"// ----- after keep_logs: nothing changed\n"
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_classes_that_a_stream_cannot_encode_are_shown(tmp_path: Path, encoding: str) -> None:
    data, out = tmp_path / "größe-猫.csv", tmp_path / "猫"
    data.write_text("a,b,kind\n" + "1,2,größe 猫\n3,4,b\n" * 30, encoding="utf-8")
    given = ("--data", data, "--target", "kind", "--hidden", "", "--batch-size", 9, "--steps", 20)
    assert run("train", *given, "--out", out).exit_code == 0
    done = shell("", "predict", str(out), str(data), PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    told = b"gr\xf6\xdfe \\u732b" if encoding == "latin-1" else "größe 猫".encode()
    assert set(done.stdout.splitlines()) == {told, b"b"}
