"""The relay's timer: keep hold of what is in hand, and look at how things stand."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from kombu_zipkin.errors import StreamUnavailable, ZipkinRefused, ZipkinUnavailable
from kombu_zipkin.outages import public_address
from kombu_zipkin.relay.backlog import Backlog
from kombu_zipkin.runtime import Metrics
from kombu_zipkin.spans import SpanGroup, inspect_redis
from kombu_zipkin.zipkin import ZipkinClient

_log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 5.0
_ASK_ZIPKIN_SECONDS: Final = 15.0
_TIDY_SECONDS: Final = 600.0
_INSPECT_SECONDS: Final = 3600.0
_TICK_SECONDS: Final = 0.25


class Upkeep:
    """A thread that does small things every so often; ``start`` once, then ``close``.

    It renews what is held, so that no other relay takes it over; shows that this relay is there, and the age of the
    oldest entry that is not settled; asks Zipkin what it dropped behind its 202; clears away what dead relays and
    producers left; and says what is wrong with this Redis for such work.

    Args:
        redis_url: The Redis that holds the stream.
        group: The stream's consumer.
        backlog: What is held.
        client: The Zipkin to ask.
        metrics: Where to show it.
        renew_seconds: How often to renew.
    """

    def __init__(
        self,
        redis_url: str,
        group: SpanGroup,
        backlog: Backlog,
        client: ZipkinClient,
        metrics: Metrics,
        *,
        renew_seconds: float,
    ) -> None:
        self._redis_url = redis_url
        self._group = group
        self._backlog = backlog
        self._client = client
        self._metrics = metrics
        self._not_stored: int | None = None
        self._closed = threading.Event()
        self._chores: list[tuple[float, Callable[[], None]]] = [
            (renew_seconds, self._renew),
            (_LOOK_SECONDS, self._group.attend),
            (_LOOK_SECONDS, self._watch_oldest),
            (_ASK_ZIPKIN_SECONDS, self._ask_zipkin),
            (_TIDY_SECONDS, self._tidy),
            (_INSPECT_SECONDS, self._inspect),
        ]
        self._thread = threading.Thread(target=self._run, name="kombu-zipkin-upkeep")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        due = {chore: time.monotonic() + every for every, chore in self._chores}
        due[self._inspect] = time.monotonic()
        while not self._closed.wait(_TICK_SECONDS):
            for every, chore in self._chores:
                if time.monotonic() >= due[chore]:
                    due[chore] = time.monotonic() + every
                    self._do(chore)

    def _do(self, chore: Callable[[], None]) -> None:
        try:
            chore()
        except (StreamUnavailable, ZipkinUnavailable, ZipkinRefused) as error:
            _log.debug("%s put off: %s", chore.__name__, error)
        except Exception:  # noqa: BLE001 - one chore's fault is not the others'
            _log.exception("%s failed; it is tried again", chore.__name__)

    def _renew(self) -> None:
        """Keep what is ours; what another relay claimed while this process was frozen is let go."""
        held = self._backlog.held()
        lost = self._group.renew(held)
        self._backlog.drop([received for received in held if received.id in lost])

    def _watch_oldest(self) -> None:
        """Entry ids begin with the milliseconds of their arrival, by the server's clock."""
        born = self._group.oldest_ms()
        self._metrics.relay_oldest.set(0.0 if born is None else max(0.0, time.time() - born / 1000))

    def _ask_zipkin(self) -> None:
        """A span that Zipkin accepted and then dropped is lost to us: that at least is told."""
        dropped = self._client.spans_dropped()
        before, self._not_stored = self._not_stored, dropped
        self._metrics.not_stored.set(dropped)
        if before is not None and dropped > before:
            _log.warning("Zipkin accepted %d spans and did not store them; see its log", dropped - before)

    def _inspect(self) -> None:
        for warning in inspect_redis(self._redis_url):
            _log.warning("span stream on %s: %s", public_address(self._redis_url), warning)

    def _tidy(self) -> None:
        self._group.tidy()
