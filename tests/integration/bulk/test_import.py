"""Import: what the rows say is in Twikey, once, by one writer at a time, whatever fails or dies meanwhile."""

import csv
import io
import random
from pathlib import Path
from typing import Any

import pytest

from mapping import Variant, map_customer
from mapping.csv_rows import COLUMNS, as_document
from sandbox.faults import Fault
from sandbox.teamleader.shapes import customer_in_list
from sandbox.twikey.creditor import Customer, overlaps
from sandbox.world import CHARACTERS, Character, character
from tests.integration.bulk.test_export import Died, files, start
from tests.integration.bulk.town import INTEGRATION, Town
from workers.bulk import csv_import
from workers.bulk.import_desk import ImportDesk, Told
from workers.bulk.kinds import bulk_tools
from workers.bulk.registry import KINDS
from workers.bulk.runner import Runner
from workers.bulk.workspace import Workspace
from workers.ledger import Cause, Claim, Loan
from workers.sync.run import work_on

DESK = "desk_of_the_test"


@pytest.fixture
def settings_more() -> dict[str, str]:
    return {"TLTW_TWIKEY_CALLS_PER_MINUTE": "1000000"}


class WithoutL(Customer):
    """Its language is shown as `language` alone."""

    def as_twikey_json(self, cc_parameter: str) -> dict[str, Any]:
        return super().as_twikey_json(cc_parameter) | {"l": None}


def table(*rows: dict[str, str]) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def take_in(town: Town, *paths: Path) -> None:
    desk = Workspace(files(town).workspace(DESK))
    ImportDesk(desk).take_in(paths, town.services.tools(INTEGRATION).mapping)
    desk.close()


def begin(town: Town, tmp_path: Path, *rows: dict[str, str], dry_run: bool = False) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(table(*rows), newline="")
    take_in(town, path)
    town.jobs.start(INTEGRATION, "import", {"desk": DESK, "dry_run": dry_run}, by="cli:els")


def told(town: Town) -> list[Told]:
    job = town.run("import")
    assert job.state == "done", job
    with files(town).open(str(job.result["file"])) as file:
        rows = csv.DictReader(io.StringIO(file.read().decode(), newline=""))
        return [Told(row["file"], int(row["line"]), row["customerNumber"], row["outcome"], row["what"]) for row in rows]


def outcomes(town: Town) -> list[tuple[str, str]]:
    return [(one.number, one.outcome) for one in told(town)]


def import_(town: Town, tmp_path: Path, *rows: dict[str, str], dry_run: bool = False) -> list[Told]:
    begin(town, tmp_path, *rows, dry_run=dry_run)
    return told(town)


def know(town: Town, number: str, *, name_locked: bool = False, **profile: str) -> None:
    town.twikey.office.default.add(number, dict(profile), name_locked=name_locked)


def writes(town: Town, number: str = "") -> list[tuple[str, str, dict[str, str]]]:
    found = town.twikey.office.default.writes
    return [(one.customer, one.verb, one.parameters) for one in found if one.accepted and number in ("", one.customer)]


# -- what it does ---------------------------------------------------------------------------------------------------------


def test_unknown_customers_are_created_and_different_ones_updated_where_they_differ(town: Town, tmp_path: Path) -> None:
    know(town, "2", companyName="Tarwe", city="Gent", email="old@example.com")
    know(town, "3", lastname="Peeters")

    found = import_(
        town,
        tmp_path,
        {"customerNumber": "1", "companyName": "Nieuw", "l": "nl"},
        {"customerNumber": "2", "companyName": "Tarwe", "city": "Gent", "email": "new@example.com"},
        {"customerNumber": "3", "lastname": "Peeters"},
    )

    assert [(one.line, one.number, one.outcome, one.what) for one in found] == [
        (2, "1", "created", ""),
        (3, "2", "updated", "email"),
        (4, "3", "unchanged", ""),
    ]
    assert sorted(writes(town)) == [
        ("1", "PUT", {"companyName": "Nieuw", "l": "nl", "ct": "123"}),
        ("2", "PATCH", {"email": "new@example.com"}),
    ]


