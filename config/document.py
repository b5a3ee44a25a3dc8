"""Writes the table of settings for people: `python -m config.document` writes docs/configuration.md and config/example.env anew."""

from collections.abc import Iterator
from pathlib import Path

from config.settings import TABLE, Variable

ROOT = Path(__file__).resolve().parent.parent
COMMAND = "python -m config.document"

# A heading stands before the variable that begins its group, so that a new variable belongs where it stands in the table.
GROUPS = {
    "TLTW_REDIS_URL": "The store",
    "TLTW_SECRET_KEY": "Keys and secrets of our own",
    "TLTW_PUBLIC_URL": "The processes",
    "TLTW_FILES_DIR": "Shared files, exports and imports",
    "TLTW_CONSOLE_URL": "The console",
    "TLTW_TEAMLEADER_CLIENT_ID": "Teamleader",
    "TLTW_INTEGRATION": "The first integration (others are added with tltw integration add)",
    "TLTW_RELAY_HMAC_HEADER": "A signing gateway in front of us",
    "TLTW_ALERT_EMAIL_TO": "Alerts",
    "TLTW_LOG_FORMAT": "Logs",
}

PAGE = f"""\
# Settings

<!-- Generated: {COMMAND} -->

All settings are environment variables. A `.env` file in the folder where a command starts is read too; what the
environment already has wins. Start from [config/example.env](../config/example.env).

- **Every** variable can also be given as a file: `TLTW_SECRET_KEY_FILE=/run/secrets/key` holds the value of
  `TLTW_SECRET_KEY`, without the line end. When both are given the file wins. Do that for those marked *secret*.
- An empty value means the default.
- Settings are read once, when a process starts: restart it after a change.
- Whatever is missing or wrong is named all at once, and nothing starts (exit code 2). `tltw doctor` checks the same.
"""

EXAMPLE = f"""\
# The settings of teamleader-twikey-sync. Generated: {COMMAND}
#
#   cp config/example.env .env      fill in the lines that end in = and are not comments, and below them what you need:
#                                   either describe the first integration here, or add it with tltw integration add
#   tltw new-key                    prints a key: run it twice, for TLTW_SECRET_KEY and for TLTW_WEBHOOK_KEY
#   tltw doctor                     says what is still missing (the store must run: tltw run)
#
# Put values that hold a space, # or $ between single quotes. Every variable NAME can also be given as NAME_FILE, the path
# of a file that holds the value. docs/connect.md tells where the values of Teamleader and Twikey come from.
"""


def page() -> str:
    """docs/configuration.md, ending in one newline."""
    return PAGE + "".join(_rows())


def example_env() -> str:
    """config/example.env: what is required is left to fill in, what has a default is a comment."""
    return EXAMPLE + "".join(_lines())


def _rows() -> Iterator[str]:
    for variable in TABLE:
        if variable.name in GROUPS:
            yield f"\n## {GROUPS[variable.name]}\n\n| variable | default | meaning | as `…_FILE` |\n|---|---|---|---|\n"
        file = "yes, *secret*" if variable.secret else "yes"
        yield f"| `{variable.name}` | {_default(variable)} | {variable.meaning} | {file} |\n"


def _default(variable: Variable) -> str:
    if variable.default is None:
        return "**required**"
    return f"`{variable.default}`" if variable.default else "empty"


def _lines() -> Iterator[str]:
    for variable in TABLE:
        if variable.name in GROUPS:
            yield f"\n# ---- {GROUPS[variable.name]} ----\n"
        commented = "" if variable.default is None else "# "
        yield f"\n# {variable.meaning}\n{commented}{variable.name}={variable.default or ''}\n"


def main() -> None:
    """Writes both files into the project they belong to."""
    (ROOT / "docs" / "configuration.md").write_text(page(), encoding="utf-8")
    (ROOT / "config" / "example.env").write_text(example_env(), encoding="utf-8")


if __name__ == "__main__":
    main()
