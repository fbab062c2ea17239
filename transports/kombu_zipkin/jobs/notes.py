"""Changes of records on their way to Redis; of one job only the newest."""

import threading

from kombu_zipkin.jobs.changes import Change


class Notes:
    """Collects changes until somebody writes them. Any thread may call; nothing blocks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _changes
        self._changes: dict[str, Change] = {}

    def add(self, change: Change) -> None:
        """Note a change; fields that an earlier one of this job has, and it has not, stay."""
        with self._lock:
            earlier = self._changes.pop(change.job_id, None)
            if earlier is not None:
                change = change._replace(fields={**earlier.fields, **change.fields})
            self._changes[change.job_id] = change

    def take(self) -> list[Change]:
        """Return what is noted, and forget it."""
        if not self._changes:
            return []
        with self._lock:
            changes, self._changes = self._changes, {}
        return list(changes.values())

    def __bool__(self) -> bool:
        return bool(self._changes)
