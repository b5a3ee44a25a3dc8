"""`make bench-console`: what the console's pages cost on the server with a large ledger behind them.

100,000 customers and 300 integrations in a real redis-server, a full activity stream, and the application as it is served,
without a network in between. It prints figures and judges nothing: this machine may be slow, so beside the time on the clock
stands our own processor time.
"""

import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from cryptography.fernet import Fernet
from flask.testing import FlaskClient
from rich.console import Console
from rich.table import Table

from config.keys import IntegrationKeys
from config.settings import load
from ingress.console import csrf
from ingress.console.app import create_app
from workers import integrations, operations_customers, operators
from workers.ledger import Cause, Ledger, Outcome
from workers.operators import Role
from workers.services import Services, open_services

PASSWORD = "for a benchmark only"
BASE = "http://127.0.0.1:8001"
console = Console(highlight=False)


@click.command()
@click.option("--customers", default=100_000, show_default=True)
@click.option("--integrations", "many", default=300, show_default=True)
@click.option("--times", default=30, show_default=True, help="How often each page is asked for.")
def main(customers: int, many: int, times: int) -> None:
    """Print what the console's pages cost."""
    with running_redis() as url:
        services = open_services(load(settings(url)))
        try:
            console.print(f"Filling: {customers:,} customers, {many} integrations …")
            subject = fill(services, customers, many)
            table = Table("what", "median ms", "slowest ms", "our processor ms", "KB")
            for what, asked in pages(services, subject).items():
                table.add_row(what, *measured(asked, times))
            console.print(table)
        finally:
            services.close()


@contextmanager
def running_redis() -> Iterator[str]:
    binary = shutil.which("redis-server") or sys.exit("redis-server is not on PATH")
    folder = Path(tempfile.mkdtemp(prefix="tltw-"))
    words = [binary, "--port", "0", "--unixsocket", str(folder / "s.sock"), "--dir", str(folder), "--save", ""]
    process = subprocess.Popen([*words, "--appendonly", "yes"], stdout=subprocess.DEVNULL)
    url = f"unix://{folder / 's.sock'}?db=0"
    try:
        while not (folder / "s.sock").exists():
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def settings(url: str) -> dict[str, str]:
    return {
        "TLTW_REDIS_URL": url,
        "TLTW_SECRET_KEY": Fernet.generate_key().decode(),
        "TLTW_WEBHOOK_KEY": "k" * 43,
        "TLTW_PUBLIC_URL": "https://sync.example.com",
        "TLTW_TEAMLEADER_CLIENT_ID": "id",
        "TLTW_TEAMLEADER_CLIENT_SECRET": "secret",
    }


def fill(services: Services, customers: int, many: int) -> str:
    """One large integration and many that lived through a day; answers a customer whose past is full."""
    options = {"twikey_url": "https://acme.twikey.com/api/creditor", "twikey_key": "token", "auto_update": "on"}
    for number in range(many):
        integrations.add(services, f"shop-{number:03}", options | {"label": f"Merchant {number}"}, by="cli:bench")
        services.ledger(f"shop-{number:03}").set_state("active")
    big = Ledger(services.scripts, "shop-000", calls_per_minute=10**9)
    full = subject_of(0)
    for number in range(40):
        live(big, full, Outcome.SYNCED if number % 2 else Outcome.SKIPPED)
    copy(services, big, full, customers)
    for number in range(5_000):
        live(big, subject_of(number), Outcome.UNCHANGED)
    one_day_everywhere(services, big, many)
    return full


def subject_of(number: int) -> str:
    return f"company:0a1b2c3d-4e5f-4a6b-8c7d-{number:012d}"


def live(ledger: Ledger, subject: str, outcome: Outcome) -> None:
    ledger.mark(subject, frozenset({Cause.WEBHOOK}), event_id="ev_0123456789ab")
    claim = ledger.claim(subject)
    assert not hasattr(claim, "again_at"), claim
    reason = "unknown_in_twikey" if outcome is Outcome.SKIPPED else ""
    ledger.commit(claim, outcome, reason=reason, fingerprint="0123456789abcdef012345")  # type: ignore[arg-type]


def copy(services: Services, ledger: Ledger, subject: str, customers: int) -> None:
    """As many records as there are customers."""
    record = services.store.dump(ledger.keys.subject(subject))
    pipeline = services.store.pipeline(transaction=False)
    for number in range(1, customers):
        pipeline.restore(ledger.keys.subject(subject_of(number)), 0, record)
        if number % 5_000 == 0:
            pipeline.execute()
    pipeline.hset(ledger.keys.counts, "customers", customers)
    pipeline.execute()


def one_day_everywhere(services: Services, big: Ledger, many: int) -> None:
    hour = int(datetime.now(UTC).timestamp()) // 3600
    figures = services.store.hgetall(big.keys.counts_of_hour(hour))
    pipeline = services.store.pipeline(transaction=False)
    for number in range(many):
        keys = IntegrationKeys(f"shop-{number:03}")
        for back in range(24):
            pipeline.hset(keys.counts_of_hour(hour - back), mapping=figures)
    pipeline.execute()


def pages(services: Services, subject: str) -> dict[str, Callable[[], bytes]]:
    operators.add(services.store, "bench", password=PASSWORD, role=Role.ADMIN, by="cli:bench")
    client = signed_in(create_app(services).test_client())

    def page(path: str) -> Callable[[], bytes]:
        return lambda: client.get(path, base_url=BASE).data

    def story() -> bytes:
        return repr(operations_customers.story(services, "shop-000", subject)).encode()

    return {
        "overview, all integrations": page("/"),
        "overview, one level": page("/?level=well&page=20"),
        "one integration": page("/integrations/shop-000"),
        "the story of one customer (no page)": story,
    }


def signed_in(client: FlaskClient) -> FlaskClient:
    form = client.get("/login", base_url=BASE).text
    token = re.search(rf'name="{csrf.FIELD}" value="([^"]+)"', form)
    assert token is not None
    sent = {csrf.FIELD: token[1], "name": "bench", "password": PASSWORD}
    assert client.post("/login", data=sent, base_url=BASE).status_code == 303
    return client


def measured(asked: Callable[[], bytes], times: int) -> tuple[str, ...]:
    asked()
    clock, processor, size = [], [], 0
    for _ in range(times):
        began, used = time.perf_counter(), time.process_time()
        size = len(asked())
        clock.append((time.perf_counter() - began) * 1000)
        processor.append((time.process_time() - used) * 1000)
    figures = (statistics.median(clock), max(clock), statistics.median(processor))
    return (*(f"{figure:.1f}" for figure in figures), f"{size / 1000:.1f}")


if __name__ == "__main__":
    main()
