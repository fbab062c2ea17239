"""How the system is: Redis, workers, queue, spans on their way, relays, Zipkin, each in words."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final

from flask import Flask, Response

from kombu_zipkin.errors import Unavailable
from kombu_zipkin.jobs import opened_queues, read_catalogue
from kombu_zipkin.spans import ProducerBooks, inspect_redis, read_ledger, relays_of
from kombu_zipkin.zipkin import ZipkinClient
from producer.live import fragment

_PARTS: Final = 6
_FRESH_SECONDS: Final = 2.0
_WAIT_SECONDS: Final = 0.5
_RELAY_ALIVE_MS: Final = 30_000
_OLD_SECONDS: Final = 30.0
_GONE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the system.

    Attributes:
        name: What it is.
        is_well: Whether nobody has to do anything.
        words: How it is; what to do where it is not well.
    """

    name: str
    is_well: bool
    words: str


class Overview:
    """``/overview``: a part of the board. Looked at once every two seconds, whoever asks.

    Args:
        redis_url: Of records and spans.
        queue_url: Of the queue; None where it is in no Redis.
        namespace: Prefix of the jobs' keys.
        stream: The span stream's name.
        zipkin: Where the spans go.
    """

    def __init__(
        self, redis_url: str, queue_url: str | None, namespace: str, stream: str, zipkin: ZipkinClient
    ) -> None:
        self._redis_url, self._queue_url = redis_url, queue_url
        self._namespace, self._stream = namespace, stream
        self._zipkin = zipkin
        self._pool = ThreadPoolExecutor(_PARTS, "producer-overview")
        self._lock = threading.Lock()  # of the three below
        self._looked_at = float("-inf")
        self._looking: dict[str, Future[None]] = {}
        self._known: dict[str, Part] = {}

    def register(self, app: Flask) -> None:
        """Add the route."""
        app.add_url_rule("/overview", "overview", self.show, methods=["GET"])

    def show(self) -> Response:
        """Show every part."""
        return fragment("_overview.html", parts=self.parts())

    def parts(self) -> Sequence[Part]:
        """Return every part, as it was some seconds ago.

        All are looked at side by side. A look at a server that is frozen takes seconds; it is waited for shortly, and
        shown when it is there.
        """
        with self._lock:
            if time.monotonic() - self._looked_at > _FRESH_SECONDS:
                self._looked_at = time.monotonic()
                for name, look in self._looks():
                    before = self._looking.get(name)
                    if before is None or before.done():
                        self._looking[name] = self._pool.submit(self._look, name, look)
            looking = list(self._looking.values())
        wait(looking, _WAIT_SECONDS)
        with self._lock:
            return [self._known.get(name, Part(name, True, "…")) for name in self._looking]

    def _look(self, name: str, look: Callable[[], Part]) -> None:
        part = _guarded(name, look)
        with self._lock:
            self._known[name] = part

    def _looks(self) -> Iterator[tuple[str, Callable[[], Part]]]:
        yield from (("Redis", self._redis), ("workers", self._workers))
        if self._queue_url:
            yield "queue", self._queue
        yield from (("spans", self._spans), ("relays", self._relays), ("Zipkin", self._of_zipkin))

    def _redis(self) -> Part:
        warnings = inspect_redis(self._redis_url)
        return Part("Redis", not warnings, "; ".join(warnings) or "up, its settings as they should be")

    def _workers(self) -> Part:
        with read_catalogue(self._redis_url, self._namespace) as catalogue:
            count = len(catalogue.workers())
        if count == 0:
            return Part("workers", False, "none has given a sign of life; start one: kombu-zipkin worker your.module")
        return Part("workers", True, f"{count} running")

    def _queue(self) -> Part:
        with read_catalogue(self._redis_url, self._namespace) as catalogue:
            names = sorted({entry.queue for entry in catalogue.all().values()} | {"jobs"})
        with opened_queues(self._queue_url or "", self._namespace, names) as queues:
            states, delayed, claimed = queues.states()
        waiting, dead = sum(state.waiting for state in states), sum(state.dead for state in states)
        oldest = max((state.oldest_seconds for state in states), default=0.0)
        jobs_wait, letters = "1 job waits" if waiting == 1 else f"{waiting} jobs wait", _letters(dead)
        words = f"{jobs_wait}, {claimed} in hand, {delayed} for later, {letters}"
        if waiting and oldest > _OLD_SECONDS:
            return Part(
                "queue", False, f"{words}; the next one has waited for {oldest:.0f} s: are there enough workers?"
            )
        return Part("queue", True, words)

    def _spans(self) -> Part:
        ledger = read_ledger(self._redis_url, stream=self._stream)
        books = ledger.producers
        created, dropped = sum(each.created for each in books), sum(_dropped(each) for each in books)
        dead, delivered = ledger.totals.get("dead", 0), ledger.totals.get("delivered", 0)
        words = f"{created:,} created, {delivered:,} in Zipkin, {ledger.waiting:,} on their way"
        told = [f"{dropped:,} dropped"] * bool(dropped) + [_letters(dead)] * bool(dead)
        if ledger.exact and ledger.difference:
            told.append(f"the books do not close: {ledger.difference:+,}")
        # what a process dropped that has ended since is past help
        dropping = any(_dropped(each) for each in books if each.silent_ms < _GONE_MS)
        is_well = not (dropping or dead or (ledger.exact and ledger.difference))
        return Part("spans", is_well, ", ".join([words, *told]) + (": kombu-zipkin spans status" if told else ""))

    def _relays(self) -> Part:
        count = sum(relay.idle_ms < _RELAY_ALIVE_MS for relay in relays_of(self._redis_url, stream=self._stream))
        if count == 0:
            return Part("relays", False, "none reads the span stream; spans wait there. Start one: kombu-zipkin relay")
        return Part("relays", True, f"{count} running")

    def _of_zipkin(self) -> Part:
        fault = self._zipkin.health()
        if fault is None:
            return Part("Zipkin", True, "up, its storage too")
        return Part("Zipkin", False, f"not well, the relay holds the spans back: {fault}")


def _dropped(books: ProducerBooks) -> int:
    return sum(books.dropped.values())


def _letters(count: int) -> str:
    return f"{count:,} dead letter" + "s" * (count != 1)


def _guarded(name: str, look: Callable[[], Part]) -> Part:
    try:
        return look()
    except Unavailable as error:
        return Part(name, False, f"cannot be seen: {error}")
