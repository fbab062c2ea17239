"""``/health``, ``/ready`` and ``/metrics``, and a small server for programs that have no other."""

import json
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from kombu_zipkin.errors import ConfigurationError
from kombu_zipkin.runtime.metrics import CONTENT_TYPE, Metrics

_TEXTS: Final = {200: "200 OK", 404: "404 Not Found", 503: "503 Service Unavailable"}


class StatusPages:
    """The pages as a WSGI application.

    Args:
        is_alive: Whether the program's loop turns: ``/health`` answers 200 or 503.
        faults: What keeps the program from its work: ``/ready`` answers 200, or 503 with the faults.
        metrics: What ``/metrics`` shows.
        others: Further pages by path prefix, such as ``/echo``.
    """

    def __init__(
        self,
        is_alive: Callable[[], bool],
        faults: Callable[[], Mapping[str, str]],
        metrics: Metrics,
        others: Mapping[str, WSGIApplication] | None = None,
    ) -> None:
        self._is_alive = is_alive
        self._faults = faults
        self._metrics = metrics
        self._others = others or {}

    def health(self) -> tuple[int, str, bytes]:
        """Return status, content type and body of ``/health``."""
        alive = self._is_alive()
        return (200 if alive else 503), "application/json", _json({"alive": alive})

    def ready(self) -> tuple[int, str, bytes]:
        """Return status, content type and body of ``/ready``."""
        faults = dict(self._faults())
        return (503 if faults else 200), "application/json", _json({"ready": not faults, "faults": faults})

    def metrics(self) -> tuple[int, str, bytes]:
        """Return status, content type and body of ``/metrics``."""
        return 200, CONTENT_TYPE, self._metrics.page()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        path = environ.get("PATH_INFO", "")
        for prefix, other in self._others.items():
            if path == prefix or path.startswith(prefix + "/"):
                return other(environ, start_response)
        pages = {"/health": self.health, "/ready": self.ready, "/metrics": self.metrics}
        page = pages.get(path)
        status, kind, body = page() if page is not None else (404, "text/plain", b"/health /ready /metrics\n")
        start_response(_TEXTS[status], [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]


@contextmanager
def serve_pages(application: WSGIApplication, host: str, port: int) -> Iterator[int]:
    """Serve an application on a thread of its own; yields the port, which matters when 0 was asked for.

    Raises:
        ConfigurationError: The address is taken or not ours.
    """
    try:
        server = make_server(host, port, application, _Server, _QuietHandler)
    except OSError as error:
        raise ConfigurationError(f"status pages on {host}:{port}: {error.strerror}; choose another port") from error
    thread = threading.Thread(target=server.serve_forever, args=(0.2,), name="status-pages", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5.0)


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind without the reverse look-up of our own name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Leave the log to what matters."""


def _json(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"
