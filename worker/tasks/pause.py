"""Stand-in for real work."""

import threading


def pause(seconds: float) -> None:
    """Take some time."""
    threading.Event().wait(seconds)
