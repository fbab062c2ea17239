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

_LONGEST_DELAY_MS: Final = 366 * 24 * 3600 * 1000
_AT_ONCE: Final = 500


class _Draft(NamedTuple):
    """A checked job, before its span."""

    entry: TaskEntry
    arguments: dict[str, Any]
    job_id: str
    is_chosen: bool
    written: bytes
    body: bytes
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
        entry, made_ms = self._catalogue.find(task), now_ms()
        draft = _draft(entry, arguments, job_id, made_ms, _due(delay_ms, made_ms))
        with self._span(entry) as span:
            posting = self._posting(draft, span)
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
        entry, made_ms = self._catalogue.find(task), now_ms()
        due_ms = _due(delay_ms, made_ms)
        drafts = [_draft(entry, dict(one), None, made_ms, due_ms) for one in arguments]
        jobs: list[Job] = []
        with ThreadPoolExecutor(1, "kombu-zipkin-publish") as sender:  # Redis works while the next ones are made
            sending: Future[list[bool]] | None = None
            for at in range(0, len(drafts), _AT_ONCE):
                postings = []
                for draft in drafts[at : at + _AT_ONCE]:
                    with self._span(entry) as span:
                        postings.append(self._posting(draft, span))
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

    def _posting(self, draft: _Draft, span: ActiveSpan) -> Posting:
        entry, context, due_ms = draft.entry, span.context, draft.due_ms
        job = Job(
            id=draft.job_id,
            task=entry.name,
            arguments=draft.arguments,
            queue=entry.queue,
            state=JobState.QUEUED if due_ms is None else JobState.WAITING,
            trace_id=context.trace_id,
            sampled=bool(context.sampled),
            created_ms=draft.made_ms,
            due_ms=due_ms,
        )
        self._tag(span, job, len(draft.body))
        headers = outgoing(context, sent_at=None if due_ms is None else due_ms / 1000)
        return Posting(job, draft.is_chosen, draft.written, draft.body, headers)

    def _tag(self, span: ActiveSpan, job: Job, size: int) -> None:
        span.tag("messaging.system", self._broker)
        span.tag("messaging.destination.name", job.queue)
        span.tag("messaging.operation.type", "send")
        span.tag("messaging.message.id", job.id)
        span.tag("messaging.message.body.size", size)
        span.tag("job.id", job.id)
        span.tag("job.task", job.task)


def _draft(entry: TaskEntry, arguments: dict[str, Any], job_id: str | None, made_ms: int, due_ms: int | None) -> _Draft:
    """Check a job and write its body."""
    own_id = new_trace_id() if job_id is None else check_job_id(job_id)
    written = entry.parameters.write(arguments)
    body = write_body(own_id, entry.name, written, made_ms)
    if len(body) > MAX_BODY_BYTES:
        raise JobTooLarge(f"job of {len(body)} bytes: expected at most {MAX_BODY_BYTES}")
    return _Draft(entry, arguments, own_id, job_id is not None, written, body, made_ms, due_ms)


def _due(delay_ms: int, made_ms: int) -> int | None:
    if type(delay_ms) is not int or not 0 <= delay_ms <= _LONGEST_DELAY_MS:
        raise InvalidJob(f"delay_ms: expected 0..{_LONGEST_DELAY_MS}, got {delay_ms!r}")
    return made_ms + delay_ms if delay_ms else None
