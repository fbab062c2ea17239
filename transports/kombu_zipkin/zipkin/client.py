"""One Zipkin server over HTTP."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from kombu_zipkin.errors import ConfigurationError, ZipkinRefused, ZipkinUnavailable

JsonSpan = dict[str, Any]
"""A span as Zipkin's API writes it."""

_NOT_TRACED: Final = {"b3": "0"}
"""Our own requests must not make traces in a proxy on the way."""

_TEXT_CHARACTERS: Final = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """Zipkin's answer to a POST of spans.

    Attributes:
        status: HTTP status.
        text: The beginning of the body.
        retry_after: The ``Retry-After`` header as it came; None without one.
    """

    status: int
    text: str
    retry_after: str | None


@dataclass(frozen=True, slots=True)
class Dependency:
    """An edge of Zipkin's dependency graph."""

    parent: str
    child: str
    calls: int
    errors: int


class ZipkinClient:
    """Talks to one Zipkin. Any thread may use it; a call blocks up to ``timeout`` seconds.

    Args:
        url: Its address, such as ``http://localhost:9411``.
        timeout: Seconds for a whole request; Zipkin itself gives up after 11.

    Raises:
        ConfigurationError: The URL is not an http or https address.
    """

    def __init__(self, url: str, *, timeout: float = 15.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"Zipkin URL: expected http://host:port, got {url!r}")
        self._base = url.rstrip("/").removesuffix("/zipkin")
        limits = urllib3.Timeout(connect=min(2.0, timeout), total=timeout)
        self._pool = urllib3.PoolManager(retries=False, timeout=limits, maxsize=4, headers=_NOT_TRACED)

    def post(self, body: bytes) -> Answer:
        """Post a gzip-compressed JSON list of spans; any status is an answer.

        Raises:
            ZipkinUnavailable: There was no answer.
        """
        headers = {**_NOT_TRACED, "Content-Type": "application/json", "Content-Encoding": "gzip"}
        response = self._request("POST", "/api/v2/spans", body=body, headers=headers)
        text = response.data[:_TEXT_CHARACTERS].decode("utf-8", "replace").strip()
        return Answer(response.status, text, response.headers.get("Retry-After"))

    def trace(self, trace_id: str) -> list[JsonSpan] | None:
        """Return the spans of a trace; None when Zipkin does not know it.

        Raises:
            ZipkinUnavailable: There was no answer.
            ZipkinRefused: The id is malformed, or Zipkin failed.
        """
        if not re.fullmatch(r"[0-9a-f]{16}|[0-9a-f]{32}", trace_id):
            raise ZipkinRefused(400, f"trace id: expected 16 or 32 lower-hex characters, got {trace_id!r:.60}")
        response = self._request("GET", f"/api/v2/trace/{quote(trace_id, safe='')}")
        return None if response.status == 404 else list(_json(response))

    def dependencies(self, *, end_ms: int | None = None, lookback_ms: int = 86_400_000) -> list[Dependency]:
        """Return the edges between services seen in the ``lookback_ms`` before ``end_ms`` (epoch; None: now).

        Raises:
            ZipkinUnavailable: There was no answer.
            ZipkinRefused: Zipkin failed.
        """
        query = urlencode({"endTs": end_ms or int(time.time() * 1000), "lookback": lookback_ms})
        edges = _json(self._request("GET", f"/api/v2/dependencies?{query}"))
        return [Dependency(e["parent"], e["child"], e.get("callCount", 0), e.get("errorCount", 0)) for e in edges]

    def health(self) -> str | None:
        """Return None when Zipkin is up, its storage included, else what is wrong.

        Raises:
            ZipkinUnavailable: There was no answer.
        """
        response = self._request("GET", "/health")
        return None if response.status == 200 else response.data[:_TEXT_CHARACTERS].decode("utf-8", "replace")

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _request(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        """Send once; once more if a kept-alive connection turns out to be closed (Zipkin closes idle ones after 15 s).

        Sending again is safe: the same bytes twice are one copy in Zipkin.
        """
        for attempt in (1, 2):
            try:
                return self._pool.request(method, self._base + path, body=body, headers=headers or _NOT_TRACED)
            except urllib3.exceptions.ProtocolError as error:
                if attempt == 2:
                    raise ZipkinUnavailable(f"{method} {self._base}: {error}") from error
            except HTTPError as error:
                raise ZipkinUnavailable(f"{method} {self._base}: {error}") from error
        raise AssertionError("unreachable")  # pragma: no cover


def _json(response: urllib3.BaseHTTPResponse) -> Any:
    if response.status != 200:
        raise ZipkinRefused(response.status, response.data[:_TEXT_CHARACTERS].decode("utf-8", "replace"))
    try:
        return json.loads(response.data)
    except ValueError as error:
        raise ZipkinRefused(response.status, "expected JSON; is this address really Zipkin's?") from error
