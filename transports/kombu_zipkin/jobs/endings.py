"""How a message ends after its attempt."""

import time
import traceback
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from kombu_zipkin.broker import DEAD_LETTER_REASON, dead_letter_queue
from kombu_zipkin.jobs.changes import Change
from kombu_zipkin.jobs.job import ATTEMPT
from kombu_zipkin.messaging import BACK_OFF, SENT

DEAD_LETTER_AT: Final = "dead-letter-at-ms"
"""Header of a dead letter: epoch milliseconds at which it became one."""

DEAD_LETTER_TRACEBACK: Final = "dead-letter-traceback"
"""Header of a dead letter: where its task raised."""

_REASON_CHARACTERS: Final = 4096


class Onward(NamedTuple):
    """A message that takes the place of the one that ends.

    Attributes:
        queue: Where it goes.
        body: As it was received, uncompressed.
        headers: As they were received, and more.
        content_type: Of the body.
        message_id: The job's id; None for what is no job.
        due_ms: Epoch milliseconds until which it waits; None for a dead letter.
    """

    queue: str
    body: bytes
    headers: dict[str, Any]
    content_type: str
    message_id: str | None
    due_ms: int | None


class Ending(NamedTuple):
    """What is to be done with a message: first the record, then the rest in one step.

    Attributes:
        change: Of the job's record; None for what is no job.
        onward: What takes its place; None when the work is done.
    """

    change: Change | None
    onward: Onward | None = None


def retry(body: bytes | str, headers: Mapping[str, Any], queue: str, job_id: str, attempt: int, due_ms: int) -> Onward:
    """Make the message of the next attempt."""
    again = {**_kept(headers), ATTEMPT: attempt, BACK_OFF: time.time_ns() // 1000, SENT: due_ms * 1000}
    return Onward(queue, _encoded(body), again, "application/json", job_id, due_ms)


def dead_letter(message: Any, headers: Mapping[str, Any], reason: str, where: str = "") -> Onward:
    """Make a dead letter; its own headers stay, the trace's too, so that a replay continues where it failed."""
    queue = dead_letter_queue(str(message.delivery_info.get("routing_key") or "queue"))
    body = message.body if message.body is not None else b""
    told = {DEAD_LETTER_REASON: reason[:_REASON_CHARACTERS], DEAD_LETTER_AT: time.time_ns() // 1_000_000}
    if where:
        told[DEAD_LETTER_TRACEBACK] = where[-_REASON_CHARACTERS:]
    return Onward(
        queue,
        _encoded(body),
        {**_kept(headers), **told},
        message.content_type or "application/octet-stream",
        message.properties.get("message_id"),
        None,
    )


def in_words(error: BaseException) -> str:
    """Write an error by type and message, whatever its text holds or does."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - somebody's __str__
        text = "(its text cannot be made)"
    return _writable(f"{type(error).__name__}: {text}")


def where(error: BaseException) -> str:
    """Write an error's traceback."""
    return _writable("".join(traceback.format_exception(error)))


def _encoded(body: bytes | str) -> bytes:
    """A body that kombu has decoded, as it does on AMQP, as it was sent."""
    return body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body


def _kept(headers: Mapping[str, Any]) -> dict[str, Any]:
    """The headers without what is true of this delivery alone: the body is opened, the redelivery over."""
    return {name: value for name, value in headers.items() if name not in ("compression", "redelivered")}


def _writable(text: str) -> str:
    """Replace what UTF-8 cannot carry, such as the lone surrogates of an undecodable file name."""
    return text.encode("utf-8", "replace").decode()
