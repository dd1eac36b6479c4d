"""Random words that are a function of a seed, a name and a step, and of nothing else."""

from __future__ import annotations

import numpy as np

from ..graph import Array, GraphError, shown


def generator(seed: int, name: str, step: int = 0) -> np.random.Philox:
    """Philox4x64 with key (seed, hash of the name) and counter (0, 0, step, 0).

    The hash is BLAKE2b of the name in UTF-8 to 8 bytes, read as a little-endian number.
    """
    key = np.array([check_seed(seed), name_hash(name)], np.uint64)
    return np.random.Philox(key=key, counter=np.array([0, 0, step, 0], np.uint64))


def words(seed: int, name: str, count: int, step: int = 0) -> Array:
    """The first `count` raw u64 words of that generator."""
    return generator(seed, name, step).random_raw(count)


def name_hash(name: str) -> int:
    """A 64-bit hash of a name that is the same everywhere."""
    import hashlib

    encoded = name.encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(encoded, digest_size=8).digest(), "little")


def check_seed(seed: int) -> int:
    """The seed as an int, or an error that says what it may be."""
    if not (isinstance(seed, (int, np.integer)) and 0 <= seed < 2**64):
        raise GraphError(f"seed is {shown(seed)}, where an integer from 0 to 2**64 - 1 is expected")
    return int(seed)
