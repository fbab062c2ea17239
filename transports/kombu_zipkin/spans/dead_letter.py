"""One dead letter: what is known of it, and the good entry it may become again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from kombu_zipkin.spans.deflate import compress
from kombu_zipkin.spans.entry import Entry, MalformedEntry, parse_fields

_ENTRY_FIELDS: Final = (b"v", b"n", b"z", b"p", b"s", b"t", b"l", b"k", b"d")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What Zipkin would not take: one span, or a whole entry that nobody could read.

    Attributes:
        id: Its id in the stream of dead letters.
        reason: Why it is one.
        spans: How many spans it counts.
        entry: Id of the stream entry that it came from.
        producer: Id of the process that made it; None when that could not be read.
        status: What Zipkin answered; None when it was not asked.
        answer: Zipkin's words.
        attempts: How often it was posted or tried.
        first_seen_ms: Epoch milliseconds when its spans were handed over.
        dead_ms: Epoch milliseconds when it became a dead letter.
        span: The span as JSON; None for a whole entry.
        raw: The entry's own fields; empty for a span.
    """

    id: str
    reason: str
    spans: int
    entry: str
    producer: str | None
    status: int | None
    answer: str | None
    attempts: int | None
    first_seen_ms: int | None
    dead_ms: int
    span: bytes | None
    raw: Mapping[bytes, bytes]


def parse_letter(letter_id: str, fields: Mapping[bytes, bytes]) -> DeadLetter:
    """Read a dead letter; what is missing or is no number is None, or 0."""
    span = fields.get(b"span")
    raw = {} if span is not None else {name: fields[name] for name in _ENTRY_FIELDS if name in fields}
    return DeadLetter(
        id=letter_id,
        reason=_text(fields, b"reason") or "",
        spans=_number(fields, b"spans") or 0,
        entry=_text(fields, b"entry") or "",
        producer=_text(fields, b"producer"),
        status=_number(fields, b"status"),
        answer=_text(fields, b"answer"),
        attempts=_number(fields, b"attempts"),
        first_seen_ms=_number(fields, b"first_seen_ms"),
        dead_ms=_number(fields, b"dead_ms") or 0,
        span=span,
        raw=raw,
    )


def is_good(letter: DeadLetter) -> bool:
    """Whether it can become an entry again: its span is JSON, or its fields are those of an entry of as many spans."""
    if letter.span is None:
        try:
            return parse_fields(letter.raw).spans == letter.spans
        except MalformedEntry:
            return False
    try:
        return letter.spans == 1 and isinstance(orjson.loads(letter.span), dict)
    except ValueError:
        return False


def entry_again(letters: Sequence[DeadLetter], producer: str, sequence: int) -> Entry:
    """Make the entry that letters become: of their spans; or for a single whole entry, of its own fields.

    Args:
        letters: Good ones; either spans, or one entry.
        producer: Whose entry it is to be, if they are spans.
        sequence: Its number among that producer's.
    """
    if letters[0].span is None:
        return parse_fields(letters[0].raw)
    spans = [letter.span for letter in letters if letter.span is not None]
    since_ms = min(letter.first_seen_ms or letter.dead_ms for letter in letters)
    return Entry(compress(b",".join(spans)), len(spans), producer, sequence, since_ms)


def _text(fields: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = fields.get(name)
    return None if value is None else value.decode("utf-8", "replace")


def _number(fields: Mapping[bytes, bytes], name: bytes) -> int | None:
    value = fields.get(name, b"")
    return int(value) if value.isdigit() else None
