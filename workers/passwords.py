"""Passwords of operators: hashed with scrypt, compared in constant time. Stores nothing and prints nothing.

A hash carries its own parameters in the PHC string format, `$scrypt$ln=15,r=8,p=3$<salt>$<key>`, so that they can be raised later.
Why scrypt: docs/decisions/0013-the-console-signs-in-by-itself.md.
"""

import base64
import functools
import hashlib
import hmac
import re
import secrets
import threading
import unicodedata
from dataclasses import dataclass

SHORTEST = 12
# Nobody types more; what is longer only keeps the processor busy.
LONGEST = 1024
# A generated password: five groups of four letters and digits, 100 bits, without those that look alike.
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
GROUPS, GROUP_LENGTH = 5, 4
HASH = re.compile(r"\$scrypt\$ln=(\d+),r=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)")
SALT_BYTES, KEY_BYTES = 16, 32


@dataclass(frozen=True, slots=True)
class Cost:
    """What one hash costs: 128 * 2^log2_n * r bytes of memory, p times over."""

    log2_n: int
    r: int
    p: int


# OWASP's recommendation for 32 MiB; 0.3 s on a small server.
# https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html (looked up 2026-11-25)
COST = Cost(log2_n=15, r=8, p=3)
# Sign-ins hash one or two at a time, whatever the number of threads: a flood of them costs time, never all the memory.
_AT_A_TIME = threading.BoundedSemaphore(2)


def hashed(password: str) -> str:
    """The password as it may be stored."""
    salt = secrets.token_bytes(SALT_BYTES)
    key = _scrypt(password, salt, COST)
    return f"$scrypt$ln={COST.log2_n},r={COST.r},p={COST.p}${_text(salt)}${_text(key)}"


def matches(password: str, stored: str) -> bool:
    """Whether this is the password that was hashed."""
    cost, salt, key = _parts(stored)
    return hmac.compare_digest(_scrypt(password, salt, cost), key)


def matches_nobody(password: str) -> bool:
    """The same work for a name that does not exist, so that the time it takes tells nothing. Always False."""
    matches(password, _of_nobody(COST))
    return False


def outdated(stored: str) -> bool:
    """Whether the hash was made with other parameters than we use today."""
    cost, _, _ = _parts(stored)
    return cost != COST


def generated() -> str:
    """A password to be shown once and copied."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
    return "-".join(groups)


def _scrypt(password: str, salt: bytes, cost: Cost) -> bytes:
    # The same letters can be typed in several ways: https://pages.nist.gov/800-63-4/sp800-63b.html (looked up 2026-11-25)
    typed = unicodedata.normalize("NFKC", password[:LONGEST]).encode()
    memory = 128 * cost.r * (2**cost.log2_n + cost.p + 2)
    with _AT_A_TIME:
        return hashlib.scrypt(
            typed, salt=salt, n=2**cost.log2_n, r=cost.r, p=cost.p, maxmem=memory + 1024 * 1024, dklen=KEY_BYTES
        )


def _parts(stored: str) -> tuple[Cost, bytes, bytes]:
    found = HASH.fullmatch(stored)
    if not found:
        raise ValueError("that is not a hash of ours")
    log2_n, r, p, salt, key = found.groups()
    return Cost(int(log2_n), int(r), int(p)), _bytes(salt), _bytes(key)


@functools.cache
def _of_nobody(cost: Cost) -> str:
    salt, key = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(KEY_BYTES)
    return f"$scrypt$ln={cost.log2_n},r={cost.r},p={cost.p}${_text(salt)}${_text(key)}"


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))
