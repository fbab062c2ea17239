"""A job that calls another service over HTTP: the trace goes on there."""

import urllib.error
import urllib.request
from typing import Final
from urllib.parse import urlsplit

from kombu_zipkin.jobs import JobContext, task
from kombu_zipkin.tracing import http_call

_SECONDS: Final = 10.0
_MAX_BYTES: Final = 4096


@task
def fetch(context: JobContext, url: str) -> str:
    """Fetch a page, such as the worker's own /echo, and return the beginning of it.

    Args:
        url: The page's address, http or https.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"url: expected http://host/path, got {url!r}")
    remote = "echo" if parts.path.startswith("/echo") else parts.hostname
    with http_call(context.tracer, "GET", url, remote=remote) as call:
        request = urllib.request.Request(url, headers=call.headers)  # noqa: S310 - the scheme is checked above
        with urllib.request.urlopen(request, timeout=_SECONDS) as response:  # noqa: S310 - as above
            call.answered(response.status)
            return str(response.read(_MAX_BYTES).decode("utf-8", "replace"))
