"""Waiting times between attempts: exponential with full jitter.

Source: AWS Architecture Blog, "Exponential Backoff And Jitter": it keeps many clients from coming back at once.
"""

import random


class Backoff:
    """The waits of one series of attempts. Not shared between threads.

    Args:
        first: Upper bound of the first wait, in seconds; it doubles each time.
        longest: Upper bound of any wait, in seconds.
    """

    def __init__(self, first: float = 0.1, longest: float = 10.0) -> None:
        self._first = first
        self._longest = longest
        self._attempts = 0

    def next(self) -> float:
        """Return the seconds to wait before the next attempt."""
        bound = min(self._longest, self._first * 2 ** min(self._attempts, 32))
        self._attempts += 1
        return random.uniform(bound / 20, bound)  # noqa: S311 - jitter, not a secret

    def reset(self) -> None:
        """Begin again after a success."""
        self._attempts = 0
