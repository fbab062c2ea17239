"""The dead-letter queues of jobs on Redis: look at them, send their jobs again, throw them away."""

import base64
import binascii
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import orjson

from kombu_zipkin.broker import DEAD_LETTER_REASON, dead_letter_queue, new_envelope
from kombu_zipkin.jobs import changes
from kombu_zipkin.jobs.changes import Change, now_ms
from kombu_zipkin.jobs.endings import DEAD_LETTER_AT, DEAD_LETTER_TRACEBACK
from kombu_zipkin.jobs.job import ATTEMPT, Job, JobState, MalformedJob, read_body
from kombu_zipkin.jobs.keys import DEFAULT_NAMESPACE, JobKeys
from kombu_zipkin.jobs.records import JobRecords
from kombu_zipkin.jobs.store import Store
from kombu_zipkin.messaging import BACK_OFF, SENT
from kombu_zipkin.tracing import extract

_PAGE: Final = 100
_ABOUT_DEATH: Final = (DEAD_LETTER_REASON, DEAD_LETTER_AT, DEAD_LETTER_TRACEBACK, ATTEMPT, BACK_OFF)


@dataclass(frozen=True, slots=True)
class DeadJob:
    """One dead letter.

    Attributes:
        id: The job's id; of what is no job, a digest of it.
        queue: The queue it came from.
        task: The job's task; None for what is no job.
        arguments: The job's; None for what is no job.
        reason: Why it is dead.
        attempts: How many there were.
        dead_ms: Epoch milliseconds at which it died; None when it does not say.
        trace_id: Of its trace; None when it carries none.
        traceback: Where its task raised; None when it did not.
        raw: What lies in the queue.
    """

    id: str
    queue: str
    task: str | None
    arguments: dict[str, Any] | None
    reason: str
    attempts: int
    dead_ms: int | None
    trace_id: str | None
    traceback: str | None
    raw: bytes


class DeadJobs:
    """The dead letters of some queues. Any thread may use it; each moves exactly once, whoever else does the same.

    Args:
        url: The queue's Redis.
        queues: Which queues.
        records: Told of what is replayed.
        namespace: Prefix of every key.
        timeout: Seconds for one command.
    """

    def __init__(
        self,
        url: str,
        queues: Sequence[str],
        records: JobRecords,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        timeout: float = 5.0,
    ) -> None:
        self._store = Store(url, timeout=timeout)
        self._keys = JobKeys(namespace)
        self._queues = list(queues)
        self._records = records
        self._records_along = records.url == url
        self._replay = self._store.script("recording", "replay")

    def list(self, *, reason: str | None = None, limit: int = 50) -> "list[DeadJob]":
        """Return dead letters, of each queue the newest first.

        Args:
            reason: Only those whose reason contains it.
            limit: How many at most.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        found = []
        for letter in self._all():
            if reason is None or reason in letter.reason:
                found.append(letter)
                if len(found) == limit:
                    break
        return found

    def show(self, letter_id: str) -> DeadJob | None:
        """Return one dead letter; None when there is none of that id.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        return next((letter for letter in self._all() if letter.id == letter_id), None)

    def replay(self, letter: DeadJob) -> bool:
        """Put a job back into its queue, in its own trace, with all its attempts before it.

        Returns:
            False where it is not there any more, or is no job.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        if letter.task is None:
            return False
        envelope: dict[str, Any] = orjson.loads(letter.raw)
        headers = {name: value for name, value in envelope["headers"].items() if name not in _ABOUT_DEATH}
        headers[SENT] = time.time_ns() // 1000
        body = base64.b64decode(envelope["body"])
        message = orjson.dumps(new_envelope(body, headers, letter.queue, message_id=letter.id))
        change = _again(letter)
        texts = change.texts() if self._records_along else []
        if not self._records_along:  # first: a worker may be quicker than what is written afterwards
            self._records.write_or_say([change])
        keys = [self._keys.index, self._keys.queue(dead_letter_queue(letter.queue)), self._keys.queue(letter.queue)]
        args = [letter.raw, message, letter.id, now_ms(), *self._records.bounds[:2], *texts]
        return bool(self._store.run("replay a dead letter", self._replay, keys, args) == 1)

    def purge(self, letter: DeadJob) -> bool:
        """Throw a dead letter away; False where it is not there any more.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        key = self._keys.queue(dead_letter_queue(letter.queue))
        with self._store.using("purge a dead letter") as redis:
            return bool(redis.lrem(key, -1, letter.raw))  # type: ignore[arg-type] # redis-py: str only

    def close(self) -> None:
        """Close the connections."""
        self._store.close()

    def _all(self) -> Iterator[DeadJob]:
        for queue in self._queues:
            at = 0
            while some := self._page(queue, at):
                yield from (_read(raw, queue) for raw in some)
                at += len(some)

    def _page(self, queue: str, at: int) -> Any:
        with self._store.using("read dead letters") as redis:
            return redis.lrange(self._keys.queue(dead_letter_queue(queue)), at, at + _PAGE - 1)


def each_of(
    letters: Sequence[DeadJob], move: Callable[[DeadJob], bool], progress: Callable[[int], None]
) -> tuple[int, int]:
    """Move letters, the oldest first; returns how many went, and how many did not."""
    went = 0
    for letter in reversed(letters):
        went += move(letter)
        progress(1)
    return went, len(letters) - went


def _read(raw: bytes, queue: str) -> DeadJob:
    headers, task, arguments, job_id = _opened(raw)
    context = extract(headers)
    number, at = headers.get(ATTEMPT), headers.get(DEAD_LETTER_AT)
    return DeadJob(
        id=job_id or blake2b(raw, digest_size=8).hexdigest(),
        queue=queue,
        task=task,
        arguments=arguments,
        reason=str(headers.get(DEAD_LETTER_REASON, "(it does not say)")),
        attempts=number if type(number) is int else 0,
        dead_ms=at if type(at) is int else None,
        trace_id=context.trace_id if context is not None else None,
        traceback=headers.get(DEAD_LETTER_TRACEBACK),
        raw=raw,
    )


def _opened(raw: bytes) -> tuple[dict[str, Any], str | None, dict[str, Any] | None, str | None]:
    """Read a message's headers, and the job in its body if there is one; whatever lies in the queue."""
    headers: dict[str, Any] = {}
    try:
        envelope = orjson.loads(raw)
        headers = dict(envelope["headers"])
        job = read_body(base64.b64decode(envelope["body"]), envelope["content-type"])
    except (ValueError, TypeError, KeyError, binascii.Error, MalformedJob):
        return headers, None, None, None
    return headers, job.task, job.arguments, job.id


def _again(letter: DeadJob) -> Change:
    job = Job(
        letter.id,
        letter.task or "",
        letter.arguments or {},
        letter.queue,
        JobState.QUEUED,
        letter.trace_id,
        True,
        now_ms(),
    )
    change = changes.published(job)._replace(is_first=False)
    kept = {name: value for name, value in change.fields.items() if name not in ("created_ms", "sampled")}
    return change._replace(fields={**kept, "finished_ms": "", "error": "", "traceback": ""})
