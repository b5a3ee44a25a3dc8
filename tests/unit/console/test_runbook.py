"""The runbook in the console: every reason has its place, and nothing of its text becomes markup of its own."""

import re

import pytest

from ingress.console.pages import runbook as page_of_runbook
from ingress.console.runbook import rendered
from tests.unit.console.conftest import text_of
from workers.bulk.jobs import Jobs

RUNBOOK = "/runbook"


def anchors(page):
    return set(re.findall(r'<h[1-6] id="([^"]+)"', page.text))


def test_a_viewer_reads_the_runbook_and_every_reason_has_an_anchor(house):
    page = house.browser("the-viewer").get(RUNBOOK)

    reasons = re.findall(r"^### `(\w+)`$", page_of_runbook.RUNBOOK.read_text("utf-8"), re.MULTILINE)
    assert page.status_code == 200
    assert len(reasons) > 50
    assert set(reasons) - anchors(page) == set()
    every = re.findall(r'<h[1-6] id="([^"]+)"', page.text)
    assert len(every) == len(set(every))
    assert '<article class="card prose" lang="en">' in page.text
    assert "style=" not in page.text


def test_links_within_the_runbook_lead_to_headings_and_to_other_documents_there_are_none(house):
    page = house.browser("the-viewer").get(RUNBOOK)
    article = page.text.partition("<article")[2].partition("</article>")[0]

    links = re.findall(r'href="([^"]+)"', article)

    assert len(links) > 10
    assert [link for link in links if link.removeprefix("#") not in anchors(page)] == []


@pytest.mark.parametrize("path", ["/integrations/default/dead-letters", "/integrations/default/dead-letters/company:1"])
def test_a_dead_letter_links_to_its_reason(house, path):
    house.bury("company:1", "cannot_map")
    browser = house.browser("the-viewer")

    page = browser.get(path)

    assert f'href="{RUNBOOK}#cannot_map"' in page.text
    assert "cannot_map" in anchors(browser.get(RUNBOOK))


def test_a_job_links_to_why_it_failed(house):
    jobs = Jobs(house.store)
    jobs.start("default", "drift", {}, by="cli:test")
    jobs.end(jobs.take("default", "drift"), "failed", reason="refused", sentence="No.")

    assert f'href="{RUNBOOK}#refused"' in house.browser("the-viewer").get("/integrations/default/jobs/drift").text


def test_who_reads_another_language_is_told_that_it_is_in_english(house):
    dutch, english = (house.browser("the-viewer", **{"Accept-Language": one}).get(RUNBOOK) for one in ("nl", "en"))

    assert "Het draaiboek is in het Engels." in text_of(dutch)
    assert "written in English" not in text_of(english)


def test_an_installation_without_it_says_where_it_is_read(house, monkeypatch, tmp_path):
    monkeypatch.setattr(page_of_runbook, "RUNBOOK", tmp_path / "runbook.md")

    page = house.browser("the-viewer").get(RUNBOOK)

    assert page.status_code == 404
    assert "It is read in the source of the same version, as docs/runbook.md" in text_of(page)


PLANTED = """\
# A <b>title</b>
<script>alert(1)</script>

[a](javascript:alert(1)) [b](connect.md#1) [c](runbook.md#x) [d](https://example.com/) <i onclick=x>e</i>

| one | two |
|:----|----:|
| <u>1</u> | 2 |
"""


def test_no_html_no_script_and_no_style_gets_through():
    html = rendered(PLANTED)

    assert "&lt;script&gt;" in html
    assert not re.search(r"<(script|b|i|u)\b|style=|href=\"javascript", html)
    assert "<td>" in html
    assert re.findall(r'href="([^"]+)"', html) == ["#x", "https://example.com/"]
