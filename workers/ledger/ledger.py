"""The ledger: per subject what is owed, who works on it and how it ended. The truth of this service.

Every change is one atomic Lua script (the `.lua` files beside this module, each with its contract in its first lines).
It never talks to an API and never sends a message.
"""

import random
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import resources
from typing import Any, Literal, cast

import redis
from redis.client import Pipeline
from redis.commands.core import Script

from config.keys import CLOCK_TICKED, NEXT_DUE, IntegrationKeys
from workers.ledger.records import (
    Activity,
    Books,
    Causes,
    Claim,
    DeadLetter,
    Loan,
    Marked,
    Outcome,
    Refusal,
    Standing,
    Story,
    SubjectState,
    books_from,
    from_letters,
    from_ms,
    past_from,
    to_letters,
)

# More than one whole HTTP budget (15 s): a slow worker is not overtaken, a killed one's customer is free again soon.
LEASE = timedelta(seconds=20)
# A wake-up that got lost is repeated after this time.
WAKE_AGAIN_AFTER = timedelta(seconds=5)
CIRCUIT_OPENS_AFTER = 5
CIRCUIT_SHORTEST = timedelta(seconds=2)
CIRCUIT_LONGEST = timedelta(minutes=5)
APIS: tuple[Literal["teamleader", "twikey"], ...] = ("teamleader", "twikey")

StillMine = Literal["mine", "lost", "off", "paused"]
CommitAnswer = Literal["settled", "again", "verify", "lost"]
LoanAnswer = Literal["mine", "leased", "lost", "paused", "held"]
FailAnswer = Literal["retry", "defer", "dead", "again", "lost"]


class Scripts:
    """The Lua scripts, loaded once per process and shared by the ledgers of all integrations.

    `process` names this process in the tokens of its leases. It is new with every start.
    """

    def __init__(self, store: "redis.Redis") -> None:
        self.store = store
        self.process = secrets.token_urlsafe(6)
        folder = resources.files("workers.ledger")
        common = folder.joinpath("common.lua").read_text()
        # due.lua works over all integrations and shares nothing with the others.
        self.due = store.register_script(folder.joinpath("due.lua").read_text())
        self.change_state = store.register_script(folder.joinpath("change_state.lua").read_text())
        self.pause = store.register_script(folder.joinpath("pause.lua").read_text())
        self.survey = store.register_script(folder.joinpath("survey.lua").read_text())
        self.mark, self.claim, self.still_mine, self.commit, self.fail, self.discard, self.release, self.lend = (
            store.register_script(common + folder.joinpath(f"{name}.lua").read_text())
            for name in ("mark", "claim", "still_mine", "commit", "fail", "discard", "release", "lend")
        )
        self.noted = store.register_script(common + folder.joinpath("noted.lua").read_text())


@dataclass(frozen=True, slots=True)
class Due:
    """What the clock should do: subjects to wake, and how many held subjects to release, by integration."""

    wake: tuple[tuple[str, str], ...]
    release: tuple[tuple[str, int], ...]


