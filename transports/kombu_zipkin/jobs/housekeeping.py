"""What a worker does beside running jobs: announce its tasks, release delayed jobs, look at its queues."""

import logging
import os
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from kombu_zipkin.errors import BrokerUnavailable
from kombu_zipkin.jobs.catalogue import Catalogue
from kombu_zipkin.jobs.queues import Queues
from kombu_zipkin.jobs.tasks import Task
from kombu_zipkin.outages import Outage
from kombu_zipkin.runtime import Health

_log = logging.getLogger(__name__)

_ANNOUNCE_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 5.0
_AFTER_FAILURE_SECONDS: Final = 1.0


class Announcement:
    """Tells publishers of this worker's tasks, now and every half minute.

    Args:
        catalogue: Where.
        tasks: What.
        health: Told as ``catalogue`` whether it works.
    """

    def __init__(self, catalogue: Catalogue, tasks: list[Task[..., Any]], health: Health) -> None:
        self._catalogue = catalogue
        self._tasks = tasks
        self._health = health
        self._made = float("-inf")
        self._name = f"{socket.gethostname()}-{os.getpid()}"

    def turn(self) -> None:
        """Announce when it is time.

        Raises:
            BrokerUnavailable: Redis did not answer; the next turn announces.
        """
        if time.monotonic() - self._made < _ANNOUNCE_SECONDS:
            return
        try:
            self._catalogue.announce(self._tasks, self._name)
        except BrokerUnavailable as error:
            self._made = float("-inf")
            self._health.fails("catalogue", str(error))
            raise
        self._made = time.monotonic()
        self._health.works("catalogue")

    def withdraw(self) -> None:
        """Say that this worker is gone; its tasks stay known.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        self._catalogue.leave(self._name)


class Housekeeping:
    """Turned by the worker's main thread, some ten times a second; what is not due costs nothing.

    Args:
        announcement: Of the worker's tasks.
        release: Moves delayed jobs that are due to their queues.
        tidy: Forgets old records.
        queues: Looked at for the metrics.
        health: Told of every turn.
        outage: Says in the log when Redis is away.
    """

    def __init__(
        self,
        announcement: Announcement,
        release: Callable[[], int],
        tidy: Callable[[], int],
        queues: Queues,
        health: Health,
        outage: Outage,
    ) -> None:
        self._announcement = announcement
        self._release = release
        self._tidy = tidy
        self._queues = queues
        self._health = health
        self._outage = outage
        self._looked = float("-inf")
        self._not_before = 0.0

    def turn(self) -> None:
        """Do what is due; a server that is away is left alone for a second."""
        self._health.turned()
        if time.monotonic() < self._not_before:
            return
        try:
            self._announcement.turn()
            self._release()
            if time.monotonic() - self._looked > _LOOK_SECONDS:
                self._queues.look()
                self._tidy()
                self._looked = time.monotonic()
            self._outage.over()
        except BrokerUnavailable as error:
            self._not_before = time.monotonic() + _AFTER_FAILURE_SECONDS
            self._outage.failed(error, f"next attempt in {_AFTER_FAILURE_SECONDS} s")
        except Exception:  # noqa: BLE001 - the worker goes on without it
            self._not_before = time.monotonic() + _AFTER_FAILURE_SECONDS
            _log.exception("housekeeping failed; next attempt in %g s", _AFTER_FAILURE_SECONDS)

    def leave(self) -> None:
        """Say that the worker is gone."""
        try:
            self._announcement.withdraw()
        except BrokerUnavailable as error:
            _log.info("left without a word: %s", error)
