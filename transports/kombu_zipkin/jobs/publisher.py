"""Publish jobs: checked, traced, in bounded time."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, NamedTuple

from kombu_zipkin.broker import broker_name
from kombu_zipkin.errors import ConfigurationError, InvalidJob, JobTooLarge
from kombu_zipkin.jobs.catalogue import Catalogue, TaskEntry
from kombu_zipkin.jobs.changes import now_ms
from kombu_zipkin.jobs.delays import Delays
from kombu_zipkin.jobs.job import MAX_BODY_BYTES, Job, JobState, check_job_id, write_body
from kombu_zipkin.jobs.keys import DEFAULT_NAMESPACE, JobKeys
from kombu_zipkin.jobs.outbox import KombuOutbox, Outbox, Posting, RedisOutbox
from kombu_zipkin.jobs.records import JobRecords
from kombu_zipkin.jobs.store import Store
from kombu_zipkin.messaging import outgoing
from kombu_zipkin.tracing import ActiveSpan, Kind, Tracer, new_trace_id

LONGEST_DELAY_MS: Final = 366 * 24 * 3600 * 1000
"""The longest that a job may be told to wait."""
_AT_ONCE: Final = 500
_ANY_ID: Final = "0" * 32
_SURELY_SMALL: Final = MAX_BODY_BYTES // 2  # bytes of arguments, whatever the names around them


class _Batch(NamedTuple):
    """What jobs that are published together have in common."""

    entry: TaskEntry
    made_ms: int
    due_ms: int | None


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
            self.outbox = RedisOutbox(self._store, keys, self._records.bounds[1])
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
        batch = self._batch(task, delay_ms)
        own_id = new_trace_id() if job_id is None else check_job_id(job_id)
        written = _checked(batch, arguments, own_id)
        with self._span(batch.entry) as span:
            posting = self._posting(batch, own_id, job_id is not None, arguments, written, span)
            if not self.outbox.put([posting])[0]:
                span.tag("job.outcome", "published before")
                return self._records.get(own_id) or posting.job
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
        batch, each_job = self._batch(task, delay_ms), [dict(one) for one in arguments]
        written = [_checked(batch, one, _ANY_ID) for one in each_job]
        jobs: list[Job] = []
        with ThreadPoolExecutor(1, "kombu-zipkin-publish") as sender:  # Redis works while the next ones are made
            sending: Future[list[bool]] | None = None
            for at in range(0, len(each_job), _AT_ONCE):
                postings = []
                for one, text in zip(each_job[at : at + _AT_ONCE], written[at : at + _AT_ONCE], strict=True):
                    with self._span(batch.entry) as span:
                        postings.append(self._posting(batch, new_trace_id(), False, one, text, span))
                if sending is not None:
                    sending.result()
                sending = sender.submit(self.outbox.put, postings)
                jobs += [posting.job for posting in postings]
            if sending is not None:
                sending.result()
        return jobs

    def close(self) -> None:
        """Close the connections."""
        self.outbox.close()
        self._records.close()
        self._store.close()
        self._queue_store.close()

    def _span(self, entry: TaskEntry) -> Any:
        return self._tracer.child(f"publish {entry.name}", kind=Kind.PRODUCER, remote=self._broker)

    def _batch(self, task: str, delay_ms: int) -> _Batch:
        entry, made_ms = self._catalogue.find(task), now_ms()
        return _Batch(entry, made_ms, _due(delay_ms, made_ms))

    def _posting(
        self, batch: _Batch, job_id: str, is_chosen: bool, arguments: dict[str, Any], written: bytes, span: ActiveSpan
    ) -> Posting:
        (entry, made_ms, due_ms), context = batch, span.context
        job = Job(
            id=job_id,
            task=entry.name,
            arguments=arguments,
            queue=entry.queue,
            state=JobState.QUEUED if due_ms is None else JobState.WAITING,
            trace_id=context.trace_id,
            sampled=bool(context.sampled),
            created_ms=made_ms,
            due_ms=due_ms,
        )
        body = write_body(job_id, entry.name, written, made_ms)
        self._tag(span, job, len(body))
        headers = outgoing(context, sent_at=None if due_ms is None else due_ms / 1000)
        return Posting(job, is_chosen, written, body, headers)

    def _tag(self, span: ActiveSpan, job: Job, size: int) -> None:
        span.tag("messaging.system", self._broker)
        span.tag("messaging.destination.name", job.queue)
        span.tag("messaging.operation.type", "send")
        span.tag("messaging.message.id", job.id)
        span.tag("messaging.message.body.size", size)
        span.tag("job.id", job.id)
        span.tag("job.task", job.task)


def _checked(batch: _Batch, arguments: Mapping[str, Any], job_id: str) -> bytes:
    """Check a job's arguments and its size; returns the arguments as JSON."""
    written = batch.entry.parameters.write(arguments)
    if len(written) > _SURELY_SMALL:
        size = len(write_body(job_id, batch.entry.name, written, batch.made_ms))
        if size > MAX_BODY_BYTES:
            raise JobTooLarge(f"job of {size} bytes: expected at most {MAX_BODY_BYTES}")
    return written


def _due(delay_ms: int, made_ms: int) -> int | None:
    if type(delay_ms) is not int or not 0 <= delay_ms <= LONGEST_DELAY_MS:
        raise InvalidJob(f"delay_ms: expected 0..{LONGEST_DELAY_MS}, got {delay_ms!r}")
    return made_ms + delay_ms if delay_ms else None
