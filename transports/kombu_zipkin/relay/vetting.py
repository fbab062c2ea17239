"""Which entries are opened before they are posted, for Zipkin would not complain about them."""

import threading
from typing import Final

from kombu_zipkin.spans import Entry

_FIRST: Final = 3
_EVERY: Final = 100
_MOST_PRODUCERS: Final = 10_000


class Vetting:
    """Chooses the first entries of each producer, and every hundredth. Any thread may use it.

    A payload that closes the list, ``],[``, is accepted by Zipkin, which then silently forgets whatever comes after
    it, other entries of the same POST included. No program of this library writes one; a writer in another language
    that does, does it from its first entry on. Opening every entry would cost more than all else that a relay does.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _seen
        self._seen: dict[str, int] = {}

    def wants(self, entry: Entry) -> bool:
        """Whether this entry is to be opened; counts it."""
        with self._lock:
            seen = self._seen.get(entry.producer, 0)
            if not seen and len(self._seen) >= _MOST_PRODUCERS:
                self._seen.clear()
            self._seen[entry.producer] = seen + 1
        return seen < _FIRST or seen % _EVERY == 0
