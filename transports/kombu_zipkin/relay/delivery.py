"""Deliver entries to Zipkin: all at once if it takes them, else down to the one that it refuses."""

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from kombu_zipkin.errors import ZipkinUnavailable
from kombu_zipkin.relay.answers import Verdict, judge, retry_after_seconds
from kombu_zipkin.runtime import Metrics
from kombu_zipkin.spans import CorruptPiece, DeadRecord, Entry, Piece, Received, Settlement, compress, expand, join
from kombu_zipkin.zipkin import Answer, ZipkinClient

_log = logging.getLogger(__name__)


class KeepAndWait(ZipkinUnavailable):
    """Zipkin takes nothing right now. Everything not settled yet is kept and sent again.

    Attributes:
        retry_after: Seconds that Zipkin asked to wait; None when it did not.
    """

    def __init__(self, why: str, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class Delivery:
    """Posts entries and says what became of each. Used by one thread.

    Args:
        client: The Zipkin to post to.
        metrics: Counts the POSTs.
    """

    def __init__(self, client: ZipkinClient, metrics: Metrics) -> None:
        self._client = client
        self._metrics = metrics

    def deliver(self, held: Sequence[Received]) -> Iterator[Settlement]:
        """Post entries, yielding what became of them as soon as it is known.

        Raises:
            ZipkinUnavailable: Zipkin takes nothing right now; what was not yielded is to be delivered again.
        """
        for received in held:
            if received.entry is None:
                yield _bury_entry(received, received.fault or "malformed entry")
        sound = [received for received in held if received.entry is not None]
        if sound:
            yield from self._send(sound)

    def probe(self) -> None:
        """Post an empty list: the honest check that Zipkin takes spans.

        Raises:
            ZipkinUnavailable: It does not.
        """
        answer, verdict = self._post([])
        if verdict is not Verdict.ACCEPTED:
            raise _keep(answer, verdict)

    def _send(self, held: Sequence[Received]) -> Iterator[Settlement]:
        answer, verdict = self._post([_entry(received).piece for received in held])
        if verdict is Verdict.ACCEPTED:
            yield from (Settlement(received, _entry(received).spans) for received in held)
            return
        if verdict is Verdict.TOO_LARGE:
            yield from self._halves(held, answer)
            return
        if verdict not in (Verdict.REFUSED, Verdict.SUSPECT):
            raise _keep(answer, verdict)
        faults = {received.id: _fault(_entry(received)) for received in held}
        yield from (_bury_entry(received, fault, answer) for received in held if (fault := faults[received.id]))
        sound = [received for received in held if faults[received.id] is None]
        if len(sound) < len(held) and sound:
            yield from self._send(sound)
        elif sound and verdict is Verdict.SUSPECT:
            raise _keep(answer, verdict)
        elif sound:
            yield from self._halves(sound, answer)

    def _halves(self, held: Sequence[Received], answer: Answer) -> Iterator[Settlement]:
        """Send each half for itself; a single entry is opened."""
        if len(held) == 1:
            yield self._span_by_span(held[0], answer)
            return
        middle = len(held) // 2
        yield from self._send(held[:middle])
        yield from self._send(held[middle:])

    def _span_by_span(self, received: Received, answer: Answer) -> Settlement:
        """Open one entry that Zipkin does not take as a whole: deliver its good spans, bury the others."""
        spans = [orjson.dumps(span) for span in _opened(_entry(received))]
        dead = [_dead_span(received, span, why) for span, why in self._refused(spans, answer)]
        return Settlement(received, len(spans) - len(dead), dead)

    def _refused(self, spans: Sequence[bytes], why: Answer) -> list[tuple[bytes, Answer]]:
        """Post what lies in ``spans``, known to be refused as a whole; return the spans that are refused alone."""
        if len(spans) == 1:
            return [(spans[0], why)]
        middle = len(spans) // 2
        return [bad for half in (spans[:middle], spans[middle:]) for bad in self._try(half)]

    def _try(self, spans: Sequence[bytes]) -> list[tuple[bytes, Answer]]:
        answer, verdict = self._post([compress(b",".join(spans))])
        if verdict is Verdict.ACCEPTED:
            return []
        if verdict in (Verdict.REFUSED, Verdict.TOO_LARGE):
            return self._refused(spans, answer)
        raise _keep(answer, verdict)

    def _post(self, pieces: Sequence[Piece]) -> tuple[Answer, Verdict]:
        body = join(pieces)
        begun = time.perf_counter()
        try:
            answer = self._client.post(body)
        except ZipkinUnavailable:
            self._metrics.relay_posts.labels("unavailable").inc()
            raise
        self._metrics.relay_post_seconds.observe(time.perf_counter() - begun)
        verdict = judge(answer)
        self._metrics.relay_posts.labels(verdict.name.lower()).inc()
        if verdict is Verdict.ACCEPTED:
            self._metrics.relay_bytes.inc(len(body))
        return answer, verdict


def _entry(received: Received) -> Entry:
    if received.entry is None:
        raise ValueError(f"entry {received.id} could not be read")
    return received.entry


def _opened(entry: Entry) -> list[Any]:
    """Return the spans of an entry.

    Raises:
        ValueError: They do not inflate, are not JSON, or are not as many as promised.
    """
    spans = orjson.loads(b"[" + expand(entry.piece) + b"]")
    if len(spans) != entry.spans:
        raise ValueError(f"expected {entry.spans} spans, found {len(spans)}")
    return list(spans)


def _fault(entry: Entry) -> str | None:
    """Check an entry that Zipkin did not take; None when it is what it promises."""
    try:
        _opened(entry)
    except (CorruptPiece, ValueError) as error:
        return f"corrupt payload: {error}"
    return None


def _keep(answer: Answer, verdict: Verdict) -> KeepAndWait:
    what = (
        "is it Zipkin's address, and does it let us in?" if verdict is Verdict.MISCONFIGURED else "it cannot right now"
    )
    return KeepAndWait(f"answered {answer.status} {answer.text[:120]!r}: {what}", retry_after_seconds(answer))


def _bury_entry(received: Received, reason: str, answer: Answer | None = None) -> Settlement:
    """Make one dead letter of a whole entry that nobody can read."""
    raw = [part for pair in received.raw.items() for part in pair]
    spans = _entry(received).spans if received.entry is not None else _claimed_spans(received)
    fields: list[bytes | str | int] = ["reason", reason, *_origin(received, answer), "spans", spans, *raw]
    _log.warning("entry %s is a dead letter now: %s; %d spans", received.id, reason, spans)
    return Settlement(received, 0, [DeadRecord(spans, fields)])


def _dead_span(received: Received, span: bytes, answer: Answer) -> DeadRecord:
    _log.warning(
        "a span of entry %s is a dead letter now: Zipkin answered %d %s", received.id, answer.status, answer.text
    )
    reason = "refused by Zipkin"
    return DeadRecord(1, ["reason", reason, *_origin(received, answer), "spans", 1, "span", span])


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
