"""Whether somebody listens on a port already. Looks only; what to do about it is for whoever asks."""

import errno
import socket
from contextlib import suppress


def is_taken(host: str, port: int) -> bool:
    """Whether gunicorn could not listen there, because another program does. It asks as gunicorn does (`SO_REUSEADDR`):
    connections that were closed a moment ago keep nobody out. Whatever else is wrong with an address is not told here."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
