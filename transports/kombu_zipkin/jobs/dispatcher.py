"""The thread between a Redis queue and the hands: claims as many jobs as hands are free, settles what they finish."""

import logging
import threading
import time
from collections import deque
from functools import partial
from typing import Any, Final

import kombu
import kombu.exceptions
import orjson

from kombu_zipkin.broker import Along, Settlement, new_envelope
from kombu_zipkin.jobs.attempt import AttemptRunner
from kombu_zipkin.jobs.delays import delayed_member
from kombu_zipkin.jobs.endings import Ending, Onward
from kombu_zipkin.jobs.hands import Hands
from kombu_zipkin.jobs.keys import JobKeys
from kombu_zipkin.jobs.notes import Notes
from kombu_zipkin.jobs.records import JobRecords
from kombu_zipkin.messaging import SelfTraced
from kombu_zipkin.outages import Backoff, Outage
from kombu_zipkin.runtime import Health, Metrics

_log = logging.getLogger(__name__)

_WAIT_SECONDS: Final = 0.5
_NOTE_SECONDS: Final = 0.05
_GIVEN_BACK: Final = "given back unfinished"


class Dispatcher:
    """Consumes with one connection for any number of threads.

    A job is settled after its work, its record before: acknowledged, put into the waiting room or made a dead letter,
    each in the step that takes it from the queue. What a killed worker leaves half done is at most one job a thread,
    and those that were finished, and not settled yet.

    Args:
        connection: With our broker's transport; used by the running thread, closed at the end.
        queues: The queues to consume.
        runner: Runs the messages.
        concurrency: How many threads run jobs.
        keys: Of the jobs.
        records: Told of every change.
        records_along: Whether they are in the queue's own Redis, so that a change goes along with what settles the job.
        notes: Changes that attempts have noted.
        metrics: Where to count.
        health: Told when consuming works and when it fails, as ``queue``.
        outage: Says so in the log.
    """

    def __init__(
        self,
        connection: kombu.Connection,
        queues: list[str],
        runner: AttemptRunner,
        concurrency: int,
        keys: JobKeys,
        records: JobRecords,
        records_along: bool,
        notes: Notes,
        metrics: Metrics,
        health: Health,
        outage: Outage,
    ) -> None:
        self._connection = connection
        self._queues = [kombu.Queue(name, kombu.Exchange(""), routing_key=name) for name in queues]
        self._runner = runner
        self._concurrency = concurrency
        self._keys, self._records, self._notes = keys, records, notes
        self._records_along = records_along
        self._metrics, self._health, self._outage = metrics, health, outage
        self._backoff = Backoff(0.1, 1.0)
        self._failures = (*connection.connection_errors, *connection.channel_errors, kombu.exceptions.KombuError)
        self._finished: deque[tuple[Any, Ending | None]] = deque()
        self._in_hand: dict[str, Any] = {}  # by tag; of this thread alone
        self._channel: Any = None
        self._consumer: Any = None

    def run(self, stop: threading.Event, hurry: threading.Event, drain_seconds: float) -> None:
        """Consume until ``stop`` is set, then finish what is in hand.

        Args:
            stop: Asks to finish.
            hurry: Asks to give back at once what is in hand.
            drain_seconds: How long finishing may take; what is unfinished then is given back.
        """
        self._hands = Hands(self._concurrency, self._runner.run, self._done)
        until = float("inf")
        while not hurry.is_set() and time.monotonic() < until:
            if stop.is_set() and until == float("inf"):
                until = time.monotonic() + drain_seconds
            if stop.is_set() and not self._in_hand:
                break
            self._turn(stop)
        self._leave()
        self._hands.close(0.1 if self._in_hand else 1.0)

    def wake(self) -> None:
        """End a wait; any thread may."""
        channel = self._channel
        if channel is not None:
            channel.intake.wake()

    def _turn(self, stop: threading.Event) -> None:
        try:
            self._settle_finished()
            consumer = self._consuming()
            if stop.is_set():
                consumer.cancel()
            if stop.is_set() or self._hands.is_stuck:
                self._give_back_unbegun()
            self._channel.qos.prefetch_count = self._hands.wanted
            self._take()
            self._health.works("queue")
            self._outage.over()
            self._backoff.reset()
        except self._failures as error:
            self._fails(error, stop)
        except Exception as error:  # noqa: BLE001 - whatever it was, consuming goes on
            _log.exception("consuming failed")
            self._fails(error, stop)

    def _fails(self, error: BaseException, stop: threading.Event) -> None:
        wait = self._backoff.next()
        self._health.fails("queue", f"{type(error).__name__}: {error}")
        self._outage.failed(error, f"next attempt in {wait:.1f} s")
        threading.Event().wait(min(wait, 0.2) if stop.is_set() else wait)

    def _consuming(self) -> Any:
        if self._consumer is None:
            channel = self._connection.default_channel
            consumer = kombu.Consumer(
                channel,
                self._queues,
                on_message=SelfTraced(self._give),
                on_decode_error=self._cannot_open,
                prefetch_count=self._concurrency,
                accept=["json"],
            )
            consumer.consume()
            self._channel, self._consumer = channel, consumer
        return self._consumer

    def _take(self) -> None:
        """Claim what fits, or wait for a message, a finished job or a change to write."""
        try:
            self._connection.drain_events(timeout=_NOTE_SECONDS if self._in_hand else _WAIT_SECONDS)
        except TimeoutError:
            if self._notes and not self._finished:
                self._records.write_or_say(self._notes.take())

    def _give(self, message: Any) -> None:
        self._in_hand[message.delivery_tag] = message
        self._hands.give(message)

    def _give_back_unbegun(self) -> None:
        """Another worker may have a thread free for them; where Redis does not take them back they are run here."""
        messages = self._hands.take_back()
        tags = [message.delivery_tag for message in messages]
        if not tags:
            return
        try:
            self._channel.claims.give_back(tags)
        except BaseException:
            for message in messages:
                self._hands.give(message)
            raise
        for tag in tags:
            self._channel.qos.let_go(tag)
            self._in_hand.pop(tag, None)

    def _cannot_open(self, message: Any, error: Exception) -> None:
        self._in_hand[message.delivery_tag] = message
        self._done(message, self._runner.malformed(message, error))

    def _done(self, message: Any, ending: Ending | None) -> None:
        self._finished.append((message, ending))
        self.wake()

    def _settle_finished(self) -> None:
        """Have what is finished recorded, then settled, with the next claim."""
        batch = [self._finished.popleft() for _ in range(len(self._finished))]
        if not batch:
            return
        for message, ending in batch:
            if ending is None:
                self._channel.claims.give_back([message.delivery_tag], lost="the worker failed")
                self._channel.qos.let_go(message.delivery_tag)
                self._in_hand.pop(message.delivery_tag, None)
            elif ending.change is not None:
                self._notes.add(ending.change)
        settlements = [self._settlement(message, ending) for message, ending in batch if ending is not None]
        self._channel.intake.settle_along(Along(settlements, self._recording(), partial(self._settled, settlements)))

    def _recording(self) -> list[Any]:
        """What writes the noted changes: a script that goes along, or, on another Redis, nothing more."""
        changes = self._notes.take()
        if not self._records_along:
            self._records.write_or_say(changes)
            return []
        return [self._records.writing(changes)] if changes else []

    def _settled(self, settlements: list[Settlement], recorded: list[Any], held: "list[bool] | Exception") -> None:
        for reply in recorded:
            error = reply if isinstance(reply, Exception) else None
            self._records.said(error, len(settlements))
        if isinstance(held, Exception):
            raise held
        late = len(held) - sum(held)
        if late:
            self._metrics.leases_lost.inc(late)
            _log.warning("%d jobs finished after their leases: they are run again elsewhere", late)
        for settlement in settlements:
            self._in_hand.pop(settlement.tag, None)

    def _settlement(self, message: Any, ending: Ending) -> Settlement:
        tag, onward = message.delivery_tag, ending.onward
        if onward is None:
            return Settlement(tag)
        text = _envelope(onward)
        if onward.due_ms is None:
            return Settlement(tag, self._keys.queue(onward.queue), text)
        return Settlement(tag, self._keys.delayed, delayed_member(onward.queue, text), onward.due_ms)

    def _leave(self) -> None:
        """Settle what is finished, give back what is not, close the connection."""
        try:
            if self._channel is not None:
                self._settle_finished()
                self._channel.intake.send_along()
                self._give_back_unbegun()
            if self._in_hand:
                _log.warning("%d jobs unfinished; they run again elsewhere", len(self._in_hand))
                self._channel.claims.give_back(list(self._in_hand), lost=_GIVEN_BACK)
        except Exception as error:  # noqa: BLE001 - then they go back when their leases are over
            _log.warning("%d jobs not given back: %s; they run again when their leases are over",
                         len(self._in_hand), error)  # fmt: skip
        self._connection.release()


def _envelope(onward: Onward) -> bytes:
    headers, message_id = onward.headers, onward.message_id
    properties = {"message_id": message_id} if isinstance(message_id, str) else {}
    envelope = new_envelope(onward.body, headers, onward.queue, content_type=onward.content_type, **properties)
    return orjson.dumps(envelope, default=repr)
