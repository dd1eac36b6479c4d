"""What a file is, by its first bytes: errors name what was found where something else is due."""

from __future__ import annotations

from typing import Final

_IDX: Final = {
    0x08: "u8", 0x09: "i8", 0x0B: "i16", 0x0C: "i32", 0x0D: "f32", 0x0E: "f64",
}  # fmt: skip
"""The types of an idx file, by the third byte of its header."""

_STARTS: Final = (
    (b"\xff\xfe\x00\x00", "a text in UTF-32"),
    (b"\x00\x00\xfe\xff", "a text in UTF-32"),
    (b"\xff\xfe", "a text in UTF-16"),
    (b"\xfe\xff", "a text in UTF-16"),
    (b"\x1f\x8b", "a gzipped file"),
    (b"PK\x03\x04", "a zip archive, such as an .npz or .xlsx file"),
    (b"\x93NUMPY", "an .npy file, of one array"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"BZh", "a file of bzip2"),
    (b"\xfd7zXZ", "a file of xz"),
    (b"7z\xbc\xaf", "a file of 7-Zip"),
    (b"\x28\xb5\x2f\xfd", "a file of zstd"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"SQLite format 3", "a database of SQLite"),
    (b"MATLAB", "a file of MATLAB"),
    (b"<!DOCTYPE", "a web page"),
    (b"<html", "a web page"),
    (b"version https://git-lfs", "a pointer of Git LFS, and not the file itself"),
)

_START: Final = 400
"""How many bytes tell an encoding; those of a tar archive's name come before 262."""


def kind_of(start: bytes) -> str:
    """In words what begins with these bytes: a kind of file, "empty" or "no text"."""
    if not start:
        return "empty"
    for begins, kind in _STARTS:
        if start.startswith(begins):
            return kind
    if start[:2] == b"\x00\x00" and len(start) > 3 and start[2] in _IDX:
        return f"an idx file of {_IDX[start[2]]} in {start[3]} dimensions"
    if start[:1] == b"\x80" and start[1:2] <= b"\x05":
        return "a pickle"
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 1 << 32:
        return "a safetensors file"
    if start[257:262] == b"ustar":
        return "a tar archive"
    return _of_characters(start[:_START])


def _of_characters(start: bytes) -> str:
    """Text of another encoding has a 0 in every other byte, or bytes that UTF-8 doesn't know."""
    zeros = [start[i::4].count(0) for i in range(4)]
    most = -(-len(start) // 4)
    if sum(n > most // 2 for n in zeros) == 3:
        return "a text in UTF-32"
    if sorted(n > most // 2 for n in zeros) == [False, False, True, True]:
        return "a text in UTF-16"
    if 0 in start:
        return "no text"
    try:
        start.decode()
    except UnicodeDecodeError as e:
        if e.end < len(start) - 3:  # else, a character was cut
            return "no text in UTF-8"
    return "a text"
