"""One POST at a time: join, send, time, count, judge."""

import time
from collections.abc import Sequence

from kombu_zipkin.errors import ZipkinUnavailable
from kombu_zipkin.relay.answers import Verdict, judge, retry_after_seconds
from kombu_zipkin.relay.backlog import Backlog
from kombu_zipkin.relay.window import Window
from kombu_zipkin.runtime import Metrics
from kombu_zipkin.spans import Piece, join
from kombu_zipkin.zipkin import Answer, ZipkinClient


class KeepAndWait(ZipkinUnavailable):
    """Zipkin takes nothing right now. Everything not settled yet is kept and sent again.

    Attributes:
        retry_after: Seconds that Zipkin asked to wait; None when it did not.
    """

    def __init__(self, why: str, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class Posting:
    """Posts pieces to Zipkin. Any thread may use it; a POST blocks up to the client's timeout.

    Args:
        client: The Zipkin to post to.
        window: Told how long each POST took.
        backlog: Asked whether more waits behind it.
        metrics: Counts the POSTs.
    """

    def __init__(self, client: ZipkinClient, window: Window, backlog: Backlog, metrics: Metrics) -> None:
        self._client = client
        self._window = window
        self._backlog = backlog
        self._metrics = metrics

    def post(self, pieces: Sequence[Piece]) -> tuple[Answer, Verdict]:
        """Post the spans of some pieces as one list.

        Raises:
            ZipkinUnavailable: There was no answer.
        """
        body = join(pieces)
        begun = time.perf_counter()
        try:
            answer = self._client.post(body)
        except ZipkinUnavailable:
            self._metrics.relay_posts.labels("unavailable").inc()
            raise
        seconds = time.perf_counter() - begun
        verdict = judge(answer)
        self._metrics.relay_post_seconds.observe(seconds)
        self._metrics.relay_posts.labels(verdict.name.lower()).inc()
        self._window.took(seconds, more_waits=self._backlog.is_waiting)
        return answer, verdict

    def probe(self) -> None:
        """Post an empty list: the honest check that Zipkin takes spans.

        Raises:
            ZipkinUnavailable: It does not.
        """
        answer, verdict = self.post([])
        if verdict is not Verdict.ACCEPTED:
            raise keep(answer, verdict)


def keep(answer: Answer, verdict: Verdict) -> KeepAndWait:
    """Return the error that says why everything is kept."""
    what = (
        "is it Zipkin's address, and does it let us in?" if verdict is Verdict.MISCONFIGURED else "it cannot right now"
    )
    return KeepAndWait(f"answered {answer.status} {answer.text[:120]!r}: {what}", retry_after_seconds(answer))
