"""The settings, the switches and the removal of an integration."""

import re

import pytest
from werkzeug.datastructures import MultiDict

from config.integrations import BY_NAME, OPTIONS
from ingress.console import options
from ingress.console.language import LANGUAGES, Words, catalogue
from tests.unit.console.conftest import House, text_of
from workers import audit, integrations
from workers.integrations import HIDDEN, Change
from workers.ledger import Cause
from workers.operators import Role

KEY = "bakery-key-that-nobody-may-see"
SETTINGS = "/integrations/bakery/settings"
SWITCHES = "/integrations/bakery/switches"


@pytest.fixture
def bakery(house) -> House:
    """One more integration, beside the one that the environment describes."""
    given = {
        "twikey_url": "https://api.twikey.com/creditor",
        "twikey_key": KEY,
        "label": "Bakkerij Tarwe",
        "profile": "12",
    }
    integrations.add(house.services, "bakery", given, by="cli:root")
    return house


def form(house: House, **changes: object) -> dict[str, object]:
    """All that a browser sends for the settings page, with some changes."""
    revision = str(house.services.integration("bakery").revision)
    sent = {
        "revision": revision,
        "shown": ["update_only", "clear_empty", "extra_event_types"],
        "label": "Bakkerij Tarwe",
        "twikey_url": "https://api.twikey.com/creditor",
        "twikey_key": "",
        "profile": "12",
        "cc_parameter": "cc",
        "customer_number_prefix": "",
        "default_language": "",
        "default_country": "BE",
        "teamleader_calls_per_minute": "190",
        "teamleader_client_id": "",
        "teamleader_client_secret": "",
    }
    return sent | changes


def notes(house: House) -> list[tuple[str, str, str, str]]:
    return [(one.by, one.what, one.before, one.after) for one in audit.entries(house.store, integration="bakery")]


# -- looking -------------------------------------------------------------------------------------------


def test_a_viewer_sees_every_option_and_of_a_secret_only_that_it_is_set(bakery):
    page = bakery.browser("the-viewer").get(SETTINGS)

    values = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page.text))
    assert values["Twikey API key"] == "set"
    assert values["Its client secret"] == "not set"
    assert values["Profile of new customers"] == "12"
    assert values["Only update customers that Twikey knows"] == "off"
    assert values["Calls to Teamleader per minute"] == "190"
    assert values["Language of customers without one"] == "–"
    assert "An admin can change these." in text_of(page)
    assert '<input type="text"' not in page.text
    assert KEY not in page.text


def test_an_admin_gets_a_form_with_what_is_stored_and_empty_secrets(bakery):
    page = bakery.browser("the-admin").get(SETTINGS).text

    assert '<input id="f-profile" name="profile" type="text" value="12"' in page
    secret = re.search(r'<input id="f-twikey_key".*?>', page, re.DOTALL)[0]
    assert "value" not in secret
    assert 'autocomplete="new-password"' in secret
    assert "One is set; leave this empty to keep it." in page
    assert KEY not in page


def test_what_the_environment_describes_is_only_shown_with_the_reason(bakery):
    admin = bakery.browser("the-admin")

    page = admin.get("/integrations/default/settings")
    saved = admin.post("/integrations/default/settings", {"profile": "99", "revision": "1"})
    removed = admin.post("/integrations/default/remove", {"confirm": "default"})

    for answer in (page, saved, removed):
        assert "described by the settings of the service (.env)" in text_of(answer)
        assert 'id="f-profile"' not in answer.text
        assert 'id="remove"' not in answer.text
    assert (saved.status_code, removed.status_code) == (409, 409)
    assert bakery.services.integration("default").profile == ""


def test_who_changed_what_stands_below_and_secrets_stay_hidden(bakery):
    integrations.change(bakery.services, "bakery", {"profile": "45", "twikey_key": "another"}, by="operator:an")

    page = bakery.browser("the-viewer").get(SETTINGS)

    assert "an Profile of new customers 12 → 45" in text_of(page)
    assert "an Twikey API key (secret) → (secret)" in text_of(page)
    assert "root (command line) integration added" in text_of(page)
    assert "another" not in page.text.split("<table")[1]


# -- saving --------------------------------------------------------------------------------------------


