"""The command `difficulty-model`: parse, call, print."""

from difficulty_model.cli import data, explaining, fits, questions, what_next
from difficulty_model.cli.app import app
from difficulty_model.errors import run_command

# Modules add their commands, in this order, when they are imported.
__all__ = ["data", "explaining", "fits", "main", "questions", "what_next"]


def main() -> None:
    """Run `difficulty-model`."""
    run_command(app)
