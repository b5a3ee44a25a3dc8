"""Connecting a merchant through the pages, with a simulated Teamleader and Twikey behind the console."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from config.keys import IntegrationKeys
from ingress.console.language import LANGUAGES, Words
from ingress.console.pages.connection import MENDED_IN, WRONG, step_shown, steps_shown
from sandbox.serve import serve
from sandbox.teamleader import world as worlds
from sandbox.teamleader.app import Teamleader, create_teamleader
from sandbox.twikey.app import Twikey, create_twikey
from tests.unit.console.conftest import Browser, House, text_of
from workers import audit, integrations, operations, operators
from workers.connect import Look, Step
from workers.operators import Role
from workers.standing import Level

KEY = "garage-key-that-nobody-may-see"
BACK = "http://127.0.0.1:8001/connect/teamleader"


@dataclass
class Town:
    """A console without integrations, and what it connects."""

    house: House
    teamleader: Teamleader
    twikey: Twikey
    twikey_url: str

    @property
    def services(self):
        return self.house.services

    def form(self, **fields: str) -> dict[str, object]:
        """What a browser sends for the first fields."""
        return {
            "name": "garage",
            "label": "Garage Vandamme",
            "twikey_url": f"{self.twikey_url}/creditor",
            "twikey_key": KEY,
            "profile": "",
            "default_language": "nl",
            "shown": ["update_only"],
        } | fields

    def begin(self, browser: Browser, name: str = "garage") -> dict[str, str]:
        """Presses the button; answers what Teamleader's consent page is asked."""
        answer = browser.post(f"/integrations/{name}/connect")
        assert answer.status_code == 200, text_of(answer)
        address = answer.headers["Refresh"].removeprefix("0; url=")
        return {key: values[0] for key, values in parse_qs(urlsplit(address).query).items()}

    def code(self, account: str = "") -> str:
        world = self.teamleader.world
        chosen = world.accounts[account] if account else world.default
        return world.tokens.issue_code(chosen.id, chosen.client_id, BACK, world.clock())

    def connect(self, browser: Browser, name: str = "garage", account: str = ""):
        """From the button to the page with the steps."""
        state = self.begin(browser, name)["state"]
        answer = browser.post("/connect/teamleader", {"state": state, "code": self.code(account)})
        return browser.get(answer.location)

    def steps(self, answer) -> list[str]:
        """The level of each step on a page of the connection."""
        return re.findall(r'<li class="step">\s*<svg class="mark (\w+)"', answer.text)


@pytest.fixture
def town(build) -> Iterator[Town]:
    teamleader, twikey = create_teamleader(), create_twikey()
    twikey.office.add_creditor("garage", KEY)
    with serve(teamleader) as teamleader_url, serve(twikey) as twikey_url:
        house = build(
            TLTW_TEAMLEADER_CLIENT_ID=worlds.DEFAULT_CLIENT_ID,
            TLTW_TEAMLEADER_CLIENT_SECRET=worlds.DEFAULT_CLIENT_SECRET,
            TLTW_TEAMLEADER_API_URL=teamleader_url,
            TLTW_TEAMLEADER_AUTH_URL=teamleader_url,
            TLTW_TEAMLEADER_REFRESH_TOKEN="",
            TLTW_TWIKEY_API_URL="",
            TLTW_TWIKEY_API_TOKEN="",
        )
        for role in Role:
            house.operator(f"the-{role}", role)
        yield Town(house, teamleader, twikey, twikey_url)


@pytest.fixture
def admin(town) -> Browser:
    return town.house.browser("the-admin")


@pytest.fixture
def garage(town, admin) -> Browser:
    """The admin's browser, after the garage was added."""
    assert admin.post("/connect", town.form()).status_code == 303
    return admin


# -- the form ------------------------------------------------------------------------------------------


def test_few_fields_come_first_and_every_other_option_is_folded_in(admin):
    page = admin.get("/connect").text

    before, folded = page.split("<details")
    assert re.findall(r' id="f-(\w+)"', before) == [
        "name",
        "label",
        "twikey_url",
        "twikey_key",
        "profile",
        "default_language",
    ]
    assert 'name="update_only"' in before
    for option in ("customer_number_prefix", "teamleader_client_secret", "extra_event_types", "auto_update"):
        assert f'name="{option}"' in folded
    assert "teamleader_refresh_token" not in page
    assert "It is encrypted and never shown again" in text_of(admin.get("/connect"))


