"""The thread beside a consumer that keeps its leases, and gives back what silent consumers hold."""

import logging
import threading
import time
import weakref
from typing import Any, Final

from kombu_zipkin.broker.waiter import dismiss
from kombu_zipkin.outages import Outage

_log = logging.getLogger(__name__)

_TURN_SECONDS: Final = 0.5
_RESTORE_SECONDS: Final = 1.0
_RENEW_SECONDS: Final = 3.0  # at most: another consumer may go by a shorter lease


class LeaseKeeper:
    """Renews each quarter of the lease, and every 3 s at least; restores each second, whatever the traffic.

    In a forked child it is not there.

    Args:
        channel: The consumer's; when nobody holds it any more, the thread ends.
        place: The queue's server, for the log.
    """

    def __init__(self, channel: Any, place: str) -> None:
        self._channel = weakref.ref(channel)
        self._stopped = threading.Event()
        self._outage = Outage(_log, f"leases on {place}")
        self._renewed = self._restored = float("-inf")
        self._thread = threading.Thread(target=self._run, name="kombu-zipkin-leases", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; waits for a turn in progress, up to a second."""
        self._stopped.set()
        if self._thread is not threading.current_thread():
            self._thread.join(1.0)

    def _run(self) -> None:
        while not self._stopped.wait(_TURN_SECONDS):
            channel = self._channel()
            if channel is None:
                return
            try:
                self._turn(channel)
                self._outage.over()
            except Exception as error:  # noqa: BLE001 - whatever it was, leases must go on being kept
                self._outage.failed(error, f"next attempt in {_TURN_SECONDS} s")
            del channel

    def _turn(self, channel: Any) -> None:
        now, lease = time.monotonic(), channel.visibility_timeout
        if channel.intake.listener.is_overdue:
            channel.intake.listener.ring()
        channel.claims.recover()
        if now - self._renewed >= min(lease / 4, _RENEW_SECONDS):
            for tag in channel.claims.renew():
                _log.warning("lease of message %s is lost: silent for over %s s, it is delivered again", tag, lease)
            self._renewed = now
        if now - self._restored >= _RESTORE_SECONDS:
            _restore(channel, lease)
            self._restored = now


def _restore(channel: Any, lease: float) -> None:
    count, stock, silent = channel.claims.restore(lease, channel.stock_visibility_timeout)
    for tag in stock:
        channel.qos.restore_by_tag(tag)
    for member in silent:
        dismiss(channel.plain_client(), channel.claim_keys, member)
    if count or stock:
        _log.warning("%d messages of silent consumers are given back", count + len(stock))
