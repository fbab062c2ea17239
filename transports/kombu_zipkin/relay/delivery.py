"""Deliver entries to Zipkin: all at once if it takes them, else down to the one that it refuses."""

import time
from collections.abc import Callable, Iterator, Sequence

from kombu_zipkin.errors import ZipkinUnavailable
from kombu_zipkin.relay.answers import Verdict, judge, retry_after_seconds
from kombu_zipkin.relay.burial import bury_entry, dead_span, entry_of, fault_of, opened
from kombu_zipkin.runtime import Metrics
from kombu_zipkin.spans import Piece, Received, Settlement, compress, join
from kombu_zipkin.zipkin import Answer, ZipkinClient


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
        before_post: Called before every POST, of which a bad batch may need many; may raise `KeepAndWait`.
    """

    def __init__(self, client: ZipkinClient, metrics: Metrics, before_post: Callable[[], None]) -> None:
        self._client = client
        self._metrics = metrics
        self._before_post = before_post

    def deliver(self, held: Sequence[Received]) -> Iterator[list[Settlement]]:
        """Post entries, yielding what became of them after each POST that tells.

        Raises:
            ZipkinUnavailable: Zipkin takes nothing right now; what was not yielded is to be delivered again.
        """
        unreadable = [received for received in held if received.entry is None]
        if unreadable:
            yield [bury_entry(received, received.fault or "malformed entry") for received in unreadable]
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

    def _send(self, held: Sequence[Received]) -> Iterator[list[Settlement]]:
        answer, verdict = self._post([entry_of(received).piece for received in held])
        if verdict is Verdict.ACCEPTED:
            yield [Settlement(received, entry_of(received).spans) for received in held]
        elif verdict in (Verdict.TOO_LARGE, Verdict.TIMED_OUT) and len(held) > 1:
            yield from self._halves(held)
        elif verdict in (Verdict.TOO_LARGE, Verdict.REFUSED, Verdict.SUSPECT):
            yield from self._look_into(held, answer, verdict)
        else:
            raise _keep(answer, verdict)

    def _look_into(self, held: Sequence[Received], answer: Answer, verdict: Verdict) -> Iterator[list[Settlement]]:
        """Find what a refused POST was refused for: entries that are not what they promise, else a bad span."""
        faults = {received.id: fault_of(received) for received in held}
        corrupt = [bury_entry(received, fault, answer) for received in held if (fault := faults[received.id])]
        if corrupt:
            yield corrupt
        sound = [received for received in held if faults[received.id] is None]
        if corrupt and sound:
            yield from self._send(sound)
        elif sound and verdict is Verdict.SUSPECT:
            raise _keep(answer, verdict)
        elif len(sound) > 1:
            yield from self._halves(sound)
        elif sound:
            self.probe()  # what refuses an empty list as well is not Zipkin, and makes no dead letters
            yield [self._span_by_span(sound[0], answer)]

    def _halves(self, held: Sequence[Received]) -> Iterator[list[Settlement]]:
        middle = len(held) // 2
        yield from self._send(held[:middle])
        yield from self._send(held[middle:])

    def _span_by_span(self, received: Received, answer: Answer) -> Settlement:
        """Open one entry that Zipkin does not take as a whole: deliver its good spans, bury the others."""
        spans = opened(received)
        dead = [dead_span(received, span, why) for span, why in self._refused(spans, answer)]
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
        self._before_post()
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


def _keep(answer: Answer, verdict: Verdict) -> KeepAndWait:
    what = (
        "is it Zipkin's address, and does it let us in?" if verdict is Verdict.MISCONFIGURED else "it cannot right now"
    )
    return KeepAndWait(f"answered {answer.status} {answer.text[:120]!r}: {what}", retry_after_seconds(answer))
