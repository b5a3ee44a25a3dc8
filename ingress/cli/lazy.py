"""A group of commands that imports only the one that is called: a killed worker is back sooner, and takes less memory."""

from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """`lazy`: for each command the module below `ingress.cli` that has it, and its name there (`module:name`)."""

    def __init__(self, *args: Any, lazy: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = self._lazy.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(import_module(f"ingress.cli.{module}"), name)
        return command
