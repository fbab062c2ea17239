"""The worker: consumer threads that run jobs, and one that keeps house for them."""

import logging
import threading
import time
from collections.abc import Iterable
from typing import Any, Final

from kombu import Connection

from kombu_zipkin.broker import LEASE_SECONDS, broker_name, connect
from kombu_zipkin.errors import BrokerUnavailable, ConfigurationError
from kombu_zipkin.jobs.attempt import AttemptRunner, Workshop
from kombu_zipkin.jobs.catalogue import Catalogue
from kombu_zipkin.jobs.delays import Delays
from kombu_zipkin.jobs.housekeeping import Announcement, Housekeeping, LostJobs
from kombu_zipkin.jobs.keys import DEFAULT_NAMESPACE, JobKeys
from kombu_zipkin.jobs.leases import Leases
from kombu_zipkin.jobs.publisher import JobPublisher
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
        ConfigurationError: A URL is wrong, there is no task, or the broker cannot keep a task's retries.
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
        lease_seconds: int = LEASE_SECONDS,
        metrics: Metrics | None = None,
        health: Health | None = None,
    ) -> None:
        self._tasks = {each.name: each for each in tasks}
        broker, keys = broker_name(url), JobKeys(namespace)
        self._check(broker)
        self._url, self._namespace, self._concurrency, self._drain = url, namespace, concurrency, drain_seconds
        self._health = health or Health(("queue", "catalogue"))
        self._outage = Outage(_log, f"queue on {public_address(url)}")
        self._publisher = JobPublisher(
            url, tracer, records_url=records_url, namespace=namespace, timeout=_STORE_SECONDS
        )
        self._lease_seconds = lease_seconds
        queue_store = Store(url, timeout=_STORE_SECONDS) if broker == "redis" else None
        delays = Delays(queue_store, keys) if queue_store is not None else None
        leases = Leases(queue_store, keys)
        records = JobRecords(records_url or url, namespace=namespace, timeout=_STORE_SECONDS)
        self._shop = Workshop(
            self._tasks, tracer, broker, records, self._publisher, delays, leases, metrics or Metrics()
        )
        catalogue = Catalogue(Store(records_url or url, timeout=_STORE_SECONDS), keys)
        announcement = Announcement(catalogue, list(self._tasks.values()), self._health)
        given_back = LostJobs(self._connect(), lease_seconds) if queue_store is not None else None
        self._house = Housekeeping(announcement, leases, delays, given_back, lease_seconds, self._health, self._outage)

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set, then finish what runs, for ``drain_seconds`` at most.

        What is not finished then stays unacknowledged and is delivered to another worker.
        """
        queues = sorted({each.queue for each in self._tasks.values()})
        _log.info(
            "worker begins: tasks %s; queues %s; %d threads",
            ", ".join(self._tasks),
            ", ".join(queues),
            self._concurrency,
        )
        threads = [self._thread(number, queues, stop) for number in range(1, self._concurrency + 1)]
        for thread in threads:
            thread.start()
        while not stop.wait(_TURN_SECONDS):
            self._house.turn()
        deadline = time.monotonic() + self._drain
        while any(thread.is_alive() for thread in threads) and time.monotonic() < deadline:
            self._house.turn(draining=True)
            threading.Event().wait(_TURN_SECONDS / 2)
        unfinished = sum(thread.is_alive() for thread in threads)
        if unfinished:
            _log.warning("%d jobs unfinished after %g s; they will run again elsewhere", unfinished, self._drain)
        self._close()

    def _thread(self, number: int, queues: list[str], stop: threading.Event) -> threading.Thread:
        taker = Taker(self._connect(), queues, AttemptRunner(self._shop), self._health, self._outage)
        return threading.Thread(target=taker.run, args=(stop,), name=f"worker-{number}", daemon=True)

    def _connect(self) -> Connection:
        return connect(self._url, namespace=self._namespace, timeout=_STORE_SECONDS, lease_seconds=self._lease_seconds)

    def _check(self, broker: str) -> None:
        if not self._tasks:
            raise ConfigurationError("tasks: expected at least one function decorated with @task")
        retrying = [each.name for each in self._tasks.values() if each.retry.limit]
        if broker != "redis" and retrying:
            raise ConfigurationError(f"tasks {', '.join(retrying)}: retries need a Redis broker, got {broker}")

    def _close(self) -> None:
        try:
            self._publisher.close()
            self._house.close()
        except BrokerUnavailable as error:
            _log.info("left without a word to the queue: %s", error)
        self._shop.records.close()
