"""Whether a program is alive, and whether it can do its work: told by its last real attempts, not by a ping."""

import threading
import time
from collections.abc import Mapping


class Health:
    """What the threads of a program say about themselves. Any thread may write and read.

    Args:
        parts: What must work before the program is ready, such as ``("redis", "zipkin")``.
        stalled_after: Seconds without a turn of the loop after which the program counts as dead.
    """

    def __init__(self, parts: tuple[str, ...], *, stalled_after: float = 60.0) -> None:
        self._lock = threading.Lock()  # guards _faults and _turned
        self._faults: dict[str, str | None] = dict.fromkeys(parts, "not tried yet")
        self._stalled_after = stalled_after
        self._turned = time.monotonic()

    def turned(self) -> None:
        """Say that the program's loop is turning."""
        with self._lock:
            self._turned = time.monotonic()

    def works(self, part: str) -> None:
        """Say that the last real use of a part worked."""
        with self._lock:
            self._faults[part] = None

    def fails(self, part: str, why: str) -> None:
        """Say that the last real use of a part failed."""
        with self._lock:
            self._faults[part] = why

    def is_alive(self) -> bool:
        """Whether the loop turned lately."""
        with self._lock:
            return time.monotonic() - self._turned < self._stalled_after

    def faults(self) -> Mapping[str, str]:
        """Return the parts that do not work, each with what is wrong; empty when the program is ready."""
        with self._lock:
            return {part: why for part, why in self._faults.items() if why is not None}
