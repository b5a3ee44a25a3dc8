"""The headers of every answer: what a browser may do with our pages, and that nobody keeps them."""

from collections.abc import Iterable

from flask import Response

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
YEAR_SECONDS = 365 * 24 * 3600


def secure(response: Response, *, https: bool, form_targets: Iterable[str] = ()) -> Response:
    """`form_targets`: origins that a form of this page may lead to, by a redirect as well; ours always may.

    What a page set itself stays.
    """
    policy = POLICY | {"form-action": " ".join(("'self'", *form_targets))}
    response.headers["Content-Security-Policy"] = "; ".join(f"{name} {value}" for name, value in policy.items())
    for name, value in {**FIXED, "Cache-Control": "no-store"}.items():
        response.headers.setdefault(name, value)
    if https:
        response.headers["Strict-Transport-Security"] = f"max-age={YEAR_SECONDS}"
    return response


def keep_for_ever(response: Response) -> Response:
    """For what lies under an address that names its contents."""
    response.headers["Cache-Control"] = f"public, max-age={YEAR_SECONDS}, immutable"
    return response
