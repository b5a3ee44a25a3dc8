"""What Twikey accepts as a customer, and the error code of what it does not; pure."""

import re
from collections.abc import Mapping

LONGEST = {
    "customerNumber": 50, "email": 70, "lastname": 50, "firstname": 50, "companyName": 140, "coc": 50, "vatno": 50,
    "address": 70, "city": 50, "zip": 50, "mobile": 50, "peppol": 50,
}  # fmt: skip
LANGUAGES = ("en", "nl", "fr", "de", "pt", "es", "it")
COUNTRIES = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ "
    "CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO "
    "FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE "
    "JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO "
    "MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW "
    "PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM "
    "TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"
)
HIGHEST_PROFILE = 9999
_EMAIL = re.compile(r"[^\s@,;<>()]+@[^\s@,;<>().]+(\.[^\s@,;<>().]+)+")
_MOBILE = re.compile(r"\+?[0-9]{6,15}")
_COC = re.compile(r"[A-Za-z0-9]+")


class Refused(Exception):
    """An error code of Twikey, with the parameter or value at fault where Twikey tells it."""

    def __init__(self, code: str, message: str, extra: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.extra = code, message, extra


def check(parameters: Mapping[str, str]) -> None:
    """Raises `Refused` for the first thing wrong. Empty values pass: official plugins send them."""
    for name, value in parameters.items():
        if len(value) > LONGEST.get(name, 1000):
            raise Refused("err_invalid_params", f"{name} is too long", name)
        if value:
            _check_form(name, value)


def _check_form(name: str, value: str) -> None:
    match name:
        case "email" if not _EMAIL.fullmatch(value):
            raise Refused("err_invalid_email", "Invalid email", value)
        case "country" if len(value) != 2 or value not in COUNTRIES.split():
            raise Refused("err_invalid_country", "Invalid country", value)
        case "l" if value not in LANGUAGES:
            raise Refused("err_invalid_lang", "Invalid language", value)
        case "ct" if not value.isdecimal() or int(value) > HIGHEST_PROFILE:
            raise Refused("err_invalid_params", "Invalid profile", name)
        case "mobile" if not _MOBILE.fullmatch(value):
            raise Refused("err_invalid_params", "Invalid mobile number", name)
        case "coc" if not _COC.fullmatch(value):
            raise Refused("err_invalid_params", "Invalid enterprise number", name)
