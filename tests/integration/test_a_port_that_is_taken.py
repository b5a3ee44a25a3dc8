"""A port that another program listens on is named together with its setting."""

import os
import socket

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet
from structlog.testing import capture_logs

from config.settings import load
from ingress.cli import processes
from ingress.cli.main import main
from ingress.cli.processes import Port
from ingress.cli.supervisor import OURS
from ingress.ports import is_taken
from ingress.serving import say_if_taken
from sandbox.deployment import free_port


@pytest.fixture
def other():
    """Another program that listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other


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


@pytest.mark.parametrize("setting", ["TLTW_WEB_PORT", "TLTW_CONSOLE_PORT"])
def test_run_names_the_port_that_stays_taken_and_starts_nothing(tmp_path, monkeypatch, other, setting):
    monkeypatch.setattr(processes, "PORTS_FREE_WITHIN_SECONDS", 0)
    port = str(other.getsockname()[1])
    free = {"TLTW_WEB_PORT": str(free_port()), "TLTW_CONSOLE_PORT": str(free_port())}

    done = run(tmp_path, **free | {setting: port})

    assert done.exit_code == 1
    assert f"Port {port} ({setting}) is taken" in done.stderr
    assert "docs/operate.md" in done.stderr
    assert not (tmp_path / "data").exists()


def test_only_the_ports_of_what_is_run_by_us_are_looked_at(tmp_path):
    settings = load(environment(tmp_path, TLTW_WEB_PORT="8010", TLTW_WEB_HOST="127.0.0.2"))
    commands = {"web": [*OURS, "web"], "console": ["another", "console"]}

    assert processes._ports(settings, commands) == [Port("127.0.0.2", 8010, "TLTW_WEB_PORT")]


def test_what_is_still_stopping_is_waited_for(monkeypatch, other):
    monkeypatch.setattr(processes.time, "sleep", lambda _seconds: other.close())

    with capture_logs() as said:
        processes._wait_for_ports([Port("127.0.0.1", other.getsockname()[1], "TLTW_WEB_PORT")])

    assert [(one["log_level"], one["setting"]) for one in said] == [("warning", "TLTW_WEB_PORT")]


def test_a_port_whose_last_connections_were_closed_a_moment_ago_is_free(other):
    port = other.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)) as client:
        accepted, _ = other.accept()
        accepted.close()  # it closes first, so that its end stays in TIME_WAIT
        client.recv(1)
    other.close()

    assert not is_taken("127.0.0.1", port)


def run(tmp_path, **settings):
    """`tltw run`, with nothing in the environment but these settings."""
    (tmp_path / "Procfile").write_text("web: tltw web\nconsole: tltw console\n")
    without = dict.fromkeys(name for name in os.environ if name.startswith("TLTW_"))
    typed = ["--env", str(tmp_path / "none.env"), "run", "--procfile", str(tmp_path / "Procfile")]
    return CliRunner().invoke(main, typed, env=without | environment(tmp_path, **settings))


def environment(tmp_path, **settings):
    needed = {
        "TLTW_DATA_DIR": str(tmp_path / "data"),
        "TLTW_SECRET_KEY": Fernet.generate_key().decode(),
        "TLTW_WEBHOOK_KEY": "k" * 40,
        "TLTW_PUBLIC_URL": "https://sync.example.com",
        "PYTHONUNBUFFERED": "1",  # which `run` would set for good
    }
    return needed | settings
