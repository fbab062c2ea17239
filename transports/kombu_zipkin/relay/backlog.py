"""The entries that this relay holds: read ahead, being posted, or waiting to be settled."""

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from kombu_zipkin.spans import Received

_INFLATED_BYTES: Final = 32 * 1024 * 1024  # in one POST: Zipkin decodes all of it in memory
_POSTS_AHEAD: Final = 2
_MOST_ENTRIES: Final = 1000
_FIRST_ENTRIES: Final = 100
_ENTRY_BYTES: Final = 2048  # what an entry costs here beside its payload


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one POST may carry.

    Attributes:
        spans: Most spans.
        bytes: Most compressed bytes.
    """

    spans: int
    bytes: int


class Backlog:
    """Everything in hand. One thread adds, several take and drop; any thread may ask.

    An entry is here from the moment it was read until it was settled, or let go for another relay to claim.

    Args:
        bounds: Of one POST; about two POSTs are read ahead.
        posts: How many POSTs may be in flight.
    """

    def __init__(self, bounds: Bounds, posts: int) -> None:
        self._bounds = bounds
        self._most_spans = bounds.spans * (posts + _POSTS_AHEAD)
        self._most_bytes = bounds.bytes * (posts + _POSTS_AHEAD)
        self._changed = threading.Condition()  # guards everything below
        self._held: dict[str, Received] = {}
        self._waiting: deque[Received] = deque()
        self._spans = self._bytes = 0
        self._closed = False

    def __len__(self) -> int:
        return len(self._held)

    @property
    def is_waiting(self) -> bool:
        """Whether an entry waits to be posted."""
        return bool(self._waiting)

    def held(self) -> list[Received]:
        """Return all that is in hand."""
        with self._changed:
            return list(self._held.values())

    def holds(self, received: Received) -> bool:
        """Whether an entry is still in hand."""
        return received.id in self._held

    def room(self, timeout: float) -> int:
        """Wait until there is room, and return how many entries to read; 0 if ``timeout`` seconds passed.

        As many as make one POST, by what the entries in hand are like.
        """
        with self._changed:
            if not self._changed.wait_for(self._has_room, timeout):
                return 0
            if not self._held:
                return min(_FIRST_ENTRIES, self._bounds.spans)
            by_spans = self._bounds.spans * len(self._held) // max(1, self._spans)
            by_bytes = self._bounds.bytes * len(self._held) // max(1, self._bytes)
            return max(1, min(by_spans, by_bytes, _MOST_ENTRIES))

    def add(self, entries: Iterable[Received]) -> None:
        """Take entries in hand; one that is there already, for Redis forgot that it gave it to us, stays as it is."""
        with self._changed:
            new = [received for received in entries if received.id not in self._held]
            for received in new:
                self._held[received.id] = received
            self._waiting += new
            self._weigh(new, 1)
            self._changed.notify_all()

    def take(self) -> list[Received]:
        """Wait for entries and return as many as one POST may carry; empty once this is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            return [] if self._closed else self._cut()

    def drop(self, entries: Sequence[Received]) -> None:
        """Let entries go: they are settled, or another relay shall claim them."""
        with self._changed:
            gone = [received for received in entries if self._held.pop(received.id, None) is not None]
            self._weigh(gone, -1)
            self._changed.notify_all()

    def close(self) -> None:
        """Give nothing out any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait_until_empty(self, timeout: float) -> bool:
        """Wait until nothing is in hand; False if ``timeout`` seconds passed."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._held, timeout)

    def _has_room(self) -> bool:
        return self._spans < self._most_spans and self._bytes < self._most_bytes

    def _cut(self) -> list[Received]:
        """Return what the next POST carries; at least one entry."""
        post: list[Received] = []
        spans = size = inflated = 0
        while self._waiting:
            entry = self._waiting[0].entry
            if entry is not None:
                spans, size = spans + entry.spans, size + len(entry.piece.payload)
                inflated += entry.piece.length
            if post and (spans > self._bounds.spans or size > self._bounds.bytes or inflated > _INFLATED_BYTES):
                break
            post.append(self._waiting.popleft())
        return post

    def _weigh(self, entries: Sequence[Received], sign: int) -> None:
        readable = [received.entry for received in entries if received.entry is not None]
        self._spans += sign * sum([entry.spans for entry in readable])
        self._bytes += sign * (sum([len(entry.piece.payload) for entry in readable]) + _ENTRY_BYTES * len(entries))
