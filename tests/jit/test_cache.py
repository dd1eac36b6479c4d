"""What is compiled is kept where that can be; where it cannot, all works the same, and says so."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import verigrad as vg

pytest.importorskip("numba")

from verigrad.runtime.backends.numba.kernels import cache
from verigrad.runtime.backends.numba.kernels.compiled import _kernel, compiled, prologue, words
from verigrad.runtime.backends.numba.tape.tape import Tape, Task

PROGRAM = """
import numpy as np
import verigrad as vg
x, y = vg.input("x", ("N", 5)), vg.input("y", ("N",), dtype="i64")
scores = vg.mlp(x, [4, 3])
net = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
program = vg.compile(net, optimizer=vg.SGD(0.1), backend="numba")
feeds = {"x": np.linspace(-1, 1, 30, dtype="f4").reshape(6, 5), "y": np.arange(6) % 3}
losses = [program.step(feeds) for _ in range(3)]
"""


def doubled() -> list[float]:
    """What a kernel makes that this process has not loaded before."""
    _kernel.cache_clear()
    a = np.arange(3.0)
    text = [*prologue([("a", a)]), "    for i in range(a.shape[0]):", "        a[i] = a[i] + a[i]"]
    kernel = compiled("\n".join([*text, ""]))
    tape = Tape([])
    tape.add([[Task(kernel.address, words([a]))]])
    assert tape.runner(0, 1)()
    return a.tolist()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(cache.FOLDER, str(tmp_path / "kept"))
    monkeypatch.setattr(cache, "FILES", cache._Files())
    monkeypatch.setattr("verigrad.runtime.backends.numba.tape.tape.FILES", cache.FILES)
    return tmp_path / "kept"


def no_home(patch: pytest.MonkeyPatch, folder: Path) -> None:
    def fails() -> Path:
        raise RuntimeError("Could not determine home directory.")

    patch.delenv(cache.FOLDER)
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        patch.delenv(name, raising=False)
    patch.setattr(Path, "home", fails)


def no_folder(patch: pytest.MonkeyPatch, folder: Path) -> None:
    folder.write_text("a file in its place")


class Full(io.FileIO):
    """A file on a disk without room."""

    def write(self, data: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_disk(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.setattr(os, "fdopen", Full)


def read_only(patch: pytest.MonkeyPatch, folder: Path) -> None:
    def fails(*args: object, **kwargs: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    patch.setattr(cache.tempfile, "mkstemp", fails)


@pytest.mark.parametrize("refuse", [no_home, no_folder, full_disk, read_only])
def test_without_a_cache_all_works_and_it_is_said_once(
    refuse: Callable[[pytest.MonkeyPatch, Path], None],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        refuse(patch, folder)
        with pytest.warns(UserWarning, match=f"is not kept.*; set {cache.FOLDER} to") as told:
            assert doubled() == [0, 2, 4]
        assert len(told) == 1 and "\n" not in str(told[0].message)
        assert doubled() == [0, 2, 4]
    assert not [*folder.glob("*")]
    if folder.is_file():
        folder.unlink()
    assert doubled() == [0, 2, 4]
    assert [cache.FILES.read(p.name) is not None for p in folder.iterdir()] == [True]


def test_a_program_steps_without_a_cache(folder: Path) -> None:
    folder.write_text("a file in its place")
    _kernel.cache_clear()
    space: dict[str, object] = {}
    with pytest.warns(UserWarning, match="File exists") as told:
        exec(PROGRAM, space)
    assert len(told) == 1 and told[0].filename == "<string>"  # the user's line
    exec(PROGRAM.replace("numba", "numpy", 1), plain := dict[str, object]())
    assert np.allclose(space["losses"], plain["losses"])


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut in its hash": lambda data: data[:7],
    "cut": lambda data: data[: len(data) // 2],
    "longer": lambda data: data + b"\0",
    "garbage": lambda data: bytes(range(256)) * 9,
    "one bit": lambda data: data[:999] + bytes([data[999] ^ 4]) + data[1000:],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_is_damaged_is_compiled_and_written_anew(
    damage: Callable[[bytes], bytes], folder: Path
) -> None:
    doubled()
    (entry,) = folder.iterdir()
    entry.write_bytes(damage(entry.read_bytes()))
    assert cache.FILES.read(entry.name) is None
    assert doubled() == [0, 2, 4]
    assert cache.FILES.read(entry.name) is not None


def test_what_numba_cannot_read_is_compiled_anew(folder: Path) -> None:
    """Whole, but of a form that this version of Numba does not know."""
    doubled()
    (entry,) = folder.iterdir()
    cache.FILES.write(entry.name, b"no pickle")
    assert doubled() == [0, 2, 4]
    assert cache.FILES.read(entry.name) != b"no pickle"


def test_readers_and_writers_at_once_see_whole_entries(folder: Path) -> None:
    made = [bytes([k]) * 50_000 for k in range(4)]
    wrong: list[object] = []

    def work(data: bytes) -> None:
        for _ in range(100):
            cache.FILES.write("one", data)
            found = cache.FILES.read("one")
            if found not in made:
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(data,)) for data in made]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong and [p.name for p in folder.iterdir()] == ["one"]


def test_the_package_may_lie_in_a_zip(tmp_path: Path) -> None:
    package = Path(vg.__file__).parent
    with zipfile.ZipFile(tmp_path / "verigrad.zip", "w") as archive:
        for part in ("__init__.py", "graph", "ops", "passes", "runtime"):
            files = [package / part] if part.endswith(".py") else (package / part).rglob("*.py")
            for p in files:
                archive.write(p, Path("verigrad") / p.relative_to(package))
    code = PROGRAM + "print(*losses); assert '.zip' in vg.__file__"
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "verigrad.zip")}
    run = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, env=env, cwd=tmp_path, timeout=300)
    assert done.returncode == 0 and not done.stderr, done.stderr
    exec(PROGRAM, here := dict[str, object]())
    assert [float(v) for v in done.stdout.split()] == here["losses"]


def test_the_cache_lies_where_the_variable_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(cache.FOLDER, str(tmp_path))
    assert cache.folder() == tmp_path
    monkeypatch.delenv(cache.FOLDER)
    assert cache.folder().parts[-2:] == ("verigrad", "kernels")
