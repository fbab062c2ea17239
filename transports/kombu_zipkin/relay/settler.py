"""The thread that settles what was delivered."""

import logging
import queue
import threading
import time
from typing import Final

from kombu_zipkin.errors import StreamUnavailable
from kombu_zipkin.relay.backlog import Backlog
from kombu_zipkin.relay.servers import Server
from kombu_zipkin.runtime import Metrics
from kombu_zipkin.spans import Settlement, SpanGroup

_log = logging.getLogger(__name__)

_MOST_ENTRIES: Final = 1000


class Settler:
    """Settles in a thread of its own, so that the next POST need not wait for it; ``start`` once, then ``close``.

    Redis away: again and again, for a second POST would not make an entry more delivered.

    Args:
        group: The stream's consumer.
        backlog: Told what has left the stream.
        redis: Told of every attempt.
        metrics: Counts what was settled.
    """

    def __init__(self, group: SpanGroup, backlog: Backlog, redis: Server, metrics: Metrics) -> None:
        self.queue: queue.SimpleQueue[list[Settlement] | None] = queue.SimpleQueue()
        self._group = group
        self._backlog = backlog
        self._redis = redis
        self._metrics = metrics
        self._give_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kombu-zipkin-settler")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self, timeout: float) -> None:
        """Settle what is still to be settled, for at most ``timeout`` seconds; the rest is claimed and posted again."""
        self.queue.put(None)
        self._thread.join(timeout)
        self._give_up.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            known, more = self._next()
            if known and not self._settle(known):
                return
            if not more:
                return

    def _next(self) -> tuple[list[Settlement], bool]:
        """Wait for settlements, and return all there are up to a bound; False when they were the last."""
        known = self.queue.get()
        gathered = list(known or ())
        while known is not None and len(gathered) < _MOST_ENTRIES:
            try:
                known = self.queue.get_nowait()
            except queue.Empty:
                return gathered, True
            gathered += known or ()
        return gathered, known is not None

    def _settle(self, known: list[Settlement]) -> bool:
        while True:
            begun = time.monotonic()
            try:
                self._group.settle(known)
            except StreamUnavailable as error:
                wait = self._redis.fails(error, f"{len(known)} delivered entries wait to be settled", begun=begun)
                if self._give_up.wait(wait):
                    return False
                continue
            except Exception:  # noqa: BLE001 - what it was shall not end the thread
                _log.exception("%d entries could not be settled; they stay pending and are claimed again", len(known))
            else:
                self._redis.works()
                self._count(known)
            self._backlog.drop([settlement.received for settlement in known])
            return True

    def _count(self, known: list[Settlement]) -> None:
        metrics = self._metrics
        entries = [settlement.received.entry for settlement in known]
        delivered = [settlement.delivered for settlement in known]
        metrics.collector_messages.inc(len(known))
        metrics.collector_bytes.inc(sum([len(entry.piece.payload) for entry in entries if entry is not None]))
        metrics.collector_spans.inc(sum(delivered))
        oldest = [entry.handed_over_ms for entry, spans in zip(entries, delivered, strict=True) if entry and spans]
        if oldest:
            metrics.relay_delay.observe(max(0.0, time.time() - min(oldest) / 1000))
        for record in [record for settlement in known for record in settlement.dead]:
            cause = "refused" if "span" in record.fields else "unreadable"
            metrics.collector_spans_dropped(cause, record.spans)
            metrics.collector_messages_dropped.inc(cause == "unreadable")
