"""The worker: consumer threads that run jobs, and one that keeps house for them."""

import logging
import threading
import time
from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from kombu_zipkin.broker import LEASE_SECONDS, broker_name, connect
from kombu_zipkin.errors import ConfigurationError
from kombu_zipkin.jobs.attempt import AttemptRunner, Workshop
from kombu_zipkin.jobs.catalogue import Catalogue
from kombu_zipkin.jobs.delays import Delays
from kombu_zipkin.jobs.dispatcher import Dispatcher
from kombu_zipkin.jobs.housekeeping import Announcement, Housekeeping
from kombu_zipkin.jobs.keys import DEFAULT_NAMESPACE, JobKeys
from kombu_zipkin.jobs.notes import Notes
from kombu_zipkin.jobs.outbox import KombuOutbox
from kombu_zipkin.jobs.publisher import JobPublisher
from kombu_zipkin.jobs.queues import Queues
from kombu_zipkin.jobs.records import JobRecords
from kombu_zipkin.jobs.store import Store
from kombu_zipkin.jobs.taker import Taker
from kombu_zipkin.jobs.tasks import Task
from kombu_zipkin.outages import Outage, public_address
from kombu_zipkin.runtime import Health, Metrics
from kombu_zipkin.tracing import Tracer

_log = logging.getLogger(__name__)

_STORE_SECONDS: Final = 2.0
_TURN_SECONDS: Final = 0.1
_LEAVE_SECONDS: Final = 5.0


class JobConsumer:
    """Runs jobs on ``concurrency`` threads, at least once each: acknowledged after the work.

    A job whose task raises is tried again as its `Retry` says, then goes to the dead-letter queue with its error; so
    does, at once, one that no task here takes. A worker's death costs nothing: within about a minute its jobs are
    delivered to another.

    Args:
        url: The queue's broker: ``redis://``, ``rediss://``, ``amqp://`` or ``amqps://``.
        tracer: Makes a CONSUMER span for each attempt.
        tasks: What it can run; their queues are what it consumes.
        concurrency: Threads, and so jobs at a time.
        records_url: The Redis for records and catalogue; None for the broker itself.
        namespace: Prefix of every key; the same for publishers and workers.
        drain_seconds: How long running jobs may go on once ``run`` is told to stop.
        lease_seconds: How long after a worker's last sign of life its jobs are delivered to another; the same for all.
        metrics: Where to count.
        health: Told of every attempt; its parts are ``queue`` and ``catalogue``.

    Raises:
        ConfigurationError: A URL is wrong, there is no task, or the broker is no Redis and ``records_url`` is missing.
    """

    def __init__(
        self,
        url: str,
        tracer: Tracer,
        tasks: Iterable[Task[..., Any]],
        *,
        concurrency: int = 8,
        records_url: str | None = None,
        namespace: str = DEFAULT_NAMESPACE,
        drain_seconds: float = 20.0,
        lease_seconds: float = LEASE_SECONDS,
        metrics: Metrics | None = None,
        health: Health | None = None,
    ) -> None:
        self._tasks = {each.name: each for each in tasks}
        if not self._tasks:
            raise ConfigurationError("tasks: expected at least one function decorated with @task")
        broker, keys, beside = broker_name(url), JobKeys(namespace), records_url or url
        self._connect = partial(
            connect, url, namespace=namespace, timeout=_STORE_SECONDS, lease_seconds=lease_seconds, at_once=concurrency
        )
        self._records_along = beside == url
        self._is_redis = broker == "redis"
        self._concurrency, self._drain, self._keys = concurrency, drain_seconds, keys
        self._metrics = metrics or Metrics()
        self._health = health or Health(("queue", "catalogue"))
        self._outage = Outage(_log, f"queue on {public_address(url)}")
        self._publisher = JobPublisher(
            url, tracer, records_url=records_url, namespace=namespace, timeout=_STORE_SECONDS
        )
        self._records = JobRecords(beside, namespace=namespace, timeout=_STORE_SECONDS)
        self._notes = Notes()
        self._store = Store(beside, timeout=_STORE_SECONDS)
        self._queue_store = Store(url, timeout=_STORE_SECONDS) if self._is_redis else self._store
        self._delays = Delays(self._queue_store, keys)
        self._runner = AttemptRunner(
            Workshop(self._tasks, tracer, broker, self._publisher, self._notes.begun, self._metrics)
        )
        self._house = self._housekeeping()
        self._hurry = threading.Event()
        self._dispatcher: Dispatcher | None = None

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set, then finish what runs, for ``drain_seconds`` at most.

        What is not finished then is given back, and runs again elsewhere.
        """
        queues = self._queue_names()
        _log.info(
            "worker begins: tasks %s; queues %s; %d threads",
            ", ".join(self._tasks),
            ", ".join(queues),
            self._concurrency,
        )
        threads = self._threads(queues, stop)
        for thread in threads:
            thread.start()
        while not stop.wait(_TURN_SECONDS):
            self._house.turn()
        if self._dispatcher is not None:
            self._dispatcher.wake()
        until = time.monotonic() + self._drain + (_LEAVE_SECONDS if self._is_redis else 0.0)
        while any(thread.is_alive() for thread in threads) and time.monotonic() < until:
            self._health.turned()
            threads[0].join(_TURN_SECONDS / 4)
            if self._hurry.is_set() and not self._is_redis:
                break
        self._close()

    def hurry(self) -> None:
        """Give back at once what is in hand: the second signal. Any thread may, also a signal handler."""
        self._hurry.set()
        if self._dispatcher is not None:
            self._dispatcher.wake()

    def _threads(self, queues: list[str], stop: threading.Event) -> list[threading.Thread]:
        if self._is_redis:
            self._dispatcher = Dispatcher(
                self._connect(),
                queues,
                self._runner,
                self._concurrency,
                self._keys,
                self._records,
                self._records_along,
                self._notes,
                self._metrics,
                self._health,
                self._outage,
            )
            args = (stop, self._hurry, self._drain)
            return [threading.Thread(target=self._dispatcher.run, args=args, name="worker-queue", daemon=True)]
        takers = [
            Taker(self._connect(), queues, self._runner, self._delays, self._records, self._notes, self._health,
                  self._outage)
            for _ in range(self._concurrency)
        ]  # fmt: skip
        return [
            threading.Thread(target=taker.run, args=(stop,), name=f"worker-{number}", daemon=True)
            for number, taker in enumerate(takers, 1)
        ]

    def _housekeeping(self) -> Housekeeping:
        announcement = Announcement(Catalogue(self._store, self._keys), list(self._tasks.values()), self._health)
        outbox = self._publisher.outbox
        release = self._delays.release
        if not self._is_redis and isinstance(outbox, KombuOutbox):
            release = partial(self._delays.send, outbox.send)
        names = self._queue_names() if self._is_redis else []
        queues = Queues(self._queue_store, self._keys, names, self._metrics)
        outage = Outage(_log, "the worker's Redis")
        return Housekeeping(announcement, release, self._records.expire, queues, self._health, outage)

    def _queue_names(self) -> list[str]:
        return sorted({each.queue for each in self._tasks.values()})

    def _close(self) -> None:
        self._house.leave()
        self._publisher.close()
        self._records.close()
        self._store.close()
        self._queue_store.close()
