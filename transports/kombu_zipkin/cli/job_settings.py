"""What the ``jobs`` commands read: which queue, which records."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import click
from pydantic import Field

from kombu_zipkin.cli.errors import one_sentence
from kombu_zipkin.errors import ConfigurationError
from kombu_zipkin.jobs import DeadJobs, Delays, JobRecords, opened_delays, read_catalogue
from kombu_zipkin.outages import public_address
from kombu_zipkin.runtime import ProgramSettings, load

_F = TypeVar("_F", bound=Callable[..., Any])
_DEFAULT_NAMESPACE = "kombu-zipkin"
_REDIS = ("redis://", "rediss://", "unix://")


class JobsSettings(ProgramSettings):
    """The jobs to look at."""

    redis_url: str = Field("redis://localhost:6379/0", description="The Redis that holds the records.")
    broker_url: str | None = Field(None, description="The queue's broker; REDIS_URL without one.")
    jobs_namespace: str = Field(_DEFAULT_NAMESPACE, min_length=1, description="Prefix of the jobs' keys in Redis.")


@dataclass(frozen=True, slots=True)
class OpenedJobs:
    """What the commands work on.

    Attributes:
        records: What is known of each job.
        dead: The dead letters.
        waiting: The jobs that wait for their time.
    """

    records: JobRecords
    dead: DeadJobs
    waiting: Delays


def job_options(command: _F) -> _F:
    """Give a command the options that say which jobs."""
    for option in (
        click.option("--namespace", "jobs_namespace", metavar="NAME", help="Prefix of the keys [JOBS_NAMESPACE]."),
        click.option("--broker-url", metavar="URL", help="The queue's broker, if it is another [BROKER_URL]."),
        click.option("--redis-url", metavar="URL", help="The Redis that holds the records [REDIS_URL]."),
    ):
        command = option(command)
    return command


@contextmanager
def opened(options: dict[str, str | None]) -> Iterator[OpenedJobs]:
    """Lend what the options name; errors become a sentence."""
    with one_sentence():
        settings = load(JobsSettings, **options)
        if settings.broker_url and not settings.broker_url.startswith(_REDIS):
            raise ConfigurationError("BROKER_URL: expected a Redis; another broker keeps its dead letters itself")
        if not settings.redis_url.startswith(_REDIS):
            shown = public_address(settings.redis_url) if "@" in settings.redis_url else repr(settings.redis_url)
            raise ConfigurationError(f"REDIS_URL: expected redis://host:port, got {shown}")
    queue_url, namespace = settings.broker_url or settings.redis_url, settings.jobs_namespace
    with one_sentence(settings.redis_url):
        records = JobRecords(settings.redis_url, namespace=namespace, timeout=5.0)
        with read_catalogue(settings.redis_url, namespace) as catalogue:
            queues = sorted({entry.queue for entry in catalogue.all().values()} | {"jobs"})
        dead = DeadJobs(queue_url, queues, records, namespace=namespace)
        try:
            with opened_delays(queue_url, namespace) as waiting:
                yield OpenedJobs(records, dead, waiting)
        finally:
            dead.close()
            records.close()
