"""A CLIENT span around an outgoing HTTP request, whatever library sends it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from py_zipkin import Kind

from kombu_zipkin.tracing.active import ActiveSpan
from kombu_zipkin.tracing.b3 import inject_http
from kombu_zipkin.tracing.tracer import Tracer

_FIRST_FAILURE: Final = 400


@dataclass(frozen=True, slots=True)
class HttpCall:
    """An outgoing request while it runs.

    Attributes:
        span: Its CLIENT span.
        headers: To send along: the ``X-B3-*`` headers of the span.
    """

    span: ActiveSpan
    headers: dict[str, str]

    def answered(self, status: int) -> None:
        """Note the answer's status; 400 and above mark the span as failed."""
        self.span.tag("http.status_code", status)
        if status >= _FIRST_FAILURE:
            self.span.fail(str(status))


@contextmanager
def http_call(tracer: Tracer, method: str, url: str, *, remote: str | None = None) -> Iterator[HttpCall]:
    """Open a CLIENT span for a request: ``with http_call(tracer, "GET", url) as call: …headers=call.headers…``.

    Args:
        tracer: Opens the span, below the open one.
        method: The HTTP method; it names the span.
        url: Where the request goes; its path is a tag, user, password and query are not.
        remote: Service name of the other side in Zipkin; None for the host's name.
    """
    parts = urlsplit(url)
    with tracer.child(method.lower(), kind=Kind.CLIENT, remote=remote or parts.hostname) as span:
        span.tag("http.method", method.upper())
        span.tag("http.path", parts.path or "/")
        yield HttpCall(span, inject_http(span.context))
