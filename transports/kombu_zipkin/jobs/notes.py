"""Changes of records on their way to Redis; of one job only the newest."""

import threading
import time
from typing import Final

from kombu_zipkin.jobs.changes import Change

_RIPE_SECONDS: Final = 0.05


class Notes:
    """Collects changes until somebody writes them. Any thread may call; nothing blocks.

    That an attempt has begun is told after 50 ms: a job that is over by then costs one writing instead of two.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _ripe and _unripe
        self._ripe: dict[str, Change] = {}
        self._unripe: dict[str, tuple[float, Change]] = {}  # the oldest first

    def add(self, change: Change) -> None:
        """Note a change that is to be written; fields that an earlier one of this job has, and it has not, stay."""
        with self._lock:
            earlier = self._earlier(change.job_id)
            self._ripe[change.job_id] = _merged(earlier, change)

    def begun(self, change: Change) -> None:
        """Note that an attempt has begun, or what belongs to that."""
        with self._lock:
            earlier = self._earlier(change.job_id)
            self._unripe[change.job_id] = (time.monotonic() + _RIPE_SECONDS, _merged(earlier, change))

    def take(self) -> list[Change]:
        """Return what is to be written now, and forget it."""
        if not self:
            return []
        with self._lock:
            now = time.monotonic()
            for job_id, (ripe_at, change) in list(self._unripe.items()):
                if ripe_at > now:
                    break
                del self._unripe[job_id]
                self._ripe[job_id] = change
            changes, self._ripe = self._ripe, {}
        return list(changes.values())

    def __bool__(self) -> bool:
        return bool(self._ripe or self._unripe)

    def _earlier(self, job_id: str) -> Change | None:
        unripe = self._unripe.pop(job_id, None)
        return unripe[1] if unripe is not None else self._ripe.pop(job_id, None)


def _merged(earlier: Change | None, change: Change) -> Change:
    return change if earlier is None else change._replace(fields={**earlier.fields, **change.fields})
