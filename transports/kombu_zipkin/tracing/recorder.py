"""A reporter that keeps the spans, for tests of traced code."""

import threading
from collections.abc import Sequence

from py_zipkin.encoding import Span


class SpanRecorder:
    """Keeps every reported span in memory, so that a test can look at them without servers.

    Any thread may report and read. Nothing is ever dropped: call `clear` between tests.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _spans
        self._spans: list[Span] = []

    def report(self, spans: Sequence[Span]) -> None:
        """Keep the spans."""
        with self._lock:
            self._spans.extend(spans)

    @property
    def spans(self) -> list[Span]:
        """Every span reported so far, oldest first."""
        with self._lock:
            return list(self._spans)

    def named(self, name: str) -> Span:
        """Return the one span of that name.

        Raises:
            LookupError: None, or more than one, has the name.
        """
        spans = [span for span in self.spans if span.name == name]
        if len(spans) != 1:
            names = [span.name for span in self.spans]
            raise LookupError(f"expected one span named {name!r}, found {len(spans)} among {names}")
        return spans[0]

    def clear(self) -> None:
        """Forget every span."""
        with self._lock:
            self._spans.clear()
