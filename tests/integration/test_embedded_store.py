"""The embedded store: one server per data folder, durable, back after a kill, found by a second start."""

import os
import signal
import stat

import pytest

from config.embedded import EmbeddedStore, running, socket_path, url_of
from config.store import connect, durability_problems, queue_url
from sandbox.deployment import wait_for


@pytest.fixture
def store(tmp_path):
    embedded = EmbeddedStore(tmp_path / "data")
    embedded.start()
    yield embedded
    embedded.stop()


def test_it_is_durable_and_private(store, tmp_path):
    with connect(store.url) as client:
        assert durability_problems(client) == []
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_what_was_written_survives_a_kill_and_the_server_comes_back(store, tmp_path):
    with connect(store.url) as client:
        client.set("kept", "yes")
    first = store.pid
    assert first

    os.kill(first, signal.SIGKILL)
    wait_for("the server to be back", lambda: store.pid != first and running(tmp_path / "data"), seconds=60)

    with connect(store.url) as client:
        assert client.get("kept") == b"yes"


def test_a_second_start_finds_the_first_and_stopping_it_stops_nothing(store, tmp_path):
    second = EmbeddedStore(tmp_path / "data")

    assert second.start() == store.url
    assert second.pid is None
    second.stop()

    assert running(tmp_path / "data") == store.url


def test_nobody_is_found_in_an_empty_folder(tmp_path):
    assert running(tmp_path) is None


def test_a_folder_with_a_very_long_name_gets_a_short_socket(tmp_path):
    assert len(str(socket_path(tmp_path / ("x" * 120)))) < 100


def test_the_queue_has_a_database_of_its_own(tmp_path):
    assert queue_url("redis://host:6379/3") == "redis://host:6379?db=4"
    assert queue_url("redis://:word@host:6379?db=3") == "redis://:word@host:6379?db=4"
    assert queue_url("rediss://host") == "rediss://host?db=1"
    assert queue_url("unix:///run/r.sock?db=1&password=x") == "unix:///run/r.sock?db=2&password=x"
    assert queue_url(url_of(tmp_path)).endswith("?db=1")
    assert queue_url("redis://host", "redis://other/9") == "redis://other/9"
