"""Free ports."""

import socket
from collections.abc import Callable

from stack.errors import StackError

_TRIES = 100


class Ports:
    """Gives out ports on the loopback address, each once.

    Args:
        say: Told when a port was taken and another is used.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._given: set[int] = set()

    def take(self, what: str, wanted: int) -> int:
        """Return the wanted port, or the next free one.

        Raises:
            StackError: A hundred in a row are taken.
        """
        for port in range(wanted, min(wanted + _TRIES, 65536)):
            if port not in self._given and _is_free(port):
                self._given.add(port)
                if port != wanted:
                    self._say(f"port {wanted} is taken; {what} uses {port}")
                return port
        raise StackError(f"{what}: expected a free port from {wanted} on; {_TRIES} in a row are taken")


def _is_free(port: int) -> bool:
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0")):  # noqa: S104 - only a try
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True
