"""POST /creditor opens a session for an API key, GET /creditor ends every session of that key."""

from flask import Blueprint, Response, jsonify, make_response, request

from sandbox.twikey.answers import empty, not_logged_in, refused, slow_down
from sandbox.twikey.office import Office
from sandbox.twikey.validation import Refused


def login_blueprint(office: Office) -> Blueprint:
    pages = Blueprint("login", __name__)

    @pages.post("/creditor", strict_slashes=False)
    @pages.post("/creditor/", strict_slashes=False)
    def log_in() -> Response:
        if pause := office.login_pause():
            return slow_down(pause)
        creditor = office.by_key(request.form.get("apiToken", ""))
        if creditor is None:
            status = 400 if office.settings.bad_login == "status_400" else 200
            return refused(Refused("err_no_login", "Not logged in"), status)
        token = office.open_session(creditor)
        answer = make_response(jsonify(Authorization=token))
        answer.headers["Authorization"] = token
        answer.headers["X-MERCHANT-ID"] = creditor.merchant_id
        return answer

    @pages.get("/creditor", strict_slashes=False)
    @pages.get("/creditor/", strict_slashes=False)
    def log_out() -> Response:
        creditor = office.session_of(request.headers.get("Authorization", ""))
        if creditor is None:
            return not_logged_in()
        office.end_sessions(creditor)
        return empty(204)

    return pages
