"""SIGTERM and SIGINT: the first asks a program to finish, the second to go at once."""

import os
import signal
import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import FrameType


def stop_on_signals(on_second: Callable[[], None] | None = None) -> threading.Event:
    """Return an event that the first SIGTERM or SIGINT sets; call it from the main thread.

    A thread sets it, not the handler: a handler runs in the main thread between any two of its steps, and if that one
    is just about to wait for the event, it holds the lock that setting it needs. Forked children call this again.

    Args:
        on_second: What the second one does, in that thread; None leaves the process at once with status 130.
    """
    stop = threading.Event()
    received: SimpleQueue[int] = SimpleQueue()  # its put may be called by a handler, whatever was interrupted

    def obey() -> None:
        received.get()
        stop.set()
        while received.get():
            if on_second is None:
                os._exit(130)
            on_second()

    def handle(number: int, frame: FrameType | None) -> None:
        received.put(number)

    threading.Thread(target=obey, name="signals", daemon=True).start()
    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop
