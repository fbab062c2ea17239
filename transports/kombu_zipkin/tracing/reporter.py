"""Where finished spans go: the one thing a tracer asks of the outside."""

from collections.abc import Sequence
from typing import Protocol

from py_zipkin.encoding import Span


class Reporter(Protocol):
    """Takes the finished spans of one local root.

    ``report`` is called from the request's or message's own thread when its root span ends. It must return at once
    and raise nothing: no I/O, no waiting. It owns the spans from then on.
    """

    def report(self, spans: Sequence[Span]) -> None:
        """Take over finished spans, the children first, the local root last."""
