"""Seeds derived from a seed and a purpose, so that no two random streams of a run are the same."""

import hashlib


def derive_seed(seed: int, *parts: object) -> int:
    """A seed below 2**63 fixed by `seed` and by what it is for."""
    return int.from_bytes(hashlib.sha256(repr((seed, *parts)).encode()).digest()[:8], "big") >> 1