def test_a_short_name_that_is_left_out_is_needed_and_not_misspelt(town, admin):
    left_out = text_of(admin.post("/connect", town.form(name=" ")))
    misspelt = text_of(admin.post("/connect", town.form(name="Garage!")))

    assert "This is needed." in left_out
    assert "This is needed." not in misspelt
    assert text_of(admin.post("/connect", town.form(name=""))) == left_out


def test_a_connection_that_is_well_leads_on_to_the_switches_while_updates_are_off(town, garage):
    connected = town.connect(garage)
    operations.set_auto_update(town.services, "garage", on=True, by="cli:test")
    switched_on = garage.get("/integrations/garage/connection")

    to_switches = '<a class="button" href="/integrations/garage/switches">To the switches</a>'
    assert town.steps(connected) == ["well", "well", "well"]
    assert to_switches in connected.text
    assert to_switches not in switched_on.text


def test_adding_leads_to_the_one_button_that_is_left(town, admin):
    answer = admin.post("/connect", town.form())
    page = admin.get(answer.location)

    assert answer.location == "/integrations/garage/connection"
    assert "Garage Vandamme was added. What is left is Teamleader’s consent." in text_of(page)
    assert "Connect to Teamleader" in text_of(page)
    assert town.steps(page) == ["off", "off", "off"]
    assert town.services.ledger("garage").state() == "connecting"
    assert town.services.integration("garage").twikey.api_token == KEY


def test_every_mistake_is_told_at_once_beside_its_field_and_what_was_typed_stays(town, admin):
    wrong = {
        "name": "Garage!",
        "twikey_url": "https://api.twikey.com",
        "profile": "12345",
        "default_country": "ZZ",
        "cc_parameter": "email",
    }

    answer = admin.post("/connect", town.form(**wrong))

    assert answer.status_code == 422
    text = text_of(answer)
    assert "5 fields need your attention" in text
    assert answer.text.count('aria-invalid="true"') == 5
    for sentence in (
        "beginning with a letter",
        "ends in /creditor",
        "four digits",
        "letters of a country",
        "another Twikey",
    ):
        assert sentence in text
    for typed in wrong.values():
        assert f'value="{typed}"' in answer.text
    assert '<option value="nl" lang="nl" selected>' in answer.text
    assert '<details class="fold" open>' in answer.text
    assert KEY not in answer.text
    assert "Type it once more" in text
    assert town.services.registry.ids() == []


def test_what_is_needed_and_missing_is_said_in_the_readers_language(town, admin):
    admin.headers["Accept-Language"] = "nl"

    answer = admin.post("/connect", town.form(name="", twikey_key="", twikey_url=""))

    assert text_of(answer).count("Dit is nodig.") == 3
    assert "3 velden vragen uw aandacht" in text_of(answer)


def test_a_name_that_is_taken_is_said_beside_it(town, garage):
    answer = garage.post("/connect", town.form(label="Another"))

    assert answer.status_code == 422
    assert "There is an integration of that name already" in text_of(answer)
    assert town.services.integration("garage").label == "Garage Vandamme"


def test_what_is_planted_in_a_field_stays_letters(town, admin):
    planted = "<script>alert(1)</script>"

    answer = admin.post("/connect", town.form(name=planted, label=planted, twikey_url=planted, profile=planted))

    assert "<script>alert" not in answer.text
    assert answer.text.count("&lt;script&gt;alert") >= 4


# -- there and back ------------------------------------------------------------------------------------


def test_the_button_leads_to_teamleader_and_the_policy_stays_as_strict_as_ever(town, garage):
    answer = garage.post("/integrations/garage/connect")

    address = answer.headers["Refresh"].removeprefix("0; url=")
    asked = parse_qs(urlsplit(address).query)
    assert urlsplit(address).path == "/oauth2/authorize"
    assert asked["redirect_uri"] == [BACK]
    assert unescape(re.search(r'<a class="button main" href="([^"]+)"', answer.text)[1]) == address
    assert answer.headers["Content-Security-Policy"].endswith("form-action 'self'")


@pytest.mark.usefixtures("garage")
def test_under_another_name_of_this_machine_nobody_is_sent_away_to_come_back_as_a_stranger(town):
    elsewhere = Browser(town.house.app.test_client(), "http://localhost:8001")
    elsewhere.sign_in("the-admin")

    answer = elsewhere.post("/integrations/garage/connect")

    assert answer.status_code == 422
    assert "Open http://127.0.0.1:8001, sign in there" in text_of(answer)
    assert "Refresh" not in answer.headers


