"""A small HTTP service beside the worker, so that the ``fetch`` task has something traced to fetch."""

import json
from collections.abc import Iterable, Mapping
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from kombu_zipkin.tracing import Reporter, Tracer, TracingMiddleware


def echo_pages(reporter: Reporter) -> Mapping[str, WSGIApplication]:
    """Return ``/echo``, a service of its own in Zipkin."""
    return {"/echo": TracingMiddleware(_echo, Tracer("echo", reporter))}


def _echo(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with what was asked."""
    asked = {"method": environ["REQUEST_METHOD"], "path": environ["PATH_INFO"], "query": environ["QUERY_STRING"]}
    body = json.dumps(asked).encode() + b"\n"
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
