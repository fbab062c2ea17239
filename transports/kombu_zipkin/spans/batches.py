"""Make stream entries out of what was handed over: encode, join, compress."""

import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

from kombu_zipkin.spans.buffer import HandOver, SpanBuffer
from kombu_zipkin.spans.deflate import compress
from kombu_zipkin.spans.encoder import SpanEncoder, SpanTooLarge, Unencodable
from kombu_zipkin.spans.entry import Entry
from kombu_zipkin.spans.foreign import mend, parse_list

_log = logging.getLogger(__name__)

MAX_SPANS: Final = 500
MAX_BYTES: Final = 512 * 1024


class Batcher:
    """Turns hand-overs into numbered entries. Used by the flusher's thread alone.

    Args:
        buffer: Gives the hand-overs and counts what cannot be encoded.
        producer: Id of this process start.
    """

    def __init__(self, buffer: SpanBuffer, producer: str) -> None:
        self._buffer = buffer
        self._producer = producer
        self._encoder = SpanEncoder()
        self._sequence = 0
        self._left: list[bytes] = []
        self._taken = 0
        self._left_since_ms = 0
        self._warned: set[str] = set()

    def next(self) -> Entry | None:
        """Make the next entry of up to 500 spans and 512 KiB; None when nothing waits."""
        spans, since_ms = self._left, self._left_since_ms
        size = sum(map(len, spans))
        while len(spans) < MAX_SPANS and size < MAX_BYTES:
            handed = self._buffer.take()
            if handed is None:
                break
            self._taken += 1
            since_ms = since_ms or handed.at_ms
            encoded = self._encode(handed)
            spans += encoded
            size += sum(map(len, encoded))
        cut = len(spans) if len(spans) <= MAX_SPANS and size <= MAX_BYTES else _cut(spans)
        self._left, self._left_since_ms = spans[cut:], since_ms if len(spans) > cut else 0
        return self._entry(spans[:cut], since_ms) if spans else None

    @property
    def done(self) -> int:
        """How many hand-overs lie in the entries made so far, to their last span."""
        return self._taken - bool(self._left)

    def _entry(self, spans: list[bytes], since_ms: int) -> Entry:
        self._sequence += 1
        return Entry(compress(b",".join(spans)), len(spans), self._producer, self._sequence, since_ms)

    def _encode(self, handed: HandOver) -> list[bytes]:
        """Encode what one root handed over; a bad span costs itself alone."""
        if handed.spans is not None:
            return self._each(self._encoder.encode, handed.spans)
        try:
            spans = parse_list(handed.payload)
        except Unencodable as error:
            self._drop("encode_error", handed.number, error)
            return []
        self._buffer.corrected(len(spans) - handed.number)
        return self._each(lambda span: self._encoder.encode_fields(mend(span)), spans)

    def _each(self, write: Callable[[Any], bytes], spans: Iterable[Any]) -> list[bytes]:
        encoded = []
        for span in spans:
            try:
                encoded.append(write(span))
            except SpanTooLarge as error:
                self._drop("too_large", 1, error)
            except Exception as error:  # noqa: BLE001 - whatever somebody put into a span costs that span alone
                self._drop("encode_error", 1, error)
        self._buffer.clipped = self._encoder.clipped
        return encoded

    def _drop(self, cause: str, spans: int, error: Exception) -> None:
        self._buffer.dropped(cause, spans)
        level = logging.DEBUG if cause in self._warned else logging.WARNING
        self._warned.add(cause)
        _log.log(level, "spans dropped: %d, cause %s: %s; further ones are counted in counts()", spans, cause, error)


def _cut(spans: list[bytes]) -> int:
    """Return how many of the spans make one entry: by number and by bytes, at least one."""
    size = 0
    for number, span in enumerate(spans[:MAX_SPANS]):
        size += len(span)
        if size > MAX_BYTES and number:
            return number
    return min(len(spans), MAX_SPANS)