def test_importing_the_same_again_writes_nothing(town: Town, tmp_path: Path) -> None:
    rows = [{"customerNumber": str(n), "lastname": f"Persoon {n}"} for n in range(20)]
    import_(town, tmp_path, *rows)
    before = len(writes(town))

    again = import_(town, tmp_path, *rows)

    assert {one.outcome for one in again} == {"unchanged"}
    assert len(writes(town)) == before == 20


def test_a_language_that_twikey_shows_by_its_other_name_alone_is_the_same_language(town: Town, tmp_path: Path) -> None:
    town.twikey.office.default.customers["1"] = WithoutL(1, "1", {"lastname": "Peeters", "l": "nl"})

    found = import_(town, tmp_path, {"customerNumber": "1", "lastname": "Peeters", "l": "nl"})

    assert [one.outcome for one in found] == ["unchanged"]


def test_a_dry_run_tells_the_plan_and_writes_nothing(town: Town, tmp_path: Path) -> None:
    know(town, "2", companyName="Tarwe")

    found = import_(
        town,
        tmp_path,
        {"customerNumber": "1", "companyName": "Nieuw"},
        {"customerNumber": "2", "companyName": "Tarwe & Co"},
        {"customerNumber": "bad number"},
        dry_run=True,
    )

    assert [(one.outcome, one.what) for one in found[:2]] == [("to_create", ""), ("to_update", "companyName")]
    assert found[2].outcome == "refused"
    assert writes(town) == []
    assert town.job("import").result["to_create"] == 1


def test_refused_rows_are_told_by_line_and_column_and_the_others_go_on(town: Town, tmp_path: Path) -> None:
    found = import_(
        town,
        tmp_path,
        {"customerNumber": "1", "lastname": "Goed"},
        {"customerNumber": "2", "lastname": "Fout", "email": "nope", "country": "Belgium"},
        {"customerNumber": "1", "lastname": "Dubbel"},
        {"customerNumber": "4", "email": "nameless@example.com"},
    )

    assert [one.outcome for one in found] == ["created", "refused", "refused", "refused"]
    assert "email: This is not" in found[1].what
    assert "country: " in found[1].what
    assert "more than once" in found[2].what
    assert "no name" in found[3].what
    assert [number for number, _, _ in writes(town)] == ["1"]


def test_an_enterprise_number_travels_with_its_company_name(town: Town, tmp_path: Path) -> None:
    know(town, "1", companyName="Tarwe", coc="0400000001")

    found = import_(town, tmp_path, {"customerNumber": "1", "companyName": "Tarwe", "coc": "0537520055"})

    assert (found[0].outcome, found[0].what) == ("updated", "coc")
    assert town.in_twikey("1") == {"companyName": "Tarwe", "coc": "0537520055"}


def test_who_signed_keeps_the_name_and_gets_the_rest(town: Town, tmp_path: Path) -> None:
    know(town, "1", name_locked=True, companyName="Tarwe")
    row = {"customerNumber": "1", "companyName": "Tarwe & Co", "city": "Gent"}

    first = import_(town, tmp_path, row)
    second = import_(town, tmp_path, row)

    assert (first[0].outcome, first[0].what) == ("updated", "companyName, city; without_company_name")
    assert town.in_twikey("1") == {"companyName": "Tarwe", "city": "Gent"}
    # Only the name is left, and Twikey refuses it: nothing is written a second time.
    assert second[0].outcome == "refused"
    assert len(writes(town)) == 1


def test_what_twikey_refuses_is_told_with_its_code(town: Town, tmp_path: Path) -> None:
    town.twikey.office.settings.known_profiles = [1]

    found = import_(town, tmp_path, {"customerNumber": "1", "lastname": "Peeters"})

    assert found[0].outcome == "refused"
    assert "err_no_such_ct" in found[0].what


# -- there and back -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("full", [False, True])
def test_a_round_trip_is_exact_for_every_awkward_customer(town: Town, tmp_path: Path, full: bool) -> None:
    start(town, full=full)
    made = files(town).get(str(town.run("export").result["file"]))
    path = tmp_path / "export.zip"
    with files(town).open(made.id) as file:
        path.write_bytes(file.read())
    take_in(town, path)
    town.jobs.start(INTEGRATION, "import", {"desk": DESK}, by="cli:els")

    assert {outcome for _, outcome in outcomes(town)} == {"created"}

    for one in CHARACTERS:
        assert town.in_twikey(one.id) == expected(town, one, full=full), one.slug


