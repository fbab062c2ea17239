"""Every Redis key of the span stream, with its type."""

from dataclasses import dataclass
from typing import Final

DEFAULT_STREAM: Final = "zipkin-spans"
GROUP: Final = "zipkin-relay"
"""The consumer group that all relays share."""


@dataclass(frozen=True, slots=True)
class StreamKeys:
    """The keys of one span stream. They share a hash tag, so that they live on one node of a cluster.

    Args:
        name: The stream's name, ``zipkin-spans`` unless a Redis holds several.
    """

    name: str = DEFAULT_STREAM

    @property
    def stream(self) -> str:
        """Stream: the entries, a batch of spans each."""
        return f"{{{self.name}}}:stream"

    @property
    def dead(self) -> str:
        """Stream: dead letters, an entry for each span (or unreadable batch) that Zipkin will never take."""
        return f"{{{self.name}}}:dead"

    @property
    def totals(self) -> str:
        """Hash of counters in spans: appended, delivered, trimmed, dead, purged, ...; and bytes. See docs/format.md."""
        return f"{{{self.name}}}:totals"

    @property
    def producers(self) -> str:
        """Sorted set: producer ids by the epoch milliseconds of their last report."""
        return f"{{{self.name}}}:producers"

    @property
    def check(self) -> str:
        """Any type, for an instant: where a client tries the commands that it needs."""
        return f"{{{self.name}}}:check"

    def producer(self, producer_id: str) -> str:
        """Hash: one producer's s (last sequence), accepted, created, vanished, seen, ``dropped:<cause>``."""
        return f"{{{self.name}}}:p:{producer_id}"
