"""Publish jobs: checked, traced, in bounded time."""

import logging
import os
import time
import uuid
from typing import Any, Final

import kombu.exceptions
from kombu.pools import ProducerPool

from kombu_zipkin.broker import broker_name, connect
from kombu_zipkin.errors import BrokerUnavailable, ConfigurationError, InvalidJob, JobTooLarge
from kombu_zipkin.jobs.catalogue import Catalogue, TaskEntry
from kombu_zipkin.jobs.delays import Delays
from kombu_zipkin.jobs.job import MAX_BODY_BYTES, Job, JobState, check_job_id, write_body
from kombu_zipkin.jobs.keys import DEFAULT_NAMESPACE, JobKeys
from kombu_zipkin.jobs.records import JobRecords
from kombu_zipkin.jobs.store import Store
from kombu_zipkin.messaging import TracedHeaders, outgoing
from kombu_zipkin.tracing import ActiveSpan, Kind, Tracer

_log = logging.getLogger(__name__)

_POOL: Final = 10
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
        self._timeout = timeout
        self._url, self._namespace = url, namespace
        self._open()
        keys = JobKeys(namespace)
        self._catalogue = Catalogue(Store(records_url or url, timeout=timeout), keys)
        self._delays = Delays(Store(url, timeout=timeout), keys) if self._broker == "redis" else None
        self._records = JobRecords(records_url or url, namespace=namespace, timeout=timeout)

    @property
    def catalogue(self) -> Catalogue:
        """The tasks that workers have announced."""
        return self._catalogue

    def publish(self, task: str, /, *, job_id: str | None = None, delay_ms: int = 0, **arguments: Any) -> Job:
        """Publish one job; returns when the broker has it.

        Args:
            task: Name of the task.
            job_id: The job's id; None makes one.
            delay_ms: Milliseconds before the job may start.
            arguments: The task's arguments, JSON values.

        Raises:
            UnknownTask: No worker has announced the task.
            InvalidArguments: The task does not take these arguments.
            JobTooLarge: The message would be over 64 KiB.
            InvalidJob: The id or the delay is wrong.
            BrokerUnavailable: The broker did not answer; the job may have been published or not.
        """
        if not isinstance(delay_ms, int) or not 0 <= delay_ms <= _LONGEST_DELAY_MS:
            raise InvalidJob(f"delay_ms: expected 0..{_LONGEST_DELAY_MS}, got {delay_ms!r}")
        job_id = check_job_id(uuid.uuid4().hex if job_id is None else job_id)
        entry = self._catalogue.find(task)
        entry.parameters.check(arguments)
        with self._tracer.child(f"publish {entry.name}", kind=Kind.PRODUCER, remote=self._broker) as span:
            job = _new_job(job_id, entry, arguments, span, delayed=delay_ms > 0)
            body = write_body(job)
            if len(body) > MAX_BODY_BYTES:
                raise JobTooLarge(f"job of {len(body)} bytes: expected at most {MAX_BODY_BYTES}")
            self._tag(span, job, len(body))
            self._send(job, body, span, delay_ms)
            self._record(job)
        return job

    def _open(self) -> None:
        """Make a pool for this process: kombu closes what a multiprocessing child inherits.

        Of its own: kombu's global pools are shared by address, and closed for all by whoever closes one.
        """
        self._pid = os.getpid()
        self._connection = connect(self._url, namespace=self._namespace, timeout=self._timeout)
        self._producers = ProducerPool(connections=self._connection.Pool(_POOL), limit=_POOL)

    def close(self) -> None:
        """Close the connections."""
        self._producers.force_close_all()
        self._producers.connections.force_close_all()
        self._records.close()

    def _send(self, job: Job, body: bytes, span: ActiveSpan, delay_ms: int) -> None:
        if delay_ms == 0:
            self._publish(job, body, outgoing(span.context))
        elif self._delays is not None:
            due = time.time() + delay_ms / 1000
            self._delays.add(body, outgoing(span.context, sent_at=due), job.queue, job.id, int(due * 1000))
        else:
            raise InvalidJob(f"delay_ms: expected 0, for {self._broker} keeps no delayed jobs")

    def _publish(self, job: Job, body: bytes, headers: TracedHeaders) -> None:
        """Send once: a second attempt after a timeout could publish the job twice."""
        if self._pid != os.getpid():
            self._open()
        connection = self._connection
        failures = (*connection.connection_errors, *connection.channel_errors, kombu.exceptions.KombuError)
        try:
            with self._producers.acquire(block=True, timeout=self._timeout) as producer:
                producer.publish(
                    body,
                    exchange="",
                    routing_key=job.queue,
                    content_type="application/json",
                    content_encoding="utf-8",
                    headers=headers,
                    message_id=job.id,
                    retry=False,
                    declare=[kombu.Queue(job.queue, kombu.Exchange(""), routing_key=job.queue)]
                    if self._delays is None
                    else [],
                )
        except failures as error:
            raise BrokerUnavailable(f"publish to {job.queue}: {type(error).__name__}: {error}") from error

    def _record(self, job: Job) -> None:
        """Write the record; without it the job runs all the same, and the worker writes it."""
        try:
            self._records.published(job)
        except BrokerUnavailable as error:
            _log.warning("job %s published, but its record is not: %s; the worker will write it", job.id, error)

    def _tag(self, span: ActiveSpan, job: Job, size: int) -> None:
        span.tag("messaging.system", self._broker)
        span.tag("messaging.destination.name", job.queue)
        span.tag("messaging.operation.type", "send")
        span.tag("messaging.message.id", job.id)
        span.tag("messaging.message.body.size", size)
        span.tag("job.id", job.id)
        span.tag("job.task", job.task)


def _new_job(job_id: str, entry: TaskEntry, arguments: dict[str, Any], span: ActiveSpan, *, delayed: bool) -> Job:
    return Job(
        id=job_id,
        task=entry.name,
        arguments=arguments,
        queue=entry.queue,
        state=JobState.WAITING if delayed else JobState.QUEUED,
        trace_id=span.context.trace_id,
        sampled=bool(span.context.sampled),
        created_ms=int(time.time() * 1000),
    )
