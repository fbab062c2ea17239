"""Addresses of Zipkin's own pages, as a person's browser reaches them."""

import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from kombu_zipkin.outages import public_address

_MINUTE_MS: Final = 60_000


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

    def of_task(self, task: str) -> str:
        """Return the search for a task's traces of the last 12 hours.

        Zipkin has to be started with ``AUTOCOMPLETE_KEYS=job.task``; it takes such a key as a parameter of its own, and
        finds nothing when it stands in ``annotationQuery``.
        """
        return self._search({"job.task": task})

    def of_job(self, job_id: str) -> str:
        """Return the search for the traces of the last 12 hours in which a job was published or run."""
        return self._search({"annotationQuery": f"job.id={job_id}"})

    def _search(self, wanted: dict[str, str]) -> str:
        # Zipkin's page searches by itself only when lookback, endTs and limit are given, all three
        query = urlencode({**wanted, "lookback": "12h", "endTs": int(time.time() * 1000) + _MINUTE_MS, "limit": 20})
        return f"{self._base}/zipkin/?{query}"

    def dependencies(self) -> str:
        """Return the page that draws the services of the last day and the edges between them."""
        now = int(time.time() * 1000)
        return f"{self._base}/zipkin/dependency?startTime={now - 86_400_000}&endTime={now + 3_600_000}"
