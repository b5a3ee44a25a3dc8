"""Turns a Teamleader customer into what Twikey is told about it; pure, it reads and writes nothing."""

from mapping.customer import USABLE_NUMBER, MappingSettings, Remark, TwikeyCustomer, Variant
from mapping.entered import entered, name_of
from mapping.errors import CannotMap, Problem
from mapping.mapper import Kind, customer_number, fingerprint, map_customer
from mapping.typed import form_fields, read_typed, suggested

__all__ = [
    "USABLE_NUMBER",
    "CannotMap",
    "Kind",
    "MappingSettings",
    "Problem",
    "Remark",
    "TwikeyCustomer",
    "Variant",
    "customer_number",
    "entered",
    "fingerprint",
    "form_fields",
    "map_customer",
    "name_of",
    "read_typed",
    "suggested",
]
