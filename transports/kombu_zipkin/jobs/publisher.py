"""Publish jobs: checked, traced, in bounded time."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final

from kombu_zipkin.broker import broker_name
from kombu_zipkin.errors import ConfigurationError, InvalidJob, JobTooLarge
from kombu_zipkin.jobs.catalogue import Catalogue, TaskEntry
from kombu_zipkin.jobs.changes import now_ms, published
from kombu_zipkin.jobs.delays import Delays
from kombu_zipkin.jobs.job import MAX_BODY_BYTES, Job, JobState, check_job_id, write_body
from kombu_zipkin.jobs.keys import DEFAULT_NAMESPACE, JobKeys
from kombu_zipkin.jobs.outbox import KombuOutbox, Outbox, Posting, RedisOutbox
from kombu_zipkin.jobs.records import JobRecords
from kombu_zipkin.jobs.store import Store
from kombu_zipkin.messaging import outgoing
from kombu_zipkin.tracing import ActiveSpan, Kind, Tracer

_LONGEST_DELAY_MS: Final = 366 * 24 * 3600 * 1000


class JobPublisher:
    """Publishes jobs. Any thread may use it; a call blocks up to about twice ``timeout`` seconds, whatever Redis does.

    Args:
        url: The queue's broker: ``redis://``, ``rediss://``, ``amqp://`` or ``amqps://``.
        tracer: Makes a PRODUCER span for each job, below the open span.
        records_url: The Redis for records and catalogue; None for the broker itself.
        namespace: Prefix of every key; the same for publishers and workers.
        timeout: Seconds for one command.

    Raises:
        ConfigurationError: A URL is wrong, or the broker is no Redis and ``records_url`` is missing.
    """

    def __init__(
        self,
        url: str,
        tracer: Tracer,
        *,
        records_url: str | None = None,
        namespace: str = DEFAULT_NAMESPACE,
        timeout: float = 0.8,
    ) -> None:
        self._broker = broker_name(url)
        if self._broker != "redis" and records_url is None:
            raise ConfigurationError(f"records_url: expected the URL of a Redis, for {self._broker} keeps no records")
        self._tracer = tracer
        keys, beside = JobKeys(namespace), records_url or url
        self._store = Store(beside, timeout=timeout)
        self._catalogue = Catalogue(self._store, keys)
        self._records = JobRecords(beside, namespace=namespace, timeout=timeout)
        self._queue_store = self._store if self._broker != "redis" else Store(url, timeout=timeout)
        self.outbox: Outbox
        if beside == url:
            self.outbox = RedisOutbox(self._store, keys, self._records.bounds)
        else:
            delays = Delays(self._queue_store, keys)
            self.outbox = KombuOutbox(url, keys, self._records, self._store, delays, timeout)

    @property
    def catalogue(self) -> Catalogue:
        """The tasks that workers have announced."""
        return self._catalogue

    def publish(self, task: str, /, *, job_id: str | None = None, delay_ms: int = 0, **arguments: Any) -> Job:
        """Publish one job; returns when the broker has it.

        Args:
            task: Name of the task.
            job_id: The job's id; None makes one. One that was published before is not published again: after an error
                the same call may be repeated.
            delay_ms: Milliseconds before the job may start.
            arguments: The task's arguments, JSON values.

        Returns:
            The job; of one that was published before, its record.

        Raises:
            UnknownTask: No worker has announced the task.
            InvalidArguments: The task does not take these arguments.
            JobTooLarge: The message would be over 64 KiB.
            InvalidJob: The id or the delay is wrong.
            BrokerUnavailable: The broker did not answer; the job may have been published or not.
        """
        due_ms = _due(delay_ms)
        entry = self._catalogue.find(task)
        entry.parameters.check(arguments)
        with self._span(entry) as span:
            posting = self._posting(entry, arguments, span, job_id, due_ms)
            if not self.outbox.put([posting])[0]:
                span.tag("job.outcome", "published before")
                return self._records.get(posting.job.id) or posting.job
        return posting.job

    def publish_many(self, task: str, arguments: Iterable[Mapping[str, Any]], /, *, delay_ms: int = 0) -> list[Job]:
        """Publish many jobs of one task, some hundreds in a round trip; all are checked before the first is sent.

        Args:
            task: Name of the task.
            arguments: Of each job.
            delay_ms: Milliseconds before they may start.

        Raises:
            UnknownTask: No worker has announced the task.
            InvalidArguments: The task does not take the arguments of one.
            JobTooLarge: The message of one would be over 64 KiB.
            InvalidJob: The delay is wrong.
            BrokerUnavailable: The broker did not answer; some may have been published.
        """
        due_ms, each_job = _due(delay_ms), list(arguments)
        entry = self._catalogue.find(task)
        for one in each_job:
            entry.parameters.check(one)
        postings = []
        for one in each_job:
            with self._span(entry) as span:
                postings.append(self._posting(entry, dict(one), span, None, due_ms))
        self.outbox.put(postings)
        return [posting.job for posting in postings]

    def close(self) -> None:
        """Close the connections."""
        self.outbox.close()
        self._records.close()
        self._store.close()
        self._queue_store.close()

    def _span(self, entry: TaskEntry) -> Any:
        return self._tracer.child(f"publish {entry.name}", kind=Kind.PRODUCER, remote=self._broker)

    def _posting(
        self, entry: TaskEntry, arguments: dict[str, Any], span: ActiveSpan, job_id: str | None, due_ms: int | None
    ) -> Posting:
        own_id = uuid.uuid4().hex if job_id is None else check_job_id(job_id)
        job = Job(
            id=own_id,
            task=entry.name,
            arguments=arguments,
            queue=entry.queue,
            state=JobState.QUEUED if due_ms is None else JobState.WAITING,
            trace_id=span.context.trace_id,
            sampled=bool(span.context.sampled),
            created_ms=now_ms(),
            due_ms=due_ms,
        )
        body = write_body(job)
        if len(body) > MAX_BODY_BYTES:
            raise JobTooLarge(f"job of {len(body)} bytes: expected at most {MAX_BODY_BYTES}")
        self._tag(span, job, len(body))
        headers = outgoing(span.context, sent_at=None if due_ms is None else due_ms / 1000)
        return Posting(job, job_id is not None, body, headers, published(job, due_ms), due_ms)

    def _tag(self, span: ActiveSpan, job: Job, size: int) -> None:
        span.tag("messaging.system", self._broker)
        span.tag("messaging.destination.name", job.queue)
        span.tag("messaging.operation.type", "send")
        span.tag("messaging.message.id", job.id)
        span.tag("messaging.message.body.size", size)
        span.tag("job.id", job.id)
        span.tag("job.task", job.task)


def _due(delay_ms: int) -> int | None:
    if not isinstance(delay_ms, int) or not 0 <= delay_ms <= _LONGEST_DELAY_MS:
        raise InvalidJob(f"delay_ms: expected 0..{_LONGEST_DELAY_MS}, got {delay_ms!r}")
    return now_ms() + delay_ms if delay_ms else None
