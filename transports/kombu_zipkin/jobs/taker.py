"""One consumer thread of a worker: takes a message, has it handled, takes the next."""

import logging
import threading
from typing import Final

import kombu
import kombu.exceptions

from kombu_zipkin.jobs.attempt import AttemptRunner
from kombu_zipkin.outages import Backoff, Outage
from kombu_zipkin.runtime import Health

_log = logging.getLogger(__name__)

_DRAIN_SECONDS: Final = 0.5


class Taker:
    """Consumes on a connection of its own until told to stop; reconnects by itself.

    Args:
        connection: Used by this thread alone, closed at the end.
        queues: The queues to consume.
        runner: Handles the messages.
        health: Told when consuming works and when it fails, as ``queue``.
        outage: Says so in the log.
    """

    def __init__(
        self, connection: kombu.Connection, queues: list[str], runner: AttemptRunner, health: Health, outage: Outage
    ) -> None:
        self._connection = connection
        self._queues = [kombu.Queue(name, kombu.Exchange(""), routing_key=name) for name in queues]
        self._runner = runner
        self._health = health
        self._outage = outage
        self._backoff = Backoff(0.1, 2.0)
        self._lost = (*connection.connection_errors, *connection.channel_errors, kombu.exceptions.KombuError)

    def run(self, stop: threading.Event) -> None:
        """Consume until ``stop`` is set; a message in hand is finished first."""
        while not stop.is_set():
            try:
                self._consume(stop)
            except self._lost as error:
                wait = self._backoff.next()
                self._health.fails("queue", f"{type(error).__name__}: {error}")
                self._outage.failed(error, f"next attempt in {wait:.1f} s")
                stop.wait(wait)
            except Exception:  # noqa: BLE001 - whatever it was, the next message is not its fault
                _log.exception("a message could not be handled; it will be delivered again")
                stop.wait(self._backoff.next())

    def _consume(self, stop: threading.Event) -> None:
        with self._connection.clone() as connection:
            consumer = connection.Consumer(
                self._queues, on_message=self._runner, on_decode_error=self._runner.malformed, prefetch_count=1
            )
            with consumer:
                self._works()
                while not stop.is_set():
                    try:
                        connection.drain_events(timeout=_DRAIN_SECONDS)
                    except TimeoutError:
                        connection.heartbeat_check()
                    self._works()
                    self._backoff.reset()  # not on reconnecting: a message that cannot be handled would make it hot

    def _works(self) -> None:
        self._health.works("queue")
        self._outage.over()
