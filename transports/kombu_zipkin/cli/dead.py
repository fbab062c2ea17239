"""``kombu-zipkin spans dead``: list, show, replay, purge."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from kombu_zipkin.cli.errors import fail, one_sentence
from kombu_zipkin.cli.letters import check_named, confirm_purge, listed, unknown_letter, which_letters
from kombu_zipkin.cli.progress import bar
from kombu_zipkin.cli.screen import json_option, lines, moment, note, number, one_line, print_json
from kombu_zipkin.cli.span_settings import SpansSettings, redis_options
from kombu_zipkin.errors import ConfigurationError
from kombu_zipkin.runtime import load
from kombu_zipkin.spans import DeadLetter, DeadLetters, Moved


@click.group(short_help="What Zipkin would not take; send it again.")
def dead() -> None:
    """Look at what Zipkin would not take; send it again, or throw it away.

    \b
    Example:
        kombu-zipkin spans dead list
        kombu-zipkin spans dead show 1700000000000-0
        kombu-zipkin spans dead replay --all --dry-run
    """


@dead.command("list")
@listed(redis_options)
@click.option("--start", metavar="ID", help="Go on after this one: the last of the page before.")
def list_letters(reason: str | None, start: str | None, limit: int, as_json: bool, **options: str | None) -> None:
    """List the dead letters, the oldest first.

    \b
    Example:
        kombu-zipkin spans dead list --reason "corrupt payload"
    """
    with _opened(options) as letters:
        found = letters.list(reason, start, limit)
    if as_json:
        print_json([_plain(letter) for letter in found])
        return
    for letter in found:
        status = "" if letter.status is None else f", {letter.status}"
        died = moment(letter.dead_ms, "seconds")
        print(f"{letter.id}  {died}  {number(letter.spans, 'span')}  {one_line(letter.reason)}{status}")
    if len(found) == limit:
        note(f"there may be more: --start {found[-1].id}")


@dead.command(short_help="Show one dead letter whole.")
@redis_options
@click.argument("letter_id", metavar="ID")
@json_option
def show(letter_id: str, as_json: bool, **options: str | None) -> None:
    """Show the dead letter ID with its span, or the fields of its entry.

    \b
    Example:
        kombu-zipkin spans dead show 1700000000000-0
    """
    with _opened(options) as letters:
        letter = letters.show(*(_ids(letter_id) or ()))
    if letter is None:
        unknown_letter(letter_id, "kombu-zipkin spans dead list")
    if as_json:
        print_json(_plain(letter))
        return
    for name, value in _plain(letter).items():
        if value not in (None, {}):
            print(f"{name:14} {lines(value)}")


@dead.command(short_help="Put dead letters back onto the stream.")
@which_letters(redis_options)
def replay(
    letter_id: str | None, reason: str | None, everything: bool, dry_run: bool, as_json: bool, **options: str | None
) -> None:
    """Put dead letters back onto the stream, for a relay to post them again: ID, or --reason, or --all.

    \b
    Example:
        kombu-zipkin spans dead replay --reason "refused" --dry-run
    """
    with _opened(options) as letters, bar("replay") as progress:
        check_named(letter_id, reason, everything)
        moved = letters.replay(
            _ids(letter_id), reason=reason, everything=everything, progress=progress, dry_run=dry_run
        )
    _tell(moved, "would go back onto the stream" if dry_run else "went back onto the stream", dry_run, as_json)


@dead.command(short_help="Throw dead letters away for good.")
@which_letters(redis_options)
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge(
    letter_id: str | None,
    reason: str | None,
    everything: bool,
    dry_run: bool,
    as_json: bool,
    yes: bool,
    **options: str | None,
) -> None:
    """Throw dead letters away for good: ID, or --reason, or --all.

    \b
    Example:
        kombu-zipkin spans dead purge --reason "corrupt payload" --yes
    """
    with _opened(options) as letters:
        check_named(letter_id, reason, everything)
        ids = _ids(letter_id)
        would = letters.purge(ids, reason=reason, everything=everything, dry_run=True)
        if dry_run:
            _tell(would, "would be thrown away", dry_run, as_json)
            return
        if would.letters and not yes:
            confirm_purge(_counted(would))
        with bar("purge") as progress:
            moved = letters.purge(ids, reason=reason, everything=everything, progress=progress)
    _tell(moved, f"{'was' if moved.letters == 1 else 'were'} thrown away", dry_run, as_json)


@contextmanager
def _opened(options: dict[str, str | None]) -> Iterator[DeadLetters]:
    with one_sentence():
        settings = load(SpansSettings, **options)
    with one_sentence(settings.redis_url):
        letters = DeadLetters(settings.redis_url, stream=settings.spans_stream)
        try:
            yield letters
        finally:
            letters.close()


def _ids(letter_id: str | None) -> list[str] | None:
    if letter_id is not None and not letter_id.replace("-", "", 1).isdigit():
        raise ConfigurationError(f"ID: expected one like 1700000000000-0, got {letter_id!r}")
    return None if letter_id is None else [letter_id]


def _tell(moved: Moved, what: str, dry_run: bool, as_json: bool) -> None:
    """Say what became of dead letters; exit 1 when one that was named is not there."""
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "dead_letters": moved.letters,
                "spans": moved.spans,
                "gone": moved.gone,
                "unreadable": list(moved.unreadable),
            }
        )
    else:
        print(f"{_counted(moved)} {what}")
    if moved.unreadable:
        some = ", ".join(moved.unreadable[:5])
        note(f"{number(len(moved.unreadable), 'dead letter')} cannot be sent again and stay: {some}")
    if moved.gone:
        fail(f"{number(moved.gone, 'dead letter')} not there (any more): kombu-zipkin spans dead list")


def _counted(moved: Moved) -> str:
    return f"{number(moved.letters, 'dead letter')}, {number(moved.spans, 'span')},"


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
