"""A big world computed instead of stored: customer number n can be made in either direction at any time."""

import random
from datetime import UTC, datetime, timedelta

from sandbox.teamleader.shapes import new_customer
from sandbox.world import Fields, Kind, address, emails, phones

FIRST_EDIT = datetime(2021, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=5 * 365)
_DIGITS: dict[Kind, str] = {"contact": "0c01", "company": "0c02"}
_TOWNS = (("9000", "Gent"), ("2000", "Antwerpen"), ("3000", "Leuven"), ("8000", "Brugge"), ("1000", "Brussel"))


class GeneratedWorld:
    """`total` customers, half of them companies; by name, by age and by last edit they come in the same order."""

    def __init__(self, total: int, seed: int = 0) -> None:
        self.total = total
        self.seed = seed

    def count(self, kind: Kind) -> int:
        return (self.total + (1 if kind == "contact" else 0)) // 2

    def identify(self, kind: Kind, position: int) -> str:
        return f"{self.seed % 2**32:08x}-{_DIGITS[kind]}-0374-b871-{position:012x}"

    def position(self, kind: Kind, customer_id: str) -> int | None:
        """The inverse of `identify`; None for an id that is not ours."""
        try:
            position = int(customer_id[-12:], 16)
        except ValueError:
            return None
        known = 0 <= position < self.count(kind) and self.identify(kind, position) == customer_id
        return position if known else None

    def record(self, kind: Kind, position: int) -> Fields:
        at = FIRST_EDIT + position * (SPAN / max(self.count(kind), 1))
        given = self._company(position) if kind == "company" else self._contact(position)
        return new_customer(kind, self.identify(kind, position), at, given)

    def _company(self, position: int) -> Fields:
        root = 4_000_000 + position
        return {
            "name": f"Firma {position:07}",
            "vat_number": f"BE{root:08}{97 - root % 97:02}",
            "emails": emails(f"info@f{position}.example.com", f"facturen@f{position}.example.com"),
            "telephones": phones(phone=f"+3292{position % 1_000_000:06}"),
            "addresses": [self._address(position)],
        }

    def _contact(self, position: int) -> Fields:
        return {
            "first_name": f"Persoon {position:07}",
            "last_name": "De Test",
            "emails": emails(f"p{position}@example.org"),
            "telephones": phones(mobile=f"+32470{position % 1_000_000:06}"),
            "addresses": [self._address(position)],
        }

    def _address(self, position: int) -> Fields:
        chance = random.Random(self.seed * 1_000_003 + position)
        return address(f"Kerkstraat {chance.randint(1, 300)}", *chance.choice(_TOWNS))