def test_saving_says_exactly_what_changed_from_what_to_what(bakery):
    admin = bakery.browser("the-admin")

    answer = admin.post(SETTINGS, form(bakery, profile="45", default_language="fr", update_only="on"))
    page = text_of(admin.get(answer.location))

    assert answer.location == SETTINGS
    assert "Saved. " in page
    assert "Profile of new customers: 12 → 45" in page
    assert "Language of customers without one: – → Français" in page
    assert "Only update customers that Twikey knows: off → on" in page
    assert ("operator:the-admin", "profile", "12", "45") in notes(bakery)
    assert bakery.services.integration("bakery").create_unknown is False


def test_saving_what_is_there_already_changes_nothing_and_says_so(bakery):
    admin, before = bakery.browser("the-admin"), notes(bakery)

    answer = admin.post(SETTINGS, form(bakery))

    assert "Nothing changed: that is how it was." in text_of(admin.get(answer.location))
    assert notes(bakery) == before


def test_a_secret_is_replaced_kept_when_empty_and_forgotten_when_ticked(bakery):
    admin, services = bakery.browser("the-admin"), bakery.services

    admin.post(SETTINGS, form(bakery, twikey_key="new-key", teamleader_client_id="own", teamleader_client_secret="own"))
    replaced = services.integration("bakery")
    admin.post(SETTINGS, form(bakery, teamleader_client_id="own", profile="7"))
    kept = services.integration("bakery")
    gone = admin.post(SETTINGS, form(bakery, profile="7", **{"forget-teamleader_client_secret": "yes"}))
    told = text_of(admin.get(gone.location))

    assert (replaced.twikey.api_token, replaced.teamleader.client_secret) == ("new-key", "own")
    assert (kept.twikey.api_token, kept.teamleader.client_secret) == ("new-key", "own")
    assert services.registry.options_of("bakery")["teamleader_client_secret"] == ""
    assert "Its client secret: forgotten" in told


def test_a_required_secret_cannot_be_forgotten(bakery):
    bakery.browser("the-admin").post(SETTINGS, form(bakery, **{"forget-twikey_key": "yes"}))

    assert bakery.services.integration("bakery").twikey.api_token == KEY


def test_what_a_form_did_not_show_stays(bakery):
    integrations.change(
        bakery.services, "bakery", {"update_only": "on", "extra_event_types": "contact.added"}, by="cli:x"
    )
    revision = str(bakery.services.integration("bakery").revision)

    bakery.browser("the-admin").post(SETTINGS, {"profile": "7", "revision": revision})

    after = bakery.services.integration("bakery")
    assert (after.profile, after.create_unknown, after.extra_event_types) == ("7", False, ("contact.added",))


def test_fixed_options_cannot_be_smuggled_in(bakery):
    bakery.browser("the-admin").post(
        SETTINGS, form(bakery, auto_update="on", shown=["auto_update"], teamleader_refresh_token="x", profile="7")
    )

    stored = bakery.services.registry.options_of("bakery")
    assert stored["profile"] == "7"
    assert stored.keys().isdisjoint({"auto_update", "teamleader_refresh_token"})


def test_a_mistake_stands_beside_its_field_and_nothing_is_saved(bakery):
    answer = bakery.browser("the-admin").post(SETTINGS, form(bakery, profile="12345", label="New", twikey_key="typed"))

    assert answer.status_code == 422
    assert "at most four digits" in text_of(answer)
    assert 'value="12345"' in answer.text
    assert "typed" not in re.sub(r"<[^>]*>", "", answer.text).replace("Type it once more", "")
    assert "Type it once more" in text_of(answer)
    assert bakery.services.integration("bakery").label == "Bakkerij Tarwe"


def test_two_admins_do_not_overwrite_each_other_without_seeing_it(bakery):
    an, bo = bakery.browser("the-admin"), bakery.browser("the-admin")
    stale = form(bakery, default_country="NL")
    an.post(SETTINGS, form(bakery, profile="45"))

    refused = bo.post(SETTINGS, stale)
    again = {**stale, "revision": re.search(r'name="revision" value="(\d+)"', refused.text)[1]}
    bo.post(SETTINGS, again)

    assert refused.status_code == 409
    assert "Somebody else changed this integration" in text_of(refused)
    assert 'name="default_country" type="text" value="NL"' in refused.text
    assert re.findall(r"Stored now: (\w+)", text_of(refused)) == ["45", "BE"]
    after = bakery.services.integration("bakery")
    assert (after.profile, after.default_country) == ("12", "NL")


