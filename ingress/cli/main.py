"""`tltw`: the one command. Each group of commands lives in its own module."""

from pathlib import Path

import click

from config.settings import read_env_file
from ingress.cli import alerts, audit, bulk, customers, dead_letters, doctor, files, integration, operators, processes
from ingress.cli.shared import EXIT_CODES


@click.group(
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


main.add_command(processes.run)
main.add_command(processes.web)
main.add_command(processes.worker)
main.add_command(processes.bulk)
main.add_command(processes.clock)
main.add_command(processes.console)
main.add_command(processes.new_key)
main.add_command(customers.sync)
main.add_command(customers.preview)
main.add_command(customers.story)
main.add_command(dead_letters.dead_letters)
main.add_command(integration.integration)
main.add_command(integration.webhook_address)
main.add_command(files.export)
main.add_command(files.import_)
main.add_command(files.files)
main.add_command(audit.audit)
main.add_command(operators.operator)
main.add_command(alerts.alerts)
main.add_command(bulk.sweep)
main.add_command(bulk.drift)
main.add_command(bulk.invoices)
main.add_command(bulk.jobs)
main.add_command(doctor.doctor)
