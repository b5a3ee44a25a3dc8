"""The signed address that Teamleader is given: the only proof of origin it lets us have (it signs nothing).

The token is the HMAC of what it is for, so nothing needs to be stored, and two keys can be valid during a rotation.
"""

import base64
import hashlib
import hmac

PURPOSE = b"tltw/teamleader-webhook"


def key_version(key: str) -> bytes:
    """Names a key without revealing it, so that the order of the keys in the settings does not matter."""
    return hashlib.sha256(b"tltw/key-version\0" + key.encode()).digest()[:8]


def webhook_token(key: str, integration: str) -> str:
    """base64url(HMAC-SHA256(key, purpose ‖ integration ‖ key version)): 43 characters, 256 bits."""
    message = b"\0".join((PURPOSE, integration.encode(), key_version(key)))
    return base64.urlsafe_b64encode(hmac.digest(key.encode(), message, "sha256")).decode().rstrip("=")


def webhook_address(public_url: str, key: str, integration: str) -> str:
    """The address to register at Teamleader. It is a secret: whoever knows it can send events."""
    return f"{public_url}/webhooks/teamleader/{integration}/{webhook_token(key, integration)}"
