"""The relay's loop: read ahead, while its threads post and settle."""

import logging
import os
import secrets
import socket
import threading
import time
from typing import Final

from kombu_zipkin.errors import StreamUnavailable, ZipkinUnavailable
from kombu_zipkin.relay.backlog import Backlog, Bounds
from kombu_zipkin.relay.carrier import Carriers
from kombu_zipkin.relay.delivery import Delivery
from kombu_zipkin.relay.posting import Posting
from kombu_zipkin.relay.servers import Server
from kombu_zipkin.relay.settings import RelaySettings
from kombu_zipkin.relay.settler import Settler
from kombu_zipkin.relay.upkeep import Upkeep
from kombu_zipkin.relay.window import Window
from kombu_zipkin.runtime import Health, Metrics
from kombu_zipkin.spans import Received, SpanGroup
from kombu_zipkin.zipkin import ZipkinClient

_log = logging.getLogger(__name__)

_BLOCK_MS: Final = 500
_ROOM_SECONDS: Final = 0.5
_PROBE_SECONDS: Final = 15.0
_CLAIM_SECONDS: Final = 10.0
_DRAIN_SECONDS: Final = 5.0
_JOIN_SECONDS: Final = 1.0
_SETTLE_SECONDS: Final = 2.0
_AFTER_FAULT_SECONDS: Final = 1.0
_NO_ENTRIES_HELD: Final = "the spans wait in the stream"


class Relay:
    """Carries spans from the stream to Zipkin; several share the work. ``run`` returns when all is done.

    The calling thread reads ahead; others post, settle, and keep hold of what was read. An entry is acknowledged and
    deleted only after Zipkin answered 2xx (or its bad spans became dead letters). While Zipkin is away everything is
    kept and sent again; what a dead relay held is taken over.

    Args:
        settings: Addresses and bounds.
        metrics: Where to count.
        health: Told of every turn and every attempt; its parts are ``redis`` and ``zipkin``.
    """

    def __init__(
        self, settings: RelaySettings, *, metrics: Metrics | None = None, health: Health | None = None
    ) -> None:
        metrics, self._health = metrics or Metrics(), health or Health(("redis", "zipkin"))
        self._claim_after = settings.relay_claim_after
        self._consumer = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}"
        self._group = SpanGroup(settings.redis_url, self._consumer, stream=settings.spans_stream)
        self._client = ZipkinClient(
            settings.zipkin_url,
            timeout=settings.relay_post_timeout,
            connections=settings.relay_posts,
            token=settings.zipkin_token,
            ca_file=settings.zipkin_ca_file,
        )
        self._redis = Server(_log, "redis", "span stream", settings.redis_url, self._health, longest=5.0)
        self._zipkin = Server(_log, "zipkin", "Zipkin", settings.zipkin_url, self._health, longest=10.0)
        self._backlog = Backlog(Bounds(settings.relay_post_spans, settings.relay_post_bytes), settings.relay_posts)
        self._window = Window(settings.relay_posts)
        self._posting = Posting(self._client, self._window, self._backlog, metrics)
        self._settler = Settler(self._group, self._backlog, self._redis, metrics)
        self._carriers = Carriers(
            self._backlog, self._window, Delivery(self._posting), self._zipkin, self._settler.queue,
            settings.relay_posts,
        )  # fmt: skip
        self._upkeep = Upkeep(
            settings.redis_url,
            self._group,
            self._backlog,
            self._client,
            metrics,
            renew_seconds=settings.relay_claim_after / 4,
        )
        self._claimed_at = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set, then post what is in hand; what Zipkin does not take then stays pending."""
        _log.info("relay %s begins", self._consumer)
        for part in (self._settler, self._carriers, self._upkeep):
            part.start()
        try:
            while not stop.is_set():
                self._health.turned()
                begun = time.monotonic()
                try:
                    self._turn(stop)
                except StreamUnavailable as error:
                    stop.wait(self._redis.fails(error, _NO_ENTRIES_HELD, begun=begun))
                except Exception:  # noqa: BLE001 - the next turn is not at fault
                    _log.exception("a turn failed; the next one follows")
                    stop.wait(_AFTER_FAULT_SECONDS)
        finally:
            self._finish()

    def _turn(self, stop: threading.Event) -> None:
        count = self._backlog.room(_ROOM_SECONDS)
        if not count:
            return
        taken = self._take(count)
        self._redis.works()
        self._backlog.add(taken)
        if not taken and not len(self._backlog):
            self._probe(stop)

    def _take(self, count: int) -> list[Received]:
        """Take over what a silent relay holds, every so often; else wait for new entries."""
        idle = self._claim_after
        if time.monotonic() - self._claimed_at > min(idle / 2, _CLAIM_SECONDS):
            claimed = self._group.claim(count, int(idle * 1000))
            if claimed:
                _log.info("took over %d entries that another relay left", len(claimed))
                return claimed
            self._claimed_at = time.monotonic()
        return self._group.read(count, _BLOCK_MS)

    def _probe(self, stop: threading.Event) -> None:
        """With nothing to post, see now and then whether Zipkin would take it."""
        if not self._zipkin.is_away and time.monotonic() - self._zipkin.worked_at < _PROBE_SECONDS:
            return
        try:
            self._posting.probe()
            self._zipkin.works()
        except ZipkinUnavailable as error:
            stop.wait(min(2.0, self._zipkin.fails(error, _NO_ENTRIES_HELD)))

    def _finish(self) -> None:
        """Post and settle what is in hand, within a bound; let the rest go, and leave."""
        self._carriers.stop_waiting()
        self._backlog.wait_until_empty(_DRAIN_SECONDS)
        self._backlog.close()
        self._window.close()
        self._carriers.join(_JOIN_SECONDS)
        self._settler.close(_SETTLE_SECONDS)
        self._upkeep.close()
        try:
            if not self._group.leave():
                _log.info("entries stay pending; another relay claims them after %g s", self._claim_after)
        except StreamUnavailable as error:
            _log.info("left without a word to Redis: %s; what was held will be claimed", error)
        self._group.close()
        self._client.close()
