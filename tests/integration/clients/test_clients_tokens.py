"""Staying signed in to Teamleader: one refresh at a time, nothing lost in a crash, and an honest end."""

import itertools
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import redis
from cryptography.fernet import Fernet

from config.integrations import TeamleaderConnection
from config.secrets import Cipher
from sandbox.gates import Gate
from workers.clients.errors import CredentialsUnreadable, ReconnectNeeded, Throttled, Unavailable
from workers.clients.teamleader import oauth
from workers.clients.teamleader.oauth_protocol import GrantRefused, TokenPair

AtOnce = Callable[[int, Callable[[], object]], list[object]]


def stored(at: Any) -> TokenPair:
    return TokenPair.from_json(json.loads(at.cipher.decrypt(at.store.get(at.keys.token))))


def works(at: Any, token: str) -> bool:
    return at.app.world.tokens.account_of(token, at.app.world.clock()) is not None


def consented(at: Any) -> TokenPair:
    """The pair that a person's consent is worth."""
    world, back = at.app.world, "https://sync.example.com/back"
    code = world.tokens.issue_code(world.default.id, world.default.client_id, back, world.clock())
    return at.tokens().exchange(code, back)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def refuse_writes_of_the_token(at: Any, monkeypatch: pytest.MonkeyPatch, refused: set[int]) -> None:
    """Makes the store fail these writes of the token: the first is the note, the later ones the new pair."""
    write, numbers = at.store.transaction, itertools.count(1)

    def moody(attempt: Any, *watches: str, **options: Any) -> Any:
        if at.keys.token in watches and next(numbers) in refused:
            raise redis.ConnectionError("restarting")
        return write(attempt, *watches, **options)

    monkeypatch.setattr(at.store, "transaction", moody)


def test_the_configured_refresh_token_starts_the_connection(at_teamleader: Any) -> None:
    token = at_teamleader.tokens().access_token()

    assert works(at_teamleader, token)
    assert stored(at_teamleader).access == token


def test_another_process_uses_the_stored_pair(at_teamleader: Any) -> None:
    first = at_teamleader.tokens().access_token()

    second = at_teamleader.tokens().access_token()

    assert second == first
    assert at_teamleader.refreshes == 1


def test_nothing_readable_is_stored(at_teamleader: Any) -> None:
    token = at_teamleader.tokens().access_token()

    raw = at_teamleader.store.get(at_teamleader.keys.token)

    assert token.encode() not in raw
    assert b"refresh" not in raw


def test_a_fresh_token_costs_no_round_trip(at_teamleader: Any) -> None:
    tokens = at_teamleader.tokens()
    token = tokens.access_token()
    at_teamleader.store.flushall()

    assert tokens.access_token() == token
    assert at_teamleader.refreshes == 1


@pytest.mark.parametrize("ahead", [timedelta(minutes=50), timedelta(hours=2)], ids=["at 80 %", "expired"])
def test_sixteen_threads_of_several_processes_refresh_once(
    at_teamleader: Any, everywhere_at_once: AtOnce, ahead: timedelta
) -> None:
    at_teamleader.tokens().access_token()
    processes = [at_teamleader.tokens() for _ in range(4)]
    for process in processes:
        process.access_token()
    at_teamleader.wall.ahead = ahead
    turns = iter(processes * 4)

    answers = everywhere_at_once(16, lambda: next(turns).access_token())

    assert at_teamleader.refreshes == 2
    assert at_teamleader.app.world.tokens.refused_refreshes == 0
    assert all(works(at_teamleader, str(token)) for token in answers)


def test_after_a_401_one_refresh_serves_every_thread(at_teamleader: Any, everywhere_at_once: AtOnce) -> None:
    tokens = at_teamleader.tokens()
    stale = tokens.access_token()

    answers = everywhere_at_once(16, lambda: tokens.renew(stale))

    assert len(set(answers)) == 1
    assert at_teamleader.refreshes == 2


def test_while_the_old_token_works_a_failing_refresh_harms_nobody(at_teamleader: Any) -> None:
    tokens = at_teamleader.tokens()
    old = tokens.access_token()
    at_teamleader.wall.ahead = timedelta(minutes=50)
    at_teamleader.app.faults.set("status", prefix="/oauth2", status=503)

    answers = [tokens.access_token() for _ in range(5)]

    assert answers == [old] * 5
    assert at_teamleader.refreshes == 2


