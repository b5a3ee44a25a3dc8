"""`make demo`: the whole pipeline on this machine, with a simulated Teamleader and Twikey, playing a story."""

import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from config.embedded import NoStore
from sandbox import life
from sandbox.deployment import Deployment, TookTooLong, deploy, second_merchant
from sandbox.narrator import Narrator
from sandbox.story import Story

FOLDER = Path("data/demo")
OPERATOR = "demo"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--once", is_flag=True, help="Play the story and end; the exit code says whether every hop went right.")
@click.option("--quiet-story", is_flag=True, help="Start everything without playing the story.")
def main(once: bool, quiet_story: bool) -> None:
    """Run the whole pipeline on this machine, with simulated systems and a story. Needs nothing but Python."""
    console = Console(highlight=False)
    begin = time.time()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, _interrupt)
    # A script that starts this in the background hands down an ignored SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with _folder(once=once) as folder:
            console.print("Starting the store, a simulated Teamleader and Twikey, and web, console, worker and clock …")
            with deploy(folder, more_settings=life.NAMED, **_ports(once=once)) as deployment:
                _keep_settings(deployment)
                failures = [] if quiet_story else _tell(deployment, console, begin)
                if once:
                    sys.exit(1 if failures else 0)
                if not quiet_story:
                    _come_to_life(deployment, console)
                _invite(deployment, console, deployment.add_operator(OPERATOR))
                stopped.wait()
    except (TookTooLong, NoStore) as problem:
        console.print(f"The demo could not start: {problem}", style="red", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("\nStopped: every process that was started has ended.")


def _tell(deployment: Deployment, console: Console, begin: float) -> list[str]:
    console.print(f"Everything runs, after {time.time() - begin:.1f} s.")
    narrator = Narrator(deployment, console)
    narrator.start()
    story = Story(deployment, console, narrator)
    story.play()
    narrator.stop()
    console.print()
    account = deployment.services.ledger("default").books()
    story.failures += [] if account.adds_up else ["the books add up"]
    console.print(
        f"The books: {account.accepted} events = {account.synced} synced + {account.unchanged} unchanged"
        f" + {account.coalesced} coalesced + {account.skipped} skipped + {account.gone} gone + {account.dead} dead"
        f" + {account.pending} pending."
    )
    if story.first_synced_at:
        console.print(f"First synced customer {story.first_synced_at - begin:.1f} s after the start.")
    if story.failures:
        console.print(f"{len(story.failures)} hops went wrong: {'; '.join(story.failures)}", style="bold red")
        console.print(f"The logs are in {deployment.folder / 'logs'}.", style="red")
    else:
        console.print("Every hop went right.", style="bold green")
    return story.failures


def _come_to_life(deployment: Deployment, console: Console) -> None:
    console.print("Now everybody else is edited once, and somebody every few seconds from here on …")
    life.fill(deployment)
    life.Life(deployment).start()


def _invite(deployment: Deployment, console: Console, password: str) -> None:
    merchant = second_merchant(deployment)
    env = deployment.folder / "demo.env"
    tltw = f"{_shown(Path(sys.executable).parent / 'tltw')} --env {_shown(env)}"
    console.print()
    console.rule("[bold]It keeps running: your turn", align="left")
    for label, text in (
        ("Open the console", deployment.console_url),
        ("  and sign in with", f"{OPERATOR}   {password}"),
        ("Connect one more merchant", f"{deployment.console_url}/connect"),
        ("  its Twikey base URL", f"{deployment.twikey.url}/creditor"),
        ("  its Twikey API key", merchant.api_key),
        ("  at Teamleader choose the account", merchant.account_name),
        ("  then edit its customers", f"{deployment.teamleader.url}/?account={merchant.account}"),
        ("  and see them in its own Twikey", f"{deployment.twikey.url}/?creditor={merchant.creditor}"),
        ("Edit customers in the simulated Teamleader", deployment.teamleader.url),
        ("See them change in the simulated Twikey", deployment.twikey.url),
        ("Is everything well?", f"{tltw} doctor"),
        ("How does it stand?", f"{tltw} integration show"),
        ("What failed for good?", f"{tltw} dead-letters list"),
        ("Switch auto-update off (on: enable)", f"{tltw} integration disable"),
        ("Follow the work", f"tail -f {_shown(deployment.folder / 'logs' / 'worker.log')}"),
    ):
        console.print(f"  {label:<44} {text}", markup=False, soft_wrap=True)
    console.print("  Ctrl-C stops everything.")


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _keep_settings(deployment: Deployment) -> None:
    """So that `tltw` in another terminal finds this deployment. The secrets in it open nothing but the simulation."""
    lines = [f"{name}={value}" for name, value in deployment.environment.items()]
    (deployment.folder / "demo.env").write_text("\n".join(lines) + "\n")


@contextmanager
def _folder(*, once: bool) -> Iterator[Path]:
    """A fresh folder: a temporary one for `--once`, else `data/demo`, so that one can look into it."""
    if once:
        with tempfile.TemporaryDirectory(prefix="tltw-") as folder:
            yield Path(folder)
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    yield FOLDER.absolute()


def _ports(*, once: bool) -> dict[str, Any]:
    """The usual ports where they are free; any for `--once`."""
    wanted = {"teamleader_port": 9001, "twikey_port": 9002, "web_port": 8000, "console_port": 8001}
    return {name: 0 if once or _taken(port) else port for name, port in wanted.items()}


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


main()
