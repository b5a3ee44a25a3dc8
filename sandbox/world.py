"""The awkward people and companies every sandbox starts with: real life as Teamleader really serves it.

Each has a slug that never changes, and an id made from it, so that tests and demos can name them.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["contact", "company"]
Fields = dict[str, Any]


@dataclass(frozen=True)
class Character:
    """One customer of the world: `why` says what is awkward about it."""

    kind: Kind
    slug: str
    why: str
    fields: Fields = field(hash=False)
    id: str = ""


def stable_id(slug: str) -> str:
    """Looks like a UUID, but like Teamleader's its version and variant digits are arbitrary."""
    digest = hashlib.sha256(slug.encode()).hexdigest()
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))


def emails(primary: str | None = None, invoicing: str | None = None) -> list[Fields]:
    pairs = (("primary", primary), ("invoicing", invoicing))
    return [{"type": kind, "email": email} for kind, email in pairs if email is not None]


def phones(**numbers: str) -> list[Fields]:
    return [{"type": kind, "number": number} for kind, number in numbers.items()]


def address(
    line_1: str | None, postal_code: str | None, city: str | None, country: str = "BE", *, kind: str = "primary"
) -> Fields:
    place: Fields = {
        "line_1": line_1,
        "postal_code": postal_code,
        "city": city,
        "country": country,
        "area_level_two": None,
    }
    if kind != "primary":
        place["addressee"] = None
    return {"type": kind, "address": place}


GHENT = address("Dok Noord 3A 101", "9000", "Gent")
AMSTERDAM = address("Keizersgracht 62", "1015 CS", "Amsterdam", "NL")
NO_ADDRESS = address(None, None, None)


def _company(slug: str, why: str, name: str, **fields: Any) -> Character:
    given: Fields = {"name": name, "emails": emails(f"info@{slug}.example.com"), "addresses": [GHENT]}
    return Character("company", slug, why, given | fields, stable_id(slug))


def _contact(slug: str, why: str, first_name: str | None, last_name: str, **fields: Any) -> Character:
    given: Fields = {"emails": emails(f"{slug}@example.org"), "addresses": [GHENT]}
    names = {"first_name": first_name, "last_name": last_name}
    return Character("contact", slug, why, given | names | fields, stable_id(slug))