@pytest.mark.parametrize("revision", ["", "-1", "x", "9" * 40, "١"])
def test_a_forged_revision_saves_nothing(bakery, revision):
    answer = bakery.browser("the-admin").post(SETTINGS, form(bakery, profile="45", revision=revision))

    assert answer.status_code == 409
    assert bakery.services.integration("bakery").profile == "12"


# -- removing ------------------------------------------------------------------------------------------


def test_removing_needs_the_name_and_tells_what_will_be_forgotten(bakery):
    admin = bakery.browser("the-admin")
    bakery.services.ledger("bakery").mark("company:1", frozenset({Cause.OPERATOR}))

    asked = text_of(admin.get(SETTINGS))
    wrong = admin.post("/integrations/bakery/remove", {"confirm": "Bakery"})

    assert "1 updates on their way, 0 dead letters and 0 held customers" in asked
    assert wrong.status_code == 422
    assert "Nothing was removed. Type exactly bakery." in text_of(wrong)
    assert "bakery" in bakery.services.registry.ids()


def test_a_removed_integration_is_gone_and_that_is_told(bakery):
    admin = bakery.browser("the-admin")

    answer = admin.post("/integrations/bakery/remove", {"confirm": " bakery "})

    page = text_of(admin.get(answer.location))
    assert "Bakkerij Tarwe was removed. Its webhook could not be taken off at Teamleader" in page
    assert bakery.services.registry.ids() == ["default"]
    assert admin.get(SETTINGS).status_code == 404
    assert notes(bakery)[0][1] == "integration removed"


# -- the switches --------------------------------------------------------------------------------------


@pytest.fixture
def active(bakery) -> House:
    bakery.services.ledger("bakery").set_state("active")
    return bakery


def held(house: House, count: int) -> None:
    for number in range(count):
        house.services.ledger("bakery").mark(f"company:{number}", frozenset({Cause.WEBHOOK}))


def test_before_switching_on_it_says_who_will_be_caught_up(active):
    held(active, 3)

    text = text_of(active.browser("the-operator").get(SWITCHES))

    assert "3 customers changed since and are held." in text
    assert "3 held customers are brought to Twikey" in text
    assert "Nobody has been brought over yet" in text


def test_an_operator_switches_on_and_hears_how_many_come(active):
    held(active, 3)
    operator = active.browser("the-operator")

    answer = operator.post(f"{SWITCHES}/auto-update", {"auto_update": "on"})

    assert "Automatic updates are on. 3 held customers are brought over now." in text_of(operator.get(answer.location))
    assert active.services.ledger("bakery").auto_update()
    assert notes(active)[0] == ("operator:the-operator", "auto_update", "off", "on")


def test_an_operator_switches_off_and_was_told_what_that_means(active):
    active.services.ledger("bakery").set_auto_update(True)
    operator = active.browser("the-operator")

    asked = text_of(operator.get(SWITCHES))
    answer = operator.post(f"{SWITCHES}/auto-update", {"auto_update": "off"})

    assert "nothing automatic writes to Twikey, not even what is on its way already" in asked
    assert "Automatic updates are off. Edits are remembered" in text_of(operator.get(answer.location))
    assert not active.services.ledger("bakery").auto_update()


def test_pressing_twice_asks_for_the_same_position(active):
    operator = active.browser("the-operator")

    for _ in range(2):
        operator.post(f"{SWITCHES}/auto-update", {"auto_update": "on"})

    assert active.services.ledger("bakery").auto_update()


def test_pausing_holds_everything_and_resuming_lets_it_run(active):
    operator, ledger = active.browser("the-operator"), active.services.ledger("bakery")
    ledger.mark("company:1", frozenset({Cause.OPERATOR}))

    paused = text_of(operator.get(operator.post(f"{SWITCHES}/pause").location))
    state = ledger.standing()
    resumed = text_of(operator.get(operator.post(f"{SWITCHES}/resume").location))

    assert "Everything is paused Somebody paused it" in paused
    assert "1 update waits." in paused
    assert (state.state, state.reason) == ("paused", "paused_by_operator")
    assert "Resumed. What waited runs now." in resumed
    assert ledger.state() == "active"


