"""An HTTP server that answers every POST with 202, in a process of its own: ``python -m benchmarks.sink``."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Accepting(BaseHTTPRequestHandler):
    """Reads and forgets."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer 202."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
        """Say nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Accepting)
    print(server.server_port, flush=True)
    server.serve_forever()
