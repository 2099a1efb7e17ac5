"""The command `difficulty-model`: parse, call, print."""

from difficulty_model.cli.commands import main

__all__ = ["main"]