def test_whoever_resumes_what_somebody_else_resumed_already_is_told_so(active):
    operator = active.browser("the-operator")

    told = text_of(operator.get(operator.post(f"{SWITCHES}/resume").location))

    assert "It is active already." in told


@pytest.mark.parametrize("act", ["pause", "resume"])
def test_what_is_not_connected_can_neither_be_paused_nor_resumed_into_being_active(bakery, act):
    answer = bakery.browser("the-operator").post(f"{SWITCHES}/{act}")

    assert answer.status_code == 422
    assert "not connected to Teamleader yet" in text_of(answer)
    assert bakery.services.ledger("bakery").state() == "connecting"


@pytest.mark.parametrize(
    ("reason", "said"),
    [("wrong_account", "another Teamleader account than before"), ("account_deactivated", "Teamleader said")],
)
def test_why_it_was_paused_is_said(active, reason, said):
    active.services.ledger("bakery").set_state("paused", reason)

    assert said in text_of(active.browser("the-viewer").get(SWITCHES))


def test_a_viewer_sees_the_switches_without_a_way_to_press_them(active):
    page = active.browser("the-viewer").get(SWITCHES)

    main = page.text.split("<main")[1].split("</main>")[0]
    assert "<form" not in main
    assert "An operator or an admin can switch it." in main


def test_the_overview_leads_to_where_a_thing_is_done(bakery):
    text = bakery.browser("the-admin").get("/").text

    assert 'class="button" href="/integrations/bakery/connection"' in text
    assert 'class="button" href="/integrations/default/switches"' in text


def test_an_overview_without_integrations_offers_to_connect_one_to_who_may(house):
    house.operator("limited", Role.ADMIN, "another")
    integrations.remove(house.services, "default", by="cli:test")

    assert 'class="button main" href="/connect"' in house.browser("the-admin").get("/").text
    assert "/connect" not in house.browser("limited").get("/").text
    assert "/connect" not in house.browser("the-operator").get("/").text


# -- the options as fields, pure -----------------------------------------------------------------------


def test_every_option_that_can_be_changed_is_in_one_group_of_the_settings_page():
    grouped = [name for names in options.GROUPS.values() for name in names]

    assert sorted(grouped) == sorted(option.name for option in options.CHANGEABLE)
    assert sorted((*options.FIRST, *options.REST, *options.NOT_HERE)) == sorted(BY_NAME)


@pytest.mark.parametrize(
    "option", [one for one in OPTIONS if one.name not in options.NOT_HERE], ids=lambda one: one.name
)
def test_every_option_has_a_name_a_help_and_what_would_be_right(option):
    may_be_wrong = options.kind_of(option) not in ("switch", "secret") and option.parse is not str

    assert f"option.{option.name}.name" in catalogue()
    assert f"option.{option.name}.help" in catalogue()
    assert (f"option.{option.name}.wrong" in catalogue()) is may_be_wrong


def test_no_words_are_kept_for_options_that_do_not_exist():
    named = {key.split(".")[1] for key in catalogue() if re.fullmatch(r"option\.\w+\.(name|help|wrong)", key)}

    assert named <= BY_NAME.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_change_is_told_in_every_language_without_the_secret(language):
    changes = [Change("twikey_key", HIDDEN, HIDDEN), Change("profile", "", "45"), Change("update_only", "on", "")]

    told = str(options.told(changes, Words(language)).unescape())

    assert "→ 45" in told
    assert HIDDEN not in told


def test_a_very_long_value_is_told_shortened():
    assert len(options.value_told("twikey_url", "https://" + "a" * 500, Words("en"))) == options.LONGEST_TOLD


def test_a_box_that_is_not_ticked_is_off_only_when_the_form_showed_it():
    changeable = options.CHANGEABLE

    assert options.given(MultiDict(), changeable) == {}
    assert options.given(MultiDict({"shown": "clear_empty"}), changeable) == {"clear_empty": "off"}
    assert options.given(MultiDict({"clear_empty": "on"}), changeable) == {}
