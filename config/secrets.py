"""Encryption of what we must keep but nobody may read: tokens and sessions in Redis."""

from collections.abc import Sequence
from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class SecretUnreadable(Exception):
    """A stored secret was encrypted with a key that is no longer configured (`TLTW_SECRET_KEY`)."""


class Cipher:
    """Encrypts with the newest key and decrypts with any of them, so that keys can be rotated.

    Keys are Fernet keys (32 random bytes, base64url), newest first.
    https://cryptography.io/en/latest/fernet/ (looked up 2026-11-22)
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self.version = sha256(b"tltw/secret-key\0" + keys[0].encode()).hexdigest()[:8]
        """Names the newest key without revealing it."""

    def encrypt(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode())

    def decrypt(self, stored: bytes) -> str:
        try:
            return self._fernet.decrypt(stored).decode()
        except InvalidToken as error:
            raise SecretUnreadable(
                "a stored secret cannot be decrypted: TLTW_SECRET_KEY has changed; put the old key behind the new one"
            ) from error
