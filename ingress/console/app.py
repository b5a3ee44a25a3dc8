"""The console as a Flask application: its pages, its gate, its headers. Reads no settings and opens no connection."""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from flask import Flask, Response, g, jsonify, request, url_for
from jinja2 import StrictUndefined
from markupsafe import Markup
from werkzeug.middleware.proxy_fix import ProxyFix

from ingress.console import csrf, errors, gate, headers
from ingress.console.here import Here
from ingress.console.language import LANGUAGES
from ingress.console.page import Link, Pages
from ingress.console.pages import (
    account,
    add_customer,
    alerts,
    audit_log,
    connect,
    connection,
    customer,
    customers,
    dead_letters,
    files,
    integration,
    jobs,
    operators,
    overview,
    runbook,
    settings,
    sign_in,
    switches,
)
from workers.operators import rights_in
from workers.services import Services
from workers.standing import Level

# In the order of the menu.
PAGES: tuple[Pages, ...] = (
    sign_in.pages,
    overview.pages,
    integration.pages,
    customers.pages,
    customer.pages,
    add_customer.pages,
    dead_letters.pages,
    jobs.pages,
    files.pages,
    alerts.pages,
    connection.pages,
    switches.pages,
    settings.pages,
    connect.pages,
    audit_log.pages,
    operators.pages,
    runbook.pages,
    account.pages,
)
# A page that takes more says so: `Need.most_bytes`.
FORM_BYTES = 64 * 1024


def create_app(services: Services, *, pages: Sequence[Pages] = PAGES) -> Flask:
    """The application; `services` is all it can reach."""
    app = Flask(__name__)
    app.config.update(MAX_CONTENT_LENGTH=FORM_BYTES, MAX_FORM_MEMORY_SIZE=FORM_BYTES)
    _believe_proxies(app, services.settings.console_proxies)
    gate.guard(app, services)
    errors.answer_with_pages(app, services)
    for one in pages:
        app.register_blueprint(one.blueprint)
    _tell_templates(app, pages)
    app.add_url_rule("/livez", "livez", lambda: jsonify(status="alive"), provide_automatic_options=False)
    app.after_request(partial(_secure, https=services.settings.console_url.startswith("https:")))
    return app


def _believe_proxies(app: Flask, proxies: int) -> None:
    """Only as many proxies are believed as the settings say there are; the rest of such headers anybody may have written."""
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)  # type: ignore[method-assign]


def _tell_templates(app: Flask, pages: Sequence[Pages]) -> None:
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(
        t=lambda key, /, **values: _here().words(key, **values),
        t_or=lambda key, otherwise: _here().words.or_else(key, otherwise),
        when=lambda at: _here().words.when(at),
        ago=lambda at: _here().words.ago(at),
        number=lambda value: _here().words.number(value),
        span=lambda duration: _here().words.span(duration),
        size=lambda bytes_: _here().words.size(bytes_),
        csrf=_csrf,
        static=_static(app),
        languages=LANGUAGES,
        levels=Level,
        rights_in=rights_in,
        menu=lambda: _usable([link for one in pages for link in one.menu]),
        tabs=lambda: _usable([link for one in pages for link in one.tabs]),
    )


def _here() -> Here:
    here: Here = g.here
    return here


def _usable(links: list[Link]) -> list[Link]:
    """The links that this operator may follow."""
    session = _here().session
    if session is None:
        return []
    able = session.operator
    return [link for link in links if link.need.role and able.may(link.need.role, unlimited=link.need.unlimited)]


def _csrf() -> Markup:
    return Markup('<input type="hidden" name="{}" value="{}">').format(csrf.FIELD, _here().form_token)


def _static(app: Flask) -> "partial[str]":
    """Addresses that name the contents, so that browsers keep them for ever and never an old one."""
    folder = Path(app.static_folder or "")
    files = [file for file in folder.iterdir() if file.is_file()]
    versions = {file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:12] for file in files}
    return partial(_static_address, versions)


def _static_address(versions: dict[str, str], name: str) -> str:
    return url_for("static", filename=name, v=versions[name])


def _secure(response: Response, *, https: bool) -> Response:
    here: Here | None = g.get("here")
    if request.endpoint == "static" and response.status_code in (200, 304):
        headers.keep_for_ever(response)
    return headers.secure(response, https=https, form_targets=here.form_targets if here else ())
