"""Small pure functions that turn one free text of Teamleader into one value Twikey accepts, or into nothing."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import email_validator

LANGUAGES = frozenset({"en", "nl", "fr", "de", "es", "it", "pt"})

# ISO 3166-1 alpha-2. Twikey answers err_invalid_country to anything else, and nothing of the update is kept.
COUNTRIES = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT
    BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH
    ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT
    HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS
    LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI
    NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG
    SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG
    UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
    """.split()  # noqa: SIM905 - two hundred quoted strings would hide what this is
)

_INVISIBLE = "\u200b\u2060\ufeff"  # zero-width spaces and byte order marks, pasted along from web pages
_JOINER = "\u200d"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source gave: a value, "" for none, and a reason when a bookkeeper should hear about it.

    `unreadable` says that something was there although no value came of it and nothing needs to be said.
    """

    value: str = ""
    reason: str = ""
    unreadable: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether Teamleader really has nothing, as opposed to something we refused."""
        return not (self.value or self.reason or self.unreadable)


def tidy(text: str) -> str:
    """One line of NFC text: no control characters, no lone surrogates, single spaces, none at the ends."""
    if text.isascii() and text.isprintable():
        # Nearly every text; ten times as fast, which counts for a million customers.
        return " ".join(text.split())
    visible = "".join(_plain(character) for character in text)
    return unicodedata.normalize("NFC", " ".join(visible.split()))


def _plain(character: str) -> str:
    if character in _INVISIBLE:
        return ""
    return {"Cc": " ", "Cs": ""}.get(unicodedata.category(character), character)


def cut(text: str, limit: int) -> str:
    """The first `limit` characters, fewer when the last one would lose its accent or its joined half."""
    if len(text) <= limit:
        return text
    end = limit
    while end > 0 and _inside_a_cluster(text, end):
        end -= 1
    return text[: end or limit].rstrip()


def _inside_a_cluster(text: str, at: int) -> bool:
    return _JOINER in (text[at - 1], text[at]) or unicodedata.category(text[at]).startswith("M")


# What nearly every address looks like. The library takes all of these, and forty times as long to say so (a test compares).
_PLAIN_EMAIL = re.compile(
    r"(?=[^@]{1,64}@[^@]{4,63}\Z)[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+([a-z]{2,})\Z"
)
_SPECIAL = frozenset(name.rpartition(".")[2] for name in email_validator.SPECIAL_USE_DOMAIN_NAMES)


# Asked for several times: is there a primary address, is the invoicing one another?
@lru_cache(maxsize=256)
def email(text: str) -> str:
    """The address in plain ASCII, the part before the @ as typed; "" if it is not an e-mail address.

    A domain with accents is sent in its xn-- form. Accents before the @ are refused: whether Twikey takes them
    is unknown, and one refused e-mail address would cost the customer the whole update.
    """
    plain = _PLAIN_EMAIL.match(text)
    if plain and plain[1] not in _SPECIAL:
        return text
    try:
        found = email_validator.validate_email(text, check_deliverability=False, allow_smtputf8=False, strict=True)
    except email_validator.EmailNotValidError:
        return ""
    typed, _, _ = text.rpartition("@")  # the library writes Info@ and Sales@ in lower case
    return f"{typed}@{found.ascii_domain}"


def country(text: str) -> str:
    """The ISO 3166-1 code in capitals, or ""."""
    return text.upper() if text.upper() in COUNTRIES else ""


def language(text: str) -> str:
    """One of the languages of Twikey, also out of `nl-BE` or `nl_BE`; or ""."""
    found = re.fullmatch(r"([a-z]{2})([-_][a-z]{2})?", text.lower())
    return found[1] if found and found[1] in LANGUAGES else ""


def letters_and_digits(text: str) -> str:
    """The text in capitals without spaces, dots, dashes and anything else that is not A-Z or 0-9."""
    return re.sub(r"[^A-Z0-9]", "", text.upper())
