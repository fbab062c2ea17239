"""The threads that carry what is in hand to Zipkin."""

import logging
import threading
import time
from collections.abc import Sequence
from queue import SimpleQueue

from kombu_zipkin.errors import ZipkinUnavailable
from kombu_zipkin.relay.backlog import Backlog
from kombu_zipkin.relay.delivery import Delivery
from kombu_zipkin.relay.servers import Server
from kombu_zipkin.relay.window import Window
from kombu_zipkin.spans import Received, Settlement

_log = logging.getLogger(__name__)


class Carriers:
    """Takes entries from the backlog, delivers them, and passes on what became of them to be settled.

    A thread for each POST that may be in flight; the window says how many of them work. ``start``, ``finish`` and
    ``join`` are called from the relay's main thread.

    Args:
        backlog: What is in hand.
        window: Gives places for POSTs.
        delivery: Delivers.
        zipkin: Told of every attempt.
        settle: Where the settlements go.
        most: How many threads.
    """

    def __init__(
        self,
        backlog: Backlog,
        window: Window,
        delivery: Delivery,
        zipkin: Server,
        settle: "SimpleQueue[list[Settlement] | None]",
        most: int,
    ) -> None:
        self._backlog = backlog
        self._window = window
        self._delivery = delivery
        self._zipkin = zipkin
        self._settle = settle
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"kombu-zipkin-carrier-{number}", daemon=True)
            for number in range(most)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop_waiting(self) -> None:
        """From here on, what Zipkin does not take at once is let go."""
        self._stopping.set()

    def join(self, timeout: float) -> None:
        """Wait for the threads to end, after backlog and window were closed; a POST that hangs is left to itself."""
        until = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _run(self) -> None:
        while True:
            with self._window.place() as got:
                taken = self._backlog.take() if got else []
                if not taken:
                    return
                try:
                    self._carry(taken)
                except Exception:  # noqa: BLE001 - the next batch is not at fault
                    _log.exception("a batch could not be carried; it stays pending and is claimed again")
                    self._backlog.drop(taken)

    def _carry(self, taken: list[Received]) -> None:
        """Deliver one POST's worth, for as long as Zipkin needs."""
        attempt = 0
        while taken := [received for received in taken if self._backlog.holds(received)]:
            attempt, begun, before = attempt + 1, time.monotonic(), len(taken)
            try:
                for settled in self._delivery.deliver(taken, attempt=attempt):
                    taken = _without(taken, settled)
                    self._settle.put(settled)
                self._zipkin.works()
            except ZipkinUnavailable as error:
                if attempt > 1 and len(taken) < before:
                    self._set_aside(taken, error)
                    return
                if not self._wait(error, begun):
                    self._backlog.drop(taken)
                    return

    def _wait(self, error: ZipkinUnavailable, begun: float) -> bool:
        """Wait before the next attempt, keeping hold of the entries; False when it is time to stop."""
        self._window.failed()
        wait = self._zipkin.fails(error, f"{len(self._backlog)} entries stay pending", begun=begun)
        return not self._stopping.wait(wait)

    def _set_aside(self, entries: Sequence[Received], error: ZipkinUnavailable) -> None:
        """Zipkin takes others, but fails on these: they stay pending, and come back by claim."""
        ids = ", ".join(received.id for received in entries[:3])
        _log.warning("%d entries set aside, the first are %s: %s; they are tried again later", len(entries), ids, error)
        self._backlog.drop(entries)


def _without(taken: list[Received], settled: Sequence[Settlement]) -> list[Received]:
    if len(settled) == len(taken):
        return []
    done = {settlement.received.id for settlement in settled}
    return [received for received in taken if received.id not in done]
