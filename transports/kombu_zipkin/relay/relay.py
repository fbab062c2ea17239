"""The relay's loop: take entries, post them, settle them."""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Final

from kombu_zipkin.errors import StreamUnavailable, ZipkinUnavailable
from kombu_zipkin.relay.delivery import Delivery, KeepAndWait
from kombu_zipkin.relay.servers import Server
from kombu_zipkin.relay.settings import RelaySettings
from kombu_zipkin.runtime import Health, Metrics
from kombu_zipkin.spans import Received, Settlement, SpanGroup
from kombu_zipkin.zipkin import ZipkinClient

_log = logging.getLogger(__name__)

_READ_ENTRIES: Final = 200
_BLOCK_MS: Final = 500
_PROBE_SECONDS: Final = 15.0
_DRAIN_SECONDS: Final = 5.0
_AFTER_FAULT_SECONDS: Final = 1.0
_NO_ENTRIES_HELD: Final = "the spans wait in the stream"


class Relay:
    """Carries spans from the stream to Zipkin; several share the work. ``run`` does everything on the calling thread.

    An entry is acknowledged and deleted only after Zipkin answered 2xx (or its bad spans became dead letters). While
    Zipkin is away everything is kept and sent again; what a dead relay held is taken over.

    Args:
        settings: Addresses and bounds.
        metrics: Where to count.
        health: Told of every turn and every attempt; its parts are ``redis`` and ``zipkin``.
    """

    def __init__(
        self, settings: RelaySettings, *, metrics: Metrics | None = None, health: Health | None = None
    ) -> None:
        self._settings = settings
        self._metrics = metrics or Metrics()
        self._health = health or Health(("redis", "zipkin"))
        self._consumer = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}"
        self._group = SpanGroup(settings.redis_url, self._consumer, stream=settings.spans_stream)
        timeout = min(settings.relay_post_timeout, settings.relay_claim_after * 0.75)  # or another relay takes over
        self._client = ZipkinClient(settings.zipkin_url, timeout=timeout)
        self._delivery = Delivery(self._client, self._metrics, self._before_post)
        self._redis = Server(_log, "redis", "span stream", settings.redis_url, self._health, longest=5.0)
        self._zipkin = Server(_log, "zipkin", "Zipkin", settings.zipkin_url, self._health, longest=10.0)
        self._held: dict[str, Received] = {}
        self._claimed_at = self._posted_at = self._renewed_at = float("-inf")
        self._stop = threading.Event()  # run's own, from there on
        self._stopped_at: float | None = None

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set, then finish the batch in hand; what Zipkin does not take then stays pending."""
        _log.info("relay %s begins", self._consumer)
        self._stop = stop
        try:
            while not stop.is_set():
                self._health.turned()
                try:
                    self._turn(stop)
                except StreamUnavailable as error:
                    self._held.clear()  # they stay pending in the stream, and come back by claim
                    stop.wait(self._redis.fails(error, _NO_ENTRIES_HELD))
                except Exception:  # noqa: BLE001 - the next batch is not at fault
                    self._held.clear()
                    _log.exception("a batch could not be carried; it stays pending and is claimed again")
                    stop.wait(_AFTER_FAULT_SECONDS)
        finally:
            self._leave()

    def _turn(self, stop: threading.Event) -> None:
        taken = self._take()
        self._redis.works()
        self._held = {received.id: received for received in taken}
        self._watch_oldest()
        if not taken:
            self._probe(stop)
        for chunk in self._chunks(taken):
            if not self._carry(chunk, stop):
                return

    def _take(self) -> list[Received]:
        """Take over what a silent relay holds, every so often; else wait for new entries."""
        idle = self._settings.relay_claim_after
        if time.monotonic() - self._claimed_at > idle / 2:
            claimed = self._group.claim(_READ_ENTRIES, int(idle * 1000))
            if claimed:
                _log.info("took over %d entries that another relay left", len(claimed))
                return claimed
            self._claimed_at = time.monotonic()
        self._renewed_at = time.monotonic()
        return self._group.read(_READ_ENTRIES, _BLOCK_MS)

    def _chunks(self, taken: Iterable[Received]) -> Iterator[list[Received]]:
        """Cut what was taken into POSTs."""
        chunk: list[Received] = []
        spans = size = 0
        for received in taken:
            entry = received.entry
            more_spans, more_bytes = (entry.spans, len(entry.piece.payload)) if entry is not None else (0, 0)
            too_many = spans + more_spans > self._settings.relay_post_spans
            if chunk and (too_many or size + more_bytes > self._settings.relay_post_bytes):
                yield chunk
                chunk, spans, size = [], 0, 0
            chunk.append(received)
            spans, size = spans + more_spans, size + more_bytes
        if chunk:
            yield chunk

    def _carry(self, chunk: list[Received], stop: threading.Event) -> bool:
        """Deliver and settle one POST's worth, for as long as Zipkin needs; False when ``stop`` was set before."""
        while left := [received for received in chunk if received.id in self._held]:
            try:
                for settled in self._delivery.deliver(left):
                    self._settle(settled, stop)
                self._posted()
            except ZipkinUnavailable as error:
                if not self._wait_for_zipkin(error, stop):
                    return False
        return True

    def _before_post(self) -> None:
        """Before each POST, of which a bad batch may need many: stay alive, keep hold, and mind the end.

        Raises:
            KeepAndWait: It is high time to stop.
            StreamUnavailable: Redis did not answer.
        """
        self._health.turned()
        self._renew()
        if self._stop.is_set():
            self._stopped_at = self._stopped_at or time.monotonic()
            if time.monotonic() - self._stopped_at > _DRAIN_SECONDS:
                raise KeepAndWait("stopping")

    def _settle(self, known: list[Settlement], stop: threading.Event) -> None:
        """Settle what became known. Redis away: again and again, for a second POST would not make it more delivered.

        Raises:
            StreamUnavailable: Redis is away, and ``stop`` is set.
        """
        while True:
            self._health.turned()
            try:
                self._group.settle(known)
            except StreamUnavailable as error:
                wait = self._redis.fails(error, f"{len(known)} delivered entries wait to be settled")
                if stop.wait(wait):
                    raise
                continue
            self._redis.works()
            break
        self._count(known)
        for settlement in known:
            self._held.pop(settlement.received.id, None)
        self._watch_oldest()

    def _probe(self, stop: threading.Event) -> None:
        """With nothing to post, see now and then whether Zipkin would take it."""
        if not self._zipkin.is_away and time.monotonic() - self._posted_at < _PROBE_SECONDS:
            return
        try:
            self._delivery.probe()
            self._posted()
        except ZipkinUnavailable as error:
            stop.wait(min(2.0, self._zipkin.fails(error, _NO_ENTRIES_HELD)))

    def _wait_for_zipkin(self, error: ZipkinUnavailable, stop: threading.Event) -> bool:
        """Wait before the next attempt, keeping hold of the entries; False when it is time to stop."""
        wait = self._zipkin.fails(error, f"{len(self._held)} entries stay pending")
        until = time.monotonic() + wait
        while not stop.is_set() and (remaining := until - time.monotonic()) > 0:
            self._health.turned()
            self._renew()
            stop.wait(min(remaining, self._settings.relay_claim_after / 4))
        self._renew()
        return not stop.is_set()

    def _renew(self) -> None:
        if time.monotonic() - self._renewed_at > self._settings.relay_claim_after / 4:
            self._group.renew(self._held.values())
            self._renewed_at = time.monotonic()

    def _posted(self) -> None:
        self._posted_at = time.monotonic()
        self._zipkin.works()

    def _count(self, settled: list[Settlement]) -> None:
        now = time.time()
        self._metrics.relay_entries.inc(len(settled))
        for settlement in settled:
            entry = settlement.received.entry
            self._metrics.relay_spans.inc(settlement.delivered)
            if entry is not None and settlement.delivered:
                self._metrics.relay_delay.observe(max(0.0, now - entry.handed_over_ms / 1000))
            for record in settlement.dead:
                reason = "refused" if "span" in record.fields else "unreadable"
                self._metrics.relay_dead.labels(reason).inc(record.spans)

    def _watch_oldest(self) -> None:
        """Show the age of the oldest entry in hand; entry ids begin with the milliseconds of their arrival."""
        born = min((int(entry_id.split("-")[0]) for entry_id in self._held), default=None)
        self._metrics.relay_oldest.set(0.0 if born is None else max(0.0, time.time() - born / 1000))

    def _leave(self) -> None:
        try:
            if not self._group.leave():
                _log.info(
                    "entries stay pending; another relay claims them after %g s", self._settings.relay_claim_after
                )
        except StreamUnavailable as error:
            _log.info("left without a word to Redis: %s; what was held will be claimed", error)
        self._group.close()
        self._client.close()
