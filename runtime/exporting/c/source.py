"""Both files of an exported program: the header that a user reads, and the C behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from ....graph import NUMPY_DTYPES, RunError
from ....graph.writing import write_whole
from ...planning.typed_arrays import TypedArrays, typed_arrays
from ...variants import Variants
from ..graphs import Exported, checked_path, exported, planned
from ..identifiers import Names
from ..table import told
from .device_check import device_check
from .functions import Function, Writer
from .header import Header, StaticMemory
from .helpers import Helpers
from .names import comment, public, reserved
from .storage import Storage

_OWN: Final = ("state", "before", "arena", "status", "classes", "init", "predict", "step", "check")
_INCLUDED: Final = re.compile(r'[^"\\\x00-\x1f]+')
_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,_-")


class Files(NamedTuple):
    """A header and a source, as text; and what they take of memory."""

    header: str
    source: str
    memory: StaticMemory


def write_c(
    variants: Variants, path: str | Path, training: bool, sizes: Mapping[str, int] | None = None
) -> StaticMemory:
    """Writes the .c file and, beside it, its header; RunError before anything is written."""
    source = checked_path(path, ".c", "C")
    header = checked_path(source.with_suffix(".h"), ".h", "its header")
    if not _INCLUDED.fullmatch(source.stem):
        raise RunError(f"{source}: C includes no header of that name; write e.g. net.c")
    e = planned(exported(variants, training), variants, sizes)
    files = c_files(e, source.stem, variants.metadata)
    write_whole(header, files.header)
    write_whole(source, files.source)
    return files.memory


def c_files(e: Exported, name: str, metadata: Mapping[str, str]) -> Files:
    """The texts of a program in C, in files of that name."""
    prefix, names, helpers = public(name), Names(reserved), Helpers()
    for own in _OWN:
        names.new(f"{prefix}_{own}")
    storage = Storage(e, prefix, names)
    writer = Writer(prefix, e.sizes, names, helpers, storage.held)
    functions: dict[str, Function] = {}
    arrays: list[TypedArrays] = []
    if e.step is not None:
        functions["init"] = Function(f"void {prefix}_init(void)", ())
    for kind, g, write in (("predict", e.predict, writer.predict), ("step", e.step, writer.step)):
        if g is not None:
            arrays.append(typed_arrays(g, {s: e.sizes[s] for s in g.symbols}))
            functions[kind] = write(g, arrays[-1])
    arena, table = _joined(arrays), told(metadata)
    most = {writer.most(s): size for s, size in e.sizes.items()}
    memory = StaticMemory(
        sum(NUMPY_DTYPES[d].itemsize * count for d, count in arena.items()),
        storage.state_nbytes,
        storage.constant_nbytes,
    )
    bodies = [*helpers.texts(), storage.init, *[f.text for f in functions.values() if f.lines]]
    check = device_check(e, prefix, names)
    header = Header(
        e.name, prefix, most, arena, storage.fields, table, functions, memory, bool(check)
    )
    parts = [
        comment(f"{e.name}, as verigrad compiled it; {name}.h says how to call it."),
        f'#include "{name}.h"\n\n#include <math.h>\n#include <string.h>',
        *_globals(prefix, bool(arena), e.step is not None, table.classes),
        *storage.constants,
        *bodies,
        check,
    ]
    return Files(header.text, "\n\n".join([p for p in parts if p]) + "\n", memory)


def _globals(prefix: str, arena: bool, state: bool, classes: list[str]) -> Iterator[str]:
    """What lies in static memory beside the constants."""
    up = prefix.upper()
    if arena:
        yield (
            f"#ifdef {up}_ARENA\nextern struct {prefix}_arena {up}_ARENA;\n#else\n"
            f"static struct {prefix}_arena {prefix}_arena;\n"
            f"#define {up}_ARENA {prefix}_arena\n#endif"
        )
    if state:
        yield (
            f"struct {prefix}_state {prefix}_state;\n\n#ifdef {up}_ROLLBACK\n"
            f"static struct {prefix}_state {prefix}_before;\n#endif"
        )
    if classes:
        names = ", ".join(map(_string, classes))
        yield f"const char *const {prefix}_classes[{len(classes)}] = {{{names}}};"


def _joined(arrays: list[TypedArrays]) -> dict[str, int]:
    """One arena that serves each of several functions."""
    dtypes = dict.fromkeys([d for a in arrays for d in a.counts])
    return {d: max(a.counts.get(d, 0) for a in arrays) for d in dtypes}


def _string(text: str) -> str:
    """A text as C has it, in UTF-8: all but plain bytes by their numbers."""
    data = text.encode("utf-8", "surrogatepass")
    written = [chr(c) if c in _PLAIN else f"\\{c:03o}" for c in data]
    return f'"{"".join(written)}"'
