"""Changes of bytes, of lines and of JSON, drawn one from another: what becomes of files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

Mutation = Callable[[bytes, Random], bytes]

SIZES: Final = (0, 1, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40,
                2**63 - 1, 2**63, 2**64 - 1)  # fmt: skip
"""Integers at which widths and signs end, as they are written into headers."""

NUMBERS: Final = (
    b"-1", b"0", b"-0", b"nan", b"NaN", b"-inf", b"Infinity", b"1e999", b"1e-400", b"1e30",
    b"0x10", b"1_000", b"007", b"1.", b".5", b"1,5", b"+3", b"9223372036854775808",
    b"99999999999999999999999999", b"9" * 400, b"9" * 5000, "\u0663".encode(), "\u00bd".encode(),
)  # fmt: skip
"""Spellings of numbers: huge, negative, of other scripts, and of none."""

TEXTS: Final = (
    b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc0\x80", b"\r", b"\r\n",
    b'"', b"'", b"\\", b"\\u0000", b"\\ud800", b"//", b"#", b"%", b"{}", b"[]", b"null", b"true",
    *(c.encode() for c in ("\u2028", "\u0085", "\u00a0", "\u202e", "e\u0301", "\U0001f642")),
    *(nest * depth for nest in (b"[", b"(", b"{", b'{"a":', b"]") for depth in (3, 300, 30_000)),
)  # fmt: skip
"""What a text may hold that few expect: other encodings, controls, marks, deep nesting."""


def mutated(data: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """The bytes after one to four changes; `others` are files that pieces are taken from."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if rng.random() < 0.15 and others:
            data = spliced(data, rng.choice(others), rng)
        else:
            data = rng.choice(BYTES)(data, rng)
    return data


def spliced(data: bytes, other: bytes, rng: Random) -> bytes:
    """The begin of a file, and the end of another."""
    return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]


def piece(data: bytes, rng: Random) -> tuple[int, int]:
    """Where a short piece begins and ends; now and then a long one."""
    start = place(data, rng)
    longest = rng.choice((1, 4, 16, 64, 4096))
    return start, min(len(data), start + rng.randint(1, longest))


def place(data: bytes, rng: Random) -> int:
    """A place in the file: as often in its first hundred bytes, which are headers, as anywhere."""
    return rng.randrange(min(len(data), rng.choice((100, len(data) + 1))) or 1)


def flip_bits(data: bytes, rng: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8)) if data else 0):
        changed[place(data, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def set_bytes(data: bytes, rng: Random) -> bytes:
    start, stop = piece(data, rng)
    return data[:start] + bytes([rng.randrange(256)]) * (stop - start) + data[stop:]


def cut(data: bytes, rng: Random) -> bytes:
    start, stop = piece(data, rng)
    return rng.choice((data[:start], data[start:], data[:start] + data[stop:], data[:-1]))


def insert(data: bytes, rng: Random) -> bytes:
    start = rng.choice((place(data, rng), len(data)))
    more = rng.choice((rng.randbytes(rng.randint(1, 20)), rng.choice(NUMBERS), rng.choice(TEXTS)))
    return data[:start] + more + data[start:]


def duplicate(data: bytes, rng: Random) -> bytes:
    start, stop = piece(data, rng)
    return data[:stop] + data[start:stop] * rng.choice((1, 1, 50)) + data[stop:]


def swap(data: bytes, rng: Random) -> bytes:
    (a, b), (c, d) = sorted((piece(data, rng), piece(data, rng)))
    return (
        data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:] if b <= c else data[:a] + data[b:]
    )


def set_integer(data: bytes, rng: Random) -> bytes:
    """An integer of the header, of any width and order, is another one."""
    width = rng.choice((1, 2, 4, 8))
    start = place(data, rng)
    order = rng.choice(("little", "big"))
    value = (rng.choice(SIZES) + rng.choice((0, 0, 1, -1))) % 256**width
    return data[:start] + value.to_bytes(width, order) + data[start + width :]


def set_number(data: bytes, rng: Random) -> bytes:
    """A number that is written out is another one."""
    found = [m.span() for m in re.finditer(rb"-?\d+(\.\d*)?(e[+-]?\d+)?", data[:20_000])]
    if not found:
        return insert(data, rng)
    start, stop = rng.choice(found)
    other = rng.choice((*NUMBERS, *(str(n).encode() for n in SIZES)))
    return data[:start] + other + data[stop:]


def change_lines(data: bytes, rng: Random) -> bytes:
    """A line is gone, twice there, at another place, or ends in another way."""
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(5)
    if kind == 0:
        del lines[i]
    elif kind == 1:
        lines.insert(j, lines[i])
    elif kind == 2:
        lines[i], lines[j] = lines[j], lines[i]
    elif kind == 3:
        lines[i] = lines[i].rstrip(b"\r\n") + rng.choice((b"", b"\r", b"\r\n", b"\n\n", b" \n"))
    else:
        words = lines[i].split(b" ")
        words[rng.randrange(len(words))] = rng.choice(lines[j].split()) if lines[j].split() else b""
        lines[i] = b" ".join(words)
    return b"".join(lines)


BYTES: Final[tuple[Mutation, ...]] = (
    flip_bits, flip_bits, set_bytes, cut, insert, insert, duplicate, swap, set_integer,
    set_number, set_number, change_lines,
)  # fmt: skip

VALUES: Final = (
    None, True, False, 0, -1, 2**31, 2**64, 10**400, 1.5, -0.0, float("nan"), float("inf"), "",
    "nan", "x" * 5000, "\ud800", "%x", "a{b=1}", "\0", "graph g {\n}", [], {}, [[]], {"": None},
    [1, 2.0, "x", None], {"a": {"b": {"c": []}}},
)  # fmt: skip
"""What may stand under a key in the place of what is due."""


def mutate_json(text: str, rng: Random) -> str:
    """A text of JSON in which one to three keys are gone, renamed, moved or of another type."""
    value = json.loads(text)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        value = _changed(value, rng)
    text = json.dumps(value)
    return text if rng.random() < 0.9 else _key_twice(text, rng)


def _changed(value: Any, rng: Random) -> Any:
    """The value with a change at some place in it, most often deep inside."""
    if not isinstance(value, (dict, list)) or not value or rng.random() < 0.1:
        return _another(value, rng)
    at = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
    kind = rng.random()
    inner = value[at]
    changed = value.copy()
    if kind < 0.6:
        changed[at] = _changed(inner, rng)
    elif kind < 0.75:
        del changed[at]
    elif isinstance(changed, dict):
        changed[rng.choice((*value, f"{at}x", at.upper(), ""))] = inner
    else:
        changed.insert(rng.randrange(len(value)), rng.choice((inner, None, [inner])))
    return changed


def _another(value: Any, rng: Random) -> Any:
    """Another value: of another type, a neighbour, or the same within a list or as a text."""
    if rng.random() < 0.3:
        return rng.choice(([value], str(value), {"x": value}))
    if isinstance(value, str) and rng.random() < 0.7:
        data = mutated(value.encode("utf-8", "replace"), (), rng)
        return data.decode("utf-8", "replace")
    if isinstance(value, (int, float)) and rng.random() < 0.5:
        return rng.choice((value + 1, -value, *SIZES))
    return rng.choice(VALUES)


def _key_twice(text: str, rng: Random) -> str:
    keys = re.findall(r'"\w+":', text)
    return text.replace(keys[0], f"{rng.choice(keys)} 0, {keys[0]}", 1) if keys else text
