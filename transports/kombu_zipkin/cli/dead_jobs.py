"""``kombu-zipkin jobs dead``: list, show, replay, purge."""

from dataclasses import asdict
from typing import Any, Final

import click

from kombu_zipkin.cli.errors import fail
from kombu_zipkin.cli.job_settings import OpenedJobs, job_options, opened
from kombu_zipkin.cli.letters import check_named, confirm_purge, listed, unknown_letter, which_letters
from kombu_zipkin.cli.progress import bar
from kombu_zipkin.cli.screen import json_option, lines, moment, note, number, one_line, print_json
from kombu_zipkin.jobs import DeadJob, each_of

_MOST: Final = 1_000_000
_THING: Final = "dead letter"
_LISTING: Final = "kombu-zipkin jobs dead list"


@click.group(short_help="The jobs that failed for good; run them again.")
def dead() -> None:
    """Look at the jobs that failed for good; run them again, or throw them away.

    \b
    Example:
        kombu-zipkin jobs dead list --reason Timeout
        kombu-zipkin jobs dead show 0a056a4d9bfa493b92ac7bbc68fcd330
        kombu-zipkin jobs dead replay --all --dry-run
    """


@dead.command("list")
@listed(job_options)
def list_letters(reason: str | None, limit: int, as_json: bool, **options: str | None) -> None:
    """List the dead letters, the newest first.

    \b
    Example:
        kombu-zipkin jobs dead list --reason Timeout
    """
    with opened(options) as found:
        letters = found.dead.list(reason=reason, limit=limit)
    if as_json:
        print_json([_plain(letter) for letter in letters])
        return
    for letter in letters:
        died = "" if letter.dead_ms is None else moment(letter.dead_ms, "seconds")
        reason_line = one_line(letter.reason.partition("\n")[0])
        print(f"{letter.id}  {died}  {one_line(letter.task or '(no job)')}  {reason_line}")
    if len(letters) == limit:
        note(f"there may be more: --limit {min(limit * 10, 10_000)}")


@dead.command(short_help="Show one dead letter whole.")
@job_options
@click.argument("letter_id", metavar="ID")
@json_option
def show(letter_id: str, as_json: bool, **options: str | None) -> None:
    """Show the dead letter ID: reason, attempts, traceback, message.

    \b
    Example:
        kombu-zipkin jobs dead show 0a056a4d9bfa493b92ac7bbc68fcd330
    """
    with opened(options) as found:
        letter = found.dead.show(letter_id)
    if letter is None:
        unknown_letter(letter_id, _LISTING)
    if as_json:
        print_json(_plain(letter))
        return
    for name, value in _plain(letter).items():
        if value is not None:
            print(f"{name:11} {lines(value)}")


@dead.command(short_help="Put dead jobs back into their queues.")
@which_letters(job_options)
def replay(
    letter_id: str | None, reason: str | None, everything: bool, dry_run: bool, as_json: bool, **options: str | None
) -> None:
    """Put dead jobs back into their queues, with all attempts before them: ID, or --reason, or --all.

    \b
    Example:
        kombu-zipkin jobs dead replay --reason Timeout --dry-run
    """
    with opened(options) as found:
        letters = _named(found, letter_id, reason, everything)
        if dry_run:
            _tell(len(letters), 0, "would go back into their queues", dry_run, as_json)
            return
        with bar("replay") as progress:
            went, stayed = each_of(letters, found.dead.replay, progress)
    _tell(went, stayed, f"went back into {'its queue' if went == 1 else 'their queues'}", dry_run, as_json)
    if stayed:
        fail(f"{number(stayed, _THING)} stayed: no jobs, or gone meanwhile; those that there are: {_LISTING}")


@dead.command(short_help="Throw dead letters away for good.")
@which_letters(job_options)
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
        kombu-zipkin jobs dead purge --reason "malformed message" --yes
    """
    with opened(options) as found:
        letters = _named(found, letter_id, reason, everything)
        if dry_run:
            _tell(len(letters), 0, "would be thrown away", dry_run, as_json)
            return
        if letters and not yes:
            confirm_purge(number(len(letters), _THING))
        with bar("purge") as progress:
            went, stayed = each_of(letters, found.dead.purge, progress)
    _tell(went, stayed, f"{'was' if went == 1 else 'were'} thrown away", dry_run, as_json)


def _tell(went: int, stayed: int, what: str, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json({"dry_run": dry_run, "dead_letters": went, "stayed": stayed})
    else:
        print(f"{number(went, _THING)} {what}")


def _named(found: OpenedJobs, letter_id: str | None, reason: str | None, everything: bool) -> list[DeadJob]:
    check_named(letter_id, reason, everything)
    if letter_id is None:
        return found.dead.list(reason=reason, limit=_MOST)
    letter = found.dead.show(letter_id)
    if letter is None:
        unknown_letter(letter_id, _LISTING)
    return [letter]


def _plain(letter: DeadJob) -> dict[str, Any]:
    fields = asdict(letter)
    return {**fields, "raw": letter.raw.decode("utf-8", "replace")}
