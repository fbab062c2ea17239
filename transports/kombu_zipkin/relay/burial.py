"""Open an entry that Zipkin does not take, and keep what is left of it as dead letters."""

import logging
import time

import orjson

from kombu_zipkin.spans import CorruptPiece, DeadRecord, Entry, Received, Settlement, dump_span, expand
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


def opened(received: Received) -> list[bytes]:
    """Return the spans of an entry, each as JSON that can be posted by itself.

    Raises:
        ValueError: They do not inflate, are not JSON that can be written again, or are not as many as promised.
    """
    entry = entry_of(received)
    spans = orjson.loads(b"[" + expand(entry.piece) + b"]")
    if len(spans) != entry.spans:
        raise ValueError(f"expected {entry.spans} spans, found {len(spans)}")
    try:
        return [dump_span(span) for span in spans]
    except TypeError as error:
        raise ValueError(str(error)) from error


def fault_of(received: Received) -> str | None:
    """Check an entry that Zipkin did not take; None when it is what it promises."""
    try:
        opened(received)
    except (CorruptPiece, ValueError) as error:
        return f"corrupt payload: {error}"
    return None


def bury_entry(received: Received, reason: str, answer: Answer | None = None) -> Settlement:
    """Make one dead letter of a whole entry that nobody can read."""
    raw = [part for pair in received.raw.items() for part in pair]
    spans = received.entry.spans if received.entry is not None else _claimed_spans(received)
    fields: list[bytes | str | int] = ["reason", reason, *_origin(received, answer), "spans", spans, *raw]
    _log.warning("entry %s is a dead letter now: %s; %d spans", received.id, reason, spans)
    return Settlement(received, 0, [DeadRecord(spans, fields)])


def dead_span(received: Received, span: bytes, answer: Answer) -> DeadRecord:
    """Make a dead letter of one span that Zipkin refuses by itself."""
    said = f"{answer.status} {answer.text}"
    _log.warning("a span of entry %s is a dead letter now: Zipkin answered %s", received.id, said)
    return DeadRecord(1, ["reason", "refused by Zipkin", *_origin(received, answer), "spans", 1, "span", span])


def _origin(received: Received, answer: Answer | None) -> list[bytes | str | int]:
    """Where a dead letter came from and what Zipkin said to it."""
    entry = received.entry
    said: list[bytes | str | int] = [] if answer is None else ["status", answer.status, "answer", answer.text]
    known: list[bytes | str | int] = (
        [] if entry is None else ["producer", entry.producer, "first_seen_ms", entry.handed_over_ms]
    )
    return ["entry", received.id, "dead_ms", int(time.time() * 1000), *known, *said]


def _claimed_spans(received: Received) -> int:
    """The number of spans an unreadable entry says it has; 1 when even that is unreadable."""
    text = received.raw.get(b"n", b"")
    return int(text) if text.isdigit() and 0 < len(text) < 10 and int(text) > 0 else 1
