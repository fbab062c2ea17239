"""``kombu-zipkin spans dead``: list, show, replay, purge."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click

from kombu_zipkin.cli.errors import FAILED, one_sentence
from kombu_zipkin.cli.progress import bar
from kombu_zipkin.cli.span_settings import SpansSettings, redis_options
from kombu_zipkin.errors import ConfigurationError
from kombu_zipkin.runtime import load
from kombu_zipkin.spans import DeadLetter, DeadLetters, Moved


@click.group()
def dead() -> None:
    """Look at what Zipkin would not take; send it again, or throw it away."""


def _which(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the ways to name dead letters."""
    for option in (
        click.option("--dry-run", is_flag=True, help="Only say what would be done."),
        click.option("--all", "everything", is_flag=True, help="All that are there now."),
        click.option("--reason", metavar="TEXT", help="Those whose reason contains TEXT."),
        redis_options,
        click.argument("letter_id", required=False, metavar="[ID]"),
    ):
        command = option(command)
    return command


@dead.command("list")
@redis_options
@click.option("--reason", metavar="TEXT", help="Only those whose reason contains TEXT.")
@click.option("--start", metavar="ID", help="Go on after this one: the last of the page before.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="How many.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_letters(reason: str | None, start: str | None, limit: int, as_json: bool, **options: str | None) -> None:
    """List the dead letters, the oldest first.

    \b
    Example:
        kombu-zipkin spans dead list --reason "corrupt payload"
    """
    with _opened(options) as letters:
        found = letters.list(reason, start, limit)
    if as_json:
        print(json.dumps([_plain(letter) for letter in found]))
        return
    for letter in found:
        died = datetime.fromtimestamp(letter.dead_ms / 1000, UTC).isoformat(" ", "seconds")
        status = "" if letter.status is None else f", {letter.status}"
        print(f"{letter.id}  {died}  {_number(letter.spans, 'span')}  {letter.reason}{status}")
    if len(found) == limit:
        print(f"kombu-zipkin: there may be more: --start {found[-1].id}", file=sys.stderr)


@dead.command()
@redis_options
@click.argument("letter_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(letter_id: str, as_json: bool, **options: str | None) -> None:
    """Show the dead letter ID with its span, or the fields of its entry.

    \b
    Example:
        kombu-zipkin spans dead show 1700000000000-0
    """
    with _opened(options) as letters:
        letter = letters.show(*(_ids(letter_id) or ()))
    if letter is None:
        print(f"kombu-zipkin: there is no dead letter {letter_id}", file=sys.stderr)
        sys.exit(FAILED)
    if as_json:
        print(json.dumps(_plain(letter)))
        return
    for name, value in _plain(letter).items():
        if value not in (None, {}):
            print(f"{name:14} {value if isinstance(value, (str, int)) else json.dumps(value)}")


@dead.command()
@_which
def replay(letter_id: str | None, reason: str | None, everything: bool, dry_run: bool, **options: str | None) -> None:
    """Put dead letters back onto the stream, for a relay to post them again: ID, or --reason, or --all.

    \b
    Example:
        kombu-zipkin spans dead replay --reason "refused" --dry-run
    """
    with _opened(options) as letters, bar("replay") as progress:
        moved = letters.replay(
            _ids(letter_id), reason=reason, everything=everything, progress=progress, dry_run=dry_run
        )
    print(f"{_counted(moved)} {'would go' if dry_run else 'went'} back onto the stream")
    if moved.unreadable:
        some = ", ".join(moved.unreadable[:5])
        print(
            f"kombu-zipkin: {_number(len(moved.unreadable), 'dead letter')} cannot be sent again and stay: {some}",
            file=sys.stderr,
        )
    _missing(moved)


@dead.command()
@_which
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge(
    letter_id: str | None, reason: str | None, everything: bool, dry_run: bool, yes: bool, **options: str | None
) -> None:
    """Throw dead letters away for good: ID, or --reason, or --all.

    \b
    Example:
        kombu-zipkin spans dead purge --reason "corrupt payload" --yes
    """
    with _opened(options) as letters:
        ids = _ids(letter_id)
        would = letters.purge(ids, reason=reason, everything=everything, dry_run=True)
        if dry_run:
            print(f"{_counted(would)} would be thrown away")
            return
        if would.letters and not yes:
            click.confirm(f"Throw {_counted(would)} away for good?", abort=True)
        with bar("purge") as progress:
            moved = letters.purge(ids, reason=reason, everything=everything, progress=progress)
    print(f"{_counted(moved)} were thrown away")
    _missing(moved)


@contextmanager
def _opened(options: dict[str, str | None]) -> Iterator[DeadLetters]:
    with one_sentence():
        settings = load(SpansSettings, **options)
        letters = DeadLetters(settings.redis_url, stream=settings.spans_stream)
        try:
            yield letters
        finally:
            letters.close()


def _ids(letter_id: str | None) -> list[str] | None:
    if letter_id is not None and not letter_id.replace("-", "", 1).isdigit():
        raise ConfigurationError(f"ID: expected one like 1700000000000-0, got {letter_id!r}")
    return None if letter_id is None else [letter_id]


def _missing(moved: Moved) -> None:
    if moved.gone:
        print(f"kombu-zipkin: {_number(moved.gone, 'dead letter')} not there (any more)", file=sys.stderr)
        sys.exit(FAILED)


def _counted(moved: Moved) -> str:
    return f"{_number(moved.letters, 'dead letter')}, {_number(moved.spans, 'span')},"


def _number(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _plain(letter: DeadLetter) -> dict[str, Any]:
    """Return a letter for JSON: its span as JSON where it is that, an entry's payload in hexadecimal."""
    fields = {
        name: getattr(letter, name)
        for name in ("id", "reason", "spans", "entry", "producer", "status", "answer", "attempts")
    }
    raw = {
        name.decode("utf-8", "replace"): value.hex() if name == b"d" else value.decode("utf-8", "replace")
        for name, value in letter.raw.items()
    }
    return {
        **fields,
        "first_seen_ms": letter.first_seen_ms,
        "dead_ms": letter.dead_ms,
        "span": None if letter.span is None else _span(letter.span),
        "raw": raw,
    }


def _span(span: bytes) -> Any:
    try:
        return json.loads(span)
    except ValueError:
        return span.decode("utf-8", "replace")
