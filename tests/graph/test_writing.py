"""Writing files: whole or not at all; devices, pipes and links; what killed processes left."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

import verigrad as vg
from verigrad.graph.errors import WriteError
from verigrad.graph.writing import (
    append_line,
    check_writable,
    lock_folder,
    remove_leftovers,
    write_whole,
)

LEFT = ".verigrad-0123456789abcdef.part"


def test_a_file_is_written_with_the_mode_that_new_files_have(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_whole(tmp_path / "new", "größe\udcff\n")
    assert (tmp_path / "new").read_bytes() == "größe\\udcff\n".encode()
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert {p.name for p in tmp_path.iterdir()} == {"plain", "new"}


@pytest.mark.parametrize("mode", [0o600, 0o755, 0o664])
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(mode)
    write_whole(path, b"new")
    assert path.read_bytes() == b"new" and stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("there", [True, False])
def test_links_are_followed(tmp_path: Path, there: bool) -> None:
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "target"
    if there:
        target.write_text("old")
    (tmp_path / "middle").symlink_to("folder/target")
    (tmp_path / "link").symlink_to(tmp_path / "middle")
    write_whole(tmp_path / "link", "new")
    assert target.read_text() == "new" and not target.is_symlink()
    assert (tmp_path / "link").is_symlink() and (tmp_path / "middle").is_symlink()


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_whole(pipe, "x" * 200_000)
    reader.join()
    assert read == ["x" * 200_000] and pipe.is_fifo()


def test_an_open_file_is_added_to(tmp_path: Path) -> None:
    with (tmp_path / "log").open("a") as file:
        file.write("before\n")
        file.flush()
        write_whole(f"/dev/fd/{file.fileno()}", "graph\n")
    assert (tmp_path / "log").read_text() == "before\ngraph\n"


def test_a_full_device_stays_a_device(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/full")
    for path in ("/dev/full", tmp_path / "link"):
        with pytest.raises(WriteError, match="cannot be written: No space left on device"):
            write_whole(path, "new")
    assert Path("/dev/full").is_char_device() and (tmp_path / "link").is_symlink()
    write_whole("/dev/null", "new")


@pytest.mark.parametrize("what", ["folder", "loop", "nowhere/file", "file/below"])
def test_what_cannot_be_written_is_an_error_before_and_after(tmp_path: Path, what: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("old")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(WriteError, match="cannot be written"):
        write_whole(tmp_path / what, "new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder", "loop"]


def test_a_write_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(WriteError, match="file cannot be written: No space left"):
            write_whole(path, "new")
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_line_is_added_whole_or_not_at_all(tmp_path: Path) -> None:
    append_line(tmp_path / "lines", "one")
    append_line(tmp_path / "lines", "two")
    assert (tmp_path / "lines").read_text() == "one\ntwo\n"
    with pytest.raises(WriteError, match="No space left on device"):
        append_line(Path("/dev/full"), "three")


def test_leftovers_of_killed_processes_are_removed_and_those_of_live_ones_stay(
    tmp_path: Path,
) -> None:
    for name in (LEFT, ".verigrad-live.part", ".verigrad.part", "mine.part"):
        (tmp_path / name).write_text("half")
    live = lock_folder(tmp_path / ".verigrad-live.part")
    write_whole(tmp_path / "file", "new")
    os.close(live)
    left = {".verigrad-live.part", ".verigrad.part", "mine.part", "file"}
    assert {p.name for p in tmp_path.iterdir()} == left
    remove_leftovers(tmp_path)
    assert not (tmp_path / ".verigrad-live.part").exists()


def test_a_folder_is_locked_until_it_is_closed(tmp_path: Path) -> None:
    held = lock_folder(tmp_path)
    with pytest.raises(vg.RunError, match="is in use: another run"):
        lock_folder(tmp_path)
    os.close(held)
    os.close(lock_folder(tmp_path))
    check_writable(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []
