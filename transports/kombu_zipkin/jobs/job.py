"""A job, its states, and its form as a message and as a record."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import orjson

from kombu_zipkin.errors import InvalidJob

MAX_BODY_BYTES: Final = 64 * 1024
ATTEMPT: Final = "kombu-zipkin-attempt"
"""Header: the number of this attempt, from 1."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}", re.ASCII)


class JobState(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    """For a retry, or for the time it was published for."""
    SUCCEEDED = "succeeded"
    DEAD_LETTERED = "dead_lettered"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a job.

    Attributes:
        number: From 1.
        started_ms: Epoch milliseconds at which it began.
        ended_ms: Epoch milliseconds at which it ended; None while it runs, and for a lost one.
        outcome: ``running``, ``acknowledged``, ``retried``, ``dead_lettered`` or ``lost``.
        error: What went wrong; None when nothing did.
    """

    number: int
    started_ms: int
    ended_ms: int | None = None
    outcome: str = "running"
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One job, as its record tells.

    Attributes:
        id: Unique; up to 128 letters, digits and ``._:-``.
        task: The task's name.
        arguments: JSON values by parameter.
        queue: The queue it was published to.
        state: Where it is in its life.
        trace_id: Of the trace it was published in; None when no tracer was there.
        sampled: Whether that trace is reported.
        created_ms: Epoch milliseconds of the publishing.
        started_ms: Epoch milliseconds at which the last attempt began; None before the first.
        finished_ms: Epoch milliseconds at which it succeeded or was dead-lettered; None before.
        attempts: How many attempts have begun.
        result: What the task returned, as JSON; None before, and for a task that returns nothing.
        error: What went wrong in the last attempt, type and message; None when nothing did.
        traceback: Where; None when nothing did.
        due_ms: Epoch milliseconds until which a waiting job waits; None for others.
        history: Its attempts, as far as they are kept.
    """

    id: str
    task: str
    arguments: dict[str, Any]
    queue: str
    state: JobState
    trace_id: str | None
    sampled: bool
    created_ms: int
    started_ms: int | None = None
    finished_ms: int | None = None
    attempts: int = 0
    result: Any = field(default=None)
    error: str | None = None
    traceback: str | None = None
    due_ms: int | None = None
    history: tuple[Attempt, ...] = ()


class MalformedJob(InvalidJob):
    """A message whose body is not a job."""


def check_job_id(job_id: str) -> str:
    """Return the id as it is.

    Raises:
        InvalidJob: It is not one.
    """
    if not isinstance(job_id, str) or not _ID.fullmatch(job_id):
        raise InvalidJob(f"job_id: expected up to 128 letters, digits and ._:-, got {job_id!r:.60}")
    return job_id


def write_body(job_id: str, task: str, arguments: bytes, created_ms: int) -> bytes:
    """Write the body of a job's message; its arguments are JSON already."""
    told = {"id": job_id, "task": task, "arguments": orjson.Fragment(arguments), "created_ms": created_ms}
    return orjson.dumps(told)


@dataclass(frozen=True, slots=True)
class JobMessage:
    """What a worker reads from a message's body."""

    id: str
    task: str
    arguments: dict[str, Any]
    created_ms: int


def read_body(body: bytes | str | None, content_type: str | None) -> JobMessage:
    """Read the body of a job's message.

    Raises:
        MalformedJob: It is not a job; the message says why.
    """
    if content_type != "application/json":
        raise MalformedJob(f"content type: expected application/json, got {content_type!r:.60}")
    try:
        fields = orjson.loads(body or b"")
    except orjson.JSONDecodeError as error:
        raise MalformedJob(f"body: expected JSON: {error}") from error
    if not isinstance(fields, dict):
        raise MalformedJob(f"body: expected an object, got {type(fields).__name__}")
    job_id, task, arguments = fields.get("id"), fields.get("task"), fields.get("arguments", {})
    if not isinstance(job_id, str) or not _ID.fullmatch(job_id) or not isinstance(task, str):
        raise MalformedJob("body: expected id and task as text")
    if not isinstance(arguments, dict):
        raise MalformedJob(f"arguments: expected an object, got {type(arguments).__name__}")
    created = fields.get("created_ms")
    return JobMessage(job_id, task, arguments, created if type(created) is int and created > 0 else 0)
