"""What a worker does beside running jobs: announce tasks, keep leases, give back lost jobs, release delayed ones."""

import logging
import time
from typing import Any, Final

import kombu
import kombu.exceptions

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
_AFTER_FAILURE_SECONDS: Final = 1.0
_RESTORE_AT_ONCE: Final = 100


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

    def turn(self) -> None:
        """Announce when it is time.

        Raises:
            BrokerUnavailable: Redis did not answer; the next turn announces.
        """
        if time.monotonic() - self._made < _ANNOUNCE_SECONDS:
            return
        try:
            self._catalogue.announce(self._tasks)
        except BrokerUnavailable as error:
            self._made = float("-inf")
            self._health.fails("catalogue", str(error))
            raise
        self._made = time.monotonic()
        self._health.works("catalogue")


class LostJobs:
    """Puts what a dead worker held back into its queue, by kombu's own means.

    Args:
        connection: To the queue; closed by `close`.
        lease_seconds: After which a silent worker counts as dead.
    """

    def __init__(self, connection: kombu.Connection, lease_seconds: int) -> None:
        self._connection = connection
        self._every = min(_RESTORE_SECONDS, lease_seconds / 2)
        self._given_back = float("-inf")
        self._failures = (*connection.connection_errors, *connection.channel_errors, kombu.exceptions.KombuError)

    def turn(self) -> None:
        """Give back when it is time.

        Raises:
            BrokerUnavailable: The queue's server did not answer.
        """
        if time.monotonic() - self._given_back < self._every:
            return
        try:
            self._connection.default_channel.qos.restore_visible(num=_RESTORE_AT_ONCE, interval=1)
        except self._failures as error:
            raise BrokerUnavailable(f"give back lost jobs: {type(error).__name__}: {error}") from error
        self._given_back = time.monotonic()

    def close(self) -> None:
        """Close the connection."""
        self._connection.release()


class Housekeeping:
    """Turned by the worker's main thread, some ten times a second; what is not due costs nothing.

    Args:
        announcement: Of the worker's tasks.
        leases: Of the running jobs.
        delays: Where delayed jobs wait; None where the broker keeps none.
        lost: Jobs of dead workers; None where the broker gives them back itself.
        lease_seconds: How long a lease lasts.
        health: Told of every turn.
        outage: Says in the log when the queue's server is away.
    """

    def __init__(
        self,
        announcement: Announcement,
        leases: Leases,
        delays: Delays | None,
        lost: LostJobs | None,
        lease_seconds: int,
        health: Health,
        outage: Outage,
    ) -> None:
        self._announcement = announcement
        self._leases = leases
        self._delays = delays
        self._lost = lost
        self._renew_every = lease_seconds / 4
        self._health = health
        self._outage = outage
        self._renewed = float("-inf")
        self._not_before = 0.0

    def turn(self, *, draining: bool = False) -> None:
        """Do what is due; a server that is away is left alone for a second.

        Args:
            draining: The worker takes no more jobs: only keep the leases of those that run.
        """
        self._health.turned()
        if time.monotonic() < self._not_before:
            return
        try:
            self._keep_leases()
            if not draining:
                self._look_after_the_queue()
        except BrokerUnavailable as error:
            self._not_before = time.monotonic() + _AFTER_FAILURE_SECONDS
            self._outage.failed(error, f"next attempt in {_AFTER_FAILURE_SECONDS} s")
        except Exception:  # noqa: BLE001 - the worker goes on without it
            self._not_before = time.monotonic() + _AFTER_FAILURE_SECONDS
            _log.exception("housekeeping failed; next attempt in %g s", _AFTER_FAILURE_SECONDS)

    def close(self) -> None:
        """Close the connection."""
        if self._lost is not None:
            self._lost.close()

    def _look_after_the_queue(self) -> None:
        self._announcement.turn()
        if self._lost is not None:
            self._lost.turn()
        if self._delays is not None:
            self._delays.release()

    def _keep_leases(self) -> None:
        if time.monotonic() - self._renewed > self._renew_every:
            self._leases.renew()
            self._renewed = time.monotonic()
