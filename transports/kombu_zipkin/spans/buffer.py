"""Spans between the thread that made them and the thread that sends them."""

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from py_zipkin.encoding import Span

from kombu_zipkin.spans.wake import Wake

_SPAN_BYTES: Final = 800  # a span with a few tags, without their values; measured with tracemalloc
_VALUE_BYTES: Final = 100  # a tag value that is no text


class HandOver(NamedTuple):  # a third of what a frozen dataclass costs to make, and this is in the request
    """What one local root handed over.

    Attributes:
        spans: Finished spans; or None where py_zipkin had encoded them already.
        payload: Their encoded list, where py_zipkin had encoded it.
        number: How many spans there are; an estimate for an encoded list until it is opened.
        size: About how many bytes of memory they take.
        at_ms: Epoch milliseconds of the hand-over.
    """

    spans: Sequence[Span] | None
    payload: bytes | str
    number: int
    size: int
    at_ms: int


def weigh(spans: Sequence[Span]) -> HandOver:
    """Make a hand-over of finished spans, weighed roughly: it is done in the request."""
    size = _SPAN_BYTES * len(spans)
    for span in spans:
        tags = span.tags
        if tags:
            try:
                size += sum(map(len, tags.values()))  # type: ignore[arg-type] # what has no length is caught
            except TypeError:
                size += sum(len(value) if isinstance(value, (str, bytes)) else _VALUE_BYTES for value in tags.values())
    return HandOver(spans, b"", len(spans), size, int(time.time() * 1000))


def hand_over_list(payload: bytes | str) -> HandOver:
    """Make a hand-over of a list that py_zipkin has encoded."""
    key: bytes | str = '"traceId"' if isinstance(payload, str) else b'"traceId"'
    count = max(1, payload.count(key) if type(key) is type(payload) else 1)  # type: ignore[arg-type]
    return HandOver(None, payload, count, len(payload), int(time.time() * 1000))


@dataclass(frozen=True, slots=True)
class SpanCounts:
    """Where the spans of one process are: created = acknowledged + dropped by cause + held.

    Attributes:
        created: Handed over since the process started.
        acknowledged: In batches that Redis has acknowledged.
        held: Still in this process.
        dropped: Dropped, by cause: buffer_full, too_large, encode_error, closed.
        clipped: Sent with tag values cut, for they were larger than Zipkin should be given; not dropped.
    """

    created: int
    acknowledged: int
    held: int
    dropped: Mapping[str, int]
    clipped: int = 0


class SpanBuffer:
    """Bounded and never waiting: what does not fit is dropped and counted.

    Any thread hands over; one thread takes. The lock is held for a few counters at a time, never during I/O, and is
    re-entrant so that a signal handler may trace as well.

    Args:
        max_spans: How many spans may wait here.
        max_bytes: How many bytes of memory they may take, roughly.
    """

    def __init__(self, max_spans: int, max_bytes: int) -> None:
        self.filled = Wake()
        self.clipped = 0  # written by the thread that takes
        self._max_spans = max_spans
        self._max_bytes = max_bytes
        self._lock = threading.RLock()  # guards everything below
        self._waiting: deque[HandOver] = deque()
        self._spans = self._bytes = 0
        self._created = self._acknowledged = self._held = 0
        self._dropped: dict[str, int] = {}
        self._closed = self._abandoned = False
        self._queued = 0

    def put(self, handed: HandOver) -> None:
        """Take over spans, or drop and count them."""
        with self._lock:
            self._created += handed.number
            if self._closed:
                self._count_drop("closed", handed.number)
                return
            if self._spans + handed.number > self._max_spans or self._bytes + handed.size > self._max_bytes:
                self._count_drop("buffer_full", handed.number)
                return
            self._waiting.append(handed)
            self._queued += 1
            self._held += handed.number
            self._spans += handed.number
            self._bytes += handed.size
        self.filled.set()

    def take(self) -> HandOver | None:
        """Take the oldest hand-over out; its spans count as held until they are acknowledged or dropped."""
        with self._lock:
            if not self._waiting:
                return None
            handed = self._waiting.popleft()
            self._spans -= handed.number
            self._bytes -= handed.size
            return handed

    @property
    def queued(self) -> int:
        """How many hand-overs were taken over so far."""
        return self._queued

    @property
    def waiting(self) -> int:
        """How many spans wait to be taken."""
        return self._spans

    def corrected(self, difference: int) -> None:
        """Correct an estimated number of spans, now that the encoded list was opened."""
        with self._lock:
            self._created += difference
            self._held += difference

    def acknowledged(self, spans: int) -> None:
        """Count spans that Redis has acknowledged."""
        with self._lock:
            if not self._abandoned:
                self._acknowledged += spans
                self._held -= spans

    def dropped(self, cause: str, spans: int) -> None:
        """Count spans that were held and are dropped."""
        with self._lock:
            if not self._abandoned:
                self._held -= spans
                self._count_drop(cause, spans)

    def refused(self, cause: str, spans: int) -> None:
        """Count spans that were handed over and never held."""
        with self._lock:
            self._created += spans
            self._count_drop(cause, spans)

    def close(self) -> None:
        """Take no more: what is handed over from now on is dropped as ``closed``."""
        with self._lock:
            self._closed = True
        self.filled.set()

    def abandon(self) -> None:
        """Drop all that is held as ``closed``; what still happens to it is not counted any more."""
        with self._lock:
            if self._held and not self._abandoned:
                self._count_drop("closed", self._held)
            self._held, self._abandoned = 0, True
            self._waiting.clear()

    def counts(self) -> SpanCounts:
        """Return where the spans are."""
        with self._lock:
            return SpanCounts(self._created, self._acknowledged, self._held, dict(self._dropped), self.clipped)

    def _count_drop(self, cause: str, spans: int) -> None:
        self._dropped[cause] = self._dropped.get(cause, 0) + spans
