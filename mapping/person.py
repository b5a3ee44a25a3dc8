"""The sources that only a person has."""

from __future__ import annotations

from mapping.customer import MappingSettings
from mapping.errors import Problem
from mapping.teamleader import Contact
from mapping.values import Reading


def problems(contact: Contact) -> tuple[Problem, ...]:
    """One of the two names is enough: Twikey is always given the customer number too."""
    if contact.first_name or contact.last_name:
        return ()
    sentence = "The person has neither a first nor a last name in Teamleader; fill one in there."
    return (Problem("lastname", "nameless", sentence),)


def first_name(contact: Contact, _: MappingSettings) -> Reading:
    return Reading(contact.first_name)


def last_name(contact: Contact, _: MappingSettings) -> Reading:
    return Reading(contact.last_name)
