"""One consumer thread on a broker that is no Redis: takes a message, has it handled, settles it, takes the next."""

import logging
import threading
from typing import Any, Final

import kombu
import kombu.exceptions

from kombu_zipkin.errors import BrokerUnavailable
from kombu_zipkin.jobs.attempt import AttemptRunner
from kombu_zipkin.jobs.delays import Delays
from kombu_zipkin.jobs.endings import Ending, Onward
from kombu_zipkin.jobs.notes import Notes
from kombu_zipkin.jobs.records import JobRecords
from kombu_zipkin.messaging import SelfTraced, TracedHeaders
from kombu_zipkin.outages import Backoff, Outage
from kombu_zipkin.runtime import Health

_log = logging.getLogger(__name__)

_DRAIN_SECONDS: Final = 0.5


class Taker:
    """Consumes on a connection of its own until told to stop; reconnects by itself.

    What takes a message's place is published before the message is acknowledged: a crash between repeats the job.

    Args:
        connection: Used by this thread alone, closed at the end.
        queues: The queues to consume.
        runner: Runs the messages.
        delays: Where retries wait, in the records' Redis.
        records: Told of every change.
        notes: Changes that attempts have noted.
        health: Told when consuming works and when it fails, as ``queue``.
        outage: Says so in the log.
    """

    def __init__(
        self,
        connection: kombu.Connection,
        queues: list[str],
        runner: AttemptRunner,
        delays: Delays,
        records: JobRecords,
        notes: Notes,
        health: Health,
        outage: Outage,
    ) -> None:
        self._connection = connection
        self._queues = [kombu.Queue(name, kombu.Exchange(""), routing_key=name) for name in queues]
        self._runner, self._delays = runner, delays
        self._records, self._notes = records, notes
        self._health, self._outage = health, outage
        self._backoff = Backoff(0.1, 1.0)
        self._lost = (
            *connection.connection_errors,
            *connection.channel_errors,
            kombu.exceptions.KombuError,
            BrokerUnavailable,
        )

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
                self._queues,
                on_message=SelfTraced(lambda message: self._settle(message, self._runner.run(message))),
                on_decode_error=lambda message, error: self._settle(message, self._runner.malformed(message, error)),
                prefetch_count=1,
                accept=["json"],
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

    def _settle(self, message: Any, ending: Ending) -> None:
        if ending.onward is not None:
            self._send_on(message, ending.onward)
        if ending.change is not None:
            self._notes.add(ending.change)
        self._records.write_or_say(self._notes.take())
        message.ack()

    def _send_on(self, message: Any, onward: Onward) -> None:
        if onward.due_ms is not None:
            self._delays.add(onward.body, onward.headers, onward.queue, str(onward.message_id), onward.due_ms)
            return
        kombu.Producer(message.channel).publish(
            onward.body,
            exchange="",
            routing_key=onward.queue,
            content_type=onward.content_type,
            content_encoding=message.content_encoding or "binary",
            headers=TracedHeaders(onward.headers),
            message_id=onward.message_id,
            declare=[kombu.Queue(onward.queue, kombu.Exchange(""), routing_key=onward.queue)],
        )

    def _works(self) -> None:
        self._health.works("queue")
        self._outage.over()