def due(scripts: Scripts, *, most: int, share: int, default_calls_per_minute: int = 190) -> Due:
    """Pops and bumps up to `most` due subjects; of each integration at most `share` are on their way at a time.

    Notes that a clock looked.
    """
    keys = [NEXT_DUE, CLOCK_TICKED]
    wake, release = scripts.due(keys=keys, args=[most, share, _ms(WAKE_AGAIN_AFTER), default_calls_per_minute])
    return Due(
        tuple((one.decode(), two.decode()) for one, two in _pairs(wake)),
        tuple((one.decode(), int(two)) for one, two in _pairs(release)),
    )


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger of one integration. Cheap to make; every method raises `redis.RedisError` when the store fails."""

    scripts: Scripts
    integration: str
    calls_per_minute: int = 190
    lease: timedelta = LEASE
    keys: IntegrationKeys = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", IntegrationKeys(self.integration))

    # -- what comes in -------------------------------------------------------------------------------

    def mark(
        self,
        subject: str,
        causes: Causes,
        *,
        event_id: str = "",
        delay: timedelta = timedelta(0),
        seen_id: str = "",
    ) -> Marked:
        """Records that the subject should be looked at. Once this returns, the event cannot be lost.

        With `seen_id`, an id that was accepted before (24 h) changes nothing and answers `duplicate`.
        """
        automatic = all(cause.automatic for cause in causes)
        seen = self.keys.seen(seen_id) if seen_id else ""
        args = [to_letters(causes), int(automatic), event_id, _ms(delay), seen]
        answer = self._run(self.scripts.mark, subject, args)
        match answer[0]:
            case b"duplicate":
                return Marked(accepted=False, duplicate=True)
            case b"skipped":
                return Marked(accepted=False, skipped_reason="auto_update_off")
            case b"closed":
                return Marked(accepted=False, closed=True)
            case _:
                return Marked(accepted=True, wake=answer[1] == 1)

    def mark_all(self, subjects: Iterable[str], causes: Causes, *, event_id: str = "") -> int:
        """Marks many subjects in one round trip and answers how many. Each by itself; the clock wakes them, paced."""
        automatic = all(cause.automatic for cause in causes)
        args = [to_letters(causes), int(automatic), event_id, 0, ""]
        pipeline = self._store.pipeline(transaction=False)
        for subject in subjects:
            self._run(self.scripts.mark, subject, args, client=pipeline)
        return len(pipeline.execute())

    # -- the work ------------------------------------------------------------------------------------

    def claim(self, subject: str) -> Claim | Refusal:
        """Asks for the lease on a subject. A granted claim has already paid for one call to Teamleader."""
        token = f"{self.scripts.process}.{secrets.token_urlsafe(9)}"
        limits = {"teamleader": self.calls_per_minute, "twikey": 0}
        keys = [key for api in APIS for key in (self.keys.pause(api), self.keys.circuit(api), self.keys.calls(api))]
        args: list[object] = [token, _ms(self.lease), random.random()]  # noqa: S311 # jitter
        args += [item for api in APIS for item in (api, limits[api])]
        answer = self._run(self.scripts.claim, subject, args, keys)
        if answer[0] == b"refused":
            return Refusal(answer[1].decode(), from_ms(answer[2]))
        now = from_ms(answer[11])
        assert now is not None
        return Claim(
            subject=subject,
            token=token,
            want=int(answer[1]),
            causes=from_letters(answer[2].decode()),
            attempts=int(answer[3]),
            first_failed=from_ms(answer[4]),
            must_write=answer[5] == 1,
            auto_update=answer[6] == 1,
            fingerprint=answer[7].decode(),
            event_id=answer[8].decode(),
            probing=answer[9] == 1,
            wanted_since=from_ms(answer[10]),
            at=now,
            last_synced=from_ms(answer[12]),
            revision=int(answer[13]),
        )

    def still_mine(
        self, claim: Claim, api: Literal["teamleader", "twikey"], *, automatic: bool, writes: bool
    ) -> StillMine:
        """Asked before every call. Renews the lease; `automatic` work also needs auto-update to be on still."""
        args = [claim.token, _ms(self.lease), int(automatic), int(writes)]
        answer = self._run(self.scripts.still_mine, claim.subject, args, [self.keys.pause(api)])
        return cast(StillMine, answer.decode())

    def commit(
        self,
        claim: Claim,
        outcome: Outcome,
        *,
        reason: str = "",
        fingerprint: str = "",
        source_updated_at: str = "",
        hold: bool = False,
        answered: Iterable[str] = (),
    ) -> CommitAnswer:
        """Ends the work with an outcome. `answered`: the APIs that served us well, whose circuits close."""
        args = [claim.token, claim.want, to_letters(claim.causes), outcome, reason]
        args += [fingerprint, source_updated_at, _ms(self.lease), int(hold), round(claim.at.timestamp() * 1000)]
        well = list(answered)
        args.append(len(well))
        circuits = [self.keys.circuit(api) for api in (*well, *(api for api in APIS if api not in well))]
        answer = self._run(self.scripts.commit, claim.subject, args, circuits)
        return cast(CommitAnswer, answer[0].decode())

    def fail(
        self,
        claim: Claim,
        action: Literal["retry", "defer", "dead"],
        *,
        reason: str,
        api: str = "teamleader",
        api_failed: bool = False,
        delay: timedelta = timedelta(0),
        story: Story | None = None,
        answered: Iterable[str] = (),
        may_land_later: bool = False,
        source_updated_at: str = "",
        pauses: bool = True,
    ) -> FailAnswer:
        """Ends the work without an outcome: again after `delay`, or dead.

        `defer` uses up no attempt; with a delay it also `pauses` that API for the whole integration.
        `may_land_later`: a write got no answer and may still be done; the customer is looked at once more afterwards.
        """
        args = [claim.token, claim.want, to_letters(claim.causes), reason, action, _ms(delay)]
        args += [(story or Story(reason)).to_json(), int(api_failed)]
        args += [CIRCUIT_OPENS_AFTER, _ms(CIRCUIT_SHORTEST), _ms(CIRCUIT_LONGEST), int(may_land_later)]
        well = list(answered)
        args += [source_updated_at, round(claim.at.timestamp() * 1000), len(well)]
        args.append(_ms(delay) if action == "defer" and pauses else 0)
        others = [*well, *(other for other in APIS if other not in well and other != api)]
        keys = [self.keys.circuit(api), self.keys.pause(api), *(self.keys.circuit(other) for other in others)]
        answer = self._run(self.scripts.fail, claim.subject, args, keys)
        return cast(FailAnswer, answer[0].decode())

    # -- other writers -------------------------------------------------------------------------------

    def borrow(self, subject: str) -> Loan | LoanAnswer:
        """Asks to be the only writer of a customer, owed or not; else why not. Give it back in any case."""
        loan = Loan(subject, secrets.token_urlsafe(9))
        answer = self._lend(loan, "borrow")
        return loan if answer == "mine" else answer

    def still_lent(self, loan: Loan, *, writes: bool) -> LoanAnswer:
        """Asked before every call. Renews the loan; before a write it also forgets what Twikey had from us."""
        return self._lend(loan, "keep", writes=writes)

    def give_back(
        self,
        loan: Loan,
        *,
        twikey_wants_none_for: timedelta = timedelta(0),
        brought: bool = False,
        source_updated_at: str = "",
    ) -> LoanAnswer:
        """Lets workers at the customer again; says `lost` when they were before. May pause Twikey for everybody.

        `brought`: Twikey has this customer from the borrower, made from what Teamleader had up to `source_updated_at`.
        """
        after = [int(brought), source_updated_at]
        return self._lend(loan, "return", pause=twikey_wants_none_for, after=after)

    def stay_away(self, api: Literal["teamleader", "twikey"], delay: timedelta) -> None:
        """Pauses an API for everybody, as a worker whose call it refused does."""
        self.scripts.pause(keys=[self.keys.pause(api)], args=[_ms(delay)])

    # -- what operators turn -------------------------------------------------------------------------

    def discard(self, subject: str, reason: str) -> bool:
        """Gives a dead letter up; False when the subject is not dead."""
        return bool(self._run(self.scripts.discard, subject, [reason]))

    def noted(self, subject: str, entry_id: str) -> None:
        """Puts an entry of the audit log into the story of a subject, if it is known."""
        self._run(self.scripts.noted, subject, entry_id.split("-"))

    def release_held(self, most: int) -> int:
        """Makes up to `most` subjects owed that were held while auto-update was off; answers how many."""
        subjects = cast(list[bytes], self._store.zrange(self.keys.held, 0, most - 1))
        return sum(int(self._run(self.scripts.release, subject.decode(), [])) for subject in subjects)

    def auto_update(self) -> bool:
        return self._store.hget(self.keys.options, "auto_update") == b"on"

    def set_auto_update(self, on: bool) -> None:
        """Turns the option. Switching on lets the clock release what was held."""
        pipeline = self._store.pipeline()
        pipeline.hset(self.keys.options, "auto_update", "on" if on else "off")
        pipeline.zadd(NEXT_DUE, {self.integration: 0}, lt=True)
        pipeline.execute()

    def state(self) -> str:
        """`active`, or why the integration's work is held: `connecting`, `paused`, `reconnect_needed`, `closed`."""
        return self.standing().state

    def standing(self) -> Standing:
        """The state with its reason and since when."""
        state, reason, since = cast(
            list[bytes | None], self._store.hmget(self.keys.options, ["state", "state_reason", "state_since"])
        )
        return Standing((state or b"active").decode(), (reason or b"").decode(), from_ms(since))

    def set_state(self, state: str, reason: str = "") -> None:
        """What an operator or Teamleader says; wins over whatever the state was."""
        self._change_state("", state, reason)

    def change_state(self, *, before: str, after: str, reason: str = "") -> bool:
        """What we found out ourselves: changes the state only if it still is `before`; answers whether it did."""
        return self._change_state(before, after, reason)

    def _change_state(self, before: str, after: str, reason: str) -> bool:
        done = self.scripts.change_state(
            keys=[self.keys.options, NEXT_DUE], args=[self.integration, before, after, reason]
        )
        return bool(done)

    def begin(self, *, auto_update: bool, state: str = "active", within: "Pipeline | None" = None) -> None:
        """Gives a new integration its first options; an existing one keeps what operators chose.

        `within`: a transaction that this becomes a part of.
        """
        pipeline = self._store.pipeline() if within is None else within
        pipeline.hsetnx(self.keys.options, "auto_update", "on" if auto_update else "off")
        pipeline.hsetnx(self.keys.options, "state", state)
        pipeline.hset(self.keys.options, "calls_per_minute", self.calls_per_minute)
        if within is None:
            pipeline.execute()

    # -- what one can see ----------------------------------------------------------------------------

    def look(self, subject: str) -> SubjectState | None:
        """What is known of a subject; None when it was never heard of."""
        return self.look_at([subject])[0]

    def look_at(self, subjects: Sequence[str]) -> list[SubjectState | None]:
        """As `look`, for many subjects in one round trip; in their order."""
        pipeline = self._store.pipeline()
        for subject in subjects:
            pipeline.hgetall(self.keys.subject(subject))
            pipeline.zscore(self.keys.due, subject)
            pipeline.zscore(self.keys.held, subject)
        found = pipeline.execute()
        return [
            _state(subject, record, due_at, held) if record else None
            for subject, record, due_at, held in zip(subjects, found[::3], found[1::3], found[2::3], strict=True)
        ]

    def books(self) -> Books:
        """The books, read at one instant."""
        pipeline = self._store.pipeline(transaction=True)
        pipeline.hgetall(self.keys.counts)
        pipeline.zcard(self.keys.due)
        return books_from(*pipeline.execute())

    def counts(self) -> dict[str, int]:
        """Every counter, including those by reason (`skipped:auto_update_off`)."""
        stored = cast(dict[bytes, bytes], self._store.hgetall(self.keys.counts))
        return {name.decode(): int(value) for name, value in stored.items()}

    def pending(self) -> int:
        """How many subjects are owed."""
        return int(self._store.zcard(self.keys.due))

    def dead_count(self) -> int:
        return int(self._store.zcard(self.keys.dead))

    def held_count(self) -> int:
        return int(self._store.zcard(self.keys.held))

    def dead_letters(self, *, offset: int = 0, limit: int = 100) -> list[DeadLetter]:
        """The dead letters, oldest first."""
        found = cast(
            list[tuple[bytes, float]],
            self._store.zrange(self.keys.dead, offset, offset + limit - 1, withscores=True),
        )
        return self._letters(found)

    def dead_letters_after(self, died_ms: int, subject: str, *, until: datetime, limit: int) -> list[DeadLetter]:
        """The next dead letters behind a place in the list, up to those of a moment; others may leave the list meanwhile."""
        offset, last = 0, round(until.timestamp() * 1000)
        while True:
            found = cast(
                list[tuple[bytes, float]],
                self._store.zrangebyscore(self.keys.dead, died_ms, last, start=offset, num=limit, withscores=True),
            )
            # Those of the same millisecond are listed by name.
            behind = [(one, at) for one, at in found if (int(at), one.decode()) > (died_ms, subject)]
            if behind or len(found) < limit:
                return self._letters(behind)
            offset += limit

    def _letters(self, found: Sequence[tuple[bytes, float]]) -> list[DeadLetter]:
        pipeline = self._store.pipeline()
        for subject, _ in found:
            pipeline.hget(self.keys.subject(subject.decode()), "d")
        letters = []
        for (subject, died), story in zip(found, pipeline.execute(), strict=True):
            at = from_ms(str(died))
            if story is not None and at is not None:
                letters.append(DeadLetter(subject.decode(), at, Story.from_json(story)))
        return letters

    def activity(self, *, newest: int = 100) -> list[Activity]:
        """The last things that happened, oldest first."""
        entries = cast(list[Any], self._store.xrevrange(self.keys.activity, count=newest))
        return [_activity(entry_id, fields) for entry_id, fields in reversed(entries)]

    # -- inside --------------------------------------------------------------------------------------

    def _lend(
        self,
        loan: Loan,
        what: str,
        *,
        writes: bool = False,
        pause: timedelta = timedelta(0),
        after: Sequence[object] = (0, ""),
    ) -> LoanAnswer:
        args = [loan.token, _ms(self.lease), what, int(writes), _ms(pause), *after]
        answer = self._run(self.scripts.lend, loan.subject, args, [self.keys.pause("twikey")])
        return cast(LoanAnswer, answer.decode())

    @property
    def _store(self) -> "redis.Redis":
        return self.scripts.store

    def _run(
        self,
        script: Script,
        subject: str,
        args: Sequence[object],
        more_keys: Sequence[str] = (),
        client: "redis.client.Pipeline | None" = None,
    ) -> Any:
        keys = self.keys
        names = [keys.subject(subject), keys.due, keys.webhooks, keys.dead, keys.held, keys.counts, keys.activity]
        return script(
            keys=[*names, keys.options, NEXT_DUE, *more_keys],
            args=[self.integration, subject, *map(str, args)],
            client=client,
        )


def _state(subject: str, record: dict[bytes, bytes], due_at: float | None, held: float | None) -> SubjectState:
    text = {name.decode(): value.decode() for name, value in record.items()}
    return SubjectState(
        subject=subject,
        owed="w" in text,
        causes=from_letters(text.get("y", "")),
        wanted_since=from_ms(text.get("f")),
        due=from_ms(None if due_at is None else str(due_at)),
        leased_until=from_ms(text.get("l")),
        attempts=int(text.get("a", 0)),
        outcome=text.get("o", ""),
        reason=text.get("r", ""),
        ended=from_ms(text.get("k")),
        synced=from_ms(text.get("s")),
        source_updated_at=text.get("u", ""),
        event_id=text.get("e", ""),
        held=held is not None,
        story=Story.from_json(text["d"]) if "d" in text else None,
        past=past_from(text.get("p", "") + text.get("q", "")),
    )


def _ms(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)


def _pairs(flat: Sequence[bytes]) -> Iterable[tuple[bytes, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)


def _activity(entry_id: bytes, fields: dict[bytes, bytes]) -> Activity:
    at = from_ms(entry_id.split(b"-")[0])
    assert at is not None
    subject, what, detail, event_id = (fields[name].decode() for name in (b"s", b"k", b"r", b"e"))
    return Activity(at, subject, what, detail, event_id, _span(fields.get(b"w")), _span(fields.get(b"t")))


def _span(ms: bytes | None) -> timedelta | None:
    return timedelta(milliseconds=int(ms)) if ms else None
