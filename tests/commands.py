"""Commands run as users run them, and what a user's mistake has to look like."""

import subprocess
import sys
from pathlib import Path


def run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "difficulty_model.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def mistake(done: subprocess.CompletedProcess[str], *said: str) -> None:
    """Assert that a user's mistake got one sentence, exit code 2, and no stack trace."""
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for words in said:
        assert words in done.stderr
