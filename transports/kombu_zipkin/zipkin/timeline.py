"""A trace on its time axis: a bar for every span, wherever it is drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kombu_zipkin.zipkin.tree import SpanNode, TraceTree


@dataclass(frozen=True, slots=True)
class Bar:
    """One span's place.

    Attributes:
        node: The span.
        depth: How deep it lies in the tree.
        left: Where it begins, as a share of the trace's duration, 0 to 1.
        width: How much of the trace's duration it took, 0 to 1.
        starts_ms: Milliseconds after the trace began.
        took_ms: Milliseconds.
    """

    node: SpanNode
    depth: int
    left: float
    width: float
    starts_ms: float
    took_ms: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """A trace, ready to be drawn.

    Attributes:
        bars: One for every span, in the order they are drawn.
        services: Every service, with a number in the order of appearance.
        took_ms: Milliseconds from the first span's start to the last one's end.
    """

    bars: Sequence[Bar]
    services: Mapping[str, int]
    took_ms: float

    @classmethod
    def of(cls, tree: TraceTree) -> "Timeline":
        """Place the spans of a trace; one without a timestamp stands at the beginning."""
        nodes = list(tree.walk())
        begun, whole = tree.started_us, max(1, tree.ended_us - tree.started_us)
        services: dict[str, int] = {}
        for _, node in nodes:
            services.setdefault(node.service, len(services))
        return cls([_bar(depth, node, begun, whole) for depth, node in nodes], services, whole / 1000)


def _bar(depth: int, node: SpanNode, begun_us: int, whole_us: int) -> Bar:
    after_us = max(0, node.started_us - begun_us)
    left = min(1.0, after_us / whole_us)
    width = min(1.0 - left, node.duration_us / whole_us)
    return Bar(node, depth, left, width, after_us / 1000, node.duration_us / 1000)
