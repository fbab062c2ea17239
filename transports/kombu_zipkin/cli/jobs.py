"""``kombu-zipkin jobs``: status, list, show, retry, and the dead letters below ``dead``."""

from dataclasses import asdict
from typing import Final, NoReturn

import click
from rich.console import Group, RenderableType

from kombu_zipkin.cli.dead_jobs import dead
from kombu_zipkin.cli.errors import fail
from kombu_zipkin.cli.job_settings import job_options, opened
from kombu_zipkin.cli.job_table import job_table, state_counts
from kombu_zipkin.cli.screen import console, json_option, lines, moment, note, print_json, print_whole, watch
from kombu_zipkin.jobs import JobPage, JobState

_WATCH_SECONDS: Final = 1.0


@click.group()
def jobs() -> None:
    """Look at jobs, and have one run again.

    \b
    Example:
        kombu-zipkin jobs list --state running --watch
        kombu-zipkin jobs show 0a056a4d9bfa493b92ac7bbc68fcd330
        kombu-zipkin jobs dead replay --reason Timeout --dry-run
    """


jobs.add_command(dead)


@jobs.command(short_help="Count the jobs in each state.")
@job_options
@json_option
def status(as_json: bool, **options: str | None) -> None:
    """Say how many jobs are in each state, as far as their records are kept.

    \b
    Example:
        kombu-zipkin jobs status
    """
    with opened(options) as found:
        counts = {state.value: number for state, number in found.records.counts().items()}
    if as_json:
        print_json(counts)
    else:
        for state, number in counts.items():
            print(f"{state.replace('_', '-'):13} {number}")


@jobs.command("list", short_help="List jobs, the newest first.")
@job_options
@click.option("--state", type=click.Choice([state.value for state in JobState]), help="Only jobs in this state.")
@click.option("--task", metavar="NAME", help="Only jobs of this task.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@click.option("--after", metavar="PLACE", help="Go on where the page before ended.")
@json_option
@click.option("--watch", "watched", is_flag=True, help="Go on, every second, until Ctrl-C; its exit code is 0.")
def list_jobs(
    state: str | None,
    task: str | None,
    limit: int,
    after: str | None,
    as_json: bool,
    watched: bool,
    **options: str | None,
) -> None:
    """List jobs, the newest first. --json prints them as "jobs", and as "next" what --after takes.

    \b
    Example:
        kombu-zipkin jobs list --state dead_lettered --task charge
        kombu-zipkin jobs list --watch
    """
    if as_json and watched:
        raise click.UsageError("--json prints a page once: leave --watch out")
    wanted = None if state is None else JobState(state)
    with opened(options) as found:

        def page() -> JobPage:
            return found.records.page(state=wanted, task=task, limit=limit, after=after)

        if watched:
            watch(lambda: Group(state_counts(found.records.counts()), _table(page())), _WATCH_SECONDS)
            return
        this = page()
    if as_json:
        print_json({"jobs": [asdict(job) for job in this.jobs], "next": this.next})
        return
    print_whole(_table(this))
    if this.next is not None:
        note(f"there are more: --after {this.next}")


@jobs.command(short_help="Show all that is known of a job.")
@job_options
@click.argument("job_id", metavar="ID")
@json_option
def show(job_id: str, as_json: bool, **options: str | None) -> None:
    """Show everything that is known of the job ID.

    \b
    Example:
        kombu-zipkin jobs show 0a056a4d9bfa493b92ac7bbc68fcd330
    """
    with opened(options) as found:
        job = found.records.get(job_id)
    if job is None:
        _unknown(job_id)
    if as_json:
        print_json(asdict(job))
        return
    for name, value in asdict(job).items():
        if value in (None, "", ()) or name == "history":
            continue
        print(f"{name:12} {moment(value) if name.endswith('_ms') else lines(value)}")
    for attempt in job.history:
        ended = "" if attempt.ended_ms is None else f", {attempt.ended_ms - attempt.started_ms} ms"
        error = f": {lines(attempt.error)}" if attempt.error else ""
        print(f"attempt {attempt.number:<4} {moment(attempt.started_ms)}{ended}, {attempt.outcome}{error}")


@jobs.command(short_help="Run a waiting or dead job again now.")
@job_options
@click.argument("job_id", metavar="ID")
@json_option
def retry(job_id: str, as_json: bool, **options: str | None) -> None:
    """Run the job ID again now: one that waits for its next attempt, or a dead one.

    \b
    Example:
        kombu-zipkin jobs retry 0a056a4d9bfa493b92ac7bbc68fcd330
    """
    with opened(options) as found:
        went = found.waiting.release_now(job_id)
        letter = None if went else found.dead.show(job_id)
        went = went or (letter is not None and found.dead.replay(letter))
        job = found.records.get(job_id)
    if job is None:
        _unknown(job_id)
    if not went:
        fail(f"job {job_id} is {job.state}: only one that waits or is dead is retried")
    if as_json:
        print_json(asdict(job))
    else:
        print(f"job {job_id} is in the queue {job.queue}")


def _table(page: JobPage) -> RenderableType:
    return job_table(page.jobs, console().width)


def _unknown(job_id: str) -> NoReturn:
    fail(f"job {job_id}: unknown, or its record has expired; those that there are: kombu-zipkin jobs list")
