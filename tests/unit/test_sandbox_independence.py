"""The simulated services import nothing of ours, so that they cannot repeat our mistakes."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sandbox

FOLDER = Path(sandbox.__file__).parent
SHARED = ["control", "fault_pages", "faults", "gates", "misbehave", "request_log", "serve", "simulator", "world"]
SERVERS = [
    *(FOLDER / f"{name}.py" for name in SHARED),
    *FOLDER.glob("teamleader/*.py"),
    *FOLDER.glob("twikey/*.py"),
]
ALLOWED = {"flask", "werkzeug", "httpx", "sandbox"} | sys.stdlib_module_names


@pytest.mark.parametrize("path", SERVERS, ids=lambda path: str(path.relative_to(FOLDER)))
def test_a_server_module_imports_only_the_standard_library_flask_and_httpx(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])

    assert imported <= ALLOWED


@pytest.mark.parametrize("module", ["sandbox.teamleader", "sandbox.twikey"])
def test_each_server_is_a_command_with_help(module: str) -> None:
    shown = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True)

    assert "--port" in shown.stdout
