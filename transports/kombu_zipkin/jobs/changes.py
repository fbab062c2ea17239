"""What a record says of a job, and how it is written and read: names and texts."""

import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from kombu_zipkin.jobs.job import Attempt, Job, JobState

_MAX_RESULT_BYTES: Final = 64 * 1024
_MAX_TEXT_CHARACTERS: Final = 16 * 1024
_KEPT_ATTEMPTS: Final = 50
_ATTEMPT: Final = "attempt:"


class Change(NamedTuple):
    """Fields of one job's record.

    Attributes:
        job_id: Whose.
        fields: Text or number by name; the state is always among them.
        is_first: Whether the job was only now published: a worker that was quicker is not overwritten.
    """

    job_id: str
    fields: dict[str, Any]
    is_first: bool = False

    def texts(self) -> list[Any]:
        """Return names and values, in turn."""
        return [text for pair in self.fields.items() for text in pair]


def published(job: Job) -> Change:
    """The queue, or the waiting room, has a job; publish.lua writes the same."""
    return _change(job, job.state, due_ms=job.due_ms or "")._replace(is_first=True)


def running(job: Job, attempt: Attempt) -> Change:
    """An attempt begins."""
    fields = {"started_ms": attempt.started_ms, "attempts": attempt.number, "due_ms": ""}
    return _change(job, JobState.RUNNING, **fields, **_history(attempt))


def waiting(job: Job, attempt: Attempt, traceback: str, due_ms: int) -> Change:
    """An attempt failed, and another will follow."""
    return _ended(job, JobState.WAITING, attempt, traceback, due_ms=due_ms)


def succeeded(job: Job, attempt: Attempt, result: object) -> Change:
    """A job is done."""
    fields = {"finished_ms": attempt.ended_ms, "result": _result(result)}
    return _ended(job, JobState.SUCCEEDED, attempt, "", **fields)


def dead_lettered(job: Job, attempt: Attempt, traceback: str) -> Change:
    """A job is in the dead-letter queue."""
    return _ended(job, JobState.DEAD_LETTERED, attempt, traceback, finished_ms=attempt.ended_ms)


def lost(job: Job, attempt: Attempt) -> Change:
    """An attempt ended with its process; another has begun."""
    return _change(job, JobState.RUNNING, **_history(attempt))


def read(raw: Mapping[bytes, bytes]) -> Job | None:
    """Read a record; None for an empty one."""
    text = {name.decode(): value.decode("utf-8", "replace") for name, value in raw.items()}
    if "id" not in text or "state" not in text:
        return None
    attempts = sorted(
        (Attempt(**orjson.loads(value)) for name, value in text.items() if name.startswith(_ATTEMPT)),
        key=lambda attempt: attempt.number,
    )
    return Job(
        id=text["id"],
        task=text.get("task", ""),
        arguments=orjson.loads(text.get("arguments") or "{}"),
        queue=text.get("queue", ""),
        state=JobState(text["state"]),
        trace_id=text.get("trace_id") or None,
        sampled=text.get("sampled") == "1",
        created_ms=int(text.get("created_ms") or 0),
        started_ms=_number(text.get("started_ms")),
        finished_ms=_number(text.get("finished_ms")),
        attempts=int(text.get("attempts") or 0),
        result=orjson.loads(text["result"]) if text.get("result") else None,
        error=text.get("error") or None,
        traceback=text.get("traceback") or None,
        due_ms=_number(text.get("due_ms")),
        history=tuple(attempts),
    )


def now_ms() -> int:
    """Return the time in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def _change(job: Job, state: JobState, **fields: Any) -> Change:
    lasting = {
        "id": job.id,
        "task": job.task,
        "arguments": orjson.dumps(job.arguments),
        "queue": job.queue,
        "trace_id": job.trace_id or "",
        "sampled": int(job.sampled),
        "created_ms": job.created_ms,
    }
    return Change(job.id, {**lasting, "state": state.value, **fields})


def _ended(job: Job, state: JobState, attempt: Attempt, traceback: str, **fields: Any) -> Change:
    told = {
        "started_ms": attempt.started_ms,
        "attempts": attempt.number,
        "error": (attempt.error or "")[:_MAX_TEXT_CHARACTERS],
        "traceback": traceback[-_MAX_TEXT_CHARACTERS:],
        "due_ms": "",
    }
    return _change(job, state, **{**told, **fields}, **_history(attempt))


def _history(attempt: Attempt) -> dict[str, bytes]:
    """The attempt's own field; after many, the newest take the places of the oldest."""
    error = attempt.error[:500] if attempt.error else None
    told = {
        "number": attempt.number,
        "started_ms": attempt.started_ms,
        "ended_ms": attempt.ended_ms,
        "outcome": attempt.outcome,
        "error": error,
    }
    return {f"{_ATTEMPT}{attempt.number % _KEPT_ATTEMPTS}": orjson.dumps(told)}


def _number(text: str | None) -> int | None:
    return int(text) if text else None


def _result(result: object) -> bytes:
    """Write what a task returned; what is no JSON, or too large, is kept as a sentence about it."""
    try:
        written = orjson.dumps(result, default=repr)
    except TypeError as error:
        return orjson.dumps(f"(not JSON: {error})")
    if len(written) > _MAX_RESULT_BYTES:
        return orjson.dumps(f"({len(written)} bytes of JSON; the record keeps up to {_MAX_RESULT_BYTES})")
    return written
