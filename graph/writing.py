"""Writing files: whole or not at all, and never in place of what is no plain file."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import IO, Final

from .errors import RunError, WriteError
from .quoting import shown

try:
    import fcntl
except ImportError:  # Windows, which removes no file that is open
    fcntl = None  # type: ignore[assignment]

_PART: Final = ".verigrad-{}.part"
_MOST_LINKS: Final = 40
"""How many links after one another an operating system follows."""


def given_path(path: object) -> Path:
    """The path of a file as a user names it; RunError for what no file can be called."""
    if not isinstance(path, (str, os.PathLike)):
        raise RunError(f"a path is {shown(path)}, where a text or a pathlib.Path is expected")
    try:
        if b"\0" in os.fsencode(path):
            raise ValueError
    except ValueError:  # UnicodeEncodeError, too
        raise RunError(f"a path is {shown(str(path))}, which no file can be called") from None
    return Path(path)


@contextmanager
def reaching(path: Path) -> Iterator[None]:
    """RunError where the system does not tell what is there: names too long, closed folders."""
    try:
        yield
    except OSError as e:
        raise RunError(f"{path} cannot be reached: {e.strerror or e}") from None


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Writes a file through a temporary one beside it, which then takes its place, mode and all.

    Links are followed. Devices, pipes and what else is no plain file are written to, and so are
    names of open files, such as /dev/stdout. Text is UTF-8; code points that it lacks are escaped.
    Raises WriteError; the file is then as it was. RunError for what is no path.
    """
    path = given_path(path)
    data = content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")
    try:
        if not _is_replaced(path):
            with path.open("ab", buffering=0) as device:
                _write_all(device, data)
            return
        _replace(Path(os.path.realpath(path)), data)
    except OSError as e:
        raise WriteError(f"{path} cannot be written: {e.strerror or e}") from None


def append_line(path: Path, line: str) -> None:
    """Adds a line to a text file, whole or not at all. Raises WriteError."""
    try:
        with path.open("ab", buffering=0) as file:
            size = file.tell()
            try:
                _write_all(file, f"{line}\n".encode())
            except OSError:
                with contextlib.suppress(OSError):
                    file.truncate(size)
                raise
    except OSError as e:
        raise WriteError(f"{path} cannot be written: {e.strerror or e}") from None


def check_writable(path: Path) -> None:
    """Raises RunError where `write_whole` could not begin: before long work, not after it."""
    try:
        if path.is_dir():
            raise IsADirectoryError("it is a folder")
        if _is_replaced(path):
            with _temporary(Path(os.path.realpath(path)).parent):
                pass
    except OSError as e:
        raise RunError(f"{path} cannot be written: {e.strerror or e}") from None


def lock(handle: int, *, wait: bool = False) -> bool:
    """Locks an open file or folder until it is closed: False where a live process holds it.

    The lock ends with its process, however that ends. Where files cannot be locked, True.
    """
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        except OSError:
            pass
    return True


def lock_folder(folder: Path) -> int:
    """A handle of the folder, locked until it is closed. Raises RunError where it is locked."""
    handle = os.open(folder if fcntl is not None else os.devnull, os.O_RDONLY)
    if lock(handle):
        return handle
    os.close(handle)
    raise RunError(
        f"{folder} is in use: another run, which still goes on, writes to it; wait for its end, "
        "or give another folder"
    )


def remove_leftovers(folder: Path) -> None:
    """Removes temporary files of processes that were killed, and no others."""
    for left in folder.glob(_PART.format("*")):
        with contextlib.suppress(OSError), left.open("rb") as file:
            if lock(file.fileno()):
                left.unlink()


def _replace(path: Path, data: bytes) -> None:
    remove_leftovers(path.parent)
    with _temporary(path.parent) as (temporary, file):
        temporary.write_bytes(data)
        if path.exists():
            temporary.chmod(stat.S_IMODE(path.stat().st_mode))
        os.fsync(file.fileno())
        if fcntl is None:
            file.close()  # Windows does not rename what is open
        temporary.replace(path)
    _sync_folder(path.parent)


@contextmanager
def _temporary(folder: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """A new file in the folder, locked for as long as this process writes it; then removed."""
    while True:
        temporary = folder / _PART.format(token_hex(8))
        file = temporary.open("xb")
        try:
            lock(file.fileno(), wait=True)
            # Another process may have taken it for a leftover before it was locked.
            if temporary.exists():
                yield temporary, file
                return
        finally:
            temporary.unlink(missing_ok=True)
            file.close()


def _is_replaced(path: Path) -> bool:
    """Whether the path is that of a plain file, or of none yet."""
    for _ in range(_MOST_LINKS):
        if not path.is_symlink():
            return path.is_file() or not path.exists()
        if Path("/proc") in path.parent.resolve().parents:
            return False
        path = path.parent / path.readlink()
    return False


def _write_all(device: IO[bytes], data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[device.write(left) :]


def _sync_folder(folder: Path) -> None:
    """Makes a rename in the folder last through a power cut, where folders can be synced."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
