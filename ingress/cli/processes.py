"""Commands that are processes: the ones of the Procfile, and `run`, which runs them all.

Each imports what only it needs when it is called: a worker that was killed need not load the console to be back.
"""

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import redis
import structlog
from cryptography.fernet import Fernet

from config import log as logging_setup
from config.embedded import EmbeddedStore, NoStore
from config.settings import Settings
from config.store import connect, durability_problems
from ingress.cli.shared import FAILED, NO_STORE, SETTINGS, load_settings, refuse
from ingress.cli.supervisor import DRAIN_SECONDS, OURS, Supervisor, read_procfile
from ingress.ports import is_taken
from workers.integrations import checked
from workers.services import Services, open_services, store_url

# Whatever ran here before and is stopping has its ports for so long, at most.
PORTS_FREE_WITHIN_SECONDS = DRAIN_SECONDS
LOOK_EVERY_SECONDS = 0.5

log = structlog.get_logger()


@click.command()
@click.option("--procfile", type=click.Path(exists=True, dir_okay=False, path_type=Path), default="Procfile")
def run(procfile: Path) -> None:
    """Run everything: the store (when none is configured) and each process of the Procfile. Ctrl-C stops all."""
    settings = _begin("run")
    commands = read_procfile(procfile)
    _wait_for_ports(_ports(settings, commands))
    store = None
    if settings.embedded:
        store = EmbeddedStore(settings.data_dir, on_restart=lambda: log.warning("The store died and is started again."))
    supervisor = Supervisor(commands)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.ask_to_stop())
    try:
        _check_store(store.start() if store else settings.redis_url)
        supervisor.start()
        log.info(
            "Running.",
            webhooks=f"http://{settings.web_host}:{settings.web_port}",
            console=settings.console_url,
            processes=list(supervisor.commands),
        )
        supervisor.watch()
    except NoStore as none:
        refuse(str(none), NO_STORE)
    finally:
        log.info("Stopping; work in progress is finished first.")
        supervisor.stop()
        if store:
            store.stop()


@click.command()
def web() -> None:
    """Run the web process: receives webhooks, checks them and puts them into the ledger."""
    from ingress.webhooks import server

    settings = _begin("web")
    try:
        url = store_url(settings)
    except NoStore as none:
        refuse(str(none), NO_STORE)
    try:
        # Makes the store agree with the environment, so that the very first webhook finds its integration.
        open_services(settings).close()
    except redis.RedisError as error:
        log.warning("The store is away; senders are asked to come back until it is there.", error=type(error).__name__)
    server.run(settings, url)


@click.command()
def worker() -> None:
    """Run a worker process: brings customers from Teamleader to Twikey."""
    from workers.worker import run_worker

    raise SystemExit(run_worker(_open(_begin("worker"))))


@click.command()
def bulk() -> None:
    """Run a bulk process: sweeps, comparisons and other work on whole accounts, pacing itself behind live work."""
    from workers.bulk.runner import run_bulk

    raise SystemExit(run_bulk(_open(_begin("bulk"))))


@click.command()
def clock() -> None:
    """Run the clock process: wakes what is due, keeps tokens and registration fresh."""
    from workers.clock import Clock

    ticking = Clock(_open(_begin("clock")))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ticking.stop())
    ticking.run()


@click.command()
def console() -> None:
    """Run the console: the pages for operators, on a port of their own."""
    from ingress.console import server as console_server
    from ingress.console.app import create_app as create_console

    settings = _begin("console")
    # Opened after gunicorn has forked; asked for here first, so that what is missing is said in a sentence.
    _open(settings).close()
    console_server.run(settings, lambda: create_console(open_services(settings)))


@click.command("new-key")
def new_key() -> None:
    """Print a new random key, good for TLTW_SECRET_KEY and TLTW_WEBHOOK_KEY."""
    click.echo(Fernet.generate_key().decode())


def _begin(process: str) -> Settings:
    settings = load_settings()
    try:
        checked(settings)
    except ValueError as wrong:
        refuse(f"These settings need attention:\n  {wrong}", SETTINGS)
    logging_setup.setup(settings.log_format, process=process)
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    return settings


@dataclass(frozen=True, slots=True)
class Port:
    """Where one of our processes will listen, and the setting that says so."""

    host: str
    number: int
    setting: str


def _ports(settings: Settings, commands: Mapping[str, list[str]]) -> list[Port]:
    """The ports of the processes that are going to be run."""
    listening = {
        "web": Port(settings.web_host, settings.web_port, "TLTW_WEB_PORT"),
        "console": Port(settings.console_host, settings.console_port, "TLTW_CONSOLE_PORT"),
    }
    return [port for process, port in listening.items() if [*OURS, process] in commands.values()]


def _wait_for_ports(ports: list[Port]) -> None:
    """Until all are free. One that stays taken ends the command: its process would end and be started again for ever."""
    deadline, told = time.monotonic() + PORTS_FREE_WITHIN_SECONDS, False
    while taken := next((port for port in ports if is_taken(port.host, port.number)), None):
        if time.monotonic() >= deadline:
            refuse(
                f"Port {taken.number} ({taken.setting}) is taken by another program, so nothing was started: end the processes "
                "that a killed tltw run left behind (docs/operate.md, Start, stop, upgrade), or choose another port.",
                FAILED,
            )
        if not told:
            log.warning(
                "A port is taken; what ran here before may still be stopping.", port=taken.number, setting=taken.setting
            )
            told = True
        time.sleep(LOOK_EVERY_SECONDS)


def _open(settings: Settings) -> Services:
    try:
        return open_services(settings)
    except NoStore as none:
        refuse(str(none), NO_STORE)
    except redis.RedisError as error:
        refuse(f"The store cannot be reached ({type(error).__name__}). Is TLTW_REDIS_URL right?", NO_STORE)


def _check_store(url: str) -> None:
    with connect(url) as store:
        try:
            problems = durability_problems(store)
        except redis.RedisError as error:
            refuse(f"The store cannot be reached ({type(error).__name__}). Is TLTW_REDIS_URL right?", NO_STORE)
    for problem in problems:
        click.secho(f"NOT DURABLE: {problem}", fg="red", bold=True, err=True)
