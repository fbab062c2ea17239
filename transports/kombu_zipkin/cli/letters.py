"""What both kinds of dead letters share on the command line: how they are named, and how a purge asks."""

import sys
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import click

from kombu_zipkin.cli.errors import WRONG_USE, fail
from kombu_zipkin.cli.screen import json_option
from kombu_zipkin.errors import ConfigurationError

_F = TypeVar("_F", bound=Callable[..., Any])


def which_letters(servers: Callable[[_F], _F]) -> Callable[[_F], _F]:
    """Give a command the ways to name dead letters, a dry run and JSON.

    Args:
        servers: Gives it the options that say where they lie.
    """

    def give(command: _F) -> _F:
        for option in (
            json_option,
            click.option("--dry-run", is_flag=True, help="Only say what would be done."),
            click.option("--all", "everything", is_flag=True, help="All that are there now."),
            click.option("--reason", metavar="TEXT", help="Those whose reason contains TEXT."),
            servers,
            click.argument("letter_id", required=False, metavar="[ID]"),
        ):
            command = option(command)
        return command

    return give


def listed(servers: Callable[[_F], _F]) -> Callable[[_F], _F]:
    """Give a command that lists dead letters its filter, its limit and JSON."""

    def give(command: _F) -> _F:
        for option in (
            json_option,
            click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="How many."),
            click.option("--reason", metavar="TEXT", help="Only those whose reason contains TEXT."),
            servers,
        ):
            command = option(command)
        return command

    return give


def check_named(letter_id: str | None, reason: str | None, everything: bool) -> None:
    """Refuse none and several of the ways to name dead letters.

    Raises:
        ConfigurationError: It is not exactly one.
    """
    if sum((letter_id is not None, reason is not None, everything)) != 1:
        raise ConfigurationError("which dead letters: expected an ID, or --reason TEXT, or --all")


def confirm_purge(what: str) -> None:
    """Ask whether to throw dead letters away; end the program unless the answer is yes."""
    try:
        sure = click.confirm(f"Throw {what} away for good?", err=True)
    except click.Abort as abort:
        print(file=sys.stderr)  # after the question
        if isinstance(abort.__context__, EOFError):
            fail("nobody answered, nothing was thrown away; --yes does not ask", WRONG_USE)
        raise
    if not sure:
        fail("nothing was thrown away")


def unknown_letter(letter_id: str, listing: str) -> NoReturn:
    """End the program: there is no such dead letter."""
    fail(f"there is no dead letter {letter_id}; those that there are: {listing}")
