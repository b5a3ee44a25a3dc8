"""Twikey's API in bytes: builds its requests and understands its answers. No I/O.

https://www.twikey.com/api and github.com/twikey/development-kit, docs/openapi.yaml 1.0.3; what these leave open as Twikey's
own clients (github.com/twikey) do it; all looked up 2026-11-22. An error is a code in a header or in the JSON body, mostly with status 400, but
seen with 200 as well. Twikey may quote what we sent; `masking` takes that out before anybody reads it.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode

from config.integrations import TwikeyConnection
from mapping import USABLE_NUMBER
from workers.clients.errors import ApiFailure, CreateUnavailable, Refused, Throttled, Unavailable, UnknownCustomer
from workers.clients.messages import Answer, Request
from workers.clients.twikey.masking import mask

CODE = re.compile(r"(?:err|error|invalid|register)_[a-z_]{1,60}")
CODE_NAMES_FIELD = re.compile(r"(?:err_)?(?:invalid|missing|no_such)_([a-z]+)")
FIELD_OF = {"lang": "l", "language": "l", "number": "customerNumber", "vat": "vatno", "phone": "mobile"}
ERROR_HEADERS = ("apierrorcode", "apierror")
SESSION_DEAD = "err_no_login"
NOT_AUTHORISED = ("err_not_authorised", "err_not_authorized")
UNKNOWN = ("err_debtor_not_found", "err_not_found")
# Twikey's side, whatever the status.
PASSING = ("error_system", "err_system", "err_call_in_progress")
# What may stand in a header.
TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
ACCEPT = {"Accept": "application/json", "Accept-Language": "en"}
FORM = {**ACCEPT, "Content-Type": "application/x-www-form-urlencoded"}


def login_request(connection: TwikeyConnection) -> Request:
    return Request("twikey", "POST", connection.api_url, FORM, _form({"apiToken": connection.api_token}).encode())


def update_request(api_url: str, session: str, number: str, fields: Mapping[str, str]) -> Request:
    """Changes the fields named, and only those. They travel in the query string; the body is empty."""
    return Request(
        "twikey", "PATCH", f"{_address(api_url, number)}?{_form(fields)}", {**FORM, "Authorization": session}
    )


def create_request(api_url: str, session: str, number: str, fields: Mapping[str, str]) -> Request:
    """Replaces the customer whole, so only for one that does not exist yet."""
    return Request(
        "twikey", "PUT", _address(api_url, number), {**FORM, "Authorization": session}, _form(fields).encode()
    )


def get_request(api_url: str, session: str, number: str) -> Request:
    return Request("twikey", "GET", _address(api_url, number), {**ACCEPT, "Authorization": session})


def session_token(answer: Answer) -> str | None:
    """The token of a login that succeeded, from the header or else the body."""
    if answer.status != 200 or is_error(answer):
        return None
    token = answer.headers.get("authorization") or (answer.json_object() or {}).get("Authorization")
    return token if isinstance(token, str) and TOKEN.fullmatch(token) else None


def is_error(answer: Answer) -> bool:
    """An error header makes an error even of a 200."""
    return not 200 <= answer.status < 300 or any(answer.headers.get(name) for name in ERROR_HEADERS)


def error_code(answer: Answer) -> str:
    """The machine's word for what went wrong: from the body, else from whichever header holds one. Empty: none."""
    if not is_error(answer):
        return ""
    said = [(answer.json_object() or {}).get("code"), *(answer.headers.get(name) for name in ERROR_HEADERS)]
    return next((word for word in said if isinstance(word, str) and CODE.fullmatch(word)), "")


def session_is_dead(answer: Answer) -> bool:
    """Whether one new login may help."""
    return answer.status == 401 or error_code(answer) == SESSION_DEAD


def session_is_suspect(answer: Answer) -> bool:
    """A dead session used again at once is answered like this instead of with 401."""
    return answer.status == 429 and error_code(answer) in NOT_AUTHORISED


