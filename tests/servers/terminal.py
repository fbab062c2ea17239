"""A program on a terminal of its own: a pseudo-terminal of a given size."""

import errno
import fcntl
import os
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from threading import Thread
from typing import Self

from tests.servers.process import ROOT


class Terminal:
    """Starts a program on a terminal at once; the end of a ``with`` around it ends the program too.

    Args:
        argv: The program and its arguments.
        env: Added to this process's environment, of which nothing is kept that speaks of terminals.
        columns: How wide the terminal is.
        rows: How high.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], *, columns: int = 100, rows: int = 40) -> None:
        self._screen, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
        environment = {**kept, "TERM": "xterm-256color", "PYTHONUNBUFFERED": "1", **env}
        self._process = subprocess.Popen(
            list(argv), env=environment, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        self._read: list[bytes] = []
        self._reader = Thread(target=self._copy, name="terminal")
        self._reader.start()

    @property
    def output(self) -> str:
        """All that it has shown so far, with its escape sequences."""
        return b"".join(self._read).decode("utf-8", "replace")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self, seconds: float = 30.0) -> int:
        """Wait for its end, and for all that it showed; returns the exit code.

        Raises:
            subprocess.TimeoutExpired: It did not end.
        """
        code = self._process.wait(seconds)
        self._reader.join()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        os.close(self._screen)

    def _copy(self) -> None:
        while True:
            try:
                some = os.read(self._screen, 65536)
            except OSError as error:
                if error.errno == errno.EIO:  # Linux's way to say that the last one has hung up
                    return
                raise
            if not some:
                return
            self._read.append(some)
