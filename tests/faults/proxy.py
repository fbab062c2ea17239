"""Between a relay and Zipkin: passes requests on, or does to them what networks and servers do."""

import socket
import struct
import threading
from collections.abc import Callable
from typing import Final

_HANG_SECONDS: Final = 20.0
_LINGER_NONE: Final = struct.pack("ii", 1, 0)
_STATUSES: Final = {
    400: b"<html>Bad Request</html>",
    401: b"who are you?",
    403: b"no",
    404: b"not here",
    408: b"too slow",
    413: b"too large",
    429: b"slow down",
    500: b"oops",
    502: b"bad gateway",
    503: b"busy",
    504: b"gateway timeout",
}
MODES: Final = (
    "drop", "delay", "reset", "cut", "cut answer", "hang", "close",
    *(f"status {status}" for status in _STATUSES), "retry in 1", "retry at a date",
)  # fmt: skip
"""What may be done to a request, besides ``pass``."""


class Proxy:
    """An HTTP proxy with moods. ``mode`` may be changed at any time; requests under way keep to theirs.

    Args:
        port: Zipkin's.
    """

    def __init__(self, port: int) -> None:
        self.mode = "pass"
        self.served: dict[str, int] = {}
        self._zipkin = port
        self._closed = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def close(self) -> None:
        """Stop it."""
        self._closed.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while request := _read_message(connection):
                    mode = self.mode
                    self.served[mode] = self.served.get(mode, 0) + 1
                    if not self._answer(connection, request, mode):
                        return
            except OSError:
                return

    def _answer(self, connection: socket.socket, request: bytes, mode: str) -> bool:
        """Treat one request; whether the connection goes on."""
        if mode in ("pass", "delay"):
            if mode == "delay":
                self._closed.wait(0.5)
            connection.sendall(self._ask(request))
            return True
        if mode.startswith(("status", "retry")):
            connection.sendall(_refusal(mode))
            return True
        if mode == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        elif mode == "cut":
            self._ask(request[: len(request) // 2], whole=False)
        elif mode == "cut answer":
            connection.sendall(self._ask(request)[:20])
        elif mode == "hang":
            self._wait_while(lambda: self.mode == "hang")
        return False

    def _ask(self, request: bytes, *, whole: bool = True) -> bytes:
        with socket.create_connection(("127.0.0.1", self._zipkin), timeout=30) as zipkin:
            zipkin.sendall(request)
            return _read_message(zipkin) if whole else b""

    def _wait_while(self, condition: Callable[[], bool]) -> None:
        waited = 0.0
        while condition() and waited < _HANG_SECONDS and not self._closed.wait(0.1):
            waited += 0.1


def _refusal(mode: str) -> bytes:
    status = 503 if mode.startswith("retry") else int(mode.split()[1])
    text = _STATUSES[status]
    header = {"retry in 1": b"Retry-After: 1\r\n", "retry at a date": b"Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n"}
    return b"HTTP/1.1 %d No\r\n%sContent-Length: %d\r\n\r\n%s" % (status, header.get(mode, b""), len(text), text)


def _read_message(connection: socket.socket) -> bytes:
    """Read one request or answer, head and body; empty when the other side has closed."""
    message = b""
    while b"\r\n\r\n" not in message:
        received = connection.recv(65536)
        if not received:
            return b""
        message += received
    head = message[: message.index(b"\r\n\r\n") + 4]
    lines = head.lower()
    if b"transfer-encoding: chunked" in lines:
        while not message.endswith(b"0\r\n\r\n"):
            message += connection.recv(65536)
        return message
    length = int(lines.split(b"content-length:")[1].split(b"\r\n")[0]) if b"content-length:" in lines else 0
    parts, missing = [message], len(head) + length - len(message)
    while missing > 0:
        received = connection.recv(min(missing, 1 << 20))
        if not received:
            return b""
        parts.append(received)
        missing -= len(received)
    return b"".join(parts)