def is_refused_login(answer: Answer) -> bool:
    """The API key is wrong; anything else that is not a token is no usable answer."""
    if not is_error(answer) or error_code(answer) in PASSING:
        return False
    by_twikey = any(answer.headers.get(name) for name in ERROR_HEADERS) or answer.json_object() is not None
    return answer.status == 401 or (answer.status in (200, 400, 403) and by_twikey)


def throttled(answer: Answer, *, now: datetime) -> Throttled:
    """A 429 with the time it names, if any."""
    said = answer.headers.get("x-rate-limit-retry-after-seconds") or answer.headers.get("retry-after") or ""
    until = now + timedelta(seconds=min(int(said), 86_400)) if re.fullmatch(r"[0-9]{1,9}", said) else None
    return Throttled("twikey", "Twikey asks us to call less often", until=until)


def check(answer: Answer, sent: Mapping[str, str], *, now: datetime, creating: bool = False) -> None:
    """Raises the `ApiFailure` that the answer to a call with these fields is, if it is one."""
    if not is_error(answer):
        return _check_is_twikeys_yes(answer)
    code = error_code(answer)
    if answer.status == 429:
        raise throttled(answer, now=now)
    if creating and (answer.status in (404, 405) or code in UNKNOWN):
        sentence = (
            "this Twikey account does not let us create customers: create it in Twikey, or ask Twikey to allow it"
        )
        raise CreateUnavailable("twikey", sentence, status=answer.status, code=code)
    if code in UNKNOWN:
        raise UnknownCustomer("twikey", "Twikey has no customer with this number", status=answer.status, code=code)
    if answer.status >= 500 or code in PASSING or not _is_their_no(answer, code):
        sentence = f"Twikey gave no usable answer (HTTP {answer.status})"
        raise Unavailable("twikey", sentence, status=answer.status, code=code)
    raise _refusal(answer, code, sent)


def _check_is_twikeys_yes(answer: Answer) -> None:
    """Twikey says yes with nothing or with JSON; a 200 with a page is somebody in between, and nothing was done."""
    if answer.body.strip() and answer.json_object() is None:
        raise Unavailable("twikey", "a page came instead of Twikey's answer", status=answer.status)


def _is_their_no(answer: Answer, code: str) -> bool:
    """A refusal of Twikey's own, not some proxy's page: it has a code, is a plain 400, or is at least JSON."""
    by_twikey = code or answer.status < 300 or answer.status == 400 or answer.json_object() is not None
    return bool(by_twikey) and not 300 <= answer.status < 400 and answer.status not in (408, 409, 425)


def _refusal(answer: Answer, code: str, sent: Mapping[str, str]) -> ApiFailure:
    document = answer.json_object() or {}
    field = _field(code, document.get("extra"), sent)
    words = document.get("message") or answer.headers.get("apierror")
    said = mask(words, sent) if isinstance(words, str) and words != code else ""
    parts = [part for part in (code, f"field {field}" if field else "", said) if part]
    sentence = f"Twikey refuses this: {', '.join(parts) or 'no reason given'}"
    return Refused("twikey", sentence, status=answer.status, code=code, field=field)


def _field(code: str, extra: object, sent: Mapping[str, str]) -> str:
    """The parameter at fault. `extra` may as well be the value itself, so only names we sent are believed."""
    if isinstance(extra, str) and extra in sent:
        return extra
    named = CODE_NAMES_FIELD.fullmatch(code)
    name = FIELD_OF.get(named[1], named[1]) if named else ""
    return name if name in sent else ""


def _address(api_url: str, number: str) -> str:
    """Raises `Refused` before anything odd is sent anywhere."""
    if not USABLE_NUMBER.fullmatch(number):
        sentence = "this customer number is not safe to use: only letters, digits, dots, hyphens and underscores, a letter or digit first"
        raise Refused("twikey", sentence, field="customerNumber")
    return f"{api_url}/customer/{number}"


def _form(fields: Mapping[str, str]) -> str:
    # quote, not quote_plus: a space as %20 is right in a query and in a form. Half a surrogate pair becomes "?".
    return urlencode(fields, quote_via=quote, safe="", errors="replace")
