"""What is known of every job: kept in Redis for a while, for the pages and the API."""

import time
from typing import Any, Final

import orjson

from kombu_zipkin.jobs.job import Job, JobState
from kombu_zipkin.jobs.keys import DEFAULT_NAMESPACE, JobKeys
from kombu_zipkin.jobs.store import Store

DEFAULT_TTL: Final = 24 * 3600.0
_MAX_RESULT_BYTES: Final = 64 * 1024
_MAX_TEXT_CHARACTERS: Final = 16 * 1024


class JobRecords:
    """Reads and writes the records of jobs. Any thread may use it; a call blocks up to ``timeout`` seconds.

    Args:
        url: The Redis that holds them.
        namespace: Prefix of every key.
        ttl: Seconds a record stays after its last change.
        timeout: Seconds for one command.
    """

    def __init__(
        self, url: str, *, namespace: str = DEFAULT_NAMESPACE, ttl: float = DEFAULT_TTL, timeout: float = 1.0
    ) -> None:
        self._store = Store(url, timeout=timeout)
        self._keys = JobKeys(namespace)
        self._ttl_ms = int(ttl * 1000)

    def get(self, job_id: str) -> Job | None:
        """Return one job; None when it is unknown or its record has expired.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with self._store.using("read a job's record") as redis:
            raw: Any = redis.hgetall(self._keys.record(job_id))
        return _read(raw)

    def latest(self, limit: int = 50) -> list[Job]:
        """Return the jobs published last, newest first.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with self._store.using("read the latest jobs") as redis:
            ids: Any = redis.zrange(self._keys.index, 0, limit - 1, desc=True)
            pipe = redis.pipeline(transaction=False)
            for job_id in ids:
                pipe.hgetall(self._keys.record(job_id.decode()))
            raw = pipe.execute() if ids else []
        return [job for each in raw if (job := _read(each)) is not None]

    def published(self, job: Job) -> None:
        """Note that the queue has a job; a worker that was quicker is not overwritten.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        self._write(job, {"state": job.state}, first=True)

    def running(self, job: Job, attempt: int) -> None:
        """Note that an attempt begins.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        self._write(job, {"state": JobState.RUNNING, "started_ms": _now_ms(), "attempts": attempt})

    def waiting(self, job: Job, error: str, traceback: str) -> None:
        """Note that an attempt failed and another will follow.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        self._write(job, {"state": JobState.WAITING, "error": error, "traceback": traceback[-_MAX_TEXT_CHARACTERS:]})

    def succeeded(self, job: Job, result: object) -> None:
        """Note that a job is done.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        fields = {"state": JobState.SUCCEEDED, "finished_ms": _now_ms(), "result": _result(result)}
        self._write(job, {**fields, "error": "", "traceback": ""})

    def dead_lettered(self, job: Job, error: str, traceback: str) -> None:
        """Note that a job is in the dead-letter queue.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        fields = {"state": JobState.DEAD_LETTERED, "finished_ms": _now_ms(), "error": error[:_MAX_TEXT_CHARACTERS]}
        self._write(job, {**fields, "traceback": traceback[-_MAX_TEXT_CHARACTERS:]})

    def close(self) -> None:
        """Close the connections."""
        self._store.close()

    def _write(self, job: Job, changes: dict[Any, Any], *, first: bool = False) -> None:
        key, now = self._keys.record(job.id), _now_ms()
        lasting: dict[Any, Any] = {
            "id": job.id,
            "task": job.task,
            "arguments": orjson.dumps(job.arguments),
            "queue": job.queue,
            "trace_id": job.trace_id or "",
            "sampled": int(job.sampled),
            "created_ms": job.created_ms,
        }
        with self._store.using("write a job's record") as redis, redis.pipeline(transaction=True) as pipe:
            if first:
                for name, value in changes.items():
                    pipe.hsetnx(key, name, value)
                changes = {}
            pipe.hset(key, mapping={**lasting, **changes})
            pipe.pexpire(key, self._ttl_ms)
            pipe.zadd(self._keys.index, {job.id: job.created_ms}, nx=True)
            pipe.zremrangebyscore(self._keys.index, 0, now - self._ttl_ms)
            pipe.execute()


def _read(raw: dict[bytes, bytes]) -> Job | None:
    text = {name.decode(): value.decode("utf-8", "replace") for name, value in raw.items()}
    if "id" not in text or "state" not in text:
        return None
    return Job(
        id=text["id"],
        task=text.get("task", ""),
        arguments=orjson.loads(text.get("arguments") or "{}"),
        queue=text.get("queue", ""),
        state=JobState(text["state"]),
        trace_id=text.get("trace_id") or None,
        sampled=text.get("sampled") == "1",
        created_ms=int(text.get("created_ms") or 0),
        started_ms=int(text["started_ms"]) if text.get("started_ms") else None,
        finished_ms=int(text["finished_ms"]) if text.get("finished_ms") else None,
        attempts=int(text.get("attempts") or 0),
        result=orjson.loads(text["result"]) if text.get("result") else None,
        error=text.get("error") or None,
        traceback=text.get("traceback") or None,
    )


def _result(result: object) -> bytes:
    """Write what a task returned; what is no JSON, or too large, is kept as a sentence about it."""
    try:
        written = orjson.dumps(result, default=repr)
    except TypeError as error:
        return orjson.dumps(f"(not JSON: {error})")
    if len(written) > _MAX_RESULT_BYTES:
        return orjson.dumps(f"({len(written)} bytes of JSON; the record keeps up to {_MAX_RESULT_BYTES})")
    return written


def _now_ms() -> int:
    return int(time.time() * 1000)
