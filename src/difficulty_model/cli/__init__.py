"""The command `difficulty-model`: parse, call, print."""

from difficulty_model.cli import data, fits, questions
from difficulty_model.cli.app import app
from difficulty_model.errors import run_command

__all__ = ["data", "fits", "main", "questions"]  # modules add their commands, in this order, when they are imported


def main() -> None:
    """Run `difficulty-model`."""
    run_command(app)
