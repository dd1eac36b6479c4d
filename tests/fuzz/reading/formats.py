"""Changes within a format, whose lengths and checksums are made right again: they reach further
than changes of bytes, which a checksum or a length refuses."""

from __future__ import annotations

import gzip
import io
import json
import warnings
import zipfile
import zlib
from random import Random
from typing import Any, Final

import numpy as np

from verigrad.runtime.files.checksums import checksums, digest

from .mutations import mutate_json, mutated

KEY: Final = "verigrad"
_TYPES: Final = {"F32": "f4", "F64": "f8", "I64": "i8", "BOOL": "?"}


def within_gzip(data: bytes, rng: Random) -> bytes:
    """A gzipped file whose content is changed."""
    try:
        content = gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return data
    return gzip.compress(mutated(content, (), rng), mtime=0)


def within_zip(data: bytes, rng: Random) -> bytes:
    """A zip archive of which one entry is changed, gone, renamed, or there twice."""
    file = io.BytesIO(data)
    with zipfile.ZipFile(file) as archive:
        entries = [(i.filename, archive.read(i)) for i in archive.infolist()]
    at = rng.randrange(len(entries))
    name, content = entries[at]
    kind = rng.randrange(6)
    if kind == 0:
        del entries[at]
    elif kind == 1:
        entries[at] = (
            rng.choice(("x.npy", "Y.npy", "x_test.npy", "../x.npy", "x", "x.npy/y")),
            content,
        )
    elif kind == 2:
        entries.append((rng.choice(("y_test.npy", "X_train.npy", "z.npy")), content))
    else:
        entries[at] = name, mutated(content, [c for _, c in entries], rng)
    return zipped(entries, rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def zipped(entries: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive of these entries."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as archive:
        warnings.simplefilter("ignore", UserWarning)  # of two entries of one name
        for name, content in entries:
            info = zipfile.ZipInfo(name)  # of no time
            info.compress_type = method
            archive.writestr(info, content)
    return file.getvalue()


def json_file(data: bytes, rng: Random) -> bytes:
    """A file of JSON whose keys and values are changed."""
    return mutate_json(data.decode(), rng).encode("utf-8", "surrogatepass")


# ---- safetensors, as programs are kept -------------------------------------------------------


def split(raw: bytes) -> tuple[dict[str, Any], bytes]:
    """The header and the data of a safetensors file."""
    size = int.from_bytes(raw[:8], "little")
    return json.loads(raw[8 : 8 + size]), raw[8 + size :]


def joined(header: object, data: bytes) -> bytes:
    """A safetensors file."""
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def header_changed(raw: bytes, rng: Random) -> bytes:
    """The names, dtypes, shapes and places of arrays are changed."""
    header, data = split(raw)
    told = {k: v for k, v in header.items() if k != "__metadata__"}
    changed = json.loads(mutate_json(json.dumps(told), rng), object_pairs_hook=dict)
    meta = {"__metadata__": header["__metadata__"]}
    return joined(changed | meta if isinstance(changed, dict) else changed, data)


def told_changed(raw: bytes, rng: Random) -> bytes:
    """What a program's file tells is changed, and mostly sealed as another writer would have."""
    header, data = split(raw)
    text = mutate_json(header["__metadata__"][KEY], rng)
    if rng.random() < 0.9:
        text = seal(text, header, data)
    return joined({**header, "__metadata__": {KEY: text}}, data)


def values_changed(raw: bytes, rng: Random) -> bytes:
    """Arrays are changed, and their checksums are those of the new values."""
    header, data = split(raw)
    start = rng.randrange(len(data))
    data = data[:start] + rng.randbytes(min(8, len(data) - start)) + data[start + 8 :]
    told = json.loads(header["__metadata__"][KEY])
    told["checksums"] = checksums(arrays(header, data))
    text = seal(json.dumps(told), header, data)
    return joined({**header, "__metadata__": {KEY: text}}, data)


def seal(text: str, header: dict[str, Any], data: bytes) -> str:
    """The text of a description with the digest that is due, where it is a dict."""
    told = json.loads(text)
    if not isinstance(told, dict):
        return text
    return json.dumps({**told, "digest": digest(told, arrays(header, data))})


def arrays(header: dict[str, Any], data: bytes) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file that is right."""
    found = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, stop = entry["data_offsets"]
            flat = np.frombuffer(data[start:stop], _TYPES[entry["dtype"]])
            found[name] = flat.reshape(entry["shape"])
    return found
