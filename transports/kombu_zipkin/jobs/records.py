"""What is known of every job: kept in Redis for a while, for the pages, the API and the terminal."""

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kombu_zipkin.errors import BrokerUnavailable, InvalidJob
from kombu_zipkin.jobs.changes import Change, now_ms, read
from kombu_zipkin.jobs.job import Job, JobState
from kombu_zipkin.jobs.keys import DEFAULT_NAMESPACE, JobKeys
from kombu_zipkin.jobs.store import Store
from kombu_zipkin.outages import Outage, public_address

_log = logging.getLogger(__name__)

DEFAULT_TTL: Final = 24 * 3600.0
_OPEN_TTL_MS: Final = 30 * 24 * 3600 * 1000
_MAX_RECORDS: Final = 100_000
_OF_ONE_TRACE: Final = 200
_EXPIRED_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some jobs, newest first.

    Attributes:
        jobs: The jobs.
        next: Where the next page begins; None after the last.
    """

    jobs: list[Job]
    next: str | None


@dataclass(frozen=True, slots=True)
class Pace:
    """How many jobs a second, of late.

    Attributes:
        posted: That were published.
        ended: That succeeded or were dead-lettered.
    """

    posted: float
    ended: float


class JobRecords:
    """Reads and writes the records of jobs. Any thread may use it; a call blocks up to ``timeout`` seconds.

    Args:
        url: The Redis that holds them.
        namespace: Prefix of every key.
        ttl: Seconds a record stays after its job has ended; one that has not ended stays 30 days.
        limit: Records at most; above it the oldest that succeeded go.
        timeout: Seconds for one command.

    Attributes:
        url: As it was given.
        bounds: Milliseconds that a finished job's record stays, that an open one's does, and how many stay.
    """

    def __init__(
        self,
        url: str,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        ttl: float = DEFAULT_TTL,
        limit: int = _MAX_RECORDS,
        timeout: float = 1.0,
    ) -> None:
        self.url: Final = url
        self._store = Store(url, timeout=timeout)
        self._keys = JobKeys(namespace)
        self._outage = Outage(_log, f"records on {public_address(url)}")
        self.bounds: Final = (int(ttl * 1000), _OPEN_TTL_MS, limit)
        self._script = self._store.script("recording", "record")
        self._expire = self._store.script("recording", "expire")

    def get(self, job_id: str) -> Job | None:
        """Return one job; None when it is unknown or its record has expired.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        return next(iter(self._read([job_id])), None)

    def latest(self, limit: int = 50) -> list[Job]:
        """Return the jobs published last, newest first.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        return self.page(limit=limit).jobs

    def page(
        self,
        *,
        state: JobState | None = None,
        task: str | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> JobPage:
        """Return a page of jobs, newest first: by publishing, or by when they came into the state.

        Args:
            state: Only jobs in it; None for all.
            task: Only jobs of it; None for all.
            limit: How many at most.
            after: A page's ``next``; None for the first page.

        Raises:
            InvalidJob: ``after`` is none.
            BrokerUnavailable: Redis did not answer.
        """
        if state is None and task is None:
            keys = [self._keys.index]
        else:
            keys = [self._keys.in_state(each.value, task) for each in ([state] if state else JobState)]
        position = None if after is None else _position(after)
        with self._store.using("list jobs") as redis:
            found = sorted((each for key in keys for each in _below(redis, key, position, limit + 1)), reverse=True)
        shown = found[:limit]
        following = f"{shown[-1][0]}-{shown[-1][1]}" if len(found) > limit and shown else None
        return JobPage(self._read([job_id for _, job_id in shown]), following)

    def of_trace(self, trace_id: str) -> list[Job]:
        """Return the jobs of one trace, oldest first.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with self._store.using("read the jobs of a trace") as redis:
            ids: Any = redis.srandmember(self._keys.of_trace(trace_id), _OF_ONE_TRACE)
        return sorted(self._read([each.decode() for each in ids]), key=lambda job: (job.created_ms, job.id))

    def counts(self) -> Mapping[JobState, int]:
        """Return how many jobs are in each state, as far as their records are kept.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with self._store.using("count jobs") as redis, redis.pipeline(transaction=False) as pipe:
            for state in JobState:
                pipe.zcard(self._keys.in_state(state.value))
            return dict(zip(JobState, pipe.execute(), strict=True))

    def pace(self, seconds: float = 10.0) -> Pace:
        """Return how many jobs a second came and went in the last seconds.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        since = now_ms() - int(seconds * 1000)
        ends = [self._keys.in_state(state.value) for state in (JobState.SUCCEEDED, JobState.DEAD_LETTERED)]
        with self._store.using("count jobs") as redis, redis.pipeline(transaction=False) as pipe:
            for key in (self._keys.index, *ends):
                pipe.zcount(key, since, "+inf")
            posted, *ended = pipe.execute()
        return Pace(posted / seconds, sum(ended) / seconds)

    def write(self, changes: Iterable[Change]) -> None:
        """Write changes, in one step for all of them.

        Raises:
            BrokerUnavailable: Redis did not answer, or refused.
        """
        self._store.run("write records of jobs", *self.writing(changes))

    def writing(self, changes: Iterable[Change]) -> tuple[Any, list[str], list[Any]]:
        """Return the script, with keys and arguments, that writes changes."""
        args: list[Any] = [now_ms(), *self.bounds]
        for change in changes:
            texts = change.texts()
            args += (change.job_id, int(change.is_first), len(texts), *texts)
        return self._script, [self._keys.index], args

    def expire(self) -> int:
        """Forget records that are over their time, some hundreds at a time.

        Returns:
            How many.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        args = [now_ms(), *self.bounds[:2], _EXPIRED_AT_ONCE]
        return int(self._store.run("forget old records", self._expire, [self._keys.index], args))

    def said(self, error: BaseException | None, changes: int) -> None:
        """Say in the log how a writing went that somebody else did; None: well."""
        if error is None:
            self._outage.over()
        else:
            self._outage.failed(error, f"{changes} changes are not written; the jobs go on")

    def write_or_say(self, changes: Collection[Change]) -> None:
        """Write changes; what fails is said in the log, for the jobs go on without."""
        if not changes:
            return
        try:
            self.write(changes)
            self.said(None, len(changes))
        except BrokerUnavailable as error:
            self.said(error, len(changes))

    def close(self) -> None:
        """Close the connections."""
        self._store.close()

    def _read(self, ids: list[str]) -> list[Job]:
        if not ids:
            return []
        with self._store.using("read records of jobs") as redis, redis.pipeline(transaction=False) as pipe:
            for job_id in ids:
                pipe.hgetall(self._keys.record(job_id))
            return [job for raw in pipe.execute() if (job := read(raw)) is not None]


def _position(text: str) -> tuple[int, str]:
    at, _, job_id = text.partition("-")
    if not at.isascii() or not at.isdigit():
        raise InvalidJob(f"after: expected a page's next, got {text!r:.60}")
    return int(at), job_id


def _below(redis: Any, key: str, position: tuple[int, str] | None, count: int) -> list[tuple[int, str]]:
    """Read entries of an index below a position, the highest first; many may be of the same millisecond."""
    bound: Any = "+inf" if position is None else position[0]
    offset = 0
    found: list[tuple[int, str]] = []
    while len(found) < count:
        some = redis.zrange(key, bound, "-inf", desc=True, byscore=True, offset=offset, num=count, withscores=True)
        entries = [(int(score), job_id.decode()) for job_id, score in some]
        found += [each for each in entries if position is None or each < position]
        if len(some) < count:
            break
        offset += count
    return found[:count]