def expected(town: Town, one: Character, *, full: bool) -> dict[str, str]:
    """What a sync would have sent of the columns that a file has."""
    customer = town.account.find(one.kind, one.id)
    assert customer is not None
    record = customer.data if full else as_document(customer_in_list(one.kind, customer.data, ""))
    settings = town.services.tools(INTEGRATION).mapping
    sent = map_customer(one.kind, record, variant=Variant.FULL, settings=settings)
    return {name: value for name, value in sent.fields.items() if name in COLUMNS} | dict(sent.creation_fields)


# -- one writer -----------------------------------------------------------------------------------------------------------


def test_a_customer_in_a_workers_hands_is_waited_for(town: Town, tmp_path: Path) -> None:
    company = character("dotted-vat").id
    town.ledger.mark(f"company:{company}", frozenset({Cause.OPERATOR}))
    claim = town.ledger.claim(f"company:{company}")
    assert isinstance(claim, Claim)
    begin(town, tmp_path, {"customerNumber": company, "companyName": "Uit het bestand"})

    Runner(town.services).run_once()

    assert writes(town) == []
    assert not town.job("import").is_over
    town.ledger.fail(claim, "retry", reason="unavailable")
    assert outcomes(town) == [(company, "created")]


def test_a_worker_is_kept_away_from_the_write_of_an_import_and_writes_afterwards(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = character("dotted-vat").id
    do, tried = csv_import._Bring.do, []

    def edited_meanwhile(self: Any, row: Any, looked: Any) -> Any:
        town.ledger.mark(f"company:{company}", frozenset({Cause.WEBHOOK}))
        work_on(f"company:{company}", town.services.tools(INTEGRATION))
        tried.append(list(writes(town)))
        return do(self, row, looked)

    monkeypatch.setattr(csv_import._Bring, "do", edited_meanwhile)

    found = import_(town, tmp_path, {"customerNumber": company, "companyName": "Uit het bestand"})

    assert tried == [[]]
    assert found[0].outcome == "created"
    assert (town.in_twikey(company) or {})["companyName"] == "Ascensio BV"  # the edit had the last word
    assert overlaps(town.twikey.office.default.writes) == []
    assert town.ledger.books().adds_up


def test_after_an_import_the_next_edit_writes_even_what_was_written_before(town: Town, tmp_path: Path) -> None:
    company = character("dotted-vat").id
    town.ledger.mark(f"company:{company}", frozenset({Cause.WEBHOOK}))
    town.work_off()
    import_(town, tmp_path, {"customerNumber": company, "companyName": "Uit het bestand"})

    town.ledger.mark(f"company:{company}", frozenset({Cause.WEBHOOK}))
    town.work_off()

    assert (town.in_twikey(company) or {})["companyName"] == "Ascensio BV"


def test_a_number_that_is_no_teamleader_id_is_lent_as_itself(town: Town, tmp_path: Path) -> None:
    assert csv_import.subjects("K.1001", "") == ("number:K.1001",)
    other = town.ledger.borrow("number:K.1001")
    assert isinstance(other, Loan)
    begin(town, tmp_path, {"customerNumber": "K.1001", "lastname": "Peeters"})

    Runner(town.services).run_once()
    assert writes(town) == []
    town.ledger.give_back(other)

    assert outcomes(town) == [("K.1001", "created")]
    assert town.store.keys("*:s:*") == []


def test_a_write_whose_answer_got_lost_leaves_the_loan_to_end_by_itself(town: Town, tmp_path: Path) -> None:
    company = character("dotted-vat").id
    know(town, company, companyName="Oud")
    begin(town, tmp_path, {"customerNumber": company, "companyName": "Nieuw"})
    town.twikey.faults.add(Fault("lost_answer", method="PATCH", count=1))

    Runner(town.services).run_once()

    state = town.ledger.look(f"company:{company}")
    assert state is not None
    assert state.leased_until is not None
    town.store.hset(town.ledger.keys.subject(f"company:{company}"), "l", 1)
    town.store.hset(town.ledger.keys.subject(f"contact:{company}"), "l", 1)
    assert outcomes(town) == [(company, "updated")]


# -- trouble --------------------------------------------------------------------------------------------------------------


def test_an_outage_of_twikey_is_waited_for(town: Town, tmp_path: Path) -> None:
    town.twikey.faults.add(Fault("status", status=503, count=30))

    found = import_(town, tmp_path, *({"customerNumber": str(n), "lastname": "X"} for n in range(12)))

    assert {one.outcome for one in found} == {"created"}


def test_a_row_that_twikey_never_answers_does_not_hold_up_the_others(town: Town, tmp_path: Path) -> None:
    town.twikey.faults.add(Fault("status", status=500, customer="poison"))

    found = import_(
        town,
        tmp_path,
        {"customerNumber": "poison", "lastname": "X"},
        *({"customerNumber": str(n), "lastname": "X"} for n in range(100)),
    )

    assert {one.outcome for one in found[1:]} == {"created"}
    assert found[0].outcome in ("failed", "refused")


def test_when_twikey_wants_a_pause_workers_pause_too(town: Town, tmp_path: Path) -> None:
    begin(town, tmp_path, *({"customerNumber": str(n), "lastname": "X"} for n in range(3)))
    town.twikey.faults.add(Fault("status", prefix="/creditor/customer", status=429, retry_seconds=30))

    Runner(town.services).run_once()

    assert town.store.get(town.ledger.keys.pause("twikey")) is not None
    assert town.job("import").reason == "throttled"
    town.twikey.faults.clear()  # however many of the rows, which go side by side, had met it
    town.store.delete(town.ledger.keys.pause("twikey"))
    assert {outcome for _, outcome in outcomes(town)} == {"created"}


@pytest.mark.parametrize("seed", range(5))
def test_a_process_that_dies_anywhere_does_each_row_once(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Dies before and after looking, intending, writing and committing: the first time of each, and at random later on."""
    numbers = [f"n{number}" for number in range(60)]
    for number in numbers[::3]:
        know(town, number, lastname="Oud")
    for number in numbers[1::3]:
        know(town, number, lastname="Nieuw")
    begin(town, tmp_path, *({"customerNumber": number, "lastname": "Nieuw"} for number in numbers))
    chance, deaths = random.Random(seed), []

    def deadly(owner: Any, name: str, often: float) -> None:
        real = getattr(owner, name)

        def fragile(*args: Any, **more: Any) -> Any:
            for moment in ("before", "after"):
                where = f"{moment} {name}"
                if where not in deaths or (chance.random() < often and len(deaths) < 30):
                    deaths.append(where)
                    raise Died(name)
                answer = real(*args, **more) if moment == "before" else answer  # noqa: F821 # set before
            return answer

        monkeypatch.setattr(owner, name, fragile)

    deadly(Workspace, "commit", 0.1)
    deadly(csv_import._Bring, "look", 0.02)
    deadly(csv_import._Bring, "do", 0.04)
    deadly(csv_import._Work, "result", 0.3)

    runner = Runner(town.services)
    for _ in range(1_000):
        town.store.hset(town.ledger.keys.job("import"), mapping={"lease": 0, "claims": 0})  # the lease is over
        for key in town.store.scan_iter("{tltw:default}:s:*"):
            town.store.hset(key, "l", 1)  # so are the loans
        town.hurry()
        try:
            runner.run_once()
        except Died:
            continue
        if town.job("import").is_over:
            break
    monkeypatch.undo()

    found = outcomes(town)
    assert len(set(deaths)) == 8
    assert dict(found) == {
        number: ("updated", "unchanged", "created")[place % 3] for place, number in enumerate(numbers)
    }
    assert [number for number, _ in found] == numbers
    assert sorted(number for number, _, _ in writes(town)) == sorted(numbers[::3] + numbers[2::3])


def test_an_import_whose_rows_are_gone_says_so(town: Town) -> None:
    town.jobs.start(INTEGRATION, "import", {"desk": "desk_of_another_machine"}, by="cli:els")

    job = town.run("import")

    assert (job.state, job.reason) == ("failed", "files_gone")


def test_the_plan_tells_the_calls_and_the_time(town: Town, tmp_path: Path) -> None:
    begin(town, tmp_path, *({"customerNumber": str(n), "lastname": "X"} for n in range(10)))
    (kind,) = [kind for kind in KINDS if kind.name == "import"]

    plan = kind.plan({"desk": DESK}, bulk_tools(town.services, INTEGRATION))

    assert "10 rows" in plan.sentence
    assert plan.longest == 3 * plan.shortest
