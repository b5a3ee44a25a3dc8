"""E-mail over a mail server (SMTP), with TLS unless the server is this very machine.

smtplib limits each single read; here the whole conversation is limited too, by cutting the connection under it.
"""

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Literal

import structlog

from config.alerts import SmtpServer
from workers.alerts.channels.channel import NotSent
from workers.alerts.messages import Message

# A subject of more than 78 letters would be folded after its name, and many readers then show it with a space in front.
UNFOLDED = policy.SMTP.clone(max_line_length=900)
STEP_SECONDS = 8.0
WHOLE_SECONDS = 25.0

log = structlog.get_logger()


class SmtpChannel:
    """Sends each message as one plain-text e-mail to all addresses."""

    name: Literal["email"] = "email"

    def __init__(
        self,
        server: SmtpServer,
        *,
        sender: str,
        to: Sequence[str],
        tls: ssl.SSLContext | None = None,
        step_seconds: float = STEP_SECONDS,
        whole_seconds: float = WHOLE_SECONDS,
    ) -> None:
        self._server = server
        self._from = sender
        self._to = tuple(to)
        self._tls = tls or ssl.create_default_context()
        self._step_seconds = step_seconds
        self._whole_seconds = whole_seconds

    def send(self, message: Message, *, alert_id: str) -> None:
        mail = written(message, alert_id=alert_id, sender=self._from, to=self._to)
        try:
            with self._connected() as server:
                if self._server.user:
                    server.login(self._server.user, self._server.password)
                refused = server.send_message(mail, self._from, self._to)
        except smtplib.SMTPAuthenticationError:
            raise NotSent("The mail server does not accept user name and password.") from None
        except smtplib.SMTPNotSupportedError:
            raise NotSent("The mail server offers no STARTTLS, or no way to sign in that we know.") from None
        except smtplib.SMTPResponseException as answer:
            raise NotSent(f"The mail server answered {answer.smtp_code}.") from None
        except smtplib.SMTPRecipientsRefused:
            raise NotSent("The mail server takes mail for none of the addresses.") from None
        except ssl.SSLError as error:
            raise NotSent("No private connection to the mail server: is its certificate in order?") from error
        except (OSError, smtplib.SMTPException) as error:
            # No text of theirs: it may quote an address.
            raise NotSent(f"The mail server could not be reached, or broke off ({type(error).__name__}).") from None
        if refused:
            log.warning("The mail server takes alerts for some addresses only.", refused=len(refused))

    def close(self) -> None:
        """Nothing to give back: each message has a connection of its own."""

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        place = self._server
        # Said out loud, because smtplib would ask the resolver for this machine's name.
        us = self._from.rpartition("@")[2]
        server = (
            smtplib.SMTP_SSL(local_hostname=us, timeout=self._step_seconds, context=self._tls)
            if place.security == "tls"
            else smtplib.SMTP(local_hostname=us, timeout=self._step_seconds)
        )
        # Made without a host it does not connect before the watch runs; certificates are compared with this name.
        server._host = place.host  # type: ignore[attr-defined]
        try:
            with _ends_within(self._whole_seconds, server):
                server.connect(place.host, place.port)
                server.ehlo()
                if place.security == "starttls" or (place.security == "if_offered" and server.has_extn("starttls")):
                    server.starttls(context=self._tls)
                yield server
            # It is sent; a server that hangs up without a word must not get it again.
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
        finally:
            server.close()


def written(message: Message, *, alert_id: str, sender: str, to: Sequence[str]) -> EmailMessage:
    """The e-mail. Its Message-ID is made of the alert's id, so that a second copy can be recognised."""
    mail = EmailMessage(policy=UNFOLDED)
    mail["Subject"] = message.subject
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Date"] = format_datetime(datetime.fromisoformat(message.at))
    mail["Message-ID"] = f"<{alert_id}.tltw@{sender.rpartition('@')[2]}>"
    # So that no out-of-office answer comes back (RFC 3834).
    mail["Auto-Submitted"] = "auto-generated"
    if message.severity == "critical" and message.event != "recovered":
        mail["Importance"] = "high"
    mail.set_content(message.text)
    return mail


@contextmanager
def _ends_within(seconds: float, server: smtplib.SMTP) -> Iterator[None]:
    """Cuts the connection when the conversation takes longer, whatever the server drips."""

    def cut() -> None:
        # Not `close`, which waits for the read that it should end.
        with suppress(OSError):
            if server.sock:
                socket.socket.shutdown(server.sock, socket.SHUT_RDWR)

    watch = threading.Timer(seconds, cut)
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()
