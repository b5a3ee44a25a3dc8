"""A demo or test must never reach what the user's own `.env` names."""

import os
import subprocess
import sys

from sandbox.deployment import ROOT, settings_for


def test_the_simulation_ignores_a_env_file_in_the_folder_it_runs_in(tmp_path):
    (tmp_path / ".env").write_text("TLTW_REDIS_URL=redis://127.0.0.1:1/0\nTLTW_CUSTOMER_NUMBER_PREFIX=real-\n")
    environment = settings_for(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:2", 3)

    done = subprocess.run(
        [sys.executable, "-m", "ingress.cli", "integration", "show"],
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 4
    assert "No store is running" in done.stderr  # it looked for the embedded store, not for the Redis of that file
