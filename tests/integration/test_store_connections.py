"""How a connection to the store begins, each round trip being one that a bad network can spoil; and whose clock is right."""

from types import SimpleNamespace

import pytest
import redis

from config.store import connect, connect_ingress
from ingress.cli.doctor import machine_clock


@pytest.mark.parametrize("kind", ["ingress", "everybody else"])
@pytest.mark.parametrize("server", ["redis_url", "valkey_url"])
def test_a_new_connection_asks_for_nothing_but_its_database(request, server, kind):
    url = request.getfixturevalue(server)
    second = url.replace("db=0", "db=1")
    with redis.Redis.from_url(url) as admin:
        admin.config_resetstat()

        with connect_ingress(second, redis.Redis) if kind == "ingress" else connect(second) as client:
            client.get("nothing")

        asked = {name.removeprefix("cmdstat_"): one["calls"] for name, one in admin.info("commandstats").items()}
    # The others look at a connection that idled before they use it; the web process has no time for that.
    look = {} if kind == "ingress" else {"ping": 1}
    assert asked == {"config|resetstat": 1, "select": 1, "get": 1} | look


@pytest.mark.parametrize("store", ["redis", "valkey"], indirect=True)
@pytest.mark.parametrize(
    ("off_seconds", "said"), [(-300, "300 s behind"), (0, "agree"), (1, "agree"), (4, "4 s ahead of")]
)
def test_doctor_says_when_this_machine_and_the_store_disagree_about_the_time(store, monkeypatch, off_seconds, said):
    told = store.time()  # both clocks stand still from here on, so that this machine may stand still between them
    here = told[0] + told[1] / 1e6 + off_seconds
    monkeypatch.setattr("config.store.time", SimpleNamespace(time=lambda: here))

    check = machine_clock(SimpleNamespace(store=SimpleNamespace(time=lambda: told)))

    assert said in check.sentence
    assert check.ok is (said == "agree")
