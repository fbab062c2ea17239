"""An HTTP server that answers as it is told: for the answers that a healthy Zipkin does not give."""

import gzip
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

Answer = tuple[int, str, dict[str, str]]
ACCEPTED: Answer = (202, "", {})


class Sink:
    """Takes POSTs of spans; ``answer`` decides what each is answered with.

    Args:
        answer: Given the spans of a POST; None accepts everything.
        tls: Makes it an https server.

    Attributes:
        posts: The lists that were posted, empty ones left out.
        headers: Of each of these POSTs.
        dropped: What its metrics page says was accepted and then dropped.
    """

    def __init__(
        self, answer: Callable[[list[dict[str, Any]]], Answer] | None = None, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.answer = answer or (lambda spans: ACCEPTED)
        self.posts: list[list[dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        self.dropped = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._scheme = "http"
        if tls is not None:
            self._scheme = "https"
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    @property
    def accepted(self) -> list[str]:
        """The names of the spans it has accepted."""
        return [span["name"] for post in self.posts for span in post if self.answer(post)[0] == 202]

    def close(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet, or each answer waits 40 ms for an acknowledgement

            def do_POST(self) -> None:
                body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
                spans = orjson.loads(body)
                status, text, headers = sink.answer(spans)
                if spans:
                    sink.posts.append(spans)
                    sink.headers.append(dict(self.headers))
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(text))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())
                self.wfile.flush()

            def do_GET(self) -> None:
                body = orjson.dumps({"counter.zipkin_collector.spans_dropped.http": float(sink.dropped)})
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
                """Say nothing."""

        return Handler
