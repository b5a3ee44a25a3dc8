"""Encryption of what we must keep but nobody may read: tokens and sessions in Redis."""

from collections.abc import Sequence

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
        self._newest = Fernet(keys[0])
        self.has_old_keys = len(keys) > 1

    def encrypt(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode())

    def is_newest(self, stored: bytes) -> bool:
        """Whether this was encrypted with the newest key, so that the older ones are not needed for it."""
        try:
            self._newest.decrypt(stored)
        except InvalidToken:
            return False
        return True

    def decrypt(self, stored: bytes) -> str:
        try:
            return self._fernet.decrypt(stored).decode()
        except InvalidToken as error:
            raise SecretUnreadable(
                "a stored secret cannot be decrypted: TLTW_SECRET_KEY has changed; put the old key behind the new one"
            ) from error
