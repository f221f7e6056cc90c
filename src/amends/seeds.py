"""Seeds derived from a seed and a purpose, so that no two random streams of a run are the same."""

import hashlib


def derive_seed(seed: int, *parts: object) -> int:
    """A seed below 2**63 fixed by `seed` and by what it is for."""
    return _hash(repr((seed, *parts))) >> 1


def fixed_share(text: str) -> float:
    """A number in [0, 1) fixed by a text, so that what is drawn by it is always drawn alike."""
    return _hash(text) / 2**64


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "backslashreplace")).digest()[:8], "big")
