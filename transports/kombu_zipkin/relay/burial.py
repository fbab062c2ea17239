"""Keep what Zipkin will never take as dead letters."""

import logging
import time

from kombu_zipkin.spans import DeadRecord, Entry, Received, Settlement
from kombu_zipkin.zipkin import Answer

_log = logging.getLogger(__name__)


def entry_of(received: Received) -> Entry:
    """Return the entry of what was received.

    Raises:
        ValueError: It could not be read.
    """
    if received.entry is None:
        raise ValueError(f"entry {received.id} could not be read")
    return received.entry


def bury_entry(received: Received, reason: str, attempts: int, answer: Answer | None = None) -> Settlement:
    """Make one dead letter of a whole entry that nobody can read.

    Args:
        received: The entry.
        reason: What is wrong with it.
        attempts: How often it was posted or tried.
        answer: What Zipkin said to it; None if it was not asked.
    """
    spans = received.entry.spans if received.entry is not None else _claimed_spans(received)
    fields: list[bytes | str | int] = [
        "reason",
        reason,
        *_origin(received, attempts, answer),
        "spans",
        spans,
        *received.raw,
    ]
    _log.warning("entry %s is a dead letter now: %s; %d spans", received.id, reason, spans)
    return Settlement(received, 0, [DeadRecord(spans, fields)])


def dead_span(received: Received, span: bytes, reason: str, attempts: int, answer: Answer) -> DeadRecord:
    """Make a dead letter of one span that Zipkin refuses by itself, after it was in so many POSTs."""
    said = f"{answer.status} {answer.text}"
    _log.warning("a span of entry %s is a dead letter now: %s: it answered %s", received.id, reason, said)
    return DeadRecord(1, ["reason", reason, *_origin(received, attempts, answer), "spans", 1, "span", span])


def _origin(received: Received, attempts: int, answer: Answer | None) -> list[bytes | str | int]:
    """Where a dead letter came from, how often it was tried, and what Zipkin said to it."""
    entry = received.entry
    said: list[bytes | str | int] = [] if answer is None else ["status", answer.status, "answer", answer.text]
    known: list[bytes | str | int] = (
        [] if entry is None else ["producer", entry.producer, "first_seen_ms", entry.handed_over_ms]
    )
    return ["entry", received.id, "attempts", attempts, "dead_ms", int(time.time() * 1000), *known, *said]


def _claimed_spans(received: Received) -> int:
    """The number of spans an unreadable entry says it has; 1 when even that is unreadable."""
    text = received.fields.get(b"n", b"")
    return int(text) if text.isdigit() and 0 < len(text) < 10 and int(text) > 0 else 1
