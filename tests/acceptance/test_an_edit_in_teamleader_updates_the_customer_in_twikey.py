"""Once you edit a customer in Teamleader, a webhook is sent and the full customer is updated (support article)."""

from sandbox.deployment import Deployment, wait_for

ADDRESS = {
    "type": "primary",
    "address": {"line_1": "Dok Noord 3A 101", "postal_code": "9000", "city": "Gent", "country": "BE"},
}
COMPANY = {
    "name": "Bakkerij Tarwe",
    "emails": [{"type": "primary", "email": "info@tarwe.example.com"}],
    "addresses": [ADDRESS],
    "vat_number": "BE 0537.520.055",
    "language": "nl",
}
PERSON = {
    "first_name": "Els",
    "last_name": "Mertens",
    "emails": [{"type": "primary", "email": "els@example.org"}],
    "telephones": [{"type": "mobile", "number": "0475/12.34.56"}],
    "addresses": [ADDRESS],
    "language": "fr",
}


def synced(deployment: Deployment, kind: str, fields: dict[str, object]) -> str:
    """A customer that both sides know."""
    customer_id = deployment.create(kind, **fields)
    deployment.edit(kind, customer_id, remarks="met at the fair")
    wait_for("the customer in Twikey", lambda: deployment.in_twikey(customer_id))
    return customer_id


def parameters(deployment: Deployment, customer_id: str) -> dict[str, str]:
    """Verb and parameters of the last write that reached Twikey."""
    last = deployment.writes(customer_id)[-1]
    return {"verb": last["verb"], **last["parameters"]}


def test_a_company_arrives_as_it_is_in_teamleader(deployment: Deployment):
    customer_id = synced(deployment, "company", COMPANY)

    assert parameters(deployment, customer_id) == {
        "verb": "PUT",
        "companyName": "Bakkerij Tarwe",
        "coc": "0537520055",
        "vatno": "BE0537520055",
        "email": "info@tarwe.example.com",
        "address": "Dok Noord 3A 101",
        "zip": "9000",
        "city": "Gent",
        "country": "BE",
        "l": "nl",
        "ct": "123",
    }


def test_a_person_arrives_as_it_is_in_teamleader(deployment: Deployment):
    customer_id = synced(deployment, "contact", PERSON)

    assert parameters(deployment, customer_id) == {
        "verb": "PUT",
        "firstname": "Els",
        "lastname": "Mertens",
        "email": "els@example.org",
        "mobile": "+32475123456",
        "address": "Dok Noord 3A 101",
        "zip": "9000",
        "city": "Gent",
        "country": "BE",
        "l": "fr",
        "ct": "123",
    }


def test_switching_a_persons_name_sends_the_whole_customer_without_the_profile(deployment: Deployment):
    customer_id = synced(deployment, "contact", PERSON)

    deployment.edit("contact", customer_id, first_name="Mertens", last_name="Els")
    wait_for("the new name", lambda: (deployment.in_twikey(customer_id) or {}).get("lastname") == "Els")

    sent = parameters(deployment, customer_id)
    assert (sent["verb"], sent["firstname"], sent["lastname"]) == ("PATCH", "Mertens", "Els")
    assert "ct" not in sent
    assert sent["email"] == "els@example.org"


def test_an_emptied_phone_is_no_longer_sent(deployment: Deployment):
    customer_id = synced(deployment, "contact", PERSON)

    deployment.edit("contact", customer_id, telephones=[])
    last = lambda: deployment.writes(customer_id)[-1]  # noqa: E731
    wait_for("a write without it", lambda: "mobile" not in last()["parameters"])

    assert last()["verb"] == "PATCH"


def test_an_invoicing_address_that_moves_is_the_address_twikey_gets(deployment: Deployment):
    customer_id = synced(deployment, "company", COMPANY)
    invoicing = {"line_1": "Keizersgracht 62", "postal_code": "1015 CS", "city": "Amsterdam", "country": "NL"}

    deployment.edit("company", customer_id, addresses=[ADDRESS, {"type": "invoicing", "address": invoicing}])
    wait_for("the new town", lambda: (deployment.in_twikey(customer_id) or {}).get("city") == "Amsterdam")

    sent = parameters(deployment, customer_id)
    assert (sent["address"], sent["zip"], sent["country"]) == ("Keizersgracht 62", "1015 CS", "NL")


def test_an_edit_that_changes_nothing_for_twikey_is_not_written(deployment: Deployment):
    customer_id = synced(deployment, "company", COMPANY)
    ledger = deployment.services.ledger("default")
    look = lambda: ledger.look(f"company:{customer_id}")  # noqa: E731
    wait_for("the outcome of the first", lambda: (state := look()) and not state.owed)

    deployment.edit("company", customer_id, remarks="likes coffee")
    wait_for("the outcome", lambda: (state := look()) and state.outcome == "unchanged" and not state.owed)

    assert len(deployment.writes(customer_id)) == 1


def test_fifty_webhooks_during_a_fetch_cost_at_most_two_more_and_end_with_the_newest_state(
    deployment: Deployment, sweeps_rest
):
    customer_id = synced(deployment, "company", COMPANY)
    ledger = deployment.services.ledger("default")
    wait_for("quiet", lambda: (state := ledger.look(f"company:{customer_id}")) and not state.owed)
    # A fetch over the internet takes its time; on loopback one would be over before the next webhook arrives.
    deployment.teamleader.post("/gates", {"name": "fetch", "prefix": "/companies.info", "customer": customer_id})
    accepted = ledger.books().accepted
    deployment.edit("company", customer_id, name="Bakkerij Tarwe")
    wait_for("the fetch", lambda: deployment.teamleader.get("/gates")["gates"][0]["waiting"])

    for number in range(50):
        deployment.edit("company", customer_id, name=f"Bakkerij Tarwe {number}")
    wait_for("all of them to be accepted", lambda: ledger.books().accepted >= accepted + 51)
    # One, unless this machine is so slow that its caller gave up meanwhile.
    fetched = deployment.fetches(customer_id)
    deployment.teamleader.delete("/gates/fetch")
    wait_for(
        "the newest name", lambda: (deployment.in_twikey(customer_id) or {}).get("companyName") == "Bakkerij Tarwe 49"
    )
    wait_for("quiet", lambda: (state := ledger.look(f"company:{customer_id}")) and not state.owed)

    assert deployment.fetches(customer_id) - fetched <= 2