def test_an_early_refresh_is_tried_again_a_minute_after_it_failed(at_teamleader: Any) -> None:
    tokens = at_teamleader.tokens()
    old = tokens.access_token()
    at_teamleader.wall.ahead = timedelta(minutes=50)
    at_teamleader.app.faults.set("status", prefix="/oauth2", status=503, count=1)
    tokens.access_token()
    at_teamleader.wall.ahead = timedelta(minutes=52)

    assert tokens.access_token() != old


def test_while_somebody_else_refreshes_the_old_token_goes_on_working(at_teamleader: Any) -> None:
    tokens = at_teamleader.tokens()
    old = tokens.access_token()
    at_teamleader.wall.ahead = timedelta(minutes=50)

    with at_teamleader.store.lock(at_teamleader.keys.lock("teamleader-token"), timeout=30):
        assert tokens.access_token() == old

    assert tokens.access_token() != old


def test_who_lost_the_race_uses_the_winners_pair(at_teamleader: Any) -> None:
    loser, winner = at_teamleader.tokens(), at_teamleader.tokens()
    stale = loser.access_token()
    gate = at_teamleader.app.gates.set(Gate("refresh", "/oauth2", count=1))
    with ThreadPoolExecutor(1) as pool:
        losing = pool.submit(loser.renew, stale)
        wait_until(lambda: gate.waiting == 1)
        # The loser's lease of the lock ends while its refresh is still on the way.
        at_teamleader.store.delete(at_teamleader.keys.lock("teamleader-token"))
        won = winner.renew(stale)
        at_teamleader.app.gates.release()

        lost = losing.result()

    assert lost == won
    assert at_teamleader.app.world.tokens.refused_refreshes == 1


@pytest.mark.parametrize("shape", ["envelope", "rfc6749"])
def test_a_revoked_connection_must_be_reconnected(at_teamleader: Any, shape: str) -> None:
    at_teamleader.app.world.settings.oauth_error_shape = shape
    tokens = at_teamleader.tokens()
    stale = tokens.access_token()
    at_teamleader.app.world.tokens.revoke_all(at_teamleader.app.world.default.id)

    with pytest.raises(ReconnectNeeded, match="connect again") as caught:
        tokens.renew(stale)

    assert caught.value.code == "invalid_grant"
    assert at_teamleader.app.world.tokens.refused_refreshes == 1


def test_a_wrong_client_secret_says_so(at_teamleader: Any) -> None:
    connection = replace(at_teamleader.connection, client_secret="wrong")

    with pytest.raises(ReconnectNeeded, match="client secret"):
        at_teamleader.tokens(connection).access_token()


def test_a_refresh_token_configured_later_reconnects(at_teamleader: Any) -> None:
    world = at_teamleader.app.world
    at_teamleader.tokens().access_token()
    world.tokens.revoke_all(world.default.id)
    world.issue_tokens(world.default, refresh="pasted-by-a-person")
    connection = replace(at_teamleader.connection, refresh_token="pasted-by-a-person")
    at_teamleader.wall.ahead = timedelta(hours=2)

    token = at_teamleader.tokens(connection).access_token()

    assert works(at_teamleader, token)
    assert at_teamleader.tokens(connection).access_token() == token


def test_the_configured_token_is_not_used_while_the_stored_one_works(at_teamleader: Any) -> None:
    at_teamleader.tokens().access_token()
    at_teamleader.wall.ahead = timedelta(hours=2)
    connection = replace(at_teamleader.connection, refresh_token="another")

    token = at_teamleader.tokens(connection).access_token()

    assert works(at_teamleader, token)
    assert at_teamleader.app.world.tokens.refused_refreshes == 0


def test_a_refused_client_destroys_no_token_that_works(at_teamleader: Any) -> None:
    """The configured refresh token was taken out of the settings after it had started the connection."""
    at_teamleader.tokens().access_token()
    good = stored(at_teamleader).refresh
    connection = replace(at_teamleader.connection, refresh_token="")
    at_teamleader.wall.ahead = timedelta(hours=2)
    with pytest.raises(ReconnectNeeded, match="client secret"):
        at_teamleader.tokens(replace(connection, client_secret="wrong")).access_token()

    kept = stored(at_teamleader).refresh

    assert kept == good
    assert works(at_teamleader, at_teamleader.tokens(connection).access_token())


def test_the_configured_token_is_not_used_up_when_only_the_client_is_refused(at_teamleader: Any) -> None:
    at_teamleader.tokens().access_token()
    connection = replace(at_teamleader.connection, refresh_token="pasted", client_secret="wrong")
    at_teamleader.wall.ahead = timedelta(hours=2)
    before = at_teamleader.refreshes

    with pytest.raises(ReconnectNeeded, match="client secret"):
        at_teamleader.tokens(connection).access_token()

    assert at_teamleader.refreshes == before + 1


