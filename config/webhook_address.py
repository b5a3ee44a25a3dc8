"""The signed address that Teamleader is given: the only proof of origin it lets us have (it signs nothing).

The token is the HMAC of what it is for, so nothing needs to be stored, and two keys can be valid during a rotation.
"""

import base64
import hashlib
import hmac
import re

PURPOSE = b"tltw/teamleader-webhook"
VERSION = re.compile(r"[1-9][0-9]{0,5}")


def key_version(key: str) -> bytes:
    """Names a key without revealing it, so that the order of the keys in the settings does not matter."""
    return hashlib.sha256(b"tltw/key-version\0" + key.encode()).digest()[:8]


def webhook_token(key: str, integration: str, version: int = 0) -> str:
    """base64url(HMAC-SHA256(key, purpose ‖ integration ‖ key version ‖ address version)): 43 characters, 256 bits.

    The address version counts the rotations of this one integration and stands before the token as `3.`; 0 is left out.
    """
    parts = (PURPOSE, integration.encode(), key_version(key), *((b"%d" % version,) if version else ()))
    digest = hmac.digest(key.encode(), b"\0".join(parts), "sha256")
    return (f"{version}." if version else "") + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def version_of(token: str) -> int:
    """The address version that a token claims to be of; what is no version counts as 0, whose token will not match."""
    digits, dot, _ = token.partition(".")
    return int(digits) if dot and VERSION.fullmatch(digits) else 0


def webhook_address(public_url: str, key: str, integration: str, version: int = 0) -> str:
    """The address to register at Teamleader. It is a secret: whoever knows it can send events."""
    return f"{addresses_of(public_url, integration)}{webhook_token(key, integration, version)}"


def addresses_of(public_url: str, integration: str) -> str:
    """How every webhook address of ours for this integration begins; whatever begins otherwise is not ours."""
    return f"{public_url}/webhooks/teamleader/{integration}/"
