"""How a connection to the store begins: each round trip more is one more that a bad network can spoil."""

import pytest
import redis

from config.store import connect, connect_ingress


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
