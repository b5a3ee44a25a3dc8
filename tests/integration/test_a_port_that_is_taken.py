"""A port that another program listens on is named together with its setting."""

import socket

from structlog.testing import capture_logs

from ingress.serving import say_if_taken


def test_a_port_that_is_taken_is_said_with_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, capture_logs() as said:
        port = other.getsockname()[1]
        say_if_taken("127.0.0.1", port, "TLTW_WEB_PORT")

    assert [(one["log_level"], one["port"], one["setting"]) for one in said] == [("error", port, "TLTW_WEB_PORT")]


def test_a_free_port_and_an_address_that_is_not_ours_are_left_to_gunicorn() -> None:
    with capture_logs() as said:
        say_if_taken("127.0.0.1", 0, "TLTW_WEB_PORT")
        say_if_taken("192.0.2.1", 8000, "TLTW_WEB_PORT")
        say_if_taken("no.such.host.invalid", 8000, "TLTW_WEB_PORT")

    assert said == []
