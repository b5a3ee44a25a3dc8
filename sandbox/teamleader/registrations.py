"""webhooks.register, webhooks.unregister, webhooks.list and users.me."""

import re

from sandbox.teamleader.call import Answer, Call, CallRefused, Operation
from sandbox.world import Fields, stable_id

_ENTITIES = (
    "account call company contact creditNote deal incomingCreditNote incomingInvoice invoice meeting milestone "
    "nextgenProject nextgenTask product project receipt subscription task ticket ticketMessage timeTracking user"
)
_TYPE = re.compile(rf"({_ENTITIES.replace(' ', '|')})\.[a-z][A-Za-z]+")
_NEVER = {"contact.deactivated", "company.deactivated"}  # named in one public connector, in no specification


def register(call: Call) -> Answer:
    """The key is (address, type): registering again adds types, and there is no secret to be had."""
    url, types = call.text("url"), call.texts("types")
    if not re.match(r"https?://", url):
        raise CallRefused(400, "url must be an absolute URL", field="url")
    unknown = [name for name in types if not _TYPE.fullmatch(name) or name in _NEVER]
    if unknown or not types:
        raise CallRefused(400, "types must name known webhook types", field="types")
    with call.account.lock:
        call.account.registrations.setdefault(url, set()).update(types)
    return 204, None


def unregister(call: Call) -> Answer:
    url, types = call.text("url"), call.texts("types")
    with call.account.lock:
        left = call.account.registrations.get(url, set()) - set(types)
        call.account.registrations.pop(url, None)
        if left:
            call.account.registrations[url] = left
    return 204, None


def list_(call: Call) -> Answer:
    with call.account.lock:
        registrations = sorted(call.account.registrations.items())
    return 200, {"data": [{"url": url, "types": sorted(types)} for url, types in registrations]}


def me(call: Call) -> Answer:
    user: Fields = {
        "id": stable_id("user"),
        "account": {"type": "account", "id": call.account.id},
        "first_name": "Sam",
        "last_name": "Sandbox",
        "email": "sam@example.com",
        "email_verification_status": "confirmed",
        "telephones": [],
        "language": "nl-BE",
        "function": None,
        "time_zone": "Europe/Brussels",
        "preferences": {"invoiceable": True, "historic_time_tracking_limit": None, "whitelabeling": False},
        "teams": [],
    }
    return 200, {"data": user}


OPERATIONS: dict[str, Operation] = {
    "webhooks.register": register,
    "webhooks.unregister": unregister,
    "webhooks.list": list_,
    "users.me": me,
}
