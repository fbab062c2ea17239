"""What a worker does beside running jobs: announce tasks, keep leases, give back lost jobs, release delayed ones."""

import logging
import time
from typing import Any, Final

import kombu
import kombu.exceptions

from kombu_zipkin.broker import VISIBILITY_SECONDS
from kombu_zipkin.errors import BrokerUnavailable
from kombu_zipkin.jobs.catalogue import Catalogue
from kombu_zipkin.jobs.delays import Delays
from kombu_zipkin.jobs.leases import Leases
from kombu_zipkin.jobs.tasks import Task
from kombu_zipkin.outages import Outage
from kombu_zipkin.runtime import Health

_log = logging.getLogger(__name__)

_ANNOUNCE_SECONDS: Final = 30.0
_RESTORE_SECONDS: Final = 5.0
_LEASE_SECONDS: Final = VISIBILITY_SECONDS / 4
_AFTER_FAILURE_SECONDS: Final = 1.0
_RESTORE_AT_ONCE: Final = 100


class Housekeeping:
    """Turned by the worker's main thread, some ten times a second; what is not due costs nothing.

    Args:
        catalogue: Where to announce.
        tasks: What to announce.
        leases: Of the running jobs.
        delays: Where delayed jobs wait; None where the broker keeps none.
        connection: To the queue, for giving back lost jobs; None where the broker does so itself.
        health: Told of every turn, and as ``catalogue`` whether announcing works.
        outage: Says in the log when the queue's server is away.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        tasks: list[Task[..., Any]],
        leases: Leases,
        delays: Delays | None,
        connection: kombu.Connection | None,
        health: Health,
        outage: Outage,
    ) -> None:
        self._catalogue = catalogue
        self._tasks = tasks
        self._leases = leases
        self._delays = delays
        self._connection = connection
        self._health = health
        self._outage = outage
        self._announced = self._restored = self._renewed = float("-inf")
        self._not_before = 0.0

    def turn(self) -> None:
        """Do what is due; a server that is away is left alone for a second."""
        self._health.turned()
        if time.monotonic() < self._not_before:
            return
        try:
            self._announce()
            self.keep_leases()
            self._give_back()
            if self._delays is not None:
                self._delays.release()
        except (BrokerUnavailable, kombu.exceptions.KombuError, *self._lost()) as error:
            self._not_before = time.monotonic() + _AFTER_FAILURE_SECONDS
            self._health.fails("catalogue", str(error))
            self._announced = float("-inf")
            self._outage.failed(error, "next attempt in 1.0 s")

    def keep_leases(self) -> None:
        """Renew the leases of running jobs when it is time.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        if time.monotonic() - self._renewed > _LEASE_SECONDS:
            self._leases.renew()
            self._renewed = time.monotonic()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.release()

    def _announce(self) -> None:
        if time.monotonic() - self._announced > _ANNOUNCE_SECONDS:
            self._catalogue.announce(self._tasks)
            self._announced = time.monotonic()
            self._health.works("catalogue")

    def _give_back(self) -> None:
        """Put what a dead worker held back into its queue, by kombu's own means."""
        if self._connection is not None and time.monotonic() - self._restored > _RESTORE_SECONDS:
            self._connection.default_channel.qos.restore_visible(num=_RESTORE_AT_ONCE, interval=1)
            self._restored = time.monotonic()

    def _lost(self) -> tuple[type[Exception], ...]:
        return self._connection.connection_errors if self._connection is not None else ()
