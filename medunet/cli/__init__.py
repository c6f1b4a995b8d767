"""The command line: one file a command; each parses, calls `medunet.api` and prints."""

from medunet.cli.app import main

__all__ = ["main"]
