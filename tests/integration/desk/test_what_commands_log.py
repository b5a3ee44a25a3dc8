"""What a command did is in its answer; beside it stands only what is not well, on standard error."""

import json

import pytest
from cryptography.fernet import Fernet

from config.registry import Registry
from config.secrets import Cipher


@pytest.mark.parametrize("log_format", ["json", "console", "auto"])
def test_what_goes_well_is_not_logged_between_the_lines_of_the_answer(desk, tltw, log_format):
    desk.environment["TLTW_LOG_FORMAT"] = log_format

    answered = tltw("integration", "check")

    assert "✓ webhook: The webhook is registered" in answered.out  # it did something that a process would log
    assert answered.result.stderr == ""


def test_what_is_not_well_is_logged_in_the_format_that_was_asked_for(desk, tltw):
    desk.environment["TLTW_LOG_FORMAT"] = "json"
    another = Cipher([Fernet.generate_key().decode()])
    desk.services.registry = Registry(desk.services.store, another, desk.services.settings.teamleader)

    answered = tltw("integration", "list", "--json")

    (line,) = map(json.loads, answered.result.stderr.splitlines())
    assert (answered.json, line["level"], line["integration"]) == ([], "error", "acme")