def test_coming_back_only_shows_a_form_and_tells_nobody_the_address(town, garage):
    state = town.begin(garage)["state"]
    before = {key: town.house.store.dump(key) for key in town.house.store.keys("*garage*")}

    answer = garage.get("/connect/teamleader", query_string={"state": state, "code": "the-code", "more": "x"})

    assert answer.status_code == 200
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    hidden = dict(re.findall(r'<input type="hidden" name="(state|code|error|more)" value="([^"]*)"', answer.text))
    assert hidden == {"state": state, "code": "the-code"}
    assert "data-at-once" in answer.text
    assert {key: town.house.store.dump(key) for key in town.house.store.keys("*garage*")} == before
    assert len(town.house.store.keys("tltw:consent:*")) == 1


def test_after_consent_every_step_is_green_and_the_integration_works(town, garage):
    page = town.connect(garage)

    assert "Connected: every step went well." in text_of(page)
    assert town.steps(page) == ["well", "well", "well"]
    assert town.services.ledger("garage").state() == "active"
    assert "Reconnect to Teamleader" in text_of(page)  # folded in, for who needs it
    assert 'class="main">Reconnect' not in page.text


def test_how_it_went_is_there_for_everybody_and_also_later(town, garage):
    town.connect(garage)

    page = town.house.browser("the-viewer").get("/integrations/garage/connection")

    assert town.steps(page) == ["well", "well", "well"]
    assert "looked at just now" in text_of(page)
    assert "<button>" not in page.text.split("<main")[1].split("</main>")[0]


def test_another_browser_of_the_same_person_cannot_finish_and_the_first_still_can(town, garage):
    state, code = town.begin(garage)["state"], town.code()
    other = town.house.browser("the-admin")

    refused = other.post("/connect/teamleader", {"state": state, "code": code})
    accepted = garage.post("/connect/teamleader", {"state": state, "code": code})

    assert refused.status_code == 422
    assert "begun in another browser" in text_of(refused)
    assert town.steps(garage.get(accepted.location)) == ["well", "well", "well"]


def test_who_signs_in_anew_meanwhile_must_begin_again(town, garage):
    state = town.begin(garage)["state"]
    garage.post("/logout")
    garage.sign_in("the-admin")

    answer = garage.post("/connect/teamleader", {"state": state, "code": town.code()})

    assert "or before you signed in anew" in text_of(answer)


def test_what_teamleader_sends_back_is_not_carried_to_the_sign_in_page(town):
    answer = town.house.browser().get("/connect/teamleader?state=the-state&code=the-code")

    assert answer.location == "/login?next=/connect/teamleader"


def test_pressing_twice_does_everything_once_and_leads_to_the_same_page(town, garage):
    sent = {"state": town.begin(garage)["state"], "code": town.code()}

    first, second = (garage.post("/connect/teamleader", sent) for _ in range(2))

    assert first.location == second.location == "/integrations/garage/connection"
    assert town.steps(garage.get(second.location)) == ["well", "well", "well"]
    finished = [one for one in audit.entries(town.house.store) if one.what == "connecting finished"]
    assert [one.after for one in finished] == ["connected"]


@pytest.mark.parametrize("sent", [{}, {"state": ""}, {"state": "forged"}, {"state": "forged", "code": "x"}])
def test_a_state_of_somebodys_own_making_finishes_nothing(town, garage, sent):
    answer = garage.post("/connect/teamleader", sent)

    assert answer.status_code == 422
    assert "Nothing was changed" in text_of(answer)


def test_who_opens_the_bare_address_is_told_what_it_is_for(admin):
    assert "Here Teamleader sends you back to" in text_of(admin.get("/connect/teamleader"))


def test_limits_that_came_meanwhile_hold_when_it_is_finished(town, garage):
    sent = {"state": town.begin(garage)["state"], "code": town.code()}
    operators.set_limit(town.house.store, "the-admin", frozenset({"another"}), by="cli:test")

    answer = garage.post("/connect/teamleader", sent)

    assert answer.status_code == 403
    assert town.services.ledger("garage").state() == "connecting"


def test_neither_code_nor_state_nor_key_is_logged(town, garage, capfd, caplog):
    state, code = town.begin(garage)["state"], town.code()
    garage.get("/connect/teamleader", query_string={"state": state, "code": code})
    garage.post("/connect/teamleader", {"state": state, "code": code})
    garage.post("/connect/teamleader", {"state": "forged", "code": code})

    said = "".join(capfd.readouterr()) + caplog.text  # wherever an earlier test has led the log
    assert "Connecting finished." in said
    assert [one for one in (state, code, KEY, "forged") if one in said] == []


