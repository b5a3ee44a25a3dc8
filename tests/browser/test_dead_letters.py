"""What breaks is explained, repaired, tried out and replayed in a real browser; whoever presses twice or at once does no harm."""

import re

import pytest
from playwright.sync_api import Route, expect

from sandbox.deployment import wait_for
from tests.browser.harness import PHONE, held, said, sticks_out, troubles

LETTERS = "/integrations/default/dead-letters"
JOBS = "/integrations/default/jobs"


@pytest.fixture
def break_one(console):
    """A company that Twikey does not let us create, until `mend` is called; answers its id. None is left behind."""
    ledger, made = console.deployment.services.ledger("default"), []

    def broken(name="Bakkerij Tarwe"):
        deployment = console.deployment
        company = deployment.create("company", name=name, emails=[{"type": "primary", "email": "info@example.com"}])
        deployment.twikey.post(
            "/faults", {"kind": "status", "status": 405, "method": "PUT", "prefix": "/creditor/customer"}
        )
        deployment.edit("company", company, remarks="x")
        made.append(company)
        wait_for("the dead letter", lambda: (state := ledger.look(f"company:{company}")) and state.story)
        return company

    yield broken
    mend(console)
    for company in made:
        ledger.discard(f"company:{company}", "left by a test")


def mend(console):
    console.deployment.client.delete(f"{console.deployment.twikey.url}/_sandbox/faults").raise_for_status()


def test_broken_repaired_tried_out_replayed_and_gone(visit, console, break_one):
    company = break_one()
    page = visit("the-operator", f"{LETTERS}?text={company}")
    expect(page.get_by_role("heading", name="Twikey does not let us create customers")).to_be_visible()
    page.get_by_role("link", name=f"company:{company}").click()
    expect(page.locator("main")).to_contain_text("docs/runbook.md#create_unavailable")
    mend(console)

    page.get_by_role("button", name="Replay …").click()
    expect(page.get_by_role("heading", name="Replay 1 dead letter?")).to_be_visible()
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_text("would be created in Twikey")).to_be_visible()
    assert "Bakkerij Tarwe" in page.inner_text("#tried")
    assert console.deployment.in_twikey(company) is None
    assert troubles(page) == []
    page.get_by_role("button", name="Replay 1").click()

    expect(page.get_by_role("status")).to_contain_text("1 replayed.")
    wait_for("the customer", lambda: console.deployment.in_twikey(company))
    page.goto(f"{LETTERS}?text={company}")
    assert page.get_by_role("link", name=f"company:{company}").count() == 0


def test_two_operators_press_replay_at_once(visit, console, break_one):
    company = break_one("Garage Wiel")
    mend(console)
    pages = [visit(name, f"{LETTERS}/chosen?subject=company:{company}") for name in ("the-operator", "the-admin")]
    writes = len(console.deployment.writes(company))

    for page in pages:
        page.get_by_role("button", name="Replay 1").click()

    # Whichever of the two arrives first.
    told = said(*pages)
    assert sum("1 replayed." in one for one in told) == 1, told
    assert sum("0 replayed. 1 no longer needed it" in one for one in told) == 1, told
    wait_for("the customer", lambda: console.deployment.in_twikey(company))
    wait_for("the end", console.deployment.settled)
    assert len(console.deployment.writes(company)) == writes + 1


def test_all_of_a_filter_are_replayed_and_the_page_follows_by_itself(visit, console, break_one):
    companies = [break_one(f"Firma {number}") for number in range(2)]
    mend(console)
    page = visit("the-operator", f"{LETTERS}?reason=create_unavailable")

    page.get_by_role("button", name="Replay all 2").click()
    with held(console.deployment):
        page.get_by_role("button", name="Replay 2").click()
        expect(page.locator("#job[data-news]")).to_have_count(1)

    expect(page.locator("#job .status")).to_contain_text("done")
    expect(page.get_by_role("row", name=re.compile("brought over"))).to_contain_text("2")
    expect(page.locator("[data-news]")).to_have_count(0)
    assert all(console.deployment.in_twikey(company) for company in companies)


def test_a_viewer_sees_and_may_not(visit, console, break_one):
    company = break_one("Kapper Knip")
    page = visit("the-viewer", f"{LETTERS}?text={company}", size=PHONE)

    assert page.get_by_role("button", name=re.compile("Replay")).count() == 0
    assert sticks_out(page) == []
    answer = page.goto(f"{LETTERS}/chosen?subject=company:{company}")

    assert answer.status == 403


def test_a_comparison_is_planned_and_started_without_scripts(visit, console):
    page = visit("the-operator", JOBS, scripts=False)
    page.locator("section", has_text="Full comparison").get_by_role("button", name="See what it takes").click()
    expect(page.get_by_role("button", name="Start")).to_be_visible()
    # The first page stays until one has looked at it, and what it follows is not over before.
    asked: list[Route] = []
    page.route(f"**{JOBS}/drift/news", lambda route: asked.append(route), times=1)

    with held(console.deployment):
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("status")).to_contain_text("It has begun.")
        wait_for("the page to follow it", lambda: page.wait_for_timeout(30) or asked)
        asked[0].continue_()
        page.wait_for_url(f"**{JOBS}/drift/news")

    expect(page.locator("#job .status")).to_contain_text(re.compile("running|done"))
