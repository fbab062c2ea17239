"""A WSGI application whose tracer and transport are made at import: with gunicorn's --preload, before the fork.

Every request's mark is its query string. ``/pid`` is not traced and tells which worker answered.
"""

import os
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from kombu_zipkin.spans import RedisStreamTransport
from kombu_zipkin.tracing import SPAN_KEY, Tracer, TracingMiddleware
from tests.processes.subjects.work import do_steps, do_trace

_transport = RedisStreamTransport(os.environ["SUBJECT_REDIS"], stream=os.environ["SUBJECT_STREAM"], linger_ms=50)
_tracer = Tracer("subject", _transport, host="10.0.0.1")
if "SUBJECT_TRACES_BEFORE_FORK" in os.environ:
    do_trace(_tracer, "master.0")


def _serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    if environ["PATH_INFO"] != "/pid":
        mark = environ["QUERY_STRING"]
        environ[SPAN_KEY].tag("mark", mark)
        do_steps(_tracer, mark)
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


app = TracingMiddleware(_serve, _tracer, ignored_paths={"/pid"})
