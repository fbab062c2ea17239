"""What the commands print, and how: JSON, tables, a table that goes on."""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from kombu_zipkin.cli.errors import with_next_step
from kombu_zipkin.errors import Unavailable

_F = TypeVar("_F", bound=Callable[..., Any])
_WIDEST: Final = 100_000  # columns where there is no terminal: no cell is cut

STYLES: Final = {"ok": "green", "warn": "yellow", "FAIL": "bold red"}
"""How each grade of a check is shown."""

json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def print_json(document: object) -> None:
    """Print the one document that ``--json`` asks for."""
    print(json.dumps(document))


def console(width: int | None = None) -> Console:
    """Return standard output: with colours and lines that end on a terminal, else plain lines of any length."""
    found = Console(highlight=False, width=width)
    if width is None and not found.is_terminal:
        found.width = _WIDEST
    return found


def print_whole(drawn: RenderableType, width: int | None = None) -> None:
    """Print a table or the like; where there is no terminal no cell is cut and no line ends in spaces."""
    to = console(width)
    if to.is_terminal:
        to.print(drawn)
        return
    with to.capture() as captured:
        to.print(drawn)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def print_grade(grade: str, text: str) -> None:
    """Print what a check has found, after its grade."""
    console().print(Text(f"{grade:<4}", STYLES[grade]), Text(one_line(text)), soft_wrap=True)


def watch(look: Callable[[], RenderableType], seconds: float) -> None:
    """Draw again and again until Ctrl-C; where there is no terminal one below the other.

    While a server is away, what was seen last stays, with a line that says so; what the first look raises is raised.
    """
    drawn = look()
    if not console().is_terminal:
        _repeat(look, drawn, seconds)
        return
    with Live(drawn, console=console(), auto_refresh=False) as live:
        try:
            while True:
                time.sleep(seconds)
                try:
                    drawn = look()
                except Unavailable as error:
                    live.update(Group(drawn, _away(error)), refresh=True)
                else:
                    live.update(drawn, refresh=True)
        except KeyboardInterrupt:
            return


def _repeat(look: Callable[[], RenderableType], drawn: RenderableType, seconds: float) -> None:
    try:
        while True:
            print_whole(drawn)
            print(flush=True)
            time.sleep(seconds)
            try:
                drawn = look()
            except Unavailable as error:
                drawn = _away(error)
    except KeyboardInterrupt:
        return


def _away(error: Unavailable) -> Text:
    return Text(f"! {with_next_step(error)}; trying again", style="red")


def one_line(text: str) -> str:
    """Return text as it may stand in one line of a terminal: what cannot be printed is shown as a space."""
    return "".join(each if each.isprintable() else " " for each in text)


def lines(value: object) -> str:
    """Return a value as it may stand on a terminal: text line by line, anything else as JSON."""
    return "\n".join(map(one_line, value.split("\n"))) if isinstance(value, str) else json.dumps(value)


def number(count: int, thing: str) -> str:
    """Return a count with its noun: ``1 span``, ``2 spans``."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def moment(ms: int, timespec: str = "milliseconds") -> str:
    """Return a time as a person reads it, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).replace(tzinfo=None).isoformat(" ", timespec)


def note(sentence: str) -> None:
    """Say something beside the answer, on standard error."""
    print(f"kombu-zipkin: {sentence}", file=sys.stderr)
