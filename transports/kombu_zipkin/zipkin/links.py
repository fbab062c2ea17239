"""Addresses of Zipkin's own pages, as a person's browser reaches them."""

import time
from dataclasses import dataclass

from kombu_zipkin.outages import public_address


@dataclass(frozen=True, slots=True)
class ZipkinLinks:
    """Makes links into Zipkin's UI.

    Args:
        url: Zipkin's address as the browser sees it, such as ``http://localhost:9411``; user and password stay out.
    """

    url: str

    @property
    def _base(self) -> str:
        return public_address(self.url).rstrip("/")

    def trace(self, trace_id: str) -> str:
        """Return the page of one trace; Zipkin shows an error there until it has the trace."""
        return f"{self._base}/zipkin/traces/{trace_id}"

    def dependencies(self) -> str:
        """Return the page that draws the services of the last day and the edges between them."""
        now = int(time.time() * 1000)
        return f"{self._base}/zipkin/dependency?startTime={now - 86_400_000}&endTime={now + 3_600_000}"
