"""API keys: kept as digests, compared in constant time, and never written anywhere."""

import hashlib
import hmac
import os
import re
from collections.abc import Iterable

from amends.errors import InputError
from amends.serving.refusals import Refused

VARIABLE = "AMENDS_SERVE_KEYS"
FEWEST_CHARACTERS = 16
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


class Keys:
    """The keys that are let in; without any, everybody is.

    Args:
        digests: SHA-256 of each key.
    """

    def __init__(self, digests: Iterable[bytes] = ()) -> None:
        self._digests = tuple(digests)

    @classmethod
    def of_environment(cls) -> "Keys":
        """Those of AMENDS_SERVE_KEYS, with blanks or commas between them: keys, or `sha256:` and a key's digest.

        Raises InputError for one that is short enough to be guessed, without repeating it.
        """
        given = [one for one in re.split(r"[\s,]+", os.environ.get(VARIABLE, "")) if one]
        digests = []
        for number, one in enumerate(given, 1):
            found = _DIGEST.fullmatch(one)
            if not found and (len(one) < FEWEST_CHARACTERS or one.startswith("sha256:")):
                raise InputError(
                    f"{VARIABLE}: key {number} is none; give {FEWEST_CHARACTERS} characters or more, or sha256: and "
                    "64 digits of its digest"
                )
            digests.append(bytes.fromhex(found[1]) if found else _digest(one))
        return cls(digests)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._digests)

    def check(self, authorization: str | None) -> int | None:
        """The number of the key that a request has; None where there are no keys. Raises Refused (401) without one."""
        if not self._digests:
            return None
        word, _, key = (authorization or "").partition(" ")
        given = _digest(key.strip() if word.lower() == "bearer" else "")
        # All of them: the time does not say which one was nearly right.
        found = [number for number, one in enumerate(self._digests) if hmac.compare_digest(given, one)]
        if not found:
            raise Refused(
                401,
                "no valid key; send it as Authorization: Bearer KEY",
                "authentication_error",
                {"WWW-Authenticate": "Bearer"},
            )
        return found[0]


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
