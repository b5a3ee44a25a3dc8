"""Teamleader's own control API: accounts, tokens, webhooks and settings, on top of the records."""

from typing import Any

from flask import Blueprint, jsonify

from sandbox.control import ControlRefused, Reply, json_body, refuse
from sandbox.teamleader.account import Account, Event
from sandbox.teamleader.control_records import chosen_account, customer_routes, invoice_routes
from sandbox.teamleader.generated import GeneratedWorld
from sandbox.teamleader.world import World
from sandbox.world import CHARACTERS


def teamleader_control(world: World) -> Blueprint:
    control = Blueprint("teamleader_control", __name__, url_prefix="/_sandbox")
    control.register_error_handler(ControlRefused, refuse)
    customer_routes(control, world)
    invoice_routes(control, world)
    _account_routes(control, world)
    _token_routes(control, world)
    _webhook_routes(control, world)
    _settings_routes(control, world)
    return control


def _account_routes(control: Blueprint, world: World) -> None:
    def shown(account: Account) -> dict[str, Any]:
        return {"id": account.id, "client_id": account.client_id, "client_secret": account.client_secret}

    @control.get("/accounts")
    def list_accounts() -> Reply:
        return jsonify(accounts=[shown(account) for account in world.accounts.values()])

    @control.post("/accounts")
    def create_account() -> Reply:
        """Optional: id, name, client_id, client_secret, refresh_token; `empty` leaves the usual characters out; `generate` adds
        so many made up customers."""
        wanted = json_body()
        names = {name: wanted[name] for name in ("name", "client_id", "client_secret") if name in wanted}
        generated = GeneratedWorld(int(wanted["generate"])) if wanted.get("generate") else None
        characters = () if wanted.get("empty") else CHARACTERS
        account = world.add_account(str(wanted.get("id", "")), characters=characters, generated=generated, **names)
        pair = world.issue_tokens(account, refresh=str(wanted.get("refresh_token", "")))
        return jsonify(shown(account) | vars(pair)), 201


def _token_routes(control: Blueprint, world: World) -> None:
    @control.post("/tokens")
    def seed_tokens() -> Reply:
        """A new pair; `access_token` and `refresh_token` may be chosen."""
        wanted = json_body()
        access, refresh = str(wanted.get("access_token", "")), str(wanted.get("refresh_token", ""))
        return jsonify(vars(world.issue_tokens(chosen_account(world), access=access, refresh=refresh))), 201

    @control.get("/tokens")
    def count_tokens() -> Reply:
        tokens = world.tokens
        return jsonify(refreshes=tokens.refreshes, refused_refreshes=tokens.refused_refreshes)

    @control.post("/tokens/expire")
    def expire_tokens() -> Reply:
        world.tokens.expire_access_tokens(chosen_account(world).id)
        return jsonify(expired=True)

    @control.post("/tokens/revoke")
    def revoke_tokens() -> Reply:
        world.tokens.revoke_all(chosen_account(world).id)
        return jsonify(revoked=True)


def _webhook_routes(control: Blueprint, world: World) -> None:
    @control.get("/webhooks")
    def list_registrations() -> Reply:
        registrations = chosen_account(world).registrations
        return jsonify(webhooks=[{"url": url, "types": sorted(types)} for url, types in registrations.items()])

    @control.delete("/webhooks")
    def forget_registrations() -> Reply:
        chosen_account(world).registrations.clear()
        return jsonify(cleared=True)

    @control.post("/webhooks/send")
    def send_webhook() -> Reply:
        """Fires any event: `{"type", "subject": {"type", "id"}}`."""
        wanted = json_body()
        subject = wanted.get("subject") or {}
        names = (str(wanted.get("type")), str(subject.get("type")), str(subject.get("id")))
        world.postman.announce(Event(chosen_account(world).id, *names))
        return jsonify(announced=True), 202

    @control.get("/deliveries")
    def list_deliveries() -> Reply:
        deliveries = [delivery.as_json() for delivery in world.postman.deliveries()]
        return jsonify(deliveries=deliveries, idle=world.postman.is_idle())

    @control.delete("/deliveries")
    def clear_deliveries() -> Reply:
        world.postman.forget()
        return jsonify(cleared=True)


def _settings_routes(control: Blueprint, world: World) -> None:
    @control.get("/settings")
    def show_settings() -> Reply:
        return jsonify(settings=vars(world.settings), deliveries=vars(world.postman.settings))

    @control.patch("/settings")
    def change_settings() -> Reply:
        wanted = json_body()
        for target, name in ((world.settings, "settings"), (world.postman.settings, "deliveries")):
            for key, value in (wanted.get(name) or {}).items():
                if key not in vars(target):
                    raise ControlRefused(400, f"unknown setting: {key}")
                setattr(target, key, value)
        world.set_rate_limit(world.settings.rate_limit, world.settings.rate_window)
        return show_settings()

    @control.post("/rate-limit/reset")
    def reset_rate_limit() -> Reply:
        chosen_account(world).limiter.clear()
        return jsonify(reset=True)
