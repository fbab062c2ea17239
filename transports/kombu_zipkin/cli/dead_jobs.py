"""``kombu-zipkin jobs dead``: list, show, replay, purge."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, NoReturn

import click

from kombu_zipkin.cli.errors import FAILED
from kombu_zipkin.cli.job_settings import OpenedJobs, job_options, opened
from kombu_zipkin.cli.progress import bar
from kombu_zipkin.errors import ConfigurationError
from kombu_zipkin.jobs import DeadJob, each_of

_MOST = 1_000_000


@click.group()
def dead() -> None:
    """Look at the jobs that failed for good; run them again, or throw them away."""


@dead.command("list")
@job_options
@click.option("--reason", metavar="TEXT", help="Only those whose reason contains TEXT.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="How many.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_letters(reason: str | None, limit: int, as_json: bool, **options: str | None) -> None:
    """List the dead letters, the newest first.

    \b
    Example:
        kombu-zipkin jobs dead list --reason Timeout
    """
    with opened(options) as found:
        letters = found.dead.list(reason=reason, limit=limit)
    if as_json:
        print(json.dumps([_plain(letter) for letter in letters]))
        return
    for letter in letters:
        died = "" if letter.dead_ms is None else datetime.fromtimestamp(letter.dead_ms / 1000, UTC).strftime("%F %T")
        print(f"{letter.id}  {died}  {letter.task or '(no job)'}  {letter.reason.splitlines()[0][:100]}")
    if len(letters) == limit:
        print(f"kombu-zipkin: there may be more: --limit {limit * 10}", file=sys.stderr)


@dead.command()
@job_options
@click.argument("letter_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(letter_id: str, as_json: bool, **options: str | None) -> None:
    """Show the dead letter ID: reason, attempts, traceback, message.

    \b
    Example:
        kombu-zipkin jobs dead show 0a056a4d9bfa493b92ac7bbc68fcd330
    """
    with opened(options) as found:
        letter = found.dead.show(letter_id)
    if letter is None:
        _missing(letter_id)
    if as_json:
        print(json.dumps(_plain(letter)))
        return
    for name, value in _plain(letter).items():
        if value is not None:
            print(f"{name:11} {value if isinstance(value, str) else json.dumps(value)}")


def _which(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the ways to name dead letters."""
    for option in (
        click.option("--dry-run", is_flag=True, help="Only say what would be done."),
        click.option("--all", "everything", is_flag=True, help="All that are there now."),
        click.option("--reason", metavar="TEXT", help="Those whose reason contains TEXT."),
        job_options,
        click.argument("letter_id", required=False, metavar="[ID]"),
    ):
        command = option(command)
    return command


@dead.command()
@_which
def replay(letter_id: str | None, reason: str | None, everything: bool, dry_run: bool, **options: str | None) -> None:
    """Put dead jobs back into their queues, with all attempts before them: ID, or --reason, or --all.

    \b
    Example:
        kombu-zipkin jobs dead replay --reason Timeout --dry-run
    """
    with opened(options) as found:
        letters = _named(found, letter_id, reason, everything)
        if dry_run:
            print(f"{_number(len(letters))} would go back into their queues")
            return
        with bar("replay") as progress:
            went, stayed = each_of(letters, found.dead.replay, progress)
    print(f"{_number(went)} went back into {'its queue' if went == 1 else 'their queues'}")
    if stayed:
        print(f"kombu-zipkin: {_number(stayed)} stayed: no jobs, or gone meanwhile", file=sys.stderr)
        sys.exit(FAILED)


@dead.command()
@_which
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge(
    letter_id: str | None, reason: str | None, everything: bool, dry_run: bool, yes: bool, **options: str | None
) -> None:
    """Throw dead letters away for good: ID, or --reason, or --all.

    \b
    Example:
        kombu-zipkin jobs dead purge --reason "malformed message" --yes
    """
    with opened(options) as found:
        letters = _named(found, letter_id, reason, everything)
        if dry_run:
            print(f"{_number(len(letters))} would be thrown away")
            return
        if letters and not yes:
            click.confirm(f"Throw {_number(len(letters))} away for good?", abort=True)
        with bar("purge") as progress:
            went, _ = each_of(letters, found.dead.purge, progress)
    print(f"{_number(went)} {'was' if went == 1 else 'were'} thrown away")


def _named(found: OpenedJobs, letter_id: str | None, reason: str | None, everything: bool) -> list[DeadJob]:
    if sum((letter_id is not None, reason is not None, everything)) != 1:
        raise ConfigurationError("which dead letters: expected an ID, or --reason TEXT, or --all")
    if letter_id is None:
        return found.dead.list(reason=reason, limit=_MOST)
    letter = found.dead.show(letter_id)
    if letter is None:
        _missing(letter_id)
    return [letter]


def _missing(letter_id: str) -> NoReturn:
    print(f"kombu-zipkin: there is no dead letter {letter_id}", file=sys.stderr)
    sys.exit(FAILED)


def _number(count: int) -> str:
    return f"{count} dead letter" if count == 1 else f"{count} dead letters"


def _plain(letter: DeadJob) -> dict[str, Any]:
    fields = asdict(letter)
    return {**fields, "raw": letter.raw.decode("utf-8", "replace")}
