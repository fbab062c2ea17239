"""A trace as a tree, out of the spans that Zipkin returns."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_WAITS: Final = ("wait in ", "back off")


@dataclass(slots=True)
class SpanNode:
    """One span and those below it, the earliest first.

    Attributes:
        span: As Zipkin's API writes it.
        children: The spans whose parent it is.
    """

    span: Mapping[str, Any]
    children: list["SpanNode"] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The span's name, empty without one."""
        return str(self.span.get("name", ""))

    @property
    def service(self) -> str:
        """The service that reported it, empty without one."""
        return str(self.span.get("localEndpoint", {}).get("serviceName", ""))

    @property
    def kind(self) -> str:
        """CLIENT, SERVER, PRODUCER, CONSUMER, or empty for local work."""
        return str(self.span.get("kind", ""))

    @property
    def started_us(self) -> int:
        """Epoch microseconds; 0 without a timestamp."""
        return int(self.span.get("timestamp", 0))

    @property
    def duration_us(self) -> int:
        """Microseconds; 0 without a duration."""
        return int(self.span.get("duration", 0))

    @property
    def error(self) -> str | None:
        """The ``error`` tag; None on success."""
        value = self.span.get("tags", {}).get("error")
        return None if value is None else str(value)

    @property
    def is_wait(self) -> bool:
        """Whether it is time in a queue, or before another attempt."""
        return not self.kind and self.name.startswith(_WAITS)

    def walk(self) -> Iterator[tuple[int, "SpanNode"]]:
        """Yield this node and all below it, each with its depth, in the order they are drawn."""
        ahead = [(0, self)]  # no recursion: a chain of jobs may be deeper than Python's stack
        while ahead:
            depth, node = ahead.pop()
            yield depth, node
            ahead += [(depth + 1, child) for child in reversed(node.children)]


@dataclass(frozen=True, slots=True)
class TraceTree:
    """A whole trace.

    Attributes:
        roots: Spans without a parent in the trace: one when it is complete, more while spans are missing.
    """

    roots: tuple[SpanNode, ...]

    @classmethod
    def of(cls, spans: Iterable[Mapping[str, Any]]) -> "TraceTree":
        """Build the tree; a span whose parent is missing becomes a root."""
        nodes: dict[str, SpanNode] = {}
        for span in spans:
            nodes.setdefault(str(span["id"]), SpanNode(span))
        roots: list[SpanNode] = []
        for node in sorted(nodes.values(), key=lambda each: (each.started_us, each.name)):
            parent = nodes.get(str(node.span.get("parentId", "")))
            (roots if parent is None or parent is node else parent.children).append(node)
        return cls(tuple(roots))

    def walk(self) -> Iterator[tuple[int, SpanNode]]:
        """Yield every span with its depth, in the order they are drawn."""
        for root in self.roots:
            yield from root.walk()

    @property
    def orphans(self) -> tuple[SpanNode, ...]:
        """The roots that name a parent which is not there: it has not arrived, or never will."""
        return tuple(node for node in self.roots if node.span.get("parentId"))

    @property
    def started_us(self) -> int:
        """Epoch microseconds of the earliest span that has a timestamp; 0 for none."""
        return min((node.started_us for _, node in self.walk() if node.started_us), default=0)

    @property
    def ended_us(self) -> int:
        """Epoch microseconds at which the last span ended; 0 for none."""
        return max((node.started_us + node.duration_us for _, node in self.walk()), default=0)

    def find(self, name: str) -> SpanNode | None:
        """Return the first span of that name; None when there is none."""
        return next((node for _, node in self.walk() if node.name == name), None)
