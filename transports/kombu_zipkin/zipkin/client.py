"""One Zipkin server over HTTP."""

import base64
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, quote, unquote, urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from kombu_zipkin.errors import ConfigurationError, ZipkinRefused, ZipkinUnavailable
from kombu_zipkin.outages import is_http_address, public_address

JsonSpan = dict[str, Any]
"""A span as Zipkin's API writes it."""

_NOT_TRACED: Final = {"b3": "0"}
"""Our own requests must not make traces in a proxy on the way."""

_TRACE_ID: Final = re.compile("[0-9a-f]{16}|[0-9a-f]{32}")
_TEXT_CHARACTERS: Final = 300
_TEXT_END_CHARACTERS: Final = 80  # where Zipkin says what it was reading
_DROPPED: Final = "counter.zipkin_collector.spans_dropped.http"


@dataclass(frozen=True, slots=True)
class Answer:
    """Zipkin's answer to a POST of spans.

    Attributes:
        status: HTTP status.
        text: The beginning and the end of the body.
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
        url: Its address, such as ``http://localhost:9411``; with ``user:password@`` before the host, Basic
            authentication.
        timeout: Seconds for a whole request; Zipkin itself gives up after 11.
        connections: How many are kept open.
        token: Sent as a Bearer token, instead of user and password.
        ca_file: Certificates to trust instead of the system's, in PEM.

    Raises:
        ConfigurationError: The URL is not an http or https address, or the file cannot be read.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 15.0,
        connections: int = 4,
        token: str | None = None,
        ca_file: str | None = None,
    ) -> None:
        if not is_http_address(url):
            shown = public_address(url) if "@" in url else repr(url)
            raise ConfigurationError(f"Zipkin URL: expected http://host:port, got {shown}")
        if ca_file is not None and not Path(ca_file).is_file():
            raise ConfigurationError(f"Zipkin's CA file: expected a file of certificates, found none at {ca_file}")
        self._base = public_address(url).rstrip("/").removesuffix("/zipkin")
        self._headers = {**_NOT_TRACED, **_credentials(urlsplit(url), token)}
        self._timeout = timeout
        limits = urllib3.Timeout(connect=min(2.0, timeout), total=timeout)
        self._pool = urllib3.PoolManager(
            retries=False, timeout=limits, maxsize=connections, headers=self._headers, ca_certs=ca_file
        )

    def post(self, body: bytes) -> Answer:
        """Post a gzip-compressed JSON list of spans; any status is an answer.

        Raises:
            ZipkinUnavailable: There was no answer.
        """
        headers = {**self._headers, "Content-Type": "application/json", "Content-Encoding": "gzip"}
        response = self._request("POST", "/api/v2/spans", body=body, headers=headers)
        return Answer(response.status, _shortened(response.data), response.headers.get("Retry-After"))

    def trace(self, trace_id: str) -> list[JsonSpan] | None:
        """Return the spans of a trace; None when Zipkin does not know it.

        Raises:
            ZipkinUnavailable: There was no answer.
            ZipkinRefused: The id is malformed, or Zipkin failed.
        """
        if not _TRACE_ID.fullmatch(trace_id):
            raise ZipkinRefused(400, f"trace id: expected 16 or 32 lower-hex characters, got {trace_id!r:.60}")
        response = self._request("GET", f"/api/v2/trace/{quote(trace_id, safe='')}")
        return None if response.status == 404 else list(_json(response))

    def known(self, trace_ids: Sequence[str]) -> set[str]:
        """Return those of up to 100 traces that Zipkin has; what is no trace's id is none of them.

        Raises:
            ZipkinUnavailable: There was no answer.
            ZipkinRefused: Zipkin failed.
        """
        ids = [each for each in trace_ids if _TRACE_ID.fullmatch(each)]
        if len(ids) < 2:  # Zipkin takes no list of one
            return {each for each in ids if self.trace(each)}
        found = _json(self._request("GET", f"/api/v2/traceMany?traceIds={','.join(ids)}"))
        there = {span["traceId"] for trace in found for span in trace[:1]}
        return {each for each in ids if each in there or each.removeprefix("0" * 16) in there}

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

    def spans_dropped(self) -> int:
        """Return how many spans Zipkin has accepted from HTTP and then dropped, since it started.

        Raises:
            ZipkinUnavailable: There was no answer.
            ZipkinRefused: It does not show its metrics.
        """
        return int(_json(self._request("GET", "/metrics")).get(_DROPPED, 0))

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
                return self._pool.request(method, self._base + path, body=body, headers=headers or self._headers)
            except urllib3.exceptions.ProtocolError as error:
                if attempt == 2:
                    raise ZipkinUnavailable(f"{method} {self._base}: {self._in_words(error)}") from error
            except HTTPError as error:
                raise ZipkinUnavailable(f"{method} {self._base}: {self._in_words(error)}") from error
        raise AssertionError("unreachable")  # pragma: no cover

    def _in_words(self, error: HTTPError) -> str:
        """Say what went wrong, without the names of urllib3's parts."""
        refused = isinstance(error, urllib3.exceptions.NewConnectionError)  # to urllib3 a kind of time-out
        if isinstance(error, urllib3.exceptions.TimeoutError) and not refused:
            return f"no answer within {self._timeout:g} s"
        return re.sub(r"^HTTPS?Connection(Pool)?\([^)]*\): ", "", str(error))


def _credentials(parts: SplitResult, token: str | None) -> dict[str, str]:
    if token is not None:
        return {"Authorization": f"Bearer {token}"}
    if parts.username is None:
        return {}
    user, password = unquote(parts.username), unquote(parts.password or "")
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def _shortened(body: bytes) -> str:
    text = body.decode("utf-8", "replace").strip()
    if len(text) <= _TEXT_CHARACTERS:
        return text
    return f"{text[: _TEXT_CHARACTERS - _TEXT_END_CHARACTERS]} … {text[-_TEXT_END_CHARACTERS:]}"


def _json(response: urllib3.BaseHTTPResponse) -> Any:
    if response.status != 200:
        raise ZipkinRefused(response.status, response.data[:_TEXT_CHARACTERS].decode("utf-8", "replace"))
    try:
        return json.loads(response.data)
    except ValueError as error:
        raise ZipkinRefused(response.status, "expected JSON; is this address really Zipkin's?") from error
