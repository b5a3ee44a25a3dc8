"""Lists of the simulated Teamleader: filters, paging, sorting, and a million customers that are never stored."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.request_log import RequestLog
from sandbox.teamleader.account import Account
from sandbox.teamleader.call import Call, CallRefused
from sandbox.teamleader.customers import OPERATIONS
from sandbox.teamleader.generated import GeneratedWorld
from sandbox.teamleader.world import World
from sandbox.world import character


def account_with(generated: GeneratedWorld | None = None, **options: Any) -> Account:
    return World().add_account("account", generated=generated, **options)


def ask(account: Account, operation: str, **body: Any) -> Any:
    record = RequestLog().begin("POST", f"/{operation}", "", b"", account.id)
    answer = OPERATIONS[operation](Call(account, body, record))[1]
    assert answer is not None
    return answer["data"]


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


@pytest.mark.parametrize(
    ("filters", "slug"),
    [
        ({"term": "ascensio"}, "dotted-vat"),
        ({"term": "株式会社"}, "cjk-name"),
        ({"email": {"type": "primary", "email": "info@twee.example.com"}}, "two-emails"),
        ({"vat_number": "BE 0537.520.055"}, "dotted-vat"),
        ({"status": "deactivated"}, "deactivated"),
        ({"ids": [character("uk-country").id, "unknown"]}, "uk-country"),
    ],
)
def test_a_filter_finds_its_company(filters: dict[str, Any], slug: str) -> None:
    rows = ask(account_with(), "companies.list", filter=filters)

    assert ids(rows) == [character(slug).id]


def test_an_unknown_filter_and_an_unknown_sort_field_are_ignored() -> None:
    account = account_with()

    plain = ask(account, "contacts.list", page={"size": 100})
    odd = ask(account, "contacts.list", page={"size": 100}, filter={"updated_sinc": "x"}, sort=[{"field": "shoe_size"}])

    assert ids(odd) == ids(plain)


def test_a_page_holds_twenty_and_pages_do_not_overlap() -> None:
    account = account_with(GeneratedWorld(100), characters=())

    pages = [ids(ask(account, "contacts.list", page={"number": n})) for n in (1, 2, 3, 4)]

    assert [len(page) for page in pages] == [20, 20, 10, 0]
    assert len({one for page in pages for one in page}) == 50


def test_an_edit_moves_a_customer_to_the_end_of_what_was_updated_since() -> None:
    account = account_with(GeneratedWorld(100), characters=())
    edited = ids(ask(account, "companies.list"))[3]
    account.edit("company", edited, {"name": "Aardvark"})

    since = "2025-06-01T02:00:00+02:00"
    rows = ask(account, "companies.list", filter={"updated_since": since}, sort=[{"field": "updated_at"}])

    assert ids(rows)[-1] == edited
    assert all(row["updated_at"] >= "2025-06-01T00:00:00+00:00" for row in rows)
    assert ids(ask(account, "companies.list", page={"size": 1})) == [edited]


@pytest.mark.parametrize("since", ["yesterday", "2026-01-01T00:00:00", "2026-01-01T00:00:00.123+00:00", 7])
def test_a_moment_without_offset_or_with_a_fraction_is_refused(since: Any) -> None:
    with pytest.raises(CallRefused):
        ask(account_with(), "contacts.list", filter={"updated_since": since})


@given(
    edits=st.lists(st.tuples(st.sampled_from(["edit", "delete", "create"]), st.integers(0, 19)), max_size=12),
    sort=st.sampled_from(["name", "added_at", "updated_at"]),
    order=st.sampled_from(["asc", "desc"]),
    size=st.integers(1, 7),
)
def test_pages_of_a_generated_world_equal_a_plain_sort_of_everything(
    edits: list[tuple[str, int]], sort: str, order: str, size: int
) -> None:
    world = GeneratedWorld(40, seed=1)
    account = account_with(world, characters=())
    for what, position in edits:
        if what == "create":
            account.create("company", {"name": f"Firma 00000{position:02}½"})
        elif what == "edit":
            account.edit("company", world.identify("company", position), {"name": f"Zebra {position}"})
        else:
            account.delete("company", world.identify("company", position))

    rules = [{"field": sort, "order": order}]
    pages = [ask(account, "companies.list", sort=rules, page={"size": size, "number": n}) for n in range(1, 35)]
    paged = [one for page in pages for one in ids(page)]

    everything = list(account.customers.all("company"))
    assert sorted(paged) == sorted(one.id for one in everything)
    field = {one.id: one.data[sort].casefold() for one in everything}
    values = [field[one] for one in paged]
    assert values == sorted(values, reverse=order == "desc")


def test_a_million_customers_are_listed_and_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without making more of them than are asked for and a few to find those; how quick that is depends on the machine."""
    account = account_with(GeneratedWorld(1_000_000, seed=3))
    account.edit("contact", GeneratedWorld(1_000_000, seed=3).identify("contact", 400_000), {"last_name": "Anders"})
    made, record = [], GeneratedWorld.record
    monkeypatch.setattr(GeneratedWorld, "record", lambda self, *which: made.append(which) or record(self, *which))

    body = {"sort": [{"field": "updated_at"}], "page": {"size": 100, "number": 4999}}
    rows = ask(account, "contacts.list", **body)
    one = ask(account, "contacts.info", id=rows[50]["id"])

    assert len(rows) == 100
    assert one["id"] == rows[50]["id"]
    assert len(made) < 1_000