# -- when a step is red --------------------------------------------------------------------------------


def test_who_says_no_at_teamleader_is_told_to_press_allow_and_nothing_changes(town, garage):
    state = town.begin(garage)["state"]

    asked = garage.get("/connect/teamleader", query_string={"state": state, "error": "access_denied"})
    answer = garage.post("/connect/teamleader", {"state": state, "error": "access_denied"})
    page = garage.get(answer.location)

    assert "without its consent" in text_of(asked)
    assert town.steps(page) == ["trouble", "off", "off"]
    assert "press Allow" in text_of(page)
    assert town.services.ledger("garage").state() == "connecting"
    assert "consent was not given" in text_of(garage.get("/audit"))


def test_saying_no_while_it_is_connected_leaves_the_connection_as_it_was(town, garage):
    town.connect(garage)
    state = town.begin(garage)["state"]

    answer = garage.post("/connect/teamleader", {"state": state, "error": "access_denied"})

    assert town.steps(garage.get(answer.location)) == ["trouble", "well", "well"]
    assert town.steps(garage.get("/integrations/garage/connection")) == ["well", "well", "well"]
    assert town.services.ledger("garage").state() == "active"


def test_an_account_that_serves_another_integration_is_refused_in_words(town, garage):
    town.connect(garage)
    garage.post("/connect", town.form(name="copy", label=""))

    page = town.connect(garage, "copy")

    assert town.steps(page) == ["trouble", "off", "off"]
    assert "is connected to another integration already" in text_of(page)


def test_reconnecting_with_another_account_is_refused_and_offers_to_begin_again(town, garage):
    town.connect(garage)
    other = town.teamleader.world.add_account()

    page = town.connect(garage, account=other.id)

    assert "another Teamleader account than the one" in text_of(page)
    assert town.steps(page) == ["trouble", "off", "off"]
    assert town.services.ledger("garage").state() == "active"


def test_a_wrong_twikey_key_is_mended_in_the_settings_and_looked_at_again(town, admin):
    admin.post("/connect", town.form(twikey_key="wrong-key"))

    page = town.connect(admin)
    assert town.steps(page) == ["well", "trouble", "well"]
    assert "Nearly connected" in text_of(page)
    assert "Twikey does not accept the API key" in text_of(page)
    assert '<button class="main">Look again' in page.text
    assert 'href="/integrations/garage/settings"' in page.text

    revision = str(town.services.integration("garage").revision)
    saved = admin.post("/integrations/garage/settings", {"twikey_key": KEY, "revision": revision})
    assert saved.location == "/integrations/garage/connection"
    assert "Twikey API key: replaced. Now look again" in text_of(admin.get(saved.location))

    looked = admin.get(admin.post("/integrations/garage/connection/look").location)
    assert town.steps(looked) == ["well", "well", "well"]
    assert "everything is in order" in text_of(looked)
    assert town.services.ledger("garage").state() == "active"


def test_a_key_that_was_mended_at_twikey_itself_is_tried_at_once(town, admin):
    admin.post("/connect", town.form(twikey_key="mended-there"))
    town.connect(admin)
    town.twikey.office.creditors["garage"].api_key = "mended-there"

    admin.post("/integrations/garage/connection/look")

    assert town.services.ledger("garage").state() == "active"


def test_without_a_client_id_nobody_is_sent_anywhere(build):
    house = build(TLTW_TEAMLEADER_CLIENT_ID="", TLTW_TEAMLEADER_CLIENT_SECRET="")
    house.operator("the-admin", Role.ADMIN)

    answer = house.browser("the-admin").post("/integrations/default/connect")

    assert answer.status_code == 422
    assert "Refresh" not in answer.headers
    assert "TLTW_TEAMLEADER_CLIENT_ID" in text_of(answer)
    assert "Back to default" in text_of(answer)


def test_what_was_seen_before_the_connection_was_refused_says_nothing_any_more(town, garage):
    town.connect(garage)
    town.services.ledger("garage").change_state(before="active", after="reconnect_needed")

    page = garage.get("/integrations/garage/connection")

    assert town.steps(page) == ["off", "off", "off"]
    assert "Refused: it must be mended" in text_of(page)
    assert '<button class="main">Reconnect to Teamleader' in page.text
    town.teamleader.world.tokens.revoke_all(town.teamleader.world.default.id)
    looked = garage.get(garage.post("/integrations/garage/connection/look").location)
    assert town.steps(looked) == ["trouble", "off", "off"]
    assert "no longer accepts our token" in text_of(looked)
    assert town.steps(town.connect(garage)) == ["well", "well", "well"]