AWKWARD: tuple[Character, ...] = (
    _company(
        "dotted-vat",
        "VAT number with spaces and dots",
        "Ascensio BV",
        vat_number="BE 0537.520.055",
        telephones=phones(phone="03 456 79 78"),
        website="www.example.com",
    ),
    _company(
        "two-emails",
        "primary and invoicing e-mail differ",
        "Twee Adressen NV",
        emails=emails("info@twee.example.com", "facturen@twee.example.com"),
        vat_number="BE0403170701",
    ),
    _company(
        "same-emails",
        "invoicing e-mail equals the primary one, in other case",
        "Zelfde Adres BV",
        emails=emails("info@zelfde.example.com", "INFO@zelfde.example.com"),
    ),
    _company(
        "only-invoicing-email", "no primary e-mail", "Enkel Facturen BV", emails=emails(None, "f@enkel.example.com")
    ),
    _company(
        "two-streets",
        "invoicing address in another street",
        "Hoofdzetel & Magazijn NV",
        addresses=[GHENT, address("Postbus 17", "1000", "Brussel", kind="invoicing")],
    ),
    _company(
        "empty-invoicing-address",
        "invoicing address without a street",
        "Leeg Factuuradres BV",
        addresses=[GHENT, address(None, None, None, kind="invoicing")],
    ),
    _company("all-null", "nothing but a name; everything else null", "Niets Bekend", emails=[], addresses=[NO_ADDRESS]),
    _company(
        "dutch-kvk",
        "Dutch company with a KvK number and no VAT number",
        "Grachten B.V.",
        national_identification_number="12345678",
        addresses=[AMSTERDAM],
        language="nl",
        telephones=phones(phone="020 794 5000"),
    ),
    _company(
        "dutch-vat",
        "Dutch VAT number",
        "Polder en Dijk B.V.",
        vat_number="NL.8043.71.186.B01",
        addresses=[AMSTERDAM],
    ),
    _company("odd-vat", "VAT number that is not one", "Vrijgesteld VZW", vat_number="niet btw-plichtig"),
    _company("long-name", "name of 200 characters", ("Vereniging van Eigenaars Residentie " * 6)[:200].ljust(200, "x")),
    _company("script-name", "name that is markup", "<script>alert('hallo')</script> BV"),
    _company("formula-name", "name that a spreadsheet would run", "=cmd|' /C calc'!A0"),
    _company("punctuated-name", "quotes, commas and a newline in the name", 'Jansen, "De Hoek"\n& Zonen; BV'),
    _company(
        "greek-name", "Greek name", "Ελληνική Εταιρεία ΑΕ", addresses=[address("Ερμού 12", "105 63", "Αθήνα", "GR")]
    ),
    _company(
        "cjk-name", "Japanese name", "株式会社サンプル", addresses=[address("千代田1-1", "100-0001", "東京", "JP")]
    ),
    _company(
        "small-country",
        "country in lower case",
        "Kleine Letters BV",
        addresses=[address("Markt 1", "8000", "Brugge", "be")],
    ),
    _company(
        "uk-country",
        "country code UK, which is not ISO",
        "London Calling Ltd",
        addresses=[address("1 High St", "N1 9GU", "London", "UK")],
    ),
    _company("regional-language", "language with a region", "Région Wallonne SPRL", language="fr-BE"),
    _company("odd-language", "language Twikey does not speak", "Polska Firma", language="pl"),
    _company("deactivated", "deactivated in Teamleader", "Gestopt NV", status="deactivated"),
    _company(
        "long-street",
        "street of 100 characters",
        "Lange Straat BV",
        addresses=[address("Burgemeester " * 8, "9000", "Gent")],
    ),
    _company(
        "mobile-as-phone",
        "a mobile number filed as a phone, next to a fax",
        "Bereikbaar BV",
        telephones=phones(fax="+32 9 298 06 16", phone="0475/12.34.56"),
    ),
    _contact("ordinary-person", "nothing", "An", "Peeters", telephones=phones(mobile="0475 12 34 56"), language="nl"),
    _contact(
        "only-last-name",
        "no first name, no address, no e-mail",
        None,
        "Vandenberghe",
        emails=[],
        addresses=[NO_ADDRESS],
        language=None,
    ),
    _contact(
        "slashed-phone",
        "mobile number with slash and dots",
        "Bart",
        "De Smet",
        telephones=phones(mobile="0475/12.34.56"),
    ),
    _contact(
        "worded-phone",
        "words in the phone number",
        "Carla",
        "Maes",
        telephones=phones(phone="bel na 18u: 09 298 06 15"),
    ),
    _contact(
        "zeros-phone",
        "number with 00 and the country code",
        "Dirk",
        "Wouters",
        telephones=phones(mobile="0032 475 12 34 56"),
    ),
    _contact(
        "dutch-person",
        "Dutch mobile number without country code",
        "Eva",
        "de Vries",
        addresses=[AMSTERDAM],
        telephones=phones(mobile="06-12345678"),
    ),
    _contact("bad-email", "e-mail that is not one", "Fien", "Claes", emails=emails("fien(at)example.org")),
    _contact(
        "long-email",
        "e-mail of more than 70 characters",
        "Geert",
        "Goossens",
        emails=emails(f"{'g' * 60}@{'long-' * 4}name.example.org"),
    ),
    _contact("cyrillic-name", "Cyrillic name", "Дарья", "Соколова", emails=emails("darya@example.org")),
    _contact("arabic-name", "Arabic name, written right to left", "ليلى", "الحداد", emails=emails("layla@example.org")),
    _contact("accented-name", "accents and an apostrophe", "Zoë", "D'Hondt-Müller"),
    _contact(
        "long-person",
        "first and last name of 60 characters",
        "Maria-" * 10,
        "van den " * 7 + "Berg",
        emails=emails("maria@example.org"),
    ),
    _contact("emoji-name", "emoji and surrounding spaces", "  Noor 🌷 ", "Jacobs"),
    _contact(
        "german-person",
        "German address and language",
        "Otto",
        "Weiß",
        language="de",
        addresses=[address("Königsallee 1", "40212", "Düsseldorf", "DE")],
    ),
    _contact("deactivated-person", "deactivated in Teamleader", "Piet", "Verdwenen", status="deactivated"),
)

_PEOPLE = "Jan Janssens|Els Mertens|Tom Willems|Sofie Claeys|Koen Dubois|Lies Lambrecht|Wim Martens|Ruth Hermans|Sem Bakker|Fleur Visser"
_FIRMS = "Bakkerij Tarwe|Fietsen Van Hove|Drukkerij Inkt|Garage Motor|Studio Licht|Bloemen Roos|Advocaten Wet|Tuinen Groen|Bouw Steen|Schilders Verf"
_TOWNS = (("9000", "Gent"), ("2000", "Antwerpen"), ("3000", "Leuven"), ("8000", "Brugge"), ("1000", "Brussel"))


def _ordinary() -> tuple[Character, ...]:
    people = enumerate(_PEOPLE.split("|"), start=1)
    firms = enumerate(_FIRMS.split("|"), start=1)
    return (
        *(
            _contact(
                f"person-{n}", "nothing", *name.split(" ", 1),
                addresses=[address(f"Kerkstraat {n}", *_TOWNS[n % 5])],
                telephones=phones(mobile=f"+324701234{n:02}"),
            )
            for n, name in people
        ),
        *(
            _company(
                f"company-{n}", "nothing", name + " BV",
                addresses=[address(f"Stationsplein {n}", *_TOWNS[n % 5])],
                vat_number=_belgian_vat(4_000_000 + n), telephones=phones(phone=f"+3292980{n:03}"),
            )
            for n, name in firms
        ),
    )  # fmt: skip


def _belgian_vat(root: int) -> str:
    """Ten digits of which the last two are 97 minus the rest modulo 97."""
    return f"BE{root:08}{97 - root % 97:02}"


CHARACTERS: tuple[Character, ...] = (*AWKWARD, *_ordinary())


def character(slug: str) -> Character:
    """The character with this slug; KeyError when there is none."""
    return {one.slug: one for one in CHARACTERS}[slug]
