"""An HTTP server that answers every POST with 202, in a process of its own: ``python -m benchmarks.sink``.

It reads bodies into one buffer and forgets them, so that it is not what is measured.
"""

import socket
import threading
from typing import Final

_ANSWER: Final = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
_LENGTH: Final = b"content-length: "


def serve(connection: socket.socket) -> None:
    """Answer the requests of one connection until it is closed."""
    buffer = memoryview(bytearray(1 << 20))
    with connection:
        while True:
            head = b""
            while b"\r\n\r\n" not in head:
                received = connection.recv_into(buffer)
                if not received:
                    return
                head += bytes(buffer[:received])
            end = head.index(b"\r\n\r\n") + 4
            lines = head[:end].lower()
            length = int(lines.split(_LENGTH)[1].split(b"\r\n")[0]) if _LENGTH in lines else 0
            left = length - (len(head) - end)
            while left > 0:
                received = connection.recv_into(buffer[: min(left, len(buffer))])
                if not received:
                    return
                left -= received
            connection.sendall(_ANSWER)


def main() -> None:
    """Print the port, and serve."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            connection, _ = server.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
