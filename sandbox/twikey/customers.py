"""/creditor/customer/<ref>: PATCH reads the query, PUT the form, and an unknown customer is a 400."""

from collections.abc import Callable, Mapping

from flask import Blueprint, Response, jsonify, request

from sandbox.twikey.answers import empty, not_logged_in, refused
from sandbox.twikey.creditor import PARAMETERS, Creditor, Customer, Profile, Write
from sandbox.twikey.office import Office, TwikeySettings
from sandbox.twikey.validation import LONGEST, Refused, check


def customer_blueprint(office: Office) -> Blueprint:
    pages = Blueprint("customers", __name__)
    verbs: dict[str, Callable[[Office, Creditor, str], Response]] = {
        "PATCH": patch,
        "PUT": put,
        "GET": get,
        "DELETE": delete,
    }

    @pages.route("/creditor/customer/<ref>", methods=list(verbs))
    def customer(ref: str) -> Response:
        creditor = office.session_of(request.headers.get("Authorization", ""))
        if creditor is None:
            return not_logged_in()
        try:
            with creditor.lock:
                answer = verbs[request.method](office, creditor, ref)
        except Refused as refusal:
            return refused(refusal)
        request.environ["sandbox.record"].notes["accepted"] = answer.status_code < 300
        return answer

    return pages


def patch(office: Office, creditor: Creditor, ref: str) -> Response:
    """Only what is sent changes. Neither creates nor merges."""
    sent = _note(office, creditor, ref, request.args)
    customer = _known(creditor, ref, "err_debtor_not_found")
    check(sent)
    _check_profile(office, sent)
    _check_names(customer, sent)
    number = sent.pop("customerNumber", ref)
    if number != ref and number in creditor.customers:
        raise Refused("err_duplicate_ref", "Customer number is in use", number)
    if "companyName" not in sent:
        sent.pop("coc", None)
    customer.profile = _merged(office.settings, customer.profile, sent)
    if number != ref:
        creditor.renumber(customer, number)
    return empty(204)


def put(office: Office, creditor: Creditor, ref: str) -> Response:
    """Creates an unknown customer; of a known one, what is not sent is cleared."""
    if not office.settings.put_available:
        return empty(405)
    sent = _note(office, creditor, ref, request.form)
    if len(ref) > LONGEST["customerNumber"]:
        raise Refused("err_invalid_params", "customerNumber is too long", "customerNumber")
    check(sent)
    _check_profile(office, sent)
    sent.pop("customerNumber", None)
    customer = creditor.customers.get(ref)
    if customer is None:
        creditor.add(ref, _merged(office.settings, {}, sent))
    else:
        _check_names(customer, sent)
        kept = {} if office.settings.put_clears_omitted else customer.profile
        customer.profile = _merged(office.settings, kept, sent)
    return empty(office.settings.put_status)


def get(office: Office, creditor: Creditor, ref: str) -> Response:
    return jsonify(_known(creditor, ref, "err_not_found").as_twikey_json(office.settings.cc_parameter))


def delete(office: Office, creditor: Creditor, ref: str) -> Response:
    _note(office, creditor, ref, {})
    if _known(creditor, ref, "err_not_found").name_locked:
        raise Refused("err_remove_stale", "Customer has contracts", ref)
    del creditor.customers[ref]
    return empty(204)


def _note(office: Office, creditor: Creditor, ref: str, sent: Mapping[str, str]) -> dict[str, str]:
    """Puts the write on record and answers the known parameters; unknown ones are ignored, as Twikey does."""
    known = {*PARAMETERS, "customerNumber", office.settings.cc_parameter} - {""}
    accepted = {name: value for name, value in sent.items() if name in known}
    ignored = {name: value for name, value in sent.items() if name not in known}
    record = request.environ["sandbox.record"]
    record.notes |= {"customer": ref, "ignored": sorted(ignored)}
    creditor.note(Write(ref, request.method, dict(accepted), ignored, record))
    return accepted


def _known(creditor: Creditor, ref: str, code: str) -> Customer:
    customer = creditor.customers.get(ref)
    if customer is None:
        raise Refused(code, "Customer not found", ref)
    return customer


def _check_profile(office: Office, sent: Mapping[str, str]) -> None:
    profiles = office.settings.known_profiles
    if sent.get("ct") and profiles is not None and int(sent["ct"]) not in profiles:
        raise Refused("err_no_such_ct", "No such profile", sent["ct"])


def _check_names(customer: Customer, sent: Mapping[str, str]) -> None:
    """Who signed an agreement keeps the name and enterprise number; which code Twikey uses is not known."""
    if customer.name_locked and {"companyName", "coc"} & set(sent):
        raise Refused("err_contact_support", "Please contact support")


def _merged(settings: TwikeySettings, profile: Profile, sent: Mapping[str, str]) -> Profile:
    result = dict(profile)
    for name, value in sent.items():
        if value:
            result[name] = value
        elif settings.empty_clears:
            result.pop(name, None)
    return result
