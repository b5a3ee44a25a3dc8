"""The token that every form carries: only a page of ours, shown in this very browser, can know it.

It is derived from what the session cookie holds, so there is nothing to store, and a new session makes old forms worthless.
Answers are not compressed, so it needs no mask against guessing it from their length.
"""

import base64
import hashlib
import hmac

FIELD = "form_token"
PURPOSE = b"tltw console form"


def token(cookie: str) -> str:
    """The token of this browser's forms."""
    return base64.urlsafe_b64encode(hmac.digest(cookie.encode(), PURPOSE, hashlib.sha256)).decode().rstrip("=")


def valid(cookie: str, given: str) -> bool:
    return hmac.compare_digest(token(cookie).encode(), given.encode())


def same_site(sec_fetch_site: str) -> bool:
    """What the browser itself says about where a request comes from; old ones say nothing.

    https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site (looked up 2026-11-25)
    """
    return sec_fetch_site in ("", "same-origin", "none")
