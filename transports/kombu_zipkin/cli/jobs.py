"""``kombu-zipkin jobs``: status, list, show, retry, and the dead letters below ``dead``."""

import json
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

from kombu_zipkin.cli.dead_jobs import dead
from kombu_zipkin.cli.errors import FAILED
from kombu_zipkin.cli.job_settings import OpenedJobs, job_options, opened
from kombu_zipkin.jobs import Job, JobPage, JobState

_WATCH_SECONDS: Final = 1.0
_WIDE: Final = 240


@click.group()
def jobs() -> None:
    """Look at jobs, and have one run again."""


jobs.add_command(dead)


@jobs.command()
@job_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool, **options: str | None) -> None:
    """Say how many jobs are in each state, as far as their records are kept.

    \b
    Example:
        kombu-zipkin jobs status
    """
    with opened(options) as found:
        counts = {state.value: number for state, number in found.records.counts().items()}
    if as_json:
        print(json.dumps(counts))
        return
    for state, number in counts.items():
        print(f"{state.replace('_', '-'):13} {number}")


@jobs.command("list")
@job_options
@click.option("--state", type=click.Choice([state.value for state in JobState]), help="Only jobs in this state.")
@click.option("--task", metavar="NAME", help="Only jobs of this task.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@click.option("--after", metavar="PLACE", help="Go on where the page before ended.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: jobs, and next for --after.")
@click.option("--watch", is_flag=True, help="Go on, every second, until Ctrl-C.")
def list_jobs(
    state: str | None,
    task: str | None,
    limit: int,
    after: str | None,
    as_json: bool,
    watch: bool,
    **options: str | None,
) -> None:
    """List jobs, the newest first.

    \b
    Example:
        kombu-zipkin jobs list --state dead_lettered --task charge
    """
    if as_json and watch:
        raise click.UsageError("--json prints a page once: leave --watch out")
    wanted = None if state is None else JobState(state)
    with opened(options) as found:
        page = found.records.page(state=wanted, task=task, limit=limit, after=after)
        if watch:
            _watch(found, wanted, task, limit, page)
            return
    if as_json:
        print(json.dumps({"jobs": [asdict(job) for job in page.jobs], "next": page.next}))
        return
    _console().print(_table(page))
    if page.next is not None:
        print(f"kombu-zipkin: there are more: --after {page.next}", file=sys.stderr)


@jobs.command()
@job_options
@click.argument("job_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
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
        print(json.dumps(asdict(job)))
        return
    for name, value in asdict(job).items():
        if value in (None, "", ()) or name == "history":
            continue
        print(f"{name:12} {_moment(value) if name.endswith('_ms') else _plain(value)}")
    for attempt in job.history:
        ended = "" if attempt.ended_ms is None else f", {attempt.ended_ms - attempt.started_ms} ms"
        error = f": {attempt.error}" if attempt.error else ""
        print(f"attempt {attempt.number:<4} {_moment(attempt.started_ms)}{ended}, {attempt.outcome}{error}")


@jobs.command()
@job_options
@click.argument("job_id", metavar="ID")
def retry(job_id: str, **options: str | None) -> None:
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
        print(f"kombu-zipkin: job {job_id} is {job.state}: only one that waits or is dead is retried", file=sys.stderr)
        sys.exit(FAILED)
    print(f"job {job_id} is in the queue {job.queue}")


def _watch(found: OpenedJobs, state: JobState | None, task: str | None, limit: int, page: JobPage) -> None:
    try:
        with Live(_table(page), console=_console(), auto_refresh=False) as live:
            while True:
                time.sleep(_WATCH_SECONDS)
                live.update(_table(found.records.page(state=state, task=task, limit=limit)), refresh=True)
    except KeyboardInterrupt:
        return


def _console() -> Console:
    """As wide as the terminal; wide where there is none, for whatever reads the lines."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)


def _table(page: JobPage) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("job", "task", "state", "attempts", "published", "took ms", "error"):
        whole = heading in ("job", "error")  # an id must come out as it can be copied
        table.add_column(heading, overflow="fold" if whole else "ellipsis", min_width=32 if heading == "job" else None)
    for job in page.jobs:
        table.add_row(job.id, job.task, job.state.value, str(job.attempts), _moment(job.created_ms), _took(job),
                      job.error or "")  # fmt: skip
    return table


def _took(job: Job) -> str:
    if job.started_ms is None or job.finished_ms is None:
        return ""
    return str(job.finished_ms - job.started_ms)


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(" ", "milliseconds").removesuffix("+00:00")


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _unknown(job_id: str) -> NoReturn:
    print(f"kombu-zipkin: job {job_id}: unknown, or its record has expired", file=sys.stderr)
    sys.exit(FAILED)
