"""SIGTERM and SIGINT: the first asks a program to finish, the second to go at once."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType


def stop_on_signals(on_second: Callable[[], None] | None = None) -> threading.Event:
    """Return an event that the first SIGTERM or SIGINT sets; call it from the main thread.

    Args:
        on_second: What the second one does; None leaves the process at once with status 130.
    """
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if not stop.is_set():
            stop.set()
        elif on_second is not None:
            on_second()
        else:
            os._exit(130)

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop
