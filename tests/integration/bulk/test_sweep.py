"""The sweep: finds every edit whose webhook was lost, whatever happens meanwhile, and costs three calls when there is none."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.keys import IntegrationKeys
from sandbox.faults import Fault
from sandbox.teamleader.generated import GeneratedWorld
from sandbox.world import Kind, character
from tests.integration.bulk.town import INTEGRATION, Live, Town
from workers.bulk import backlog
from workers.bulk.runner import Runner
from workers.bulk.schedule import Schedule
from workers.clients.teamleader.client import TeamleaderClient
from workers.ledger import Cause

LISTS = ["/contacts.list", "/companies.list", "/invoices.list"]
BAKERY, AN = character("company-1"), character("ordinary-person")
ADDED_TOO = pytest.mark.parametrize("settings_more", [{"TLTW_EXTRA_EVENT_TYPES": "contact.added,company.added"}])
MANY = pytest.mark.parametrize("world", [{"characters": (), "generated": GeneratedWorld(320, seed=7)}])


def name_in_twikey(town: Town, customer_id: str) -> object:
    return (town.in_twikey(customer_id) or {}).get("companyName")


def settled_second(town: Town) -> None:
    """From now on Teamleader's edits are of a second that is over."""
    town.at(datetime.now(UTC) - timedelta(seconds=30))


def test_a_sweep_that_finds_nothing_costs_three_calls_and_owes_nothing(town: Town) -> None:
    town.look_back()
    before = datetime.now(UTC)

    job = town.sweep()

    assert town.calls() == LISTS
    assert (job.state, job.result["marked"], job.result["calls"]) == ("done", 0, 3)
    assert job.done == len(town.account.characters)
    assert town.complete() >= before
    assert town.ledger.books().accepted == 0


def test_what_was_synced_is_not_marked_again(town: Town) -> None:
    settled_second(town)
    for kind, customer in (("company", BAKERY), ("contact", AN)):
        town.edit_silently(kind, customer.id, remarks="edited")  # type: ignore[arg-type]
        town.sync(f"{kind}:{customer.id}")
    town.look_back()

    job = town.sweep()

    assert job.result["marked"] == 0
    assert town.ledger.books().accepted == 2


@pytest.mark.parametrize(("kind", "who"), [("company", BAKERY), ("contact", AN)])
def test_an_edit_whose_webhook_was_lost_reaches_twikey(town: Town, kind: Kind, who: Any) -> None:
    town.sync(f"{kind}:{who.id}")
    town.look_back()
    emails = [{"type": "primary", "email": "new@example.com"}]
    town.at(datetime.now(UTC) + timedelta(seconds=2))
    town.edit_silently(kind, who.id, emails=emails)

    job = town.sweep()

    assert job.result["marked"] == 1
    assert (town.in_twikey(who.id) or {})["email"] == "new@example.com"


def test_an_edit_in_the_second_in_which_the_customer_was_read_is_found(town: Town) -> None:
    town.at(datetime.now(UTC) + timedelta(minutes=1))  # a second that is not over, however slow this machine is
    town.edit_silently("company", BAKERY.id, name="First")
    town.sync(f"company:{BAKERY.id}")
    town.edit_silently("company", BAKERY.id, name="Second")
    town.look_back()

    town.sweep()

    assert name_in_twikey(town, BAKERY.id) == "Second"


@pytest.mark.parametrize("settings_more", [{"TLTW_UPDATE_ONLY": "on"}, {}])
def test_who_was_only_added_is_left_alone_but_an_edit_counts(town: Town, settings_more: dict[str, str]) -> None:
    added = town.account.create("company", {"name": "Nieuw BV"}, silent=True).id
    edited = town.account.create("company", {"name": "Oud BV"}, silent=True).id
    town.at(datetime.now(UTC) + timedelta(seconds=5))
    town.edit_silently("company", edited, name="Oud en Nieuw BV")
    town.look_back()

    town.sweep()

    may_create = not settings_more
    assert town.in_twikey(added) is None
    assert name_in_twikey(town, edited) == ("Oud en Nieuw BV" if may_create else None)


@pytest.mark.parametrize("settings_more", [{"TLTW_UPDATE_ONLY": "on"}])
def test_a_customer_that_only_twikey_knows_is_updated_too_and_an_unknown_one_asked_for_once(town: Town) -> None:
    town.twikey.office.default.add(BAKERY.id, {"companyName": "Old Name"})
    settled_second(town)
    town.at(datetime.now(UTC) + timedelta(seconds=5))
    for who in ("company-1", "company-2"):
        town.edit_silently("company", character(who).id, name=f"New {who}")
    town.look_back()

    first, second = town.sweep(), town.sweep()

    assert name_in_twikey(town, BAKERY.id) == "New company-1"
    assert town.in_twikey(character("company-2").id) is None
    assert first.result["marked"] == 2
    assert second.result["marked"] <= 2


@ADDED_TOO
def test_added_customers_are_found_when_the_integration_wants_them(town: Town) -> None:
    added = town.account.create("contact", {"last_name": "Nieuw"}, silent=True).id
    town.look_back()

    town.sweep()

    assert (town.in_twikey(added) or {})["lastname"] == "Nieuw"


# -- invoices ----------------------------------------------------------------------------------------


def test_a_booked_invoice_whose_webhook_was_lost_creates_its_customer(town: Town) -> None:
    town.look_back()
    town.account.add_invoice("contact", AN.id)
    paid = town.account.add_invoice("company", BAKERY.id)
    town.account.change_invoice(paid["id"], {"paid": True})
    town.account.add_invoice("company", character("company-2").id, amount=0)
    town.account.add_invoice("company", character("company-3").id, book=False)

    job = town.sweep()

    assert (job.result["invoices"], job.result["marked"]) == (3, 1)
    assert town.in_twikey(AN.id) is not None
    assert [town.in_twikey(character(f"company-{n}").id) for n in (1, 2, 3)] == [None, None, None]


def test_the_invoice_of_a_customer_that_was_synced_costs_nothing(town: Town) -> None:
    settled_second(town)
    town.edit_silently("contact", AN.id, remarks="edited")
    town.sync(f"contact:{AN.id}")
    town.look_back()
    town.account.add_invoice("contact", AN.id)

    first, second = town.sweep(), town.sweep()

    assert (first.result["marked"], second.result["marked"]) == (0, 0)


def test_an_invoice_whose_customer_cannot_be_sent_is_tried_once(town: Town) -> None:
    settled_second(town)
    nameless = town.account.create("company", {"name": ""}, silent=True).id
    town.account.add_invoice("company", nameless)
    town.look_back()

    marked = [town.sweep().result["marked"] for _ in range(3)]

    assert marked == [1, 0, 0]
    assert town.ledger.dead_count() == 1


def test_an_old_invoice_that_somebody_touches_now_is_not_news(town: Town) -> None:
    town.look_back(timedelta(days=90))
    old = town.account.add_invoice("contact", AN.id)
    town.account.change_invoice(
        old["id"], {"invoice_date": (datetime.now(UTC) - timedelta(days=200)).date().isoformat()}
    )

    assert town.sweep().result["invoices"] == 0


# -- dead letters and the option ---------------------------------------------------------------------


def test_a_dead_letter_is_not_dug_up_but_mending_it_is_found(town: Town) -> None:
    settled_second(town)
    nameless = town.account.create("company", {"name": ""}, silent=True).id
    town.edit_silently("company", nameless, remarks="x")
    town.sync(f"company:{nameless}")
    town.look_back()
    left = town.sweep()
    dead = town.ledger.dead_count()
    town.at(datetime.now(UTC) + timedelta(seconds=1))
    town.edit_silently("company", nameless, name="Gemaakt BV")

    town.sweep()

    assert (left.result["marked"], dead) == (0, 1)
    assert name_in_twikey(town, nameless) == "Gemaakt BV"
    assert town.ledger.dead_count() == 0


def test_a_sync_by_hand_while_off_does_not_count_as_seen(town: Town) -> None:
    town.look_back()
    settled_second(town)
    emails = [{"type": "primary", "email": "a@b.example.com"}, {"type": "invoicing", "email": "cc@b.example.com"}]
    town.ledger.set_auto_update(False)
    town.edit_silently("company", BAKERY.id, emails=emails)
    town.ledger.mark(f"company:{BAKERY.id}", frozenset({Cause.OPERATOR}))
    town.work_off()
    without = (town.in_twikey(BAKERY.id) or {}).get("cc")
    town.ledger.set_auto_update(True)

    town.sweep()

    assert without is None
    assert (town.in_twikey(BAKERY.id) or {})["cc"] == "cc@b.example.com"


def test_switching_off_in_the_middle_ends_the_sweep_and_the_next_begins_where_the_last_complete_one_did(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.look_back()
    before = town.complete()
    town.jobs.start(INTEGRATION, "sweep", {}, by="service")
    monkeypatch.setattr("workers.bulk.runner.TURN", timedelta(minutes=1))
    works = Runner(town.services)
    _switch_off_at(town, call=2)

    works.run_once()
    stopped, complete = town.job("sweep"), town.complete()
    town.ledger.set_auto_update(True)
    town.forget_calls()
    again = town.sweep()

    assert (stopped.state, stopped.reason, complete) == ("cancelled", "auto_update_off", before)
    assert (again.state, town.calls()) == ("done", LISTS)
    assert town.complete() > before


def _switch_off_at(town: Town, *, call: int) -> None:
    calls = 0

    def gate(environ: dict[str, Any]) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            town.ledger.set_auto_update(False)

    _before_each_list_call(town, gate)


def _before_each_list_call(town: Town, act: Callable[[dict[str, Any]], None]) -> None:
    app = town.teamleader
    inner = app.flask.wsgi_app

    def wsgi(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"].endswith(".list"):
            act(environ)
        return inner(environ, start_response)

    app.flask.wsgi_app = wsgi  # type: ignore[method-assign]


def test_a_new_integration_begins_at_the_moment_it_was_connected(town: Town) -> None:
    Schedule(town.services, timedelta(0)).look()
    town.at(datetime.now(UTC) - timedelta(minutes=5))
    town.edit_silently("company", BAKERY.id, name="Edited before")

    town.run("sweep")

    assert town.in_twikey(BAKERY.id) is None


# -- pages, edits meanwhile, failures ----------------------------------------------------------------


@MANY
@ADDED_TOO
def test_nobody_is_missed_while_others_are_edited_between_the_pages(town: Town, world: dict[str, Any]) -> None:
    generated: GeneratedWorld = world["generated"]
    town.look_back(timedelta(days=10 * 365))
    edited: dict[str, str] = {}
    calls = 0

    def edit(_environ: dict[str, Any]) -> None:
        nonlocal calls
        calls += 1
        if calls > 5:  # the first sweep; what is edited behind its back the second one finds
            return
        for position in range(calls * 11, calls * 11 + 5):
            customer_id = generated.identify("company", position)
            edited[customer_id] = f"Edited {calls}"
            town.edit_silently("company", customer_id, name=f"Edited {calls}")

    _before_each_list_call(town, edit)
    town.sweep()
    town.sweep()

    everybody = {generated.identify(kind, n) for kind in ("contact", "company") for n in range(160)}
    assert everybody == set(town.twikey.office.default.customers)
    assert {one: name_in_twikey(town, one) for one in edited} == edited


@ADDED_TOO
def test_many_changed_in_the_same_second_are_all_found(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "ROOM", 10_000)
    settled_second(town)
    mass = {f"contact:{town.account.create('contact', {'last_name': f'Nr {n}'}, silent=True).id}" for n in range(250)}
    town.look_back()
    _before_each_list_call(town, lambda _environ: _edit_one(town, mass))
    town.jobs.start(INTEGRATION, "sweep", {}, by="service")
    works = Runner(town.services)

    while not town.job("sweep").is_over:
        town.hurry()
        works.run_once()

    assert mass <= town.owed()


def _edit_one(town: Town, mass: set[str]) -> None:
    """The first of the second moves away, so that all behind it move forward."""
    ordered = town.account.customers.ordered("contact", "updated_at")
    first = next(one for one in ordered if f"contact:{one.id}" in mass)
    town.at(datetime.now(UTC))
    town.edit_silently("contact", first.id, remarks="moved")


@MANY
@ADDED_TOO
def test_what_is_found_becomes_owed_a_few_at_a_time(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "ROOM", 20)
    town.look_back(timedelta(days=700))
    town.jobs.start(INTEGRATION, "sweep", {}, by="service")
    works = Runner(town.services)
    most = 0

    for _ in range(400):
        town.hurry()
        works.run_once()
        most = max(most, len(town.owed()))
        if town.job("sweep").is_over:
            break
        assert town.job("sweep").progress
        town.work_off()

    assert town.job("sweep").state == "done"
    assert most == 20


@pytest.mark.parametrize(
    "trouble",
    [
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 429},
        {"kind": "html"},
        {"kind": "wrong_type"},
        {"kind": "truncated"},
        {"kind": "reset"},
        {"kind": "redirect"},
    ],
    ids=lambda trouble: str(trouble.get("status", trouble["kind"])),
)
def test_an_error_is_never_read_as_the_end_of_a_list(
    town: Town, trouble: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.bulk.runner.TURN", timedelta(minutes=1))  # up to the error in one turn
    town.sync(f"company:{BAKERY.id}")
    town.look_back()
    before = town.complete()
    town.at(datetime.now(UTC) + timedelta(seconds=2))
    town.edit_silently("company", BAKERY.id, name="Found all the same")
    town.teamleader.faults.add(Fault(**trouble, prefix="/companies.list", count=1))
    town.jobs.start(INTEGRATION, "sweep", {}, by="service")

    Runner(town.services).run_once()
    waits, complete = town.job("sweep"), town.complete()
    town.run("sweep")

    assert (waits.state, complete) == ("waiting", before)
    assert name_in_twikey(town, BAKERY.id) == "Found all the same"
    assert town.complete() > before


def test_a_list_without_its_data_is_an_error_too(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town.look_back()
    town.jobs.start(INTEGRATION, "sweep", {}, by="service")
    with monkeypatch.context() as patch:
        patch.setattr(TeamleaderClient, "call", lambda *_args, **_options: {"errors": []})
        Runner(town.services).run_once()

    assert (town.job("sweep").state, town.job("sweep").reason) == ("waiting", "unavailable")


# -- deaths ------------------------------------------------------------------------------------------


@MANY
@ADDED_TOO
def test_a_death_at_any_round_trip_of_a_sweep_leaves_neither_gaps_nor_doubles(
    town: Town, monkeypatch: pytest.MonkeyPatch, mortal: Live, world: dict[str, Any]
) -> None:
    monkeypatch.setattr(backlog, "ROOM", 10_000)
    generated: GeneratedWorld = world["generated"]
    everybody = {f"{kind}:{generated.identify(kind, n)}" for kind in ("contact", "company") for n in range(40, 160)}
    deaths = 0
    for lives in range(1, 42, 3):
        town.begin_again()
        # The later ones of the generated customers: two pages of each kind.
        since = datetime.fromisoformat(generated.record("contact", 40)["updated_at"])
        town.store.hset(town.ledger.keys.sweep, mapping={"begun": since.isoformat(), "complete": since.isoformat()})
        town.jobs.start(INTEGRATION, "sweep", {}, by="service")
        found: set[str] = set()

        deaths += mortal(Runner(town.services), lives)
        town.store.hset(IntegrationKeys(INTEGRATION).job("sweep"), "lease", 1)
        while not town.job("sweep").is_over:
            found |= town.settle_all()
            town.hurry()
            Runner(town.services).run_once()
        found |= town.settle_all()

        job = town.job("sweep")
        assert found == everybody, lives
        assert (job.state, job.done, job.result["contacts"], job.result["companies"]) == ("done", 240, 120, 120)
        assert town.ledger.books().adds_up
    assert deaths > 8