def test_a_configured_token_that_does_not_work_replaces_nothing(at_teamleader: Any) -> None:
    world = at_teamleader.app.world
    at_teamleader.tokens().access_token()
    good = stored(at_teamleader).refresh
    world.tokens.revoke_all(world.default.id)
    at_teamleader.wall.ahead = timedelta(hours=2)

    with pytest.raises(ReconnectNeeded, match="connect again"):
        at_teamleader.tokens(replace(at_teamleader.connection, refresh_token="mistyped")).access_token()

    assert stored(at_teamleader).refresh == good


def test_a_configured_token_whose_answer_was_lost_is_recognised(
    at_teamleader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, send = at_teamleader.app.world, at_teamleader.http.send
    at_teamleader.tokens().access_token()
    world.tokens.revoke_all(world.default.id)
    world.issue_tokens(world.default, refresh="pasted-by-a-person")
    connection = replace(at_teamleader.connection, refresh_token="pasted-by-a-person")
    at_teamleader.wall.ahead = timedelta(hours=2)

    def losing(request: Any) -> Any:
        answer = send(request)
        if b"pasted" in request.body:
            raise Unavailable("teamleader", "the answer was lost")
        return answer

    monkeypatch.setattr(at_teamleader.http, "send", losing)
    with pytest.raises(Unavailable):
        at_teamleader.tokens(connection).access_token()
    monkeypatch.undo()

    with pytest.raises(ReconnectNeeded, match="answer never arrived"):
        at_teamleader.tokens(connection).access_token()


def test_without_any_token_the_connection_must_be_made(at_teamleader: Any) -> None:
    connection: TeamleaderConnection = replace(at_teamleader.connection, refresh_token="")

    with pytest.raises(ReconnectNeeded, match="not connected yet"):
        at_teamleader.tokens(connection).access_token()


def test_a_crash_before_teamleader_acted_heals_with_the_old_token(at_teamleader: Any) -> None:
    tokens = at_teamleader.tokens()
    stale = tokens.access_token()
    at_teamleader.app.faults.set("reset", prefix="/oauth2", count=1)
    with pytest.raises(Unavailable):
        tokens.renew(stale)
    noted = stored(at_teamleader).refreshing_since

    restarted = at_teamleader.tokens()

    assert noted > 0
    assert works(at_teamleader, restarted.renew(stale))
    assert stored(at_teamleader).refreshing_since == 0


def test_a_crash_after_teamleader_acted_is_recognised(at_teamleader: Any) -> None:
    tokens = at_teamleader.tokens()
    stale = tokens.access_token()
    at_teamleader.app.faults.set("lost_answer", prefix="/oauth2", count=1)
    with pytest.raises(Unavailable):
        tokens.renew(stale)

    with pytest.raises(Unavailable, match="another process"):
        at_teamleader.tokens().renew(stale)
    at_teamleader.wall.ahead += oauth.HOLDER_IS_BACK_WITHIN
    with pytest.raises(ReconnectNeeded, match="answer never arrived"):
        at_teamleader.tokens().renew(stale)

    assert at_teamleader.app.world.tokens.refused_refreshes == 2


def test_a_refusal_whose_answer_arrived_is_told_at_once_by_every_process(at_teamleader: Any) -> None:
    stale = at_teamleader.tokens().access_token()
    at_teamleader.app.world.tokens.revoke_all(at_teamleader.app.world.default.id)

    for _ in range(2):
        with pytest.raises(ReconnectNeeded, match="no longer accepts our refresh token: connect again"):
            at_teamleader.tokens().renew(stale)

    assert stored(at_teamleader).refreshing_since == 0


def test_a_new_pair_survives_a_redis_that_restarts(at_teamleader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth, "STORE_PAUSES_SECONDS", (0.01, 0.01))
    refuse_writes_of_the_token(at_teamleader, monkeypatch, {2, 3})

    token = at_teamleader.tokens().access_token()

    assert stored(at_teamleader).access == token


def test_a_pair_that_cannot_be_stored_is_never_used(at_teamleader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth, "STORE_PAUSES_SECONDS", (0.01, 0.01))
    refuse_writes_of_the_token(at_teamleader, monkeypatch, {2, 3, 4})

    with pytest.raises(redis.RedisError):
        at_teamleader.tokens().access_token()


# -- a pair that the store did not take, or has lost again ---------------------------------------------------------


def test_a_pair_that_the_store_did_not_take_is_written_as_soon_as_it_does(
    at_teamleader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth, "STORE_PAUSES_SECONDS", (0.01, 0.01))
    tokens = at_teamleader.tokens()
    tokens.access_token()
    at_teamleader.wall.ahead = timedelta(hours=2)
    refuse_writes_of_the_token(at_teamleader, monkeypatch, {2, 3, 4})
    with pytest.raises(redis.RedisError):
        tokens.access_token()

    token = tokens.access_token()

    assert works(at_teamleader, token)
    assert stored(at_teamleader).access == token
    assert at_teamleader.app.world.tokens.refused_refreshes == 0


def test_while_another_process_may_hold_the_newest_pair_nobody_is_disconnected(
    at_teamleader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth, "STORE_PAUSES_SECONDS", ())
    holder, other = at_teamleader.tokens(), at_teamleader.tokens()
    other.renew(holder.access_token())
    at_teamleader.wall.ahead = timedelta(hours=2)
    refuse_writes_of_the_token(at_teamleader, monkeypatch, {2})
    with pytest.raises(redis.RedisError):
        holder.access_token()

    for _ in range(3):
        at_teamleader.wall.ahead += timedelta(seconds=15)
        with pytest.raises(Unavailable, match="another process"):
            other.access_token()

    assert works(at_teamleader, token := holder.access_token())
    assert other.access_token() == token


def test_so_is_the_very_first_one(at_teamleader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth, "STORE_PAUSES_SECONDS", ())
    tokens = at_teamleader.tokens()
    refuse_writes_of_the_token(at_teamleader, monkeypatch, {2})
    with pytest.raises(redis.RedisError):
        tokens.access_token()

    assert stored(at_teamleader).access == ""
    assert works(at_teamleader, tokens.access_token())


def test_so_is_one_of_a_refresh_token_that_was_configured_later(
    at_teamleader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth, "STORE_PAUSES_SECONDS", ())
    world = at_teamleader.app.world
    at_teamleader.tokens().access_token()
    world.tokens.revoke_all(world.default.id)
    world.issue_tokens(world.default, refresh="pasted-by-a-person")
    at_teamleader.wall.ahead = timedelta(hours=2)
    tokens = at_teamleader.tokens(replace(at_teamleader.connection, refresh_token="pasted-by-a-person"))
    refuse_writes_of_the_token(at_teamleader, monkeypatch, {3})
    with pytest.raises(redis.RedisError):
        tokens.access_token()

    token = tokens.access_token()

    assert works(at_teamleader, token)
    assert stored(at_teamleader).access == token


@pytest.mark.parametrize("ahead", [timedelta(minutes=50), timedelta(hours=2)], ids=["at 80 %", "expired"])
@pytest.mark.parametrize("lost", ["one", "all"])
def test_a_pair_that_a_failover_lost_is_written_back_by_who_holds_it(
    at_teamleader: Any, ahead: timedelta, lost: str
) -> None:
    tokens = at_teamleader.tokens()
    stale = tokens.access_token()
    older = at_teamleader.store.get(at_teamleader.keys.token)
    tokens.renew(tokens.renew(stale))
    at_teamleader.store.delete(at_teamleader.keys.token)
    if lost == "one":
        at_teamleader.store.set(at_teamleader.keys.token, older)
    at_teamleader.wall.ahead = ahead

    token = tokens.access_token()

    assert works(at_teamleader, token)
    assert stored(at_teamleader).access == token
    assert at_teamleader.app.world.tokens.refused_refreshes == 0


def test_what_a_person_connected_meanwhile_stays(at_teamleader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth, "STORE_PAUSES_SECONDS", ())
    tokens = at_teamleader.tokens()
    stale = tokens.access_token()
    refuse_writes_of_the_token(at_teamleader, monkeypatch, {2})
    with pytest.raises(redis.RedisError):
        tokens.renew(stale)
    at_teamleader.tokens().store(consented(at_teamleader))
    connected = stored(at_teamleader).access

    token = tokens.renew(stale)

    assert token == connected
    assert stored(at_teamleader).access == connected


def test_a_refresh_under_way_does_not_overwrite_what_a_person_connected_meanwhile(at_teamleader: Any) -> None:
    tokens = at_teamleader.tokens()
    stale = tokens.access_token()
    pair = consented(at_teamleader)
    gate = at_teamleader.app.gates.set(Gate("refresh", "/oauth2", count=1))
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(tokens.renew, stale)
        wait_until(lambda: gate.waiting == 1)
        # Removed and added anew: the lock went away with everything else.
        at_teamleader.store.delete(at_teamleader.keys.token, at_teamleader.keys.lock("teamleader-token"))
        at_teamleader.tokens().store(pair)
        at_teamleader.app.gates.release()
        answered = under_way.result()

    assert answered == pair.access
    assert stored(at_teamleader).access == pair.access


def test_a_pair_of_a_removed_integration_is_not_brought_back(at_teamleader: Any) -> None:
    tokens = at_teamleader.tokens()
    tokens.access_token()
    at_teamleader.wall.ahead = timedelta(hours=2)
    at_teamleader.store.hset(at_teamleader.keys.options, "state", "closed")
    at_teamleader.store.delete(at_teamleader.keys.token)

    with pytest.raises(ReconnectNeeded):
        tokens.access_token()
    with pytest.raises(ReconnectNeeded):
        tokens.store(consented(at_teamleader))

    assert at_teamleader.store.get(at_teamleader.keys.token) is None


def test_a_pair_of_a_former_integration_is_not_brought_into_the_one_that_has_its_name_now(at_teamleader: Any) -> None:
    tokens = at_teamleader.tokens(replace(at_teamleader.connection, refresh_token=""))
    tokens.store(consented(at_teamleader))
    tokens.access_token()
    at_teamleader.wall.ahead = timedelta(hours=2)
    at_teamleader.store.delete(at_teamleader.keys.token)

    with pytest.raises(ReconnectNeeded, match="not connected yet"):
        tokens.access_token()

    assert at_teamleader.store.get(at_teamleader.keys.token) is None


def test_clocks_that_differ_do_not_bring_an_older_pair_back(at_teamleader: Any) -> None:
    """The other machine's clock is behind: its pair looks older, though ours was used up to get it."""
    ahead = at_teamleader.tokens()
    ahead._now = lambda: at_teamleader.wall() + timedelta(minutes=1)
    stale = ahead.access_token()
    newest = at_teamleader.tokens().renew(stale)

    assert ahead.renew(stale) == newest
    assert stored(at_teamleader).access == newest


@pytest.mark.parametrize("kind", ["html", "wrong_type", "truncated", "huge"])
def test_garbage_from_the_sign_in_is_unavailable(at_teamleader: Any, kind: str) -> None:
    at_teamleader.app.faults.set(kind, prefix="/oauth2")

    with pytest.raises(Unavailable):
        at_teamleader.tokens().access_token()


def test_a_throttled_sign_in_names_its_time(at_teamleader: Any) -> None:
    at_teamleader.app.faults.set("status", prefix="/oauth2", status=429, retry_seconds=30)

    with pytest.raises(Throttled) as caught:
        at_teamleader.tokens().access_token()

    assert caught.value.until is not None


def test_a_pair_that_another_key_encrypted_is_not_taken_for_a_refused_one(at_teamleader: Any) -> None:
    at_teamleader.tokens().access_token()
    at_teamleader.cipher = Cipher([Fernet.generate_key().decode()])

    with pytest.raises(CredentialsUnreadable, match="TLTW_SECRET_KEY"):
        at_teamleader.tokens().access_token()


def test_an_idle_pair_is_renewed_once_a_day(at_teamleader: Any) -> None:
    at_teamleader.tokens().access_token()

    assert at_teamleader.tokens().keep_alive() is False
    at_teamleader.wall.ahead = timedelta(hours=25)
    assert at_teamleader.tokens().keep_alive() is True
    assert at_teamleader.tokens().keep_alive() is False
    assert at_teamleader.refreshes == 2


def test_an_integration_that_was_never_used_is_started_by_keep_alive(at_teamleader: Any) -> None:
    assert at_teamleader.tokens().keep_alive() is True
    assert at_teamleader.refreshes == 1


def test_a_person_can_connect_with_a_code(at_teamleader: Any) -> None:
    world, back = at_teamleader.app.world, "https://sync.example.com/back"
    code = world.tokens.issue_code(world.default.id, world.default.client_id, back, world.clock())
    tokens = at_teamleader.tokens(replace(at_teamleader.connection, refresh_token=""))

    tokens.store(tokens.exchange(code, back))

    assert works(at_teamleader, tokens.access_token())
    with pytest.raises(GrantRefused):
        tokens.exchange(code, back)