def test_an_operator_looks_again_and_is_told_who_connects(town, garage):
    town.connect(garage)
    town.services.ledger("garage").change_state(before="active", after="reconnect_needed")
    operator = town.house.browser("the-operator")

    page = operator.get("/integrations/garage/connection")
    operator.post("/integrations/garage/connection/look")

    assert "An admin can connect it." in text_of(page)
    assert "Look again" in text_of(page)
    assert '/integrations/garage/connect"' not in page.text
    assert town.services.ledger("garage").state() == "active"


def test_another_webhook_address_is_registered_and_the_old_one_taken_off(town, garage):
    town.connect(garage)
    (before,) = town.teamleader.world.default.registrations

    answer = garage.post("/integrations/garage/connection/rotate")

    page = garage.get(answer.location)
    registered = [url for url, types in town.teamleader.world.default.registrations.items() if types]
    assert len(registered) == 1
    assert registered != [before]
    assert "There is a new webhook address." in text_of(page)
    assert before not in page.text
    assert registered[0] not in page.text
    assert "webhook address rotated" in [one.what for one in audit.entries(town.house.store)]


# -- in words, pure ------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("step", "reason"), WRONG)
def test_every_reason_has_a_cause_and_a_next_step_in_every_language(language, step, reason):
    shown = step_shown(step or "twikey", Step("twikey", False, "in English", reason), Words(language))

    assert shown.level is Level.TROUBLE
    assert shown.sentence not in ("", "in English")
    assert shown.next


def test_a_reason_without_words_of_its_own_is_said_in_the_words_of_the_step():
    shown = step_shown("twikey", Step("twikey", False, "Something new.", "unheard_of"), Words("nl"))

    assert (shown.sentence, shown.next, shown.mend) == ("Something new.", "", "")


def test_what_is_mended_somewhere_is_something_that_can_be_wrong():
    assert MENDED_IN.keys() <= set(WRONG.values())


def test_steps_that_nobody_came_to_say_what_they_will_be(town, garage):
    view = operations.view(town.services, "garage")

    steps = steps_shown(None, view, Words("en"))
    partly = steps_shown(
        Look(view.state_since or audit_time(town), (Step("account", False, "", "account_taken"),)), view, Words("en")
    )

    assert [step.level for step in steps] == [Level.OFF] * 3
    assert [step.level for step in partly] == [Level.TROUBLE, Level.OFF, Level.OFF]


def audit_time(town):
    return next(audit.entries(town.house.store)).at


def test_without_integrations_nobody_can_be_limited_to_some(town):
    admin = town.house.browser("the-admin")

    assert 'value="some"' not in admin.get("/operators").text


def test_no_page_ever_shows_a_secret(town, garage):
    secrets = [KEY, "own-client-secret", operations_address(town)]
    integrations.change(
        town.services,
        "garage",
        {"teamleader_client_id": worlds.DEFAULT_CLIENT_ID, "teamleader_client_secret": "own-client-secret"},
        by="cli:test",
    )
    integrations.change(
        town.services, "garage", {"teamleader_client_secret": worlds.DEFAULT_CLIENT_SECRET}, by="cli:test"
    )
    page = town.connect(garage)
    token = town.services.tokens(town.services.integration("garage")).access_token()
    wrong = {"twikey_key": KEY, "profile": "wrong", "revision": "0"}

    answers = [page, *(garage.get(path) for path in PAGES)]
    answers += [
        garage.post("/integrations/garage/settings", wrong),
        garage.post("/connect", town.form(profile="wrong")),
    ]

    assert [answer.status_code for answer in answers] == [200] * (len(PAGES) + 1) + [409, 422]
    for answer in answers:
        assert [one for one in (*secrets, worlds.DEFAULT_CLIENT_SECRET, token) if one in answer.text] == []
    assert IntegrationKeys("garage").token.encode() in town.house.store.keys("*")


PAGES = (
    "/",
    "/connect",
    "/audit",
    "/integrations/garage",
    "/integrations/garage/connection",
    "/integrations/garage/switches",
    "/integrations/garage/settings",
)


def operations_address(town):
    return operations.address(town.services, "garage")
