"""Where published jobs go: into Redis by one script, records and all; or to another broker through kombu."""

import base64
import os
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

import kombu
import kombu.exceptions
import orjson
from kombu.pools import ProducerPool

from kombu_zipkin.broker import connect, new_envelope
from kombu_zipkin.errors import BrokerUnavailable
from kombu_zipkin.jobs.changes import now_ms, published
from kombu_zipkin.jobs.delays import Delays, delayed_member
from kombu_zipkin.jobs.job import Job
from kombu_zipkin.jobs.keys import JobKeys
from kombu_zipkin.jobs.records import JobRecords
from kombu_zipkin.jobs.store import Store
from kombu_zipkin.messaging import TracedHeaders

_POOL: Final = 10


class Posting(NamedTuple):
    """One job on its way out.

    Attributes:
        job: The job.
        is_chosen: Whether the caller chose its id, so that it may have been published before.
        arguments: The job's, as JSON.
        body: Of its message.
        headers: Of its message.
    """

    job: Job
    is_chosen: bool
    arguments: bytes
    body: bytes
    headers: TracedHeaders


class Outbox(Protocol):
    """Takes jobs. Any thread may call."""

    def put(self, postings: Sequence[Posting]) -> list[bool]:
        """Publish jobs of one task, made and due at one time; each is False where its id was published before.

        Raises:
            BrokerUnavailable: The broker did not answer; some may have been published.
        """
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class RedisOutbox:
    """Messages and records in one Redis: one step for both.

    Args:
        store: That Redis; the caller closes it.
        keys: Where.
        open_ttl: Milliseconds for which the record of a job stays that has not ended.
    """

    def __init__(self, store: Store, keys: JobKeys, open_ttl: int) -> None:
        self._store = store
        self._keys = keys
        self._open_ttl = open_ttl
        self._script = store.script("recording", "publish")

    def put(self, postings: Sequence[Posting]) -> list[bool]:
        """Publish jobs, all in one step: some hundreds at most."""
        first = postings[0].job
        queue, due = first.queue, first.due_ms
        place = self._keys.queue(queue) if due is None else self._keys.delayed
        due_text: str | int = "" if due is None else due
        args: list[Any] = [now_ms(), self._open_ttl, due_text, first.state.value, first.task, queue, first.created_ms]
        for job, is_chosen, arguments, body, headers in postings:
            envelope = orjson.dumps(new_envelope(body, headers, queue, message_id=job.id))
            message = envelope if due is None else delayed_member(queue, envelope)
            args += (job.id, int(is_chosen), message, job.trace_id or "", int(job.sampled), arguments)
        answer = self._store.run(f"publish to {queue}", self._script, [self._keys.index, place], args)
        return [each == 1 for each in answer]

    def close(self) -> None:
        """Do nothing: the caller closes what it gave."""


class KombuOutbox:
    """Messages through kombu, records beside them.

    Args:
        url: The broker.
        keys: Of the jobs.
        records: The records.
        store: Their Redis.
        delays: Where delayed jobs wait.
        timeout: Seconds for one command.
    """

    def __init__(
        self, url: str, keys: JobKeys, records: JobRecords, store: Store, delays: Delays, timeout: float
    ) -> None:
        self._url, self._keys, self._records, self._store, self._timeout = url, keys, records, store, timeout
        self._delays = delays
        self._open()

    def put(self, postings: Sequence[Posting]) -> list[bool]:
        """Publish jobs one by one."""
        return [self._put(posting) for posting in postings]

    def send(self, queue: str, message: dict[str, Any]) -> None:
        """Publish a message as it lay in the waiting room.

        Raises:
            BrokerUnavailable: The broker did not answer.
        """
        headers, properties = TracedHeaders(message["headers"]), message["properties"]
        self._send(base64.b64decode(message["body"]), queue, headers, properties["message_id"])

    def close(self) -> None:
        """Close the connections."""
        self._producers.force_close_all()
        self._producers.connections.force_close_all()

    def _open(self) -> None:
        """Make a pool for this process: kombu closes what a multiprocessing child inherits.

        Of its own: kombu's global pools are shared by address, and closed for all by whoever closes one.
        """
        self._pid = os.getpid()
        self._connection = connect(self._url, namespace=self._keys.namespace, timeout=self._timeout)
        self._producers = ProducerPool(connections=self._connection.Pool(_POOL), limit=_POOL)

    def _put(self, posting: Posting) -> bool:
        job = posting.job
        if posting.is_chosen and not self._take(job.id):
            return False
        try:
            if job.due_ms is None:
                self._send(posting.body, job.queue, posting.headers, job.id)
            else:
                self._delays.add(posting.body, posting.headers, job.queue, job.id, job.due_ms)
        except BrokerUnavailable:
            if posting.is_chosen:
                with self._store.using("free a job id") as redis:
                    redis.delete(self._keys.published(job.id))
            raise
        self._records.write_or_say([published(job)])
        return True

    def _take(self, job_id: str) -> bool:
        """Whether this id is published for the first time, within the records' time."""
        with self._store.using("take a job id") as redis:
            return bool(redis.set(self._keys.published(job_id), 1, nx=True, px=self._records.bounds[0]))

    def _send(self, body: bytes, queue: str, headers: TracedHeaders, job_id: str) -> None:
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
                    routing_key=queue,
                    content_type="application/json",
                    content_encoding="utf-8",
                    headers=headers,
                    message_id=job_id,
                    retry=False,
                    declare=[kombu.Queue(queue, kombu.Exchange(""), routing_key=queue)],
                )
        except failures as error:
            raise BrokerUnavailable(f"publish to {queue}: {type(error).__name__}: {error}") from error
