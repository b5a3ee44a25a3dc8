"""`tltw`: the one command. Each group of commands lives in its own module."""

from pathlib import Path

import click

from config.settings import read_env_file
from ingress.cli.lazy import LazyGroup

EXIT_CODES = """\b
Exit codes: 0 done · 1 checked and not well, or nothing was done · 2 wrong settings or usage
            3 not found · 4 the store cannot be reached · 5 Teamleader or Twikey did not help"""
# In the order of the help.
COMMANDS = {
    "run": "processes:run",
    "web": "processes:web",
    "worker": "processes:worker",
    "clock": "processes:clock",
    "bulk": "processes:bulk",
    "console": "processes:console",
    "new-key": "processes:new_key",
    "doctor": "doctor:doctor",
    "integration": "integration:integration",
    "webhook-address": "integration:webhook_address",
    "find": "find_and_add:find",
    "add": "find_and_add:add",
    "preview": "customers:preview",
    "sync": "customers:sync",
    "story": "customers:story",
    "dead-letters": "dead_letters:dead_letters",
    "alerts": "alerts:alerts",
    "sweep": "bulk:sweep",
    "drift": "bulk:drift",
    "invoices": "bulk:invoices",
    "export": "files:export",
    "import": "files:import_",
    "files": "files:files",
    "jobs": "bulk:jobs",
    "operator": "operators:operator",
    "audit": "audit:audit",
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=EXIT_CODES,
)
@click.option(
    "--env",
    "env_file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=".env",
    envvar="TLTW_ENV_FILE",
    show_default=True,
    help="File with settings; the environment wins.",
)
def main(env_file: Path) -> None:
    """Keeps the customers of a Twikey account equal to those of a Teamleader Focus account.

    \b
    First time?        make demo                     everything, simulated, on this machine
    For real:          cp config/example.env .env    then: tltw doctor   and: tltw run
    Something wrong?   tltw doctor                   then: tltw dead-letters list
    """
    read_env_file(env_file)
