"""A SERVER span around every request of a WSGI application."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from py_zipkin import Kind

from kombu_zipkin.tracing import b3
from kombu_zipkin.tracing.active import ActiveSpan
from kombu_zipkin.tracing.context import TraceContext
from kombu_zipkin.tracing.tracer import Tracer

SPAN_KEY: Final = "kombu_zipkin.span"
"""Where the request's span stands in the WSGI environment: a view may tag it or give it a name of its own."""

_ENVIRON_NAMES: Final = {"HTTP_" + name.upper().replace("-", "_"): name for name in b3.HEADERS}


class TracingMiddleware:
    """Continues or starts a trace for every request; the span lasts until the last byte of the response was made.

    The span is named by method and route (``get /jobs/<job_id>``), never by the path, which may hold ids. Where the
    framework does not tell its route, by the method alone. The response carries the trace id in ``X-B3-TraceId``.

    Args:
        app: The WSGI application.
        tracer: Opens the spans.
        ignored_paths: Requests that are not traced, such as ``/health``, ``GET /jobs`` or ``/static/*``.
        trusted: Whether to go by the trace headers of whoever sends a request. At the edge to strangers False: their
            ids and decisions are passed over then (a debug flag would get past every sampler).
    """

    def __init__(
        self, app: WSGIApplication, tracer: Tracer, *, ignored_paths: Collection[str] = (), trusted: bool = True
    ) -> None:
        self._trusted = trusted
        self._app = app
        self._tracer = tracer
        self._ignored = frozenset(path for path in ignored_paths if not path.endswith("*"))
        self._ignored_below = tuple(path[:-1] for path in ignored_paths if path.endswith("*"))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        path, method = environ.get("PATH_INFO", ""), str(environ.get("REQUEST_METHOD", "")).lower()
        subject = f"{method.upper()} {path}"
        if self._is_ignored(path, subject):
            return self._app(environ, start_response)
        sent = _sent_context(environ) if self._trusted else None
        root = self._tracer.root(method, kind=Kind.SERVER, context=sent, subject=subject)
        span = root.__enter__()
        span.tag("http.method", method.upper())
        span.tag("http.path", path.encode("latin-1", "replace").decode("utf-8", "replace"))  # as PEP 3333 has it
        environ[SPAN_KEY] = span
        request = _Request(span, environ, method, root.__exit__)
        try:
            body = self._app(environ, request.starting(start_response))
            return (_SizedBody if hasattr(body, "__len__") else _TracedBody)(body, request)
        except BaseException as error:
            request.finish(error)
            raise

    def _is_ignored(self, path: str, request: str) -> bool:
        below = self._ignored_below
        return path in self._ignored or request in self._ignored or path.startswith(below) or request.startswith(below)


class _Request:
    """One traced request: what is known when, until the span ends, once."""

    def __init__(self, span: ActiveSpan, environ: WSGIEnvironment, method: str, end: Callable[..., Any]) -> None:
        self._span = span
        self._environ = environ
        self._method = method
        self._end: Callable[..., Any] | None = end

    def starting(self, start_response: StartResponse) -> StartResponse:
        """Note the status on its way out, and add the trace id to the headers."""

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
            code = status.split(" ", 1)[0]
            self._name_by_route()  # now: Flask forgets its request before the body is closed
            self._span.tag("http.status_code", code)
            if code.startswith("5"):
                self._span.fail(code)
            traced = [*headers, (b3.TRACE_ID, str(self._span.context.trace_id))]
            return start_response(status, traced, exc_info) if exc_info else start_response(status, traced)

        return start

    def _name_by_route(self) -> None:
        """Name the span by its route, unless a view has given it a name of its own."""
        route = _route(self._environ)
        if route is not None:
            self._span.tag("http.route", route)
            if self._span.name == self._method:
                self._span.name = f"{self._method} {route}"

    def finish(self, error: BaseException | None = None) -> None:
        """End the span; a second call does nothing."""
        end, self._end = self._end, None
        if end is None:
            return
        end(type(error) if error is not None else None, error, None)


class _TracedBody:
    """The response's body; the span ends when the server closes it."""

    def __init__(self, body: Iterable[bytes], request: _Request) -> None:
        self._body = body
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body
        except GeneratorExit:  # the client went away; the server closes the body next
            raise
        except BaseException as error:
            self._request.finish(error)
            raise

    def close(self) -> None:
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        except BaseException as error:
            self._request.finish(error)
            raise
        self._request.finish()


class _SizedBody(_TracedBody):
    """A body whose length a server may ask for, to write a Content-Length."""

    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type] # asked for before


def _sent_context(environ: WSGIEnvironment) -> TraceContext | None:
    return b3.extract({name: environ[key] for key, name in _ENVIRON_NAMES.items() if key in environ})


def _route(environ: WSGIEnvironment) -> str | None:
    """Find the route's pattern where the framework leaves it: Flask and others on werkzeug, Bottle."""
    rule = getattr(getattr(environ.get("werkzeug.request"), "url_rule", None), "rule", None)
    rule = rule or getattr(environ.get("bottle.route"), "rule", None)
    return rule if isinstance(rule, str) else None
