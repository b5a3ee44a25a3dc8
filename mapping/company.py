"""The sources that only a company has."""

from __future__ import annotations

from mapping import company_numbers
from mapping.contact_details import email_of_type, home_country, primary_email
from mapping.customer import MappingSettings
from mapping.errors import Problem
from mapping.teamleader import Company
from mapping.values import Reading


def problems(company: Company) -> tuple[Problem, ...]:
    """Twikey knows a company by its name alone (support.twikey.com, new customer, looked up 2026-11-22)."""
    if company.name:
        return ()
    return (Problem("companyName", "nameless", "The company has no name in Teamleader; fill it in there."),)


def name(company: Company, _: MappingSettings) -> Reading:
    return Reading(company.name)


def email(company: Company, settings: MappingSettings) -> Reading:
    """The primary address. An invoicing one never takes its place: as in Twikey's own integration it becomes the CC, nothing else.

    A company with an invoicing address alone is therefore sent with a CC only, and the bookkeeper is told.
    """
    found = primary_email(company, settings)
    if found.reason == "missing" and email_of_type(company, "invoicing").value:
        return Reading("", "only_invoicing")
    return found


def cc(company: Company, settings: MappingSettings) -> Reading:
    """The invoicing address, unless it is the primary one in other capitals."""
    found = email_of_type(company, "invoicing")
    same = found.value.casefold() == email(company, settings).value.casefold()
    return Reading() if found.value and same else found


def vat_number(company: Company, settings: MappingSettings) -> Reading:
    return company_numbers.vat_number(company.vat_number, home_country(company, settings))


def enterprise_number(company: Company, settings: MappingSettings) -> Reading:
    vat = vat_number(company, settings)
    home = home_country(company, settings)
    return company_numbers.enterprise_number(company.national_identification_number, vat, home)
